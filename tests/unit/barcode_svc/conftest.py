"""A scanner as fixtures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.barcode_svc.scanner import picture_of, scan

Scan = Callable[[bytes], list[tuple[str, str]]]
"""Image -> (symbology, text) of every code in it."""


@pytest.fixture
def bitmap_of() -> Callable[[bytes], tuple[bytes, int]]:
    """Image -> its pixels row by row, 255 is white, and its width."""

    def bitmap(image: bytes) -> tuple[bytes, int]:
        picture = picture_of(image)
        return picture.tobytes(), picture.width

    return bitmap


@pytest.fixture
def scan_svg() -> Scan:
    """Renders the SVG and reads that."""
    return _read


@pytest.fixture
def scan_png() -> Scan:
    """Unpacks the PNG and reads it."""
    return _read


def _read(image: bytes) -> list[tuple[str, str]]:
    return [(found.symbology, found.text) for found in scan(picture_of(image))]
