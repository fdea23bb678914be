"""Images for the service. Merchants' codes are drawn in a thread: they take milliseconds of CPU.

Static codes are asked for again and again and are remembered; barcodes and codes with an amount are
shown once and are not -- a barcode least of all, and it need not be: see ``quick_images``.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from cachetools import LRUCache

from barcode_svc import images
from barcode_svc.quick_images import QuickImages
from chassis.settings import Secret

_DRAWN_AT_A_TIME = 32
"""Barcodes: a few milliseconds without letting anybody else work."""


class QrFormat(Enum):
    """How a merchant's code is handed out; the value is its media type."""

    TEXT = "text/plain"
    SVG = "image/svg+xml"
    PNG = "image/png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A merchant's code, ready to be sent."""

    content: bytes
    content_type: str
    etag: str
    """A strong validator (RFC 9110, 8.8.3) without quotes: the head of the content's SHA-256."""


_DRAW: dict[QrFormat, Callable[[str], bytes]] = {
    QrFormat.TEXT: str.encode,
    QrFormat.SVG: images.qr_svg,
    QrFormat.PNG: images.qr_png,
}


class Draughtsman:
    """Draws, and remembers at most ``remembered_max`` static codes."""

    def __init__(self, *, remembered_max: int = 256) -> None:
        self._quick = QuickImages()
        self._remembered: LRUCache[tuple[str, QrFormat], Drawing] = LRUCache(remembered_max)

    async def merchant_qr(self, text: str, form: QrFormat, *, static: bool) -> Drawing:
        """The payload ``text`` in the wanted format. The same arguments give the same bytes."""
        drawing = self._remembered.get((text, form))
        if drawing is None:
            drawing = await asyncio.to_thread(_drawing, text, form)
            if static:
                self._remembered[text, form] = drawing
        return drawing

    async def barcodes(self, codes: Sequence[Secret | None]) -> list[tuple[str, str]]:
        """Customers' codes, each as QR code and as Code 128, SVG. Two empty texts where is none."""
        drawings = []
        for number, code in enumerate(codes, 1):
            drawings.append(self._barcode(code) if code else ("", ""))
            if number % _DRAWN_AT_A_TIME == 0:
                await asyncio.sleep(0)
        return drawings

    def _barcode(self, code: Secret) -> tuple[str, str]:
        digits = code.reveal()
        return self._quick.qr_svg(digits), self._quick.code128_svg(digits)


def _drawing(text: str, form: QrFormat) -> Drawing:
    content = _DRAW[form](text)
    return Drawing(
        content=content,
        content_type=form.value,
        etag=hashlib.sha256(content).hexdigest()[:32],
    )
