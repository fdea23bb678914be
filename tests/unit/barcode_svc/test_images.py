"""What we draw can be scanned, and says what it should."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barcode_svc import code128, images
from barcode_svc.drawing import Draughtsman, QrFormat
from chassis.settings import Secret
from tests.unit.barcode_svc.payloads import SOUND
from tests.unit.barcode_svc.scanner import picture_of, scan

Scan = Callable[[bytes], list[tuple[str, str]]]

PAYLOAD = "00020101021126450010dev.qrpay0127mer_01JD3Q9V7N8R4T2W6X0YZA5204581263040000"

few = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=120))
@few
def test_qr_svg_says_its_text(scan_svg: Scan, text: str) -> None:
    """Goal: any text, also outside of ASCII, comes back from the SVG exactly as it went in."""
    assert scan_svg(images.qr_svg(text)) == [("QR Code", text)]


@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=120))
@few
def test_qr_png_says_its_text(scan_png: Scan, text: str) -> None:
    """Goal: the same for the PNG."""
    assert scan_png(images.qr_png(text)) == [("QR Code", text)]


@given(digits=st.from_regex(r"[0-9]{18}", fullmatch=True))
@few
def test_code128_says_its_digits(scan_svg: Scan, digits: str) -> None:
    """Goal: eighteen digits come back from the Code 128 exactly as they went in."""
    assert scan_svg(images.code128_svg(digits)) == [("Code 128", digits)]


@pytest.mark.parametrize("first", range(0, 100, 9))
def test_code128_knows_every_pair_of_digits(scan_svg: Scan, first: int) -> None:
    """Goal: each of the hundred symbol characters is drawn right, "99" at the front among them."""
    pairs = [f"{(first + place) % 100:02}" for place in range(9)]
    for digits in ("".join(pairs), "".join(reversed(pairs))):
        assert scan_svg(images.code128_svg(digits)) == [("Code 128", digits)]


@pytest.mark.parametrize(
    ("draw", "margins"),
    [(images.qr_svg, (32, 32)), (images.qr_png, (32, 32)), (images.code128_svg, (20, 0))],
)
def test_the_quiet_zone_is_white(
    bitmap_of: Callable[[bytes], tuple[bytes, int]],
    draw: Callable[[str], bytes],
    margins: tuple[int, int],
) -> None:
    """Goal: 4 modules of 8 pixels around a QR code, 10 of 2 beside a Code 128, and no less: our
    scanner would do without, others do not."""
    pixels, width = bitmap_of(draw("123456789012345678"))
    dark = [divmod(place, width) for place, pixel in enumerate(pixels) if pixel == 0]
    rows, columns = [row for row, _ in dark], [column for _, column in dark]
    height = len(pixels) // width
    assert (min(columns), width - 1 - max(columns)) == (margins[0], margins[0])
    assert (min(rows), height - 1 - max(rows)) == (margins[1], margins[1])


def test_svg_and_png_are_the_same_picture(
    bitmap_of: Callable[[bytes], tuple[bytes, int]],
) -> None:
    """Goal: whichever a shop prints, it prints the same code."""
    assert bitmap_of(images.qr_svg(PAYLOAD)) == bitmap_of(images.qr_png(PAYLOAD))


def test_code128_has_the_width_of_the_standard() -> None:
    """Goal: start, nine pairs, check, stop: 11 modules each, and 2 for the last bar. No more."""
    modules = code128.modules("123456789012345678")
    assert len(modules) == 12 * 11 + 2
    assert modules.startswith("11010011100")
    assert modules.endswith("1100011101011")


@pytest.mark.parametrize("draw", [images.qr_svg, images.code128_svg])
def test_svgs_can_stand_inside_a_page(draw: Callable[[str], bytes]) -> None:
    """Goal: no prologue, nothing that could run or clash with a page, no digits to read."""
    image = draw("123456789012345678").decode("ascii")
    assert image.startswith("<svg ")
    assert image.endswith("</svg>")
    for forbidden in ("<?xml", "<!DOCTYPE", " id=", " class=", "<style", "<script", "<text", "\n"):
        assert forbidden not in image
    assert "123456789012345678" not in image


@pytest.mark.parametrize("draw", [images.qr_svg, images.qr_png, images.code128_svg])
def test_the_same_input_gives_the_same_bytes(draw: Callable[[str], bytes]) -> None:
    """Goal: an etag stays valid: nothing of chance or time gets into an image."""
    assert draw("123456789012345678") == draw("123456789012345678")
    assert draw("123456789012345678") != draw("123456789012345679")


@pytest.mark.parametrize(
    ("form", "content_type"),
    [
        (QrFormat.TEXT, "text/plain"),
        (QrFormat.SVG, "image/svg+xml"),
        (QrFormat.PNG, "image/png"),
    ],
)
async def test_etag_follows_the_content(form: QrFormat, content_type: str) -> None:
    """Goal: one etag per content; drawing it again elsewhere gives the same one."""
    draughtsman = Draughtsman()
    first = await draughtsman.merchant_qr(PAYLOAD, form, static=True)
    again = await Draughtsman().merchant_qr(PAYLOAD, form, static=True)
    other = await draughtsman.merchant_qr(PAYLOAD + "0", form, static=True)
    assert first.content_type == content_type
    assert (first.content, first.etag) == (again.content, again.etag)
    assert first.etag != other.etag
    assert '"' not in first.etag


@pytest.mark.parametrize("form", [QrFormat.SVG, QrFormat.PNG])
async def test_a_static_code_is_drawn_for_print(form: QrFormat) -> None:
    """Goal: what will be printed is robust; what is shown once has fewer, larger modules."""
    levels = []
    for static in (True, False):
        drawing = await Draughtsman().merchant_qr(SOUND, form, static=static)
        (found,) = scan(picture_of(drawing.content))
        levels.append(found.error_level)
    assert levels == ["Q", "M"]


async def test_only_static_codes_are_remembered_and_only_so_many() -> None:
    """Goal: memory is bounded, and what is shown once does not push out what is asked for often."""
    draughtsman = Draughtsman(remembered_max=2)
    kept = await draughtsman.merchant_qr(PAYLOAD, QrFormat.SVG, static=True)
    dynamic = await draughtsman.merchant_qr("dynamic", QrFormat.SVG, static=False)
    assert await draughtsman.merchant_qr(PAYLOAD, QrFormat.SVG, static=True) is kept
    assert await draughtsman.merchant_qr("dynamic", QrFormat.SVG, static=False) is not dynamic
    for number in range(2):
        await draughtsman.merchant_qr(f"static {number}", QrFormat.SVG, static=True)
    assert await draughtsman.merchant_qr(PAYLOAD, QrFormat.SVG, static=True) is not kept


async def test_a_customers_code_is_drawn_twice(scan_svg: Scan) -> None:
    """Goal: the phone can show either image; both say the same digits; none where none is asked."""
    code = Secret("990123456789012345")
    [(qr_svg, code128_svg), nothing] = await Draughtsman().barcodes([code, None])
    assert scan_svg(qr_svg.encode()) == [("QR Code", "990123456789012345")]
    assert scan_svg(code128_svg.encode()) == [("Code 128", "990123456789012345")]
    assert nothing == ("", "")
