"""A statement as CSV is a table that any reader takes, and nobody's formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.spreadsheet import guarded
from gateway.statement import DoesNotAddUp, Head, Line
from gateway.statement_csv import COLUMNS, CsvStatement
from tests.unit.gateway.statements import statement

DANGEROUS = "=+-@\t\r"
NAMES = st.one_of(
    st.text(max_size=80),
    st.builds(str.__add__, st.text(alphabet=f"{DANGEROUS} \n'\"", max_size=4), st.text(max_size=9)),
)


def written(head: Head, lines: Sequence[Line]) -> bytes:
    """The whole file, in two pieces of entries."""
    made = CsvStatement(head)
    half = len(lines) // 2
    return made.begin() + made.lines(lines[:half]) + made.lines(lines[half:]) + made.end()


def rows_of(content: bytes) -> list[dict[str, str]]:
    """The rows by the names of their columns, as a strict reader sees them."""
    first, *rows = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    assert first == list(COLUMNS)
    assert {len(row) for row in rows} == {len(COLUMNS)}
    return [dict(zip(first, row, strict=True)) for row in rows]


def test_a_statement() -> None:
    """Goal: opening, entries, totals, closing; each row says what it is."""
    rows = rows_of(written(*statement([1250, -399])))
    assert [row["line"] for row in rows] == [
        *("opening", "entry", "entry", "total-in", "total-out", "closing")
    ]
    assert rows[0]["balance"] == "1000.00"
    assert rows[0]["time"] == "2026-11-01T00:00:00Z"
    assert rows[2] == {
        "line": "entry",
        "number": "9",
        "time": "2026-11-01T00:09:00.000009Z",
        "kind": "send",
        "counterparty": "Bob",
        "counterparty_id": "usr_01JD3Q8F2C9K5M7P1R4T6V8X0Z",
        "payment_id": "pay_00000000000000000000000009",
        "amount": "-3.99",
        "balance": "1008.51",
        "currency": "USD",
    }
    assert (rows[3]["amount"], rows[4]["amount"]) == ("12.50", "-3.99")
    assert (rows[5]["balance"], rows[5]["time"]) == ("1008.51", "2026-12-01T00:00:00Z")


def test_an_empty_month() -> None:
    """Goal: the balance is told, and totals of nothing."""
    rows = rows_of(written(*statement([])))
    assert [row["line"] for row in rows] == ["opening", "total-in", "total-out", "closing"]
    assert (rows[1]["amount"], rows[2]["amount"]) == ("0.00", "0.00")
    assert rows[0]["balance"] == rows[3]["balance"] == "1000.00"


@given(st.lists(st.integers(-(10**12), 10**12).filter(bool), max_size=9), NAMES)
def test_every_statement_is_a_table_that_adds_up(amounts: list[int], name: str) -> None:
    """Goal: whatever people are called, the table has its rows and columns, lines end as RFC 4180
    says, amounts are numbers, and opening plus amounts is closing."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return  # a lone surrogate is no text, and no message of ours can hold one
    content = written(*statement(amounts, name=name))
    rows = rows_of(content)
    entries = [row for row in rows if row["line"] == "entry"]
    assert len(entries) == len(amounts)
    assert content.endswith(b"\r\n")
    assert all(re.fullmatch(r"-?[0-9]+\.[0-9]{2}", row["amount"]) for row in entries)
    opening, closing = Decimal(rows[0]["balance"]), Decimal(rows[-1]["balance"])
    assert opening + sum(Decimal(row["amount"]) for row in entries) == closing
    assert opening + Decimal(rows[-3]["amount"]) + Decimal(rows[-2]["amount"]) == closing
    for row in entries:
        assert row["counterparty"].removeprefix("'") == name.removeprefix("'")
        assert not row["counterparty"].startswith(tuple(DANGEROUS))


@given(NAMES)
def test_no_text_begins_like_a_formula(text: str) -> None:
    """Goal: after the guard no text begins with what makes a formula, not even after blanks; and
    what did not is not touched."""
    shown = guarded(text)
    assert not shown.startswith(tuple(DANGEROUS))
    assert not shown.lstrip().startswith(tuple(DANGEROUS))
    assert shown in {text, f"'{text}"}
    if text[:1].isalnum():
        assert shown == text


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1"]
)
def test_known_tricks(text: str) -> None:
    """Goal: each gets its apostrophe."""
    assert guarded(text) == f"'{text}"


def test_what_does_not_add_up_is_not_written() -> None:
    """Goal: a missing entry is found at the next one, or at the end."""
    head, lines = statement([1, 2, 3])
    with pytest.raises(DoesNotAddUp):
        CsvStatement(head).lines(lines[1:])
    made = CsvStatement(head)
    made.lines(lines[:2])
    with pytest.raises(DoesNotAddUp):
        made.end()
