"""A poster says what it should, where it should, and is the same every time."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import re
from itertools import pairwise
from pathlib import Path
from typing import get_args, get_type_hints

import pypdfium2
import pytest
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageOps

import chassis.fonts
from barcode_svc import images
from barcode_svc.drawing import Draughtsman
from barcode_svc.poster_words import DEFAULT_LANGUAGE, POSTER_WORDS
from barcode_svc.posters import LOGO_PIXELS_MAX, Poster, PosterSize, poster_pdf
from chassis.errors import Overloaded
from gateway.queries import PosterQuery
from tests.unit.barcode_svc.payloads import MERCHANT_ID, SOUND, labels
from tests.unit.barcode_svc.scanner import picture_of, scan

CAFE = Poster(
    text=SOUND, merchant_id=MERCHANT_ID, name="Cafe Aurora", city="Lisbon", size=PosterSize.A4
)
MM_MARGIN = 13.0
"""Of an A4 sheet: half of it is what common printers leave white on A6."""
RED = (200, 30, 30)


def logo(picture_format: str = "PNG", size: tuple[int, int] = (120, 80)) -> bytes:
    """A red picture."""
    file = io.BytesIO()
    Image.new("RGB", size, RED).save(file, picture_format)
    return file.getvalue()


def page_of(pdf: bytes) -> pypdfium2.PdfPage:
    """Its only page."""
    (page,) = pypdfium2.PdfDocument(pdf)
    return page


def words_of(page: pypdfium2.PdfPage) -> list[str]:
    """Its lines, as a screen reader meets them."""
    return [line.strip() for line in page.get_textpage().get_text_range().splitlines()]


def in_colour(pdf: bytes) -> Image.Image:
    """The page."""
    picture: Image.Image = page_of(pdf).render(scale=1).to_pil().convert("RGB")
    return picture


@pytest.mark.parametrize("language", POSTER_WORDS)
def test_it_says_whom_it_pays_and_what_to_do(language: str) -> None:
    """Goal: name and city, what to do, the warning in two languages, the merchant's id; in this
    order, as text and not as shapes."""
    lines = words_of(page_of(poster_pdf(dataclasses.replace(CAFE, language=language))))
    words, english = POSTER_WORDS[language], POSTER_WORDS[DEFAULT_LANGUAGE]
    warnings = [words.warning] if language == "en" else [words.warning, english.warning]
    assert lines == ["Cafe Aurora", "Lisbon", words.invitation, *warnings, MERCHANT_ID]


def test_gateway_and_service_have_the_same_languages() -> None:
    """Goal: the two houses cannot share the list, and do not drift apart."""
    annotated = get_type_hints(PosterQuery, include_extras=True)["lang"]
    assert set(get_args(get_args(annotated)[0])) == set(POSTER_WORDS)


@pytest.mark.parametrize("weight", ["Regular", "Bold"])
def test_the_fonts_have_all_letters(weight: str) -> None:
    """Goal: no word of ours, and no name that a code can carry, has a box instead of a letter; the
    licence travels with the fonts."""
    fonts = Path(chassis.fonts.__file__).parent
    letters = TTFont(fonts / f"NotoSans-{weight}.ttf").getBestCmap()
    said = {text for words in POSTER_WORDS.values() for text in dataclasses.astuple(words)}
    needed = set("".join(said)) | {chr(code) for code in range(0x20, 0x7F)} | {"·"}
    assert {character for character in needed if ord(character) not in letters} == set()
    assert "SIL Open Font License" in (fonts / "OFL.txt").read_text()


@pytest.mark.parametrize(
    ("local_name", "head"),
    [
        ("Café Aurora", ["Café Aurora", "Cafe Aurora · Lisbon"]),
        ("Καφέ Αυγή", ["Καφέ Αυγή", "Cafe Aurora · Lisbon"]),
        ("ร้านกาแฟ", ["Cafe Aurora", "Lisbon"]),
        ("", ["Cafe Aurora", "Lisbon"]),
    ],
)
def test_the_local_name_stands_above_if_the_font_has_it(local_name: str, head: list[str]) -> None:
    """Goal: a merchant is called by its own name, never by a row of boxes."""
    assert (
        words_of(page_of(poster_pdf(dataclasses.replace(CAFE, local_name=local_name))))[:2] == head
    )


@pytest.mark.parametrize(
    ("size", "millimetres"), [(PosterSize.A4, (210, 297)), (PosterSize.A6, (105, 148.5))]
)
def test_it_is_one_sheet_of_its_size(size: PosterSize, millimetres: tuple[float, float]) -> None:
    """Goal: nobody has to scale it, which would cost sharpness or quiet zone."""
    page = page_of(poster_pdf(dataclasses.replace(CAFE, size=size)))
    assert [length / 72 * 25.4 for length in page.get_size()] == pytest.approx(millimetres, abs=0.1)


@settings(max_examples=25)
@given(
    name=labels(25),
    city=labels(15),
    merchant_id=st.from_regex(r"mer_[0-9A-Za-z_-]{1,60}", fullmatch=True),
    size=st.sampled_from(PosterSize),
    language=st.sampled_from(sorted(POSTER_WORDS)),
    with_logo=st.booleans(),
)
def test_nothing_is_cut_off(
    name: str, city: str, merchant_id: str, size: PosterSize, language: str, with_logo: bool
) -> None:
    """Goal: whatever a merchant is called, all of it is inside the margin, and the code is read."""
    poster = Poster(
        text=SOUND,
        merchant_id=merchant_id,
        name=name,
        city=city,
        size=size,
        language=language,
        logo=logo() if with_logo else None,
    )
    picture = picture_of(poster_pdf(poster), dpi=150)
    margin = MM_MARGIN * size.value / 25.4 * 150
    left, top, right, bottom = ImageOps.invert(picture).getbbox() or (0, 0, 0, 0)
    assert min(left, top, picture.width - right, picture.height - bottom) >= margin
    assert [found.text for found in scan(picture)] == [SOUND]


@pytest.mark.parametrize("name", ["W" * 25, "WWWWWWWWWWWW MMMMMMMMMMMM", "i", "Cafe Aurora"])
@pytest.mark.parametrize("picture", [None, logo()])
def test_lines_keep_their_distance(name: str, picture: bytes | None) -> None:
    """Goal: the longest name breaks or shrinks; it never runs into logo, city or panel, nor pushes
    the logo out of the sheet."""
    pdf = poster_pdf(dataclasses.replace(CAFE, name=name, logo=picture))
    page = page_of(pdf)
    text = page.get_textpage()
    boxes = sorted(
        (box[1], box[3]) for box in (text.get_rect(place) for place in range(text.count_rects()))
    )
    assert all(below[1] <= above[0] for below, above in pairwise(boxes))
    assert " ".join(words_of(page)).startswith(f"{name} Lisbon ")
    rendered = picture_of(pdf, dpi=254)  # ten pixels for a millimetre
    head = ImageOps.invert(rendered.crop((0, 0, rendered.width, 855))).getbbox()
    assert head is not None
    assert head[1] >= MM_MARGIN * 10
    assert head[3] <= 840


def test_a_long_name_is_set_on_two_lines() -> None:
    """Goal: it stays large, and breaks where the two are most alike."""
    for name, lines in {
        "Golden Dragon Noodle Bar": ["Golden Dragon Noodle Bar", "Lisbon"],
        "WWWWWWWWWWWW MMMMMMMMMMMM": ["WWWWWWWWWWWW", "MMMMMMMMMMMM", "Lisbon"],
        "WWW WWW WWW WWW WWW WWW W": ["WWW WWW WWW", "WWW WWW WWW W", "Lisbon"],
    }.items():
        page = page_of(poster_pdf(dataclasses.replace(CAFE, name=name)))
        assert words_of(page)[: len(lines)] == lines


@pytest.mark.parametrize("size", PosterSize)
@pytest.mark.parametrize("text", [SOUND, (SOUND * 8)[:512]], ids=["ours", "longest"])
def test_the_code_is_large_robust_and_has_its_quiet_zone(size: PosterSize, text: str) -> None:
    """Goal: error level Q or better, more than half of the sheet's width, and four white modules
    all around, corners included: our scanner would do without, others do not."""
    pdf = poster_pdf(dataclasses.replace(CAFE, text=text, size=size))
    picture = picture_of(pdf, dpi=300)
    (found,) = scan(picture)
    assert found.error_level in {"Q", "H"}
    left, top, right, bottom = found.box
    assert right - left > picture.width / 2
    module = (right - left) / len(images.qr_modules(text, level=images.PRINTED))
    zone = int(images.QR_QUIET_ZONE_MODULES * module)
    around = picture.crop((left - zone, top - zone, right + zone, bottom + zone))
    # The scanner's corners are exact to a pixel or two.
    around.paste(255, (zone - 3, zone - 3, around.width - zone + 3, around.height - zone + 3))
    assert around.getextrema() == (255, 255)


def test_it_is_drawn_not_painted() -> None:
    """Goal: shapes and letters, sharp at every size, and the fonts are in it: both weights, cut to
    the letters used."""
    pdf = poster_pdf(CAFE)
    assert b"/Subtype /Image" not in pdf
    assert pdf.count(b"/FontFile2") == 2
    assert len(pdf) < 40_000


def test_the_same_poster_has_the_same_bytes() -> None:
    """Goal: an etag stays valid: no date, no chance; and every field is in it."""
    assert poster_pdf(CAFE) == poster_pdf(CAFE)
    assert re.findall(rb"D:[0-9]+", poster_pdf(CAFE)) == [b"D:20000101000000"]
    changes = (
        *({"name": "Other"}, {"city": "Other"}, {"merchant_id": "mer_other"}, {"text": "other"}),
        *({"size": PosterSize.A6}, {"language": "de"}, {"logo": logo()}, {"local_name": "Other"}),
    )
    made = {poster_pdf(dataclasses.replace(CAFE, **change)) for change in changes}
    assert len(made | {poster_pdf(CAFE)}) == len(changes) + 1


@pytest.mark.parametrize("picture_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [(120, 80), (1, 2000), (2000, 1), (1, 1), (2000, 2000)])
def test_the_logo_is_in_the_head(picture_format: str, size: tuple[int, int]) -> None:
    """Goal: above the name, whatever its shape, and never on the code."""
    pdf = poster_pdf(dataclasses.replace(CAFE, logo=logo(picture_format, size)))
    page = in_colour(pdf)
    without = in_colour(poster_pdf(CAFE))
    below = (0, page.height * 3 // 10, page.width, page.height)
    assert ImageChops.difference(page.crop(below), without.crop(below)).getbbox() is None
    assert pdf.count(b"/Subtype /Image") == 1
    assert len(pdf) < 100_000
    assert [found.text for found in scan(picture_of(pdf))] == [SOUND]


def test_a_transparent_logo_stands_on_white() -> None:
    """Goal: what a designer left open is paper, not black."""
    file = io.BytesIO()
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(file, "PNG")
    page = in_colour(poster_pdf(dataclasses.replace(CAFE, logo=file.getvalue())))
    assert page.crop((0, 0, page.width, page.height // 10)).getextrema() == ((255, 255),) * 3


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", logo()[:60], logo("GIF")),
        logo(size=(LOGO_PIXELS_MAX // 1000 + 1, 1000)),
    ],
    ids=["nothing", "svg", "truncated", "gif", "too large"],
)
def test_what_is_no_logo_is_refused(content: bytes) -> None:
    """Goal: no other format gets near a parser, and no small file unpacks to gigabytes."""
    with pytest.raises(ValueError, match="logo"):
        poster_pdf(dataclasses.replace(CAFE, logo=content))


async def test_a_poster_is_drawn_once_for_many() -> None:
    """Goal: a hundred who ask for it at once get the one drawing, and so does the next."""
    draughtsman = Draughtsman(posters_waiting_max=100)
    drawings = await asyncio.gather(*(draughtsman.poster(CAFE) for _ in range(100)))
    assert {id(drawing) for drawing in drawings} == {id(await draughtsman.poster(CAFE))}
    assert drawings[0].content_type == "application/pdf"
    assert drawings[0].content == poster_pdf(CAFE)


async def test_posters_are_bounded() -> None:
    """Goal: one more than may wait is refused at once, the others are drawn; afterwards there is
    room again. Only so many are remembered."""
    draughtsman = Draughtsman(posters_waiting_max=2, posters_remembered_max=1)
    wanted = [dataclasses.replace(CAFE, city=city) for city in ("A", "B", "C")]
    outcomes = await asyncio.gather(*map(draughtsman.poster, wanted), return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Drawing", "Drawing", "Overloaded"]
    assert isinstance(outcomes[2], Overloaded)
    assert (await draughtsman.poster(wanted[2])).content == poster_pdf(wanted[2])
    assert await draughtsman.poster(wanted[1]) is not outcomes[1]
    broken = dataclasses.replace(CAFE, logo=b"no picture")
    for _ in range(3):
        with pytest.raises(ValueError, match="logo"):
            await draughtsman.poster(broken)
