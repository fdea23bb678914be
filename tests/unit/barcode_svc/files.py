"""Pictures that people upload, and what attackers call pictures."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any

from PIL import Image


def picture(width: int = 300, height: int = 200, mode: str = "RGB") -> Image.Image:
    """A picture whose left half is red and whose right half is blue."""
    image = Image.new("RGB", (width, height), (200, 30, 30))
    image.paste((30, 30, 200), (width // 2, 0, width, height))
    return image.convert(mode)


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """A file of a picture."""
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def opened(content: bytes) -> Image.Image:
    """A file, decoded."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png_of(*chunks: bytes) -> bytes:
    """A PNG of chunks."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def header(width: int, height: int, *, depth: int = 1, colour: int = 0) -> bytes:
    """The first chunk of a PNG."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def bomb(side: int = 20_000) -> bytes:
    """A PNG of a few kilobytes that decodes to side x side pixels."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (side + 7) // 8)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return png_of(header(side, side), chunk(b"IDAT", packed), chunk(b"IEND", b""))


def text_bomb() -> bytes:
    """A small PNG with a text that unpacks to 256 MiB."""
    whole = encoded(picture())
    text = b"Comment\0\0" + zlib.compress(b"\0" * (256 * 1024 * 1024), 9)
    head = len(png_of(header(1, 1)))
    return whole[:head] + chunk(b"zTXt", text) + whole[head:]


def archive() -> bytes:
    """A ZIP file."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        file.writestr("evil.js", "alert(1)")
    return target.getvalue()


def animated(form: str) -> bytes:
    """A picture that moves."""
    frames = [Image.new("RGB", (64, 64), (shade, 0, 0)) for shade in (0, 128, 255)]
    return encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100)
