"""Posters: a merchant's static code as a PDF to print and hang up. Pure; same input, same bytes.

A4, and A6 as the same sheet at half its size. The code is drawn as shapes, so it is sharp at every
resolution; the fonts are embedded. Nothing stands nearer to the edge than printers can reach, and
nothing needs colour: the code is black on white, and the panel around it may come out as any grey.

Drawing takes tens of milliseconds of CPU: call it in a thread.
"""

from __future__ import annotations

import io
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from itertools import groupby

from fpdf import FPDF
from fpdf.drawing_primitives import DeviceGray
from fpdf.enums import PathPaintRule
from PIL import Image

from barcode_svc import images
from barcode_svc.poster_words import DEFAULT_LANGUAGE, POSTER_WORDS
from chassis.fonts import FAMILY, fonts_of, has_letters_of

LOGO_PIXELS_MAX = 4_000_000
"""A larger logo is refused: unpacked it would take more than 16 MB."""
_LOGO_FORMATS = ("PNG", "JPEG", "WEBP")

_INK = (17, 24, 39)
_QUIET_INK = (90, 99, 114)
_PANEL = (16, 44, 84)
_PANEL_QUIET_INK = (198, 212, 232)
_WHITE = (255, 255, 255)

_POINTS_PER_MM = 72 / 25.4


class PosterSize(Enum):
    """ISO 216; the value is the size relative to A4."""

    A4 = 1.0
    A6 = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Poster:
    """What is to be drawn."""

    text: str
    """What the code says: the merchant's static payload."""
    merchant_id: str
    name: str
    """Printable ASCII, as payers' phones show it."""
    city: str
    local_name: str = ""
    """The name as the merchant writes it, NFC; stands above the other if the font has its letters.
    """
    size: PosterSize
    language: str = DEFAULT_LANGUAGE
    """A key of ``POSTER_WORDS``."""
    logo: bytes | None = None
    """A PNG, JPEG or WebP."""


def poster_pdf(poster: Poster) -> bytes:
    """The poster, ``application/pdf``, one page.

    Raises ``ValueError`` if the logo is not a picture, or has more than ``LOGO_PIXELS_MAX``.
    """
    with closing(_Sheet(poster.size.value)) as sheet:
        sheet.describe(title=f"{poster.name}, {poster.city}", language=poster.language)
        _head(sheet, poster)
        _panel(sheet, poster)
        sheet.line(poster.merchant_id, y=_FOOT_Y, points=9, points_min=6, ink=_QUIET_INK)
        return sheet.content()


# The layout, in millimetres of an A4 sheet, y downwards; text stands with its middle at y.
_WIDTH, _HEIGHT = 210.0, 297.0
_MARGIN = 14.0
"""7 mm on A6: more than the 5 that common printers leave white, and that a cutter may be off."""
_BODY_WIDTH = _WIDTH - 2 * _MARGIN
_HEAD_BOTTOM = 82.0
_LOGO_HEIGHT, _LOGO_WIDTH = 26.0, 110.0
_PANEL_TOP, _PANEL_BOTTOM = 86.0, 274.0
_CODE_WIDTH = 136.0
"""With its quiet zone. Read from about ten times as far: over a counter for A4."""
_CARD_RIM = 1.5
"""White beyond the quiet zone, of which the card's round corners would else take a bit."""
_CODE_TOP = 110.0
_INVITATION_Y = 98.0
_WARNING_Y = 254.5
_FOOT_Y = 280.5

_NAME_POINTS = 46.0
_NAME_POINTS_MIN = 30.0
"""A name that would be smaller than this on one line is set on two."""


def _head(sheet: _Sheet, poster: Poster) -> None:
    """Logo, name and city, together in the middle of the room above the panel."""
    name, beside = poster.name, poster.city
    if poster.local_name and has_letters_of(poster.local_name):
        name, beside = poster.local_name, f"{poster.name} · {poster.city}"
    lines, points = sheet.broken(name, points=_NAME_POINTS, points_min=_NAME_POINTS_MIN)
    logo = _logo(poster.logo) if poster.logo is not None else None
    line_height = points * 1.2 / _POINTS_PER_MM
    logo_room = _LOGO_HEIGHT + 5 if logo is not None else 0
    city_room = 11.0
    room = _HEAD_BOTTOM - _MARGIN
    if logo_room + line_height * len(lines) + city_room > room:
        line_height = (room - logo_room - city_room) / len(lines)
        points = min(points, line_height / 1.2 * _POINTS_PER_MM)
    y = _MARGIN + (room - logo_room - line_height * len(lines) - city_room) / 2
    if logo is not None:
        sheet.picture(logo, y=y, width_max=_LOGO_WIDTH, height_max=_LOGO_HEIGHT)
        y += logo_room
    for line in lines:
        sheet.line(line, y=y + line_height / 2, points=points, bold=True)
        y += line_height
    sheet.line(beside, y=y + city_room / 2, points=18, ink=_QUIET_INK)


def _panel(sheet: _Sheet, poster: Poster) -> None:
    """The invitation, the code on its white card, and the warning."""
    words = POSTER_WORDS[poster.language]
    sheet.box(
        x=_MARGIN, y=_PANEL_TOP, width=_BODY_WIDTH, height=_PANEL_BOTTOM - _PANEL_TOP, colour=_PANEL
    )
    sheet.line(words.invitation, y=_INVITATION_Y, points=32, bold=True, ink=_WHITE)
    left = (_WIDTH - _CODE_WIDTH) / 2
    sheet.box(
        x=left - _CARD_RIM,
        y=_CODE_TOP - _CARD_RIM,
        width=_CODE_WIDTH + 2 * _CARD_RIM,
        height=_CODE_WIDTH + 2 * _CARD_RIM,
        colour=_WHITE,
        radius=3,
    )
    sheet.code(
        images.qr_modules(poster.text, level=images.PRINTED), x=left, y=_CODE_TOP, width=_CODE_WIDTH
    )
    translated = poster.language != DEFAULT_LANGUAGE
    y = _WARNING_Y if translated else _WARNING_Y + 5
    sheet.line(words.warning, y=y, points=18, points_min=8, bold=True, ink=_WHITE)
    if translated:
        # Who cannot read the language of the place is the one to be told.
        english = POSTER_WORDS[DEFAULT_LANGUAGE].warning
        sheet.line(english, y=y + 10, points=14, points_min=7, ink=_PANEL_QUIET_INK)


class _Sheet:
    """One page; lengths are millimetres of an A4 sheet and points on it, ``scale`` makes them
    those of the page."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._pdf = FPDF(unit="mm", format=(_WIDTH * scale, _HEIGHT * scale))
        self._pdf.set_margin(0)
        self._pdf.set_auto_page_break(False)
        self._pdf.set_creation_date(datetime(2000, 1, 1, tzinfo=UTC))  # the same bytes every day
        self._fonts = ExitStack()
        self._fonts.enter_context(fonts_of(self._pdf))
        self._pdf.add_page()

    def describe(self, *, title: str, language: str) -> None:
        """What a reader's window and a screen reader are told."""
        self._pdf.set_title(title)
        self._pdf.set_lang(language)
        self._pdf.set_producer("qrpay")

    def line(
        self,
        text: str,
        *,
        y: float,
        points: float,
        points_min: float = 0,
        bold: bool = False,
        ink: tuple[int, int, int] = _INK,
    ) -> None:
        """One centred line, smaller if it is too wide; ``points_min`` is of the page itself."""
        self._pdf.set_text_color(*ink)
        size = max(points * self._scale, points_min)
        size = min(size, size * self._limit / self._text_width(text, bold=bold, points=size))
        self._text_width(text, bold=bold, points=size)
        self._pdf.set_xy(0, y * self._scale - 5)
        self._pdf.cell(_WIDTH * self._scale, 10, text, align="C")

    def broken(self, text: str, *, points: float, points_min: float) -> tuple[list[str], float]:
        """The text on one line, or on two if it would be smaller than ``points_min`` on one; and
        its size."""

        def fitting(lines: list[str]) -> float:
            widest = max(self._text_width(line, bold=True, points=100) for line in lines)
            return min(points, 100 * self._limit / widest / self._scale)

        words = text.split(" ")
        halves = [
            [" ".join(words[:place]), " ".join(words[place:])] for place in range(1, len(words))
        ]
        one = fitting([text])
        if one >= points_min or not halves:
            return [text], one
        lines = max(halves, key=fitting)
        return lines, fitting(lines)

    def box(
        self,
        *,
        x: float,
        y: float,
        width: float,
        height: float,
        colour: tuple[int, int, int],
        radius: float = 8,
    ) -> None:
        """A filled rectangle with round corners."""
        self._pdf.set_fill_color(*colour)
        self._pdf.rect(
            x * self._scale,
            y * self._scale,
            width * self._scale,
            height * self._scale,
            style="F",
            round_corners=True,
            corner_radius=radius * self._scale,
        )

    def code(self, rows: images.Modules, *, x: float, y: float, width: float) -> None:
        """A QR code, its quiet zone inside the width."""
        quiet = images.QR_QUIET_ZONE_MODULES
        module = width * self._scale / (len(rows) + 2 * quiet)
        left, top = x * self._scale + quiet * module, y * self._scale + quiet * module
        # One path for all of it: drawn one by one, neighbours would show a hair of white between.
        with self._pdf.new_path(paint_rule=PathPaintRule.FILL_NONZERO) as path:
            path.style.fill_color = DeviceGray(0)
            path.style.stroke_color = None
            for number, row in enumerate(rows):
                column = 0
                for dark, run in groupby(row):
                    length = sum(1 for _ in run)
                    if dark:
                        path.rectangle(
                            left + column * module, top + number * module, length * module, module
                        )
                    column += length

    def picture(
        self, picture: Image.Image, *, y: float, width_max: float, height_max: float
    ) -> None:
        """A centred picture in a frame that is not drawn."""
        factor = min(width_max / picture.width, height_max / picture.height) * self._scale
        width, height = picture.width * factor, picture.height * factor
        top = y * self._scale + (height_max * self._scale - height) / 2
        self._pdf.image(picture, (_WIDTH * self._scale - width) / 2, top, width, height)

    def content(self) -> bytes:
        """The finished file."""
        return bytes(self._pdf.output())

    def close(self) -> None:
        """Give the fonts back."""
        self._fonts.close()

    @property
    def _limit(self) -> float:
        """How wide text may be, in millimetres of the page; inside of the panel, too."""
        return (_BODY_WIDTH - 12) * self._scale

    def _text_width(self, text: str, *, bold: bool, points: float) -> float:
        """In millimetres of the page; the font is set afterwards."""
        self._pdf.set_font(FAMILY, "B" if bold else "", points)
        return float(self._pdf.get_string_width(text))


def _logo(content: bytes) -> Image.Image:
    """The picture on white, no larger than print needs."""
    try:
        with Image.open(io.BytesIO(content), formats=_LOGO_FORMATS) as opened:
            if opened.width * opened.height > LOGO_PIXELS_MAX:
                raise ValueError("the logo has too many pixels")
            picture = opened.convert("RGBA")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError("the logo is not a picture") from error
    # 300 dpi: what lies beyond is bytes that no printer shows.
    picture.thumbnail(
        (int(_LOGO_WIDTH / 25.4 * 300), int(_LOGO_HEIGHT / 25.4 * 300)), Image.Resampling.LANCZOS
    )
    ground = Image.new("RGB", picture.size, _WHITE)
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground
