"""The letters of what we print: Noto Sans, cut by ``make``; see ``OFL.txt`` for their licence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.fonts import TTFFont

FAMILY = "noto sans"
"""What ``FPDF.set_font`` is to be called with, and style ``""`` or ``"B"``."""
FILES = {"": "NotoSans-Regular.ttf", "B": "NotoSans-Bold.ttf"}
"""By style."""

_FOLDER = Path(__file__).parent


@contextmanager
def fonts_of(pdf: FPDF) -> Iterator[None]:
    """Give a document our fonts for the time of the block, in which it is written and output."""
    for style, name in FILES.items():
        pdf.add_font(FAMILY, style, _FOLDER / name)
    try:
        yield
    finally:
        # The library keeps their files open.
        for font in pdf.fonts.values():
            if isinstance(font, TTFFont):
                font.ttfont.close()


def has_letters_of(text: str) -> bool:
    """Whether every character of the text can be printed."""
    return all(ord(character) in _letters() for character in text)


@cache
def _letters() -> frozenset[int]:
    """The characters that the fonts have; both styles are cut alike."""
    with TTFont(_FOLDER / FILES["B"], lazy=True) as font:
        return frozenset(font.getBestCmap())
