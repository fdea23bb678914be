"""What may be booked, and what counts as a difference."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_svc.model import (
    Booking,
    TrialBalanceLine,
    differences,
    draft_of,
    fault_of,
    is_balanced,
    is_id,
)

GOOD = Booking("pay_1", 1, "wal_a", "wal_b", "USD", 1, 1)
NAMES = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=60)
IDS = st.builds("{}_{}".format, st.text(string.ascii_lowercase, min_size=3, max_size=3), NAMES)
BOOKINGS = st.builds(
    Booking,
    payment_id=IDS,
    kind=st.integers(1, 100),
    debit_account_id=IDS,
    credit_account_id=IDS,
    currency_code=st.text(string.ascii_uppercase, min_size=3, max_size=3),
    amount_minor=st.integers(1, 2**63 - 1),
    effective_microseconds=st.integers(1, 253_402_300_799_999_999),
)


@given(booking=BOOKINGS)
def test_what_moved_money_may_be_booked(booking: Booking) -> None:
    """Ids, any currency code, any kind and any amount that fits the tables pass."""
    assert fault_of(booking) is None


@pytest.mark.parametrize(
    ("field", "fault", "values"),
    [
        ("payment_id", "payment_id", ["", "pay", "pay_", "PAY_1", "pay_{1}", "pay_1\n", "pay_\0"]),
        ("debit_account_id", "debit_wallet_id", ["", 'wal_"', "wal_,", "NULL", "wal_" + "x" * 61]),
        ("credit_account_id", "credit_wallet_id", ["", "wal_\\", "wal_ä", "wal_a b"]),
        ("kind", "kind", [0, -1, 101]),
        ("currency_code", "currency_code", ["", "usd", "US", "USDT", "US\n", "ÄÖÜ"]),
        ("amount_minor", "amount_minor", [0, -1, 2**63]),
        ("effective_microseconds", "execute_time", [0, -1, 253_402_300_800_000_000, 2**80]),
    ],
)
def test_what_no_book_can_hold_is_named(field: str, fault: str, values: list[Any]) -> None:
    """Each field has its limits, and the fault carries the name it has in the message."""
    assert fault_of(GOOD) is None
    assert {fault_of(GOOD._replace(**{field: value})) for value in values} == {fault}


@given(text=st.text(max_size=70))
def test_an_id_is_safe_in_an_array_literal(text: str) -> None:
    """Nothing that passes for an id means something to PostgreSQL's array syntax."""
    if is_id(text):
        assert set(text).isdisjoint('{}",\\ \t\n\0')
        assert text.upper() != "NULL"


@given(booking=BOOKINGS, other=BOOKINGS)
def test_differences_are_the_fields_that_differ(booking: Booking, other: Booking) -> None:
    """Every field counts except the moment, and what is booked does not differ from itself."""
    one, two = draft_of(booking), draft_of(other)
    assert differences(one, one) == []
    assert differences(one, one._replace(effective_microseconds=1)) == []
    expected = {name for name in ("kind", "postings") if getattr(one, name) != getattr(two, name)}
    assert set(differences(one, two)) == expected
    assert differences(one, one._replace(description="x", reverses_number=1)) == [
        "description",
        "reverses_number",
    ]


@given(amounts=st.lists(st.tuples(st.integers(0, 2**70), st.integers(0, 2**70)), max_size=4))
def test_balanced_means_equal_in_every_currency(amounts: list[tuple[int, int]]) -> None:
    """A surplus in one currency is not made good by a lack in another."""
    lines = [TrialBalanceLine("USD", debits, credits_, 1) for debits, credits_ in amounts]
    assert is_balanced(lines) == all(debits == credits_ for debits, credits_ in amounts)
    assert is_balanced([*lines, TrialBalanceLine("EUR", 1, 2, 1)]) is False
