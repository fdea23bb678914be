"""What becomes of uploaded pictures: good ones are drawn anew, attacks are refused."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from barcode_svc import pictures
from barcode_svc.pictures import NotALogo
from tests.unit.barcode_svc.files import (
    animated,
    archive,
    bomb,
    chunk,
    encoded,
    header,
    opened,
    picture,
    png_of,
    text_bomb,
)

PNG = encoded(picture())
JPEG = encoded(picture(), "JPEG", quality=95)
WEBP = encoded(picture(), "WEBP", lossless=True)


def is_red_then_blue(image: Image.Image) -> bool:
    """Whether the halves have their colours, about."""
    rgb = image.convert("RGB")
    y = rgb.height // 2
    left, right = rgb.getpixel((rgb.width // 8, y)), rgb.getpixel((rgb.width * 7 // 8, y))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    return left[0] > 150 > 90 > left[2] and right[2] > 150 > 90 > right[0]


@pytest.mark.parametrize("content", [PNG, JPEG, WEBP], ids=["png", "jpeg", "webp"])
def test_each_format_is_drawn_anew(content: bytes) -> None:
    """Goal: a picture of each format becomes a PNG of the same look, each time the same bytes."""
    clean = pictures.clean(content)
    assert clean == pictures.clean(content)
    image = opened(clean)
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (300, 200))
    assert is_red_then_blue(image)
    assert pictures.clean(clean) == clean, "what is clean stays as it is"


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        ("L", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("1", "PNG"),
        ("RGBA", "PNG"),
        ("I;16", "PNG"),
        ("RGBA", "WEBP"),
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
    ],
)
def test_every_kind_of_pixel_is_understood(mode: str, form: str) -> None:
    """Goal: grey, palettes, transparency, 16 bits and print colours become plain RGB or RGBA."""
    grey = Image.new("I;16", (300, 200), 40_000)
    source = grey if mode == "I;16" else picture(mode=mode)
    image = opened(pictures.clean(encoded(source, form)))
    # A WebP that is opaque all over says so.
    see_through = mode in {"RGBA", "LA"} and form == "PNG"
    assert image.mode == ("RGBA" if see_through else "RGB")
    if mode in {"P", "RGBA", "CMYK"}:
        assert is_red_then_blue(image)
    if mode == "I;16":
        assert image.getpixel((10, 10)) == pytest.approx((156, 156, 156), abs=1)


def test_sixteen_bit_colour_is_understood() -> None:
    """Goal: a PNG with 16 bits a channel keeps its colours."""
    row = b"\0" + struct.pack(">3H", 50_000, 8_000, 8_000) * 32
    content = png_of(
        header(32, 32, depth=16, colour=2),
        chunk(b"IDAT", zlib.compress(row * 32)),
        chunk(b"IEND", b""),
    )
    pixel = opened(pictures.clean(content)).getpixel((5, 5))
    assert pixel == pytest.approx((195, 31, 31), abs=1)


def test_transparency_stays() -> None:
    """Goal: a logo may be see-through, also by a palette, and is not edged with black."""
    image = picture(mode="RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    assert opened(pictures.clean(encoded(image))).getpixel((1, 1)) == (200, 30, 30, 0)
    palette = picture(mode="P")
    clean = opened(pictures.clean(encoded(palette, transparency=palette.getpixel((1, 1)))))
    assert clean.mode == "RGBA"
    pixel = clean.getpixel((1, 1))
    assert isinstance(pixel, tuple)
    assert pixel[3] == 0


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_turned_photo_stands_upright(form: str) -> None:
    """Goal: EXIF orientation 6 (turn right) is carried out, then forgotten."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "where I live"
    upright = picture(200, 300).transpose(Image.Transpose.ROTATE_90)
    content = encoded(upright, form, exif=exif.tobytes())
    clean = pictures.clean(content)
    image = opened(clean)
    assert image.size == (200, 300)
    assert is_red_then_blue(image)
    assert not image.getexif()
    assert b"where I live" not in clean


def test_nothing_but_pixels_survives() -> None:
    """Goal: places, comments, thumbnails and colour profiles of the file are gone."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = encoded(picture(), "JPEG", comment=b"secret words", icc_profile=profile, dpi=(72, 72))
    assert b"secret words" in content
    clean = pictures.clean(content)
    assert opened(clean).info == {}
    assert [clean[12:16], b"iCCP" in clean, b"tEXt" in clean] == [b"IHDR", False, False]


def test_colours_are_those_of_srgb() -> None:
    """Goal: a picture with another profile is converted and not reinterpreted; a broken profile is
    left aside."""
    lab = ImageCms.createProfile("LAB")
    srgb = ImageCms.createProfile("sRGB")
    swapped = ImageCms.ImageCmsProfile(srgb).tobytes()
    same = opened(pictures.clean(encoded(picture(), icc_profile=swapped)))
    assert same.getpixel((1, 1)) == pytest.approx((200, 30, 30), abs=2)
    unfit = ImageCms.ImageCmsProfile(lab).tobytes()
    for profile in (unfit, b"not a profile"):
        image = opened(pictures.clean(encoded(picture(), icc_profile=profile)))
        assert image.getpixel((1, 1)) == (200, 30, 30)


def test_a_large_picture_is_made_smaller() -> None:
    """Goal: what is kept is never larger than what is shown."""
    assert opened(pictures.clean(encoded(picture(4000, 1000)))).size == (1024, 256)


ATTACKS: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "text": lambda: b"<script>alert(1)</script>",
    "svg": lambda: b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "gif called png": lambda: encoded(picture(mode="P"), "GIF"),
    "bmp": lambda: encoded(picture(), "BMP"),
    "tiff": lambda: encoded(picture(), "TIFF"),
    "bomb": bomb,
    "text bomb": text_bomb,
    "png and zip": lambda: PNG + archive(),
    "jpeg and zip": lambda: JPEG + archive(),
    "webp and zip": lambda: WEBP + archive(),
    "two jpegs": lambda: JPEG + JPEG,
    "one byte more": lambda: PNG + b"\0",
    "half a png": lambda: PNG[: len(PNG) // 2],
    "half a jpeg": lambda: JPEG[: len(JPEG) // 2],
    "half a webp": lambda: WEBP[: len(WEBP) // 2],
    "png without its end": lambda: PNG[:-12],
    "jpeg without its end": lambda: JPEG[:-2],
    "webp in a small riff": lambda: WEBP[:4] + struct.pack("<I", 20) + WEBP[8:],
    "animated webp": lambda: animated("WEBP"),
    "animated png": lambda: animated("PNG"),
    "zip in a webp chunk": lambda: _with_webp_chunk(b"JUNK", archive()),
    "png of no data": lambda: png_of(header(32, 32), chunk(b"IEND", b"")),
    "png of bad data": lambda: png_of(
        header(32, 32), chunk(b"IDAT", b"\xff" * 99), chunk(b"IEND", b"")
    ),
    "endless chunk": lambda: PNG[:33] + struct.pack(">I", 0xFFFFFFFF) + PNG[37:],
    "wrong checksum": lambda: PNG[:40] + bytes([PNG[40] ^ 1]) + PNG[41:],
    "a dot": lambda: encoded(picture(15, 300)),
    "a stripe": lambda: encoded(picture(8193, 16)),
    "no pixels": lambda: png_of(header(0, 0), chunk(b"IEND", b"")),
    "too many bytes": lambda: b"\x89PNG\r\n\x1a\n" + b"x" * pictures.BYTES_MAX,
}


def _with_webp_chunk(kind: bytes, data: bytes) -> bytes:
    data += b"\0" * (len(data) % 2)
    body = WEBP[8:] + kind + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused(name: str) -> None:
    """Goal: what is not one whole still picture, and nothing else, is refused with a reason."""
    content = ATTACKS[name]()
    with pytest.raises(NotALogo) as refusal:
        pictures.clean(content)
    assert str(refusal.value).endswith(".")


def test_a_bomb_is_not_decoded() -> None:
    """Goal: 400 megapixels in a file of a few kilobytes cost next to nothing."""
    content = bomb()
    assert len(content) < 60_000
    tracemalloc.start()
    try:
        with pytest.raises(NotALogo, match="pixels"):
            pictures.clean(content)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@settings(max_examples=150)
@given(
    source=st.sampled_from([PNG, JPEG, WEBP]),
    edits=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=8),
    length=st.none() | st.integers(0, 5000),
)
def test_a_damaged_file_is_refused_or_clean(
    source: bytes, edits: list[tuple[int, int]], length: int | None
) -> None:
    """Goal: whatever is wrong with a file, there is a refusal or a clean picture, nothing else."""
    content = bytearray(source)
    for position, value in edits:
        content[position % len(content)] = value
    try:
        clean = pictures.clean(bytes(content[:length]))
    except NotALogo:
        return
    assert opened(clean).format == "PNG"


@given(st.binary(max_size=300), st.sampled_from([b"", PNG[:8], b"\xff\xd8\xff", WEBP[:12]]))
def test_any_bytes_are_refused(content: bytes, beginning: bytes) -> None:
    """Goal: rubbish with the right first bytes breaks nothing."""
    with pytest.raises(NotALogo):
        pictures.clean(beginning + content)


@pytest.mark.parametrize(("form", "kind"), [("png", "PNG"), ("webp", "WEBP")])
def test_a_logo_is_drawn_at_a_width(form: pictures.PictureFormat, kind: str) -> None:
    """Goal: the shape stays, and a logo is never blown up."""
    clean = pictures.clean(PNG)
    for width, size in ((64, (64, 43)), (128, (128, 85)), (512, (300, 200))):
        content = pictures.draw(clean, width, form)
        image = opened(content)
        assert (image.format, image.size) == (kind, size)
        assert is_red_then_blue(image)
        assert content == pictures.draw(clean, width, form)


def test_what_is_drawn_is_never_too_large() -> None:
    """Goal: noise that PNG cannot pack fits into an answer all the same."""
    noise = Image.effect_noise((1024, 1024), 100)
    colour = Image.merge("RGBA", [noise, noise.rotate(90), noise.rotate(180), noise.rotate(270)])
    content = pictures.draw(encoded(colour), 1024, "png")
    assert len(content) <= pictures.BYTES_MAX
    assert opened(content).size == (1024, 1024)
    assert len(pictures.draw(encoded(colour), 1024, "webp")) <= pictures.BYTES_MAX


@given(st.integers(1, 2000))
def test_widths_are_a_few_steps(width: int) -> None:
    """Goal: every width is one of nine, the next larger one if there is one."""
    step = pictures.step_of(width)
    assert step in pictures.WIDTHS
    assert step >= min(width, 1024)
    assert not any(min(width, 1024) <= smaller < step for smaller in pictures.WIDTHS)
