"""Drawing: texts as QR codes, digits as Code 128. Pure, and the same input gives the same bytes.

Every image has its quiet zone and a white ground, so that it can be scanned off a dark page. The
SVGs have no XML prologue, DOCTYPE, ids, classes, scripts or texts and scale with the page: they can
stand inside one as they are.

Drawing takes milliseconds of CPU: call it in a thread.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Literal

import segno

from barcode_svc import code128

QR_QUIET_ZONE_MODULES = 4
"""ISO/IEC 18004, 6.3.8."""
QR_MODULE_PIXELS = 8
CODE128_QUIET_ZONE_MODULES = 10
"""ISO/IEC 15417, 4.7."""
CODE128_HEIGHT_MODULES = 60
"""More than a third of the width, so that a scanner's line may cross it at an angle."""
CODE128_MODULE_PIXELS = 2

ErrorLevel = Literal["m", "q"]
SHOWN: ErrorLevel = "m"
"""On a screen: 15 % of the code may be unreadable."""
PRINTED: ErrorLevel = "q"
"""On paper, where it gets scratched, wet and pasted over: 25 %."""

Modules = Sequence[Sequence[int]]
"""Rows of modules without a quiet zone, 1 is dark."""


def qr_svg(text: str, *, level: ErrorLevel = SHOWN) -> bytes:
    """The text as a QR code, ``image/svg+xml``."""
    rows = _qr(text, level).matrix_iter(border=QR_QUIET_ZONE_MODULES)
    return _svg(list(rows), row_height=1, module_pixels=QR_MODULE_PIXELS)


def qr_png(text: str, *, level: ErrorLevel = SHOWN) -> bytes:
    """The text as a QR code, ``image/png``, 8 pixels for a module."""
    image = io.BytesIO()
    _qr(text, level).save(image, kind="png", scale=QR_MODULE_PIXELS, border=QR_QUIET_ZONE_MODULES)
    return image.getvalue()


def qr_modules(text: str, *, level: ErrorLevel = SHOWN) -> Modules:
    """The text as a QR code, to be drawn by somebody else, who adds the quiet zone."""
    return _qr(text, level).matrix


def code128_svg(digits: str) -> bytes:
    """An even number of digits as Code 128, ``image/svg+xml``. They are not printed below it."""
    quiet = [0] * CODE128_QUIET_ZONE_MODULES
    row = [*quiet, *map(int, code128.modules(digits)), *quiet]
    return _svg([row], row_height=CODE128_HEIGHT_MODULES, module_pixels=CODE128_MODULE_PIXELS)


def _qr(text: str, level: ErrorLevel) -> segno.QRCode:
    # Byte mode only, and UTF-8 announced (ECI 26) where it matters: EMVCo MPM 4.12. segno raises
    # the error level above the wanted one where the version has room for it.
    try:
        return segno.make_qr(
            text, mode="byte", encoding="utf-8", eci=not text.isascii(), error=level
        )
    except segno.DataOverflowError:
        # 512 characters of four bytes each fit at M only: a code that is less robust, but one.
        if level == SHOWN:
            raise
        return _qr(text, SHOWN)


def _svg(rows: Sequence[Iterable[int]], *, row_height: int, module_pixels: int) -> bytes:
    """Rows of modules, 1 is dark: a run of dark ones is a stroke as thick as the row is high."""
    strokes: list[str] = []
    width = 0
    for number, row in enumerate(rows):
        position = 0
        middle = f"{(number + 0.5) * row_height:g}"
        for module, run in groupby(row):
            length = sum(1 for _ in run)
            if module:
                strokes.append(f"M{position} {middle}h{length}")
            position += length
        width = position
    height = len(rows) * row_height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * module_pixels}"'
        f' height="{height * module_pixels}" viewBox="0 0 {width} {height}"'
        f' shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{width}v{height}H0z"/>'
        f'<path stroke="#000" stroke-width="{row_height}" d="{"".join(strokes)}"/></svg>'
    ).encode("ascii")
