"""Customers' codes, drawn from parts: the same symbols as the slow way, and scanners read them."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby

import pytest
import segno
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barcode_svc import images
from barcode_svc.quick_images import QuickImages, penalties

Scan = Callable[[bytes], list[tuple[str, str]]]

SIDE = 21
SPECIAL = ["0" * 18, "9" * 18, "512" * 6, "999" * 6, "8" + "0" * 17, "123456789012345678"]
QUICK = QuickImages()
codes = st.one_of(st.sampled_from(SPECIAL), st.from_regex(r"[0-9]{18}", fullmatch=True))
few = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows_of(symbol: int) -> list[str]:
    """A symbol as rows of "0" and "1"."""
    text = f"{symbol:0{SIDE * SIDE}b}"
    return [text[start : start + SIDE] for start in range(0, len(text), SIDE)]


def encoded(digits: str, mask: int | None) -> int:
    """The symbol as an encoder of the market makes it."""
    symbol = segno.make(
        digits, mode="numeric", version=1, error="q", mask=mask, micro=False, boost_error=False
    )
    return int("".join("01"[module & 1] for row in symbol.matrix for module in row), 2)


def slow_penalty(symbol: int) -> int:
    """ISO/IEC 18004, 7.8.3.1, rule by rule and module by module."""
    rows = rows_of(symbol)
    columns = ["".join(column) for column in zip(*rows, strict=True)]
    points = 0
    for line in rows + columns:
        runs = (sum(1 for _ in run) for _, run in groupby(line))
        points += sum(length - 2 for length in runs if length >= 5)
        points += 40 * len(re.findall(r"(?=10111010000|00001011101)", line))
    for row in range(SIDE - 1):
        for column in range(SIDE - 1):
            block = rows[row][column : column + 2] + rows[row + 1][column : column + 2]
            points += 3 * (block in ("0000", "1111"))
    dark = sum(row.count("1") for row in rows)
    return points + 10 * (abs(dark * 20 - SIDE * SIDE * 10) // (SIDE * SIDE))


@given(digits=codes)
@few
def test_it_is_the_symbol_of_the_encoder(digits: str) -> None:
    """Goal: a code put together from its digits' parts is, bit for bit, the one that an encoder
    makes of the whole text, error correction included."""
    symbol, mask = QUICK.modules(digits)
    assert symbol == encoded(digits, mask)


@given(digits=codes)
@few
def test_the_mask_is_the_best_of_the_eight(digits: str) -> None:
    """Goal: no large spots and nothing that looks like a finder pattern where it can be helped:
    the rules of the standard, counted the slow way, prefer no other mask."""
    symbols = [encoded(digits, mask) for mask in range(8)]
    points = [slow_penalty(symbol) for symbol in symbols]
    side_by_side = sum(symbol << mask * 448 for mask, symbol in enumerate(symbols))
    assert penalties(side_by_side) == points
    assert QUICK.modules(digits)[1] == points.index(min(points))


@given(digits=codes)
@few
def test_scanners_read_both_images(scan_svg: Scan, digits: str) -> None:
    """Goal: any 18 digits come back from either image exactly as they went in."""
    assert scan_svg(QUICK.qr_svg(digits).encode()) == [("QR Code", digits)]
    assert scan_svg(QUICK.code128_svg(digits).encode()) == [("Code 128", digits)]


@given(digits=codes)
@few
def test_code128_is_the_same_picture(
    bitmap_of: Callable[[bytes], tuple[bytearray, int]], digits: str
) -> None:
    """Goal: drawn from parts or as a whole, not one pixel differs."""
    quick = bitmap_of(QUICK.code128_svg(digits).encode())
    assert quick == bitmap_of(images.code128_svg(digits))


def test_quiet_zones_are_those_of_the_standards(
    bitmap_of: Callable[[bytes], tuple[bytearray, int]],
) -> None:
    """Goal: 4 modules of 8 pixels all around; our scanner would do without, others do not."""
    pixels, width = bitmap_of(QUICK.qr_svg("123456789012345678").encode())
    dark = [divmod(place, width) for place, pixel in enumerate(pixels) if pixel == 0]
    for line in zip(*dark, strict=True):
        assert (min(line), width - 1 - max(line)) == (32, 32)


@pytest.mark.parametrize("draw", [QUICK.qr_svg, QUICK.code128_svg])
def test_they_can_stand_inside_a_page(draw: Callable[[str], str]) -> None:
    """Goal: nothing that could run or clash with a page, no digits to read, and they are small."""
    image = draw("123456789012345678")
    assert image.startswith("<svg ")
    assert image.endswith("</svg>")
    for forbidden in ("<?xml", " id=", " class=", "<style", "<script", "<text", "\n"):
        assert forbidden not in image
    assert "123456789012345678" not in image
    assert len(image) < 1500
