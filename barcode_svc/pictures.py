"""Pictures of strangers: decoded, checked, drawn anew. Runs in the studio's own processes.

What comes out was made here, pixel by pixel: nothing of the file survives that is not shown.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from typing import Literal

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

PictureFormat = Literal["png", "webp"]

BYTES_MAX = 2 * 1024 * 1024
"""Of an uploaded file, and of what is drawn."""
PIXELS_MAX = 16 * 1024 * 1024
"""Of an uploaded picture, before it is decoded: 64 MiB of memory."""
SIDE_MIN, SIDE_MAX = 16, 8192
"""Of an uploaded picture, in pixels: less is no logo, more is a stripe."""
WIDTHS = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""The widths in which a logo is drawn. Few: every cache on the way is bounded, and of use."""

_FORMATS = ("PNG", "JPEG", "WEBP")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WEBP_QUALITY = 85
# What a JPEG may be made of, tables and markers without content aside (ITU-T T.81, table B.1).
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})


class NotALogo(Exception):
    """The file cannot be a logo; its text says why."""


def clean(content: bytes) -> bytes:
    """An uploaded file as a PNG of our own, at most ``WIDTHS[-1]`` wide and high.

    One still picture, upright (EXIF), in sRGB (ICC), 8 bits a channel, without any metadata. The
    same file gives the same bytes. Raises ``NotALogo``.
    """
    if len(content) > BYTES_MAX:
        raise NotALogo(f"The file has more than {BYTES_MAX} bytes.")
    # Before a library looks at it: nothing may follow the picture, and it may not move.
    _check_container(content)
    try:
        with warnings.catch_warnings():
            # Odd metadata is none of our business: it is thrown away.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _redrawn(content)
    except NotALogo:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise NotALogo(f"The picture has more than {PIXELS_MAX} pixels.") from error
    except Exception as error:
        # A decoder that met a forged file raises anything at all.
        raise NotALogo("The file is damaged.") from error


def draw(master: bytes, width: int, form: PictureFormat) -> bytes:
    """A clean picture at a width of ``WIDTHS``, or at its own if that is less; at most
    ``BYTES_MAX`` bytes."""
    with Image.open(io.BytesIO(master), formats=("PNG",)) as opened:
        image = _at_width(opened, width)
    if form == "webp":
        return _encoded(image, "WEBP", quality=_WEBP_QUALITY, method=4)
    drawn = _encoded(image, "PNG")
    if len(drawn) <= BYTES_MAX:
        return drawn
    # Noise in full colour, larger than a message may be: 256 colours always fit.
    return _encoded(image.quantize(256, Image.Quantize.FASTOCTREE), "PNG")


def step_of(width: int) -> int:
    """The width in which a logo is drawn for somebody who wants ``width`` pixels."""
    return next((step for step in WIDTHS if step >= width), WIDTHS[-1])


def _redrawn(content: bytes) -> bytes:
    try:
        opened = Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise NotALogo("The file is not a PNG, JPEG or WebP picture.") from error
    with opened as image:
        _check_size(image)
        if getattr(image, "is_animated", False):
            raise NotALogo("The picture is animated.")
        image.load()
        profile = image.info.get("icc_profile")
        upright = ImageOps.exif_transpose(image)
        picture = _in_srgb(upright, profile)
    picture.thumbnail((WIDTHS[-1], WIDTHS[-1]), Image.Resampling.LANCZOS, reducing_gap=3.0)
    # Pixels alone: a new picture has no metadata to forget.
    blank = Image.new(picture.mode, picture.size)
    blank.paste(picture)
    return _encoded(blank, "PNG")


def _at_width(image: Image.Image, width: int) -> Image.Image:
    width = min(width, image.width)
    height = max(1, round(image.height * width / image.width))
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _check_size(image: Image.Image) -> None:
    """The header's numbers, before a pixel is decoded."""
    width, height = image.size
    if width * height > PIXELS_MAX:
        raise NotALogo(f"The picture has more than {PIXELS_MAX} pixels.")
    if not (min(width, height) >= SIDE_MIN and max(width, height) <= SIDE_MAX):
        raise NotALogo(f"The picture's sides must have {SIDE_MIN} to {SIDE_MAX} pixels.")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture as RGB, or as RGBA if anything of it is transparent."""
    if image.mode.startswith("I"):
        # 16 bits of grey: Pillow's own conversion would cut the brightness off, not scale it down.
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
        profile = None
    transparent = image.has_transparency_data
    mode = "RGBA" if transparent else "RGB"
    if profile and image.mode in {"RGB", "RGBA", "CMYK", "L"}:
        converted = _through_profile(image, profile, mode)
        if converted is not None:
            return converted
    if image.mode == "P" and transparent:
        return image.convert("RGBA")
    return image.convert(mode)


def _through_profile(image: Image.Image, profile: bytes, mode: str) -> Image.Image | None:
    """None if the profile is no use; then the numbers are taken as they are, as browsers do."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _encoded(image: Image.Image, form: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def _check_container(content: bytes) -> None:
    """Raise ``NotALogo`` unless the file is one picture from its first byte to its last.

    A file that is a picture and an archive or a program as well is made by hiding the other one
    behind the end of the picture. Decoders do not look there.
    """
    kinds: tuple[tuple[bool, Callable[[bytes], int]], ...] = (
        (content.startswith(_PNG_SIGNATURE), _png_end),
        (content.startswith(b"\xff\xd8\xff"), _jpeg_end),
        (content.startswith(b"RIFF") and content[8:12] == b"WEBP", _webp_end),
    )
    end_of = next((end_of for matches, end_of in kinds if matches), None)
    if end_of is None:
        raise NotALogo("The file is not a PNG, JPEG or WebP picture.")
    try:
        end = end_of(content)
    except (struct.error, ValueError, IndexError) as error:
        raise NotALogo("The file is cut off.") from error
    if end > len(content):
        raise NotALogo("The file is cut off.")
    if end < len(content):
        raise NotALogo("The file does not end with the picture.")


def _png_end(content: bytes) -> int:
    """Where the IEND chunk ends (PNG specification, section 5)."""
    position = len(_PNG_SIGNATURE)
    while True:  # each round goes on by a chunk, and the file ends
        length: int
        length, kind = struct.unpack_from(">I4s", content, position)
        data_end = position + 8 + length
        (checksum,) = struct.unpack_from(">I", content, data_end)
        if zlib.crc32(content[position + 4 : data_end]) != checksum:
            raise NotALogo("The file is damaged.")
        if kind in {b"acTL", b"fcTL", b"fdAT"}:
            raise NotALogo("The picture is animated.")
        position = data_end + 4
        if kind == b"IEND":
            return position


def _jpeg_end(content: bytes) -> int:
    """Where the EOI marker ends (ITU-T T.81, annex B)."""
    position = 2
    while True:
        if content[position] != 0xFF:
            raise NotALogo("The file is damaged.")
        while content[position] == 0xFF:  # fill bytes before a marker are allowed
            position += 1
        marker = content[position]
        position += 1
        if marker == 0xD9:
            return position
        if marker in _JPEG_ALONE:
            continue
        (length,) = struct.unpack_from(">H", content, position)
        if length < 2:
            raise NotALogo("The file is damaged.")
        position += length
        if marker == 0xDA:
            position = _scan_end(content, position)


def _scan_end(content: bytes, position: int) -> int:
    """The next marker after the compressed data of a scan."""
    while True:
        position = content.index(b"\xff", position)
        following = content[position + 1]
        if following == 0x00 or following in _JPEG_ALONE or following == 0xFF:
            position += 1 if following == 0xFF else 2
            continue
        return position


def _webp_end(content: bytes) -> int:
    """Where the RIFF container ends (RFC 9649, section 2.3)."""
    (length,) = struct.unpack_from("<I", content, 4)
    end = 8 + int(length)
    position = 12
    while position + 8 <= min(end, len(content)):
        kind, size = struct.unpack_from("<4sI", content, position)
        if kind in {b"ANIM", b"ANMF"}:
            raise NotALogo("The picture is animated.")
        if kind not in _WEBP_CHUNKS:
            # Allowed by the format, and a place to hide anything in.
            raise NotALogo("The file holds more than a picture.")
        position += 8 + size + size % 2
    return end


_WEBP_CHUNKS = frozenset(
    {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"EXIF", b"XMP "},
)
