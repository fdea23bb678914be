"""What a statement says, and that it adds up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.problems import Problem
from gateway.queries import StatementQuery, parse_query
from gateway.statement import DoesNotAddUp, Head, Line, Month, Totals, amount_text, file_name
from tests.unit.gateway.statements import NOVEMBER, statement

AMOUNTS = st.lists(st.integers(-(10**12), 10**12).filter(bool), max_size=30)


@given(st.integers(86_400, 220_000_000_000).map(lambda it: datetime.fromtimestamp(it, UTC)))
def test_every_moment_is_in_one_month(moment: datetime) -> None:
    """Goal: months meet without gap or overlap, over the ends of years too; one is written as it
    is read."""
    month = Month.of(moment)
    assert month.start <= moment < month.end
    assert Month.of(month.end) > month
    assert Month.of(month.end).start == month.end
    assert Month.of(month.start - timedelta(microseconds=1)).end == month.start
    assert Month.parse(str(month)) == month


def test_months_are_those_of_utc() -> None:
    """Goal: a clock on the wall elsewhere changes nothing."""
    assert Month.of(datetime(2026, 11, 1, 1, tzinfo=timezone(timedelta(hours=2)))) == (2026, 10)
    assert Month(2026, 12).end == datetime(2027, 1, 1, tzinfo=UTC)
    assert NOVEMBER.name == "November 2026"


@pytest.mark.parametrize(
    "text", ["2026-1", "2026-13", "2026-00", "1969-12", "2026-11-01", "2026-11%0A", "x", ""]
)
def test_months_that_are_none(text: str) -> None:
    """Goal: refused by name before anybody counts days."""
    with pytest.raises(Problem) as caught:
        parse_query(StatementQuery, f"month={text}".encode())
    assert [field for field, _ in caught.value.errors] == ["month"]


@given(AMOUNTS, st.integers(-(10**15), 10**15))
def test_totals_add_up(amounts: list[int], opening: int) -> None:
    """Goal: opening + in - out = closing, for all entries; and whatever is changed, left out or
    said twice is noticed."""
    head, lines = statement(amounts, opening_minor=opening)
    totals = Totals(head)
    for line in lines:
        totals.add(line)
    totals.finish()
    assert opening + totals.in_minor - totals.out_minor == head.closing_minor
    assert totals.in_minor == sum(amount for amount in amounts if amount > 0)
    for place, line in enumerate(lines):
        changed = msgspec.structs.replace(line, amount_minor=line.amount_minor + 1)
        for wrong in (
            [*lines[:place], *lines[place + 1 :]],
            [*lines[:place], line, *lines[place:]],
            [*lines[:place], changed, *lines[place + 1 :]],
        ):
            with pytest.raises(DoesNotAddUp):
                _check(head, wrong)


def _check(head: Head, lines: list[Line]) -> None:
    totals = Totals(head)
    for line in lines:
        totals.add(line)
    totals.finish()


@pytest.mark.parametrize(
    ("amount", "currency", "plain", "grouped"),
    [
        (-123456, "USD", "-1234.56", "-1,234.56"),
        (5, "USD", "0.05", "0.05"),
        (0, "EUR", "0.00", "0.00"),
        (1234567, "JPY", "1234567", "1,234,567"),
        (-1, "KWD", "-0.001", "-0.001"),
    ],
)
def test_amounts(amount: int, currency: str, plain: str, grouped: str) -> None:
    """Goal: the currency's decimals, neither more nor fewer."""
    assert amount_text(amount, currency) == plain
    assert amount_text(amount, currency, grouped=True) == grouped


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["USD", "JPY", "KWD"]))
def test_no_amount_is_rounded(amount: int, currency: str) -> None:
    """Goal: what is written is the amount to the last minor unit."""
    exponent = {"USD": 2, "JPY": 0, "KWD": 3}[currency]
    assert Decimal(amount_text(amount, currency)) == Decimal(amount).scaleb(-exponent)


def test_a_month_under_way() -> None:
    """Goal: a statement before the month's end closes when it was made, and says so."""
    head, _ = statement([])
    assert head.is_over
    assert head.closed_at == NOVEMBER.end
    early = msgspec.structs.replace(head, made_at=NOVEMBER.start)
    assert not early.is_over
    assert early.closed_at == NOVEMBER.start
    assert file_name(head, "pdf") == "qrpay-statement-2026-11-USD.pdf"
