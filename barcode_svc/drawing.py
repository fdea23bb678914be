"""Images for the service. Merchants' codes are drawn in a thread: they take milliseconds of CPU.

Static codes and posters are asked for again and again and are remembered; barcodes and codes with
an amount are shown once and are not -- a barcode least of all, and it need not be: see
``quick_images``.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from cachetools import LRUCache

from barcode_svc import images
from barcode_svc.posters import Poster, poster_pdf
from barcode_svc.quick_images import QuickImages
from chassis.errors import Overloaded
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
    """A merchant's code or poster, ready to be sent."""

    content: bytes
    content_type: str
    etag: str
    """A strong validator (RFC 9110, 8.8.3) without quotes: the head of the content's SHA-256."""


class Draughtsman:
    """Draws, and remembers at most ``remembered_max`` static codes and ``posters_remembered_max``
    posters. More than ``posters_waiting_max`` posters at a time are refused."""

    def __init__(
        self,
        *,
        remembered_max: int = 256,
        posters_remembered_max: int = 64,
        posters_waiting_max: int = 32,
    ) -> None:
        self._quick = QuickImages()
        self._remembered: LRUCache[tuple[str, QrFormat], Drawing] = LRUCache(remembered_max)
        self._posters: LRUCache[Poster, Drawing] = LRUCache(posters_remembered_max)
        self._posters_waiting = 0
        self._posters_waiting_max = posters_waiting_max
        self._drawing_board = asyncio.Lock()

    async def merchant_qr(self, text: str, form: QrFormat, *, static: bool) -> Drawing:
        """The payload ``text`` in the wanted format. The same arguments give the same bytes.

        A static code is going to be printed, the others are shown on a screen.
        """
        if not static:
            return await asyncio.to_thread(_drawing, text, form, images.SHOWN)
        drawing = self._remembered.get((text, form))
        if drawing is None:
            drawing = await asyncio.to_thread(_drawing, text, form, images.PRINTED)
            self._remembered[text, form] = drawing
        return drawing

    async def poster(self, poster: Poster) -> Drawing:
        """A poster. The same one gives the same bytes. Raises ``Overloaded``, and ``ValueError``
        for a logo that is not one."""
        drawing = self._posters.get(poster)
        if drawing is not None:
            return drawing
        if self._posters_waiting >= self._posters_waiting_max:
            raise Overloaded
        self._posters_waiting += 1
        try:
            # One at a time: it is Python from end to end, so two would only take turns, and
            # whoever asks for the same one meanwhile finds it drawn.
            async with self._drawing_board:
                drawing = self._posters.get(poster)
                if drawing is None:
                    drawing = await asyncio.to_thread(_poster, poster)
                    self._posters[poster] = drawing
                return drawing
        finally:
            self._posters_waiting -= 1

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


def _drawing(text: str, form: QrFormat, level: images.ErrorLevel) -> Drawing:
    match form:
        case QrFormat.TEXT:
            content = text.encode()
        case QrFormat.SVG:
            content = images.qr_svg(text, level=level)
        case QrFormat.PNG:
            content = images.qr_png(text, level=level)
    return _tagged(content, form.value)


def _poster(poster: Poster) -> Drawing:
    return _tagged(poster_pdf(poster), "application/pdf")


def _tagged(content: bytes, content_type: str) -> Drawing:
    etag = hashlib.sha256(content).hexdigest()[:32]
    return Drawing(content=content, content_type=content_type, etag=etag)
