"""A scanner: renders an image with somebody else's code and reads it as a till or phone would."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pypdfium2
import resvg_py
import zxingcpp
from PIL import Image

_UTF8_ANNOUNCED = bytes.fromhex("5D 51 32 5C 30 30 30 30 32 36")
"""The start of what a QR code with ECI 26 transmits (ISO/IEC 15424): "]Q2", then "\\000026"."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A code in a picture."""

    symbology: str
    text: str
    error_level: str
    """L, M, Q or H for a QR code."""
    utf8_announced: bool
    box: tuple[int, int, int, int]
    """Left, top, right, bottom of its modules, in pixels."""


def scan(picture: Image.Image) -> list[Found]:
    """Every code in the picture.

    Of all of them it holds that the encoding is said where the text is not ASCII, and only there:
    some readers guess wrong, or stumble (EMVCo MPM 4.12).
    """
    read = zxingcpp.read_barcodes(picture, text_mode=zxingcpp.TextMode.Plain)
    transmitted = zxingcpp.read_barcodes(picture, text_mode=zxingcpp.TextMode.HexECI)
    found = []
    for code, raw in zip(read, transmitted, strict=True):
        corners = code.position
        found.append(
            Found(
                symbology=str(code.format),
                text=code.text,
                error_level=code.ec_level,
                utf8_announced=bytes.fromhex(raw.text).startswith(_UTF8_ANNOUNCED),
                box=(
                    min(corners.top_left.x, corners.bottom_left.x),
                    min(corners.top_left.y, corners.top_right.y),
                    max(corners.top_right.x, corners.bottom_right.x),
                    max(corners.bottom_left.y, corners.bottom_right.y),
                ),
            )
        )
        assert found[-1].utf8_announced == (not code.text.isascii())
    return found


def picture_of(image: bytes, *, dpi: int = 150) -> Image.Image:
    """A PNG, an SVG at its own size, or the page of a PDF, in grey. What an SVG leaves open is
    black, so that a missing ground or quiet zone makes its code unreadable."""
    if image.startswith(b"%PDF"):
        (page,) = pypdfium2.PdfDocument(image)
        rendered: Image.Image = page.render(scale=dpi / 72).to_pil()
        return rendered.convert("L")
    if not image.startswith(b"\x89PNG"):
        image = resvg_py.svg_to_bytes(
            svg_string=image.decode(), background="#000000", skip_system_fonts=True
        )
    return Image.open(io.BytesIO(image)).convert("L")
