"""Images for the service: drawn in a thread, because a QR code takes milliseconds of CPU.

Static codes are asked for again and again and are remembered; barcodes and codes with an amount are
shown once and are not -- a barcode least of all.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from cachetools import LRUCache

from barcode_svc import images
from chassis.settings import Secret


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
        self._remembered: LRUCache[tuple[str, QrFormat], Drawing] = LRUCache(remembered_max)

    async def merchant_qr(self, text: str, form: QrFormat, *, static: bool) -> Drawing:
        """The payload ``text`` in the wanted format. The same arguments give the same bytes."""
        drawing = self._remembered.get((text, form))
        if drawing is None:
            drawing = await asyncio.to_thread(_drawing, text, form)
            if static:
                self._remembered[text, form] = drawing
        return drawing

    async def barcode(self, code: Secret) -> tuple[str, str]:
        """A customer's code as QR code and as Code 128, both SVG."""
        return await asyncio.to_thread(_barcode, code)


def _drawing(text: str, form: QrFormat) -> Drawing:
    content = _DRAW[form](text)
    return Drawing(
        content=content,
        content_type=form.value,
        etag=hashlib.sha256(content).hexdigest()[:32],
    )


def _barcode(code: Secret) -> tuple[str, str]:
    digits = code.reveal()
    return images.qr_svg(digits).decode("ascii"), images.code128_svg(digits).decode("ascii")
