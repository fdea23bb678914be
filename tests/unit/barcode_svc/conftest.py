"""A scanner: reads an image the way a till or a phone would, from its bytes alone."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
import zxingcpp

Scan = Callable[[bytes], list[tuple[str, str]]]
"""Image -> (symbology, text) of every code in it."""

_UTF8_ANNOUNCED = bytes.fromhex("5D 51 32 5C 30 30 30 30 32 36")
"""The start of what a QR code with ECI 26 transmits (ISO/IEC 15424): "]Q2", then "\\000026"."""

_WHITE, _BLACK = 255, 0
_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def bitmap_of() -> Callable[[bytes], tuple[bytearray, int]]:
    """Image -> its pixels row by row, 255 is white, and its width."""
    return lambda image: (_bitmap_of_png if image[:1] == b"\x89" else _bitmap_of_svg)(image)


@pytest.fixture
def scan_svg() -> Scan:
    """Draws the SVG's own shapes into a bitmap and reads that."""
    return lambda image: _scan(*_bitmap_of_svg(image))


@pytest.fixture
def scan_png() -> Scan:
    """Unpacks the PNG and reads it."""
    return lambda image: _scan(*_bitmap_of_png(image))


def _scan(pixels: bytearray, width: int) -> list[tuple[str, str]]:
    view = memoryview(bytes(pixels)).cast("B", (len(pixels) // width, width))
    found = zxingcpp.read_barcodes(view, text_mode=zxingcpp.TextMode.Plain)
    raw = zxingcpp.read_barcodes(view, text_mode=zxingcpp.TextMode.HexECI)
    for code, transmitted in zip(found, raw, strict=True):
        announced = bytes.fromhex(transmitted.text).startswith(_UTF8_ANNOUNCED)
        # EMVCo MPM 4.12: beyond ASCII the encoding must be said; some readers stumble over it else.
        assert announced == (not code.text.isascii())
    return [(str(code.format), code.text) for code in found]


def _bitmap_of_svg(image: bytes) -> tuple[bytearray, int]:
    """On a black page, so that a missing ground or quiet zone makes the code unreadable."""
    root = ElementTree.fromstring(image)  # noqa: S314 - our own drawing
    assert root.tag == f"{_SVG}svg"
    _, _, columns, rows = map(int, root.attrib["viewBox"].split())
    scale = int(root.attrib["width"]) // columns
    width, height = columns * scale, rows * scale
    pixels = bytearray([_BLACK]) * (width * height)
    for path in root.findall(f"{_SVG}path"):
        if path.get("fill") == "#fff":
            assert path.attrib["d"] == f"M0 0h{columns}v{rows}H0z"
            pixels = bytearray([_WHITE]) * (width * height)
            continue
        thickness = int(path.attrib["stroke-width"])
        for x, y, length in _strokes(path.attrib["d"]):
            top = int((y - thickness / 2) * scale)
            for row in range(top, top + thickness * scale):
                start = row * width + x * scale
                pixels[start : start + length * scale] = bytes(length * scale)
    return pixels, width


def _strokes(path: str) -> list[tuple[int, float, int]]:
    """Horizontal strokes as (x, y, length). Knows "M" (go to), "m" (go on by) and "h" (draw)."""
    steps = re.findall(r"M(\d+) ([\d.]+)|m(\d+) 0|h(\d+)", path)
    strokes, text, x, y = [], "", 0, 0.0
    for start_x, start_y, skip, drawn in steps:
        if start_x:
            x, y, text = int(start_x), float(start_y), f"{text}M{start_x} {start_y}"
        elif skip:
            x, text = x + int(skip), f"{text}m{skip} 0"
        else:
            strokes.append((x, y, int(drawn)))
            x, text = x + int(drawn), f"{text}h{drawn}"
    assert text == path, "nothing else"
    return strokes


def _bitmap_of_png(image: bytes) -> tuple[bytearray, int]:
    """Greyscale PNG with one bit per pixel and rows of filter "none" or "up", as segno writes."""
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    position = 8
    while position < len(image):
        length = struct.unpack(">I", image[position : position + 4])[0]
        kind, data = image[position + 4 : position + 8], image[position + 8 :][:length]
        checksum = struct.unpack(">I", image[position + 8 + length :][:4])[0]
        assert checksum == zlib.crc32(kind + data)
        chunks[kind] = chunks.get(kind, b"") + data
        position += 12 + length
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colour) == (1, 0)
    rows = zlib.decompress(chunks[b"IDAT"])
    stride = 1 + (width + 7) // 8
    pixels = bytearray()
    row = bytes(stride - 1)
    for start in range(0, height * stride, stride):
        above, row = row, rows[start + 1 : start + stride]
        assert rows[start] in (0, 2)
        if rows[start] == 2:
            row = bytes((here + there) % 256 for here, there in zip(row, above, strict=True))
        bits = "".join(f"{byte:08b}" for byte in row)[:width]
        pixels += bytes(_WHITE if bit == "1" else _BLACK for bit in bits)
    return pixels, width
