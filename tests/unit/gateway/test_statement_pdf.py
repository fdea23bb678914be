"""A statement as PDF, read back by somebody else's code."""

from __future__ import annotations

from datetime import UTC, datetime

import pypdfium2
import pytest

from gateway.statement import DoesNotAddUp
from gateway.statement_pdf import printable, statement_pdf
from tests.unit.gateway.statements import BOB, statement


def texts_of(pdf: bytes) -> list[str]:
    """The text of each page."""
    return [
        page.get_textpage().get_text_range().replace("\r\n", "\n")
        for page in pypdfium2.PdfDocument(pdf)
    ]


def test_it_shows_the_figures() -> None:
    """Goal: who, when, balances, totals, and each entry with sign and balance."""
    (text,) = texts_of(statement_pdf(*statement([123_456, -7_899])))
    for shown in (
        *("Alice Example", "November 2026", "wal_01JD3Q8G4E6H8J0K2M4N6P8Q0R in USD"),
        *("Opening balance", "1,000.00", "Closing balance", "2,155.57"),
        *("Money in", "1,234.56", "Money out", "-78.99"),
        *("+1,234.56", "2,234.56", "From Bob", "To Bob"),
        *("1 Nov 2026", "00:08:00", "no. 8", "pay_00000000000000000000000009"),
        *("Made 2 December 2026, 09:30", "All times are UTC", "Page 1 of 1"),
    ):
        assert shown in text, shown


@pytest.mark.parametrize("count", [1, 15, 16, 17, 40, 41, 100])
def test_every_entry_is_on_one_page(count: int) -> None:
    """Goal: about the borders of pages none is lost or printed twice; every page has the head of
    the table and its number; A4."""
    pdf = statement_pdf(*statement([7] * count))
    pages = texts_of(pdf)
    for number in range(8, 8 + count):
        assert sum(page.count(f"pay_{number:026}") for page in pages) == 1, number
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page
        assert "Balance USD" in page
    assert "Closing balance" in pages[-1]
    sizes = [page.get_size() for page in pypdfium2.PdfDocument(pdf)]
    assert {(round(width), round(height)) for width, height in sizes} == {(595, 842)}


def test_an_empty_month_that_is_not_over() -> None:
    """Goal: the balance so far, and since when nothing has moved."""
    made_at = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)
    (text,) = texts_of(statement_pdf(*statement([], made_at=made_at)))
    assert "No money moved." in text
    assert "Balance so far" in text
    assert "Closing" not in text
    assert "November 2026 until 5 November 2026, 09:30" in text


def test_amounts_of_any_size_are_whole() -> None:
    """Goal: a number may become small, it is never cut."""
    head, lines = statement([-(10**15), 10**15], opening_minor=10**15 + 1)
    (text,) = texts_of(statement_pdf(head, lines))
    for shown in ("-10,000,000,000,000.00", "+10,000,000,000,000.00", "10,000,000,000,000.01"):
        assert shown in text
    assert "…" not in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Żółć", "Żółć"),
        ("Cafe\u0301", "Café"),
        ("Анна", "Анна"),
        ("ร้านกาแฟ", BOB),
        ("小林", BOB),
        ("Bob 🙂", BOB),
    ],
)
def test_every_name_can_be_printed(name: str, shown: str) -> None:
    """Goal: a name, or the id of who has it; never a row of boxes."""
    assert printable(name, BOB) == shown
    assert f"From {shown}" in texts_of(statement_pdf(*statement([5], name=name)))[0]


def test_a_long_name_is_cut() -> None:
    """Goal: it does not run into the amount."""
    (text,) = texts_of(statement_pdf(*statement([5], name="Name " * 16, kind="pay")))
    assert "Payment from Name Name" in text
    assert "…" in text


def test_kinds_in_words() -> None:
    """Goal: the bank is not a person."""
    assert "Top-up" in texts_of(statement_pdf(*statement([5], kind="top-up")))[0]
    assert "Withdrawal" in texts_of(statement_pdf(*statement([-5], kind="withdraw")))[0]


def test_the_same_statement_has_the_same_bytes() -> None:
    """Goal: nothing but the statement decides what is in the file."""
    assert statement_pdf(*statement([5, -5])) == statement_pdf(*statement([5, -5]))


def test_what_does_not_add_up_is_not_printed() -> None:
    """Goal: no page with a wrong balance."""
    head, lines = statement([1, 2, 3])
    with pytest.raises(DoesNotAddUp):
        statement_pdf(head, lines[:2])
