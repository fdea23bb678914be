"""A statement as PDF: A4 pages to read, print and keep. Pure; same input, same bytes.

Ten thousand entries take seconds of CPU: call it in a process of its own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, NamedTuple

from fpdf import FPDF

from chassis.fonts import FAMILY, fonts_of, has_letters_of
from gateway.statement import Head, Line, Totals, amount_text

# The layout, in millimetres, y downwards; text stands with its middle at y.
_WIDTH, _HEIGHT = 210.0, 297.0
_LEFT, _RIGHT = 16.0, 194.0
_BODY_WIDTH = _RIGHT - _LEFT
_PANEL_TOP, _PANEL_HEIGHT = 62.0, 23.0
_FIRST_TABLE_TOP, _TABLE_TOP = 96.0, 20.0
_TABLE_BOTTOM = 277.0
_TABLE_HEAD_HEIGHT = 8.0
_ROW_HEIGHT = 10.0
_FOOT_Y = 286.0

# Columns: where they begin, how wide they are.
_DATE = (_LEFT + 2, 32.0)
_WHAT = (52.0, 77.0)
_AMOUNT = (131.0, 28.0)
_BALANCE = (160.0, 32.0)

_SCALE_MIN = 0.85
"""Of a name that is too long for its column: what is still too long is cut."""

_INK = (17, 24, 39)
_QUIET_INK = (90, 99, 114)
_PANEL = (16, 44, 84)
_PANEL_QUIET_INK = (198, 212, 232)
_BAND = (240, 243, 248)
_RULE = (222, 227, 235)
_INCOME = (14, 110, 62)
_WHITE = (255, 255, 255)

_Align = Literal["L", "R"]


class _Text(NamedTuple):
    """A text in a column: where, in which ink."""

    column: tuple[float, float]
    text: str
    align: _Align = "L"
    ink: tuple[int, int, int] = _INK


class _Row(NamedTuple):
    """A row of the table: a first line, and a quiet second one."""

    first: tuple[_Text, ...]
    second: tuple[_Text, ...] = ()
    is_band: bool = False
    """Whether it is set off, in bold: the balances at both ends."""


def statement_pdf(head: Head, lines: Sequence[Line]) -> bytes:
    """The statement, ``application/pdf``. Raises ``DoesNotAddUp``."""
    totals = Totals(head)
    for line in lines:
        totals.add(line)
    totals.finish()
    pages = _paged(_rows(head, lines))
    pdf = FPDF(unit="mm", format="A4")
    pdf.set_margin(0)
    pdf.set_auto_page_break(False)
    pdf.set_creation_date(head.made_at)
    pdf.set_producer("qrpay")
    pdf.set_lang("en")
    pdf.set_title(f"Statement {head.month} {head.currency}")
    with fonts_of(pdf):
        for number, rows in enumerate(pages, start=1):
            sheet = _Sheet(pdf)
            if number == 1:
                _title(sheet, head)
                _summary(sheet, head, totals)
            _table(sheet, head, rows, top=_FIRST_TABLE_TOP if number == 1 else _TABLE_TOP)
            foot = f"Statement {head.month} · {head.currency} · {head.wallet_id}"
            sheet.text(foot, x=_LEFT, y=_FOOT_Y, width=130, points=7.5, ink=_QUIET_INK)
            page = f"Page {number} of {len(pages)}"
            sheet.text(
                page, x=_RIGHT - 40, y=_FOOT_Y, width=40, points=7.5, ink=_QUIET_INK, align="R"
            )
        return bytes(pdf.output())


def _rows(head: Head, lines: Sequence[Line]) -> list[_Row]:
    opening = _balance_row("Opening balance", head, head.opening_minor)
    title = "Closing balance" if head.is_over else "Balance so far"
    closing = _balance_row(title, head, head.closing_minor)
    entries = [_entry_row(head, line) for line in lines]
    if not lines:
        entries = [_Row((_Text(_WHAT, "No money moved.", ink=_QUIET_INK),))]
    return [opening, *entries, closing]


def _balance_row(title: str, head: Head, amount_minor: int) -> _Row:
    amount = amount_text(amount_minor, head.currency, grouped=True)
    return _Row((_Text(_WHAT, title), _Text(_BALANCE, amount, "R")), is_band=True)


def _entry_row(head: Head, line: Line) -> _Row:
    amount = amount_text(line.amount_minor, head.currency, grouped=True)
    came_in = line.amount_minor > 0
    return _Row(
        (
            _Text(_DATE, f"{line.at.day} {line.at:%b %Y}"),
            _Text(_WHAT, _what(line)),
            _Text(_AMOUNT, f"+{amount}" if came_in else amount, "R", _INCOME if came_in else _INK),
            _Text(_BALANCE, amount_text(line.balance_minor, head.currency, grouped=True), "R"),
        ),
        (
            _Text(_DATE, f"{line.at:%H:%M:%S} · no. {line.number}", ink=_QUIET_INK),
            _Text(_WHAT, line.payment_id, ink=_QUIET_INK),
        ),
    )


def _what(line: Line) -> str:
    """What happened, in words."""
    came_in = line.amount_minor > 0
    name = printable(line.counterparty_name, line.counterparty_id)
    match line.kind:
        case "top-up":
            return "Top-up"
        case "withdraw":
            return "Withdrawal"
        case "send":
            return f"From {name}" if came_in else f"To {name}"
        case _:
            return f"Payment from {name}" if came_in else f"Payment to {name}"


def printable(name: str, owner_id: str) -> str:
    """The name, or the id of who has it if our fonts lack a letter of it: never a row of boxes."""
    composed = unicodedata.normalize("NFC", name)
    return composed if has_letters_of(composed) else owner_id


def _paged(rows: Sequence[_Row]) -> list[Sequence[_Row]]:
    first = _rows_below(_FIRST_TABLE_TOP)
    others = _rows_below(_TABLE_TOP)
    return [
        rows[:first],
        *(rows[start : start + others] for start in range(first, len(rows), others)),
    ]


def _rows_below(top: float) -> int:
    return int((_TABLE_BOTTOM - top - _TABLE_HEAD_HEIGHT) // _ROW_HEIGHT)


def _title(sheet: _Sheet, head: Head) -> None:
    sheet.text("qrpay", x=_LEFT, y=20, width=60, points=13, bold=True, ink=_PANEL)
    sheet.text(
        "Account statement", x=_RIGHT - 90, y=20, width=90, points=10, ink=_QUIET_INK, align="R"
    )
    month = head.month
    name = printable(head.owner_name, head.owner_id)
    sheet.text(name, x=_LEFT, y=36, width=118, points=20, bold=True)
    sheet.text(
        month.name, x=_RIGHT - 56, y=36, width=56, points=13, bold=True, ink=_PANEL, align="R"
    )
    last_day = month.end - timedelta(days=1)
    span = f"1 to {last_day.day} {month.name}"
    made = f"{head.made_at.day} {head.made_at:%B %Y, %H:%M}"
    if not head.is_over:
        span = f"{month.name} until {made}"
    facts = f"Wallet {head.wallet_id} in {head.currency}"
    sheet.text(facts, x=_LEFT, y=45.5, width=_BODY_WIDTH, points=9, ink=_QUIET_INK)
    times = f"{span}. All times are UTC. Made {made}."
    sheet.text(times, x=_LEFT, y=51, width=_BODY_WIDTH, points=9, ink=_QUIET_INK)


def _summary(sheet: _Sheet, head: Head, totals: Totals) -> None:
    sheet.box(_LEFT, _PANEL_TOP, _BODY_WIDTH, _PANEL_HEIGHT, colour=_PANEL, radius=3)
    figures = (
        ("Opening balance", head.opening_minor),
        ("Money in", totals.in_minor),
        ("Money out", -totals.out_minor),
        ("Closing balance" if head.is_over else "Balance so far", head.closing_minor),
    )
    step = _BODY_WIDTH / len(figures)
    for place, (title, amount_minor) in enumerate(figures):
        x, width = _LEFT + place * step + 6, step - 9
        amount = amount_text(amount_minor, head.currency, grouped=True)
        sheet.text(title, x=x, y=_PANEL_TOP + 7.5, width=width, points=8.5, ink=_PANEL_QUIET_INK)
        sheet.text(amount, x=x, y=_PANEL_TOP + 15, width=width, points=13, bold=True, ink=_WHITE)


def _table(sheet: _Sheet, head: Head, rows: Sequence[_Row], *, top: float) -> None:
    """The head of the table and some rows. All that is set in one font goes together: changing it
    takes longer than writing."""
    titles = (
        _Text(_DATE, "Date"),
        _Text(_WHAT, "What"),
        _Text(_AMOUNT, f"Amount {head.currency}", "R"),
        _Text(_BALANCE, f"Balance {head.currency}", "R"),
    )
    for title in titles:
        sheet.cell(title._replace(ink=_QUIET_INK), y=top + 3.5, points=8, bold=True)
    start = top + _TABLE_HEAD_HEIGHT
    placed = [(start + place * _ROW_HEIGHT, row) for place, row in enumerate(rows)]
    for y, row in placed:
        if row.is_band:
            sheet.box(_LEFT, y, _BODY_WIDTH, _ROW_HEIGHT, colour=_BAND)
        sheet.rule(y + _ROW_HEIGHT, colour=_RULE)
    sheet.rule(start, colour=_PANEL, thick=0.4)
    for y, row in placed:
        middle = y + (3.7 if row.second else _ROW_HEIGHT / 2)
        for text in row.first:
            sheet.cell(text, y=middle, points=9.5, bold=row.is_band)
    for y, row in placed:
        for text in row.second:
            sheet.cell(text, y=y + 7.4, points=7)


class _Sheet:
    """A new page, and how to write on it."""

    def __init__(self, pdf: FPDF) -> None:
        self._pdf = pdf
        pdf.add_page()

    def cell(self, text: _Text, *, y: float, points: float, bold: bool = False) -> None:
        """A text in its column, smaller if it is too long; a name may be cut, a number never."""
        x, width = text.column
        self._set_font(points, bold, text.ink)
        shown = text.text
        wide = self._pdf.get_string_width(shown)
        if wide > width:
            scale = width / wide
            is_cut = text.align == "L" and scale < _SCALE_MIN
            self._set_font(points * (_SCALE_MIN if is_cut else scale), bold, text.ink)
            shown = self._cut(shown, width) if is_cut else shown
        self._write(shown, x, y, width, text.align)

    def text(
        self,
        text: str,
        *,
        x: float,
        y: float,
        width: float,
        points: float,
        bold: bool = False,
        ink: tuple[int, int, int] = _INK,
        align: _Align = "L",
    ) -> None:
        """A text by itself, smaller if it is too wide."""
        self._set_font(points, bold, ink)
        wide = self._pdf.get_string_width(text)
        if wide > width:
            self._set_font(points * width / wide, bold, ink)
        self._write(text, x, y, width, align)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        colour: tuple[int, int, int],
        radius: float = 0,
    ) -> None:
        """A filled rectangle."""
        self._pdf.set_fill_color(*colour)
        self._pdf.rect(
            x, y, width, height, style="F", round_corners=radius > 0, corner_radius=radius
        )

    def rule(self, y: float, *, colour: tuple[int, int, int], thick: float = 0.2) -> None:
        """A line from left to right."""
        self._pdf.set_draw_color(*colour)
        self._pdf.set_line_width(thick)
        self._pdf.line(_LEFT, y, _RIGHT, y)

    def _set_font(self, points: float, bold: bool, ink: tuple[int, int, int]) -> None:
        self._pdf.set_font(FAMILY, "B" if bold else "", points)
        self._pdf.set_text_color(*ink)

    def _write(self, text: str, x: float, y: float, width: float, align: _Align) -> None:
        self._pdf.c_margin = 0
        self._pdf.set_xy(x, y - 4)
        self._pdf.cell(width, 8, text, align=align)

    def _cut(self, text: str, width: float) -> str:
        while text and self._pdf.get_string_width(f"{text}…") > width:
            text = text[:-1]
        return f"{text.rstrip()}…"
