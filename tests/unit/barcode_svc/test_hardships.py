"""Every image is read where scanners have it hard: blurred, askew, pale, compressed."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

import pytest
from PIL import Image, ImageFilter

from barcode_svc import images
from barcode_svc.posters import Poster, PosterSize, poster_pdf
from tests.unit.barcode_svc.payloads import MERCHANT_ID, SOUND
from tests.unit.barcode_svc.scanner import picture_of, scan

DIGITS = "990123456789012345"
TEXTS = {
    "shortest": "0",
    "ours": SOUND,
    "longest": (SOUND * 8)[:512],
    "thai": "ร้านกาแฟออโรร่า" * 3,
    "emoji": "☕🧁" * 20,
}


def _askew(picture: Image.Image) -> Image.Image:
    return picture.rotate(5, resample=Image.Resampling.BICUBIC, expand=True, fillcolor=200)


def _pale(picture: Image.Image) -> Image.Image:
    return picture.point(lambda pixel: 120 + pixel * 60 // 255)


def _compressed(picture: Image.Image) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=15)
    return Image.open(file)


def _photographed(picture: Image.Image) -> Image.Image:
    """All at once, a little of each."""
    blurred = _askew(picture).filter(ImageFilter.GaussianBlur(1))
    return _compressed(_pale(blurred))


HARDSHIPS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "none": lambda picture: picture,
    "blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(1.5)),
    "askew": _askew,
    "upside down": lambda picture: picture.rotate(180),
    "pale": _pale,
    "compressed": _compressed,
    "photographed": _photographed,
}

every_hardship = pytest.mark.parametrize("hardship", HARDSHIPS.values(), ids=HARDSHIPS)
every_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


@every_hardship
@every_text
@pytest.mark.parametrize("level", [images.SHOWN, images.PRINTED])
@pytest.mark.parametrize("draw", [images.qr_svg, images.qr_png])
def test_qr_codes_are_read(
    draw: Callable[..., bytes],
    level: images.ErrorLevel,
    text: str,
    hardship: Callable[[Image.Image], Image.Image],
) -> None:
    """Goal: text of any length and script, on screen or paper, comes back exactly."""
    (found,) = scan(hardship(picture_of(draw(text, level=level))))
    assert (found.symbology, found.text) == ("QR Code", text)


@cache
def _printed(size: PosterSize, text: str) -> Image.Image:
    """Drawn once for all hardships."""
    poster = Poster(text=text, merchant_id=MERCHANT_ID, name="Cafe", city="Lisbon", size=size)
    return picture_of(poster_pdf(poster), dpi=150)


@every_hardship
@every_text
@pytest.mark.parametrize("size", PosterSize)
def test_posters_are_read(
    size: PosterSize, text: str, hardship: Callable[[Image.Image], Image.Image]
) -> None:
    """Goal: also at 150 dpi, as an office printer draws them, and with nothing else taken for a
    code."""
    (found,) = scan(hardship(_printed(size, text)))
    assert (found.symbology, found.text) == ("QR Code", text)


@every_hardship
def test_code128_is_read(hardship: Callable[[Image.Image], Image.Image]) -> None:
    """Goal: a customer's code on a phone that is held at an angle, with a worn display."""
    picture = picture_of(images.code128_svg(DIGITS))
    # A phone draws it across its display, with at least four pixels for a module.
    picture = picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.NEAREST)
    (found,) = scan(hardship(picture))
    assert (found.symbology, found.text) == ("Code 128", DIGITS)


@pytest.mark.parametrize(
    ("level", "enough"), [(images.SHOWN, {"M", "Q", "H"}), (images.PRINTED, {"Q", "H"})]
)
@pytest.mark.parametrize("text", list(TEXTS.values()), ids=TEXTS)
def test_the_error_level_is_kept(level: images.ErrorLevel, enough: set[str], text: str) -> None:
    """Goal: a printed code may lose a quarter of itself, one on a screen a seventh."""
    for image in (images.qr_svg(text, level=level), images.qr_png(text, level=level)):
        (found,) = scan(picture_of(image))
        assert found.error_level in enough


def test_what_is_too_long_for_the_level_of_print_is_drawn_all_the_same() -> None:
    """Goal: 512 characters of four bytes each are a code, at the level that has room for them."""
    text = "🧁" * 512
    (found,) = scan(picture_of(images.qr_svg(text, level=images.PRINTED)))
    assert (found.text, found.error_level) == (text, "M")
