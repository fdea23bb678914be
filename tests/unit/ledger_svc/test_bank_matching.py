"""Which payment a line is: never two, never a guess, whatever the order."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_svc.bank_statements.matching import (
    CANDIDATES_MAX,
    Match,
    MatchMethod,
    OpenLine,
    OpenPayment,
    candidates,
    match,
    named_payments,
)

DAY = date(2026, 11, 10)
IDS = [f"pay_01JD3Q9V7N8R4T2W6X0YZABC{letter}0" for letter in "ABCDEFGHJKMNPQRS"]
REFERENCE, AMOUNT = MatchMethod.REFERENCE, MatchMethod.AMOUNT


def line(name: str, amount: int, *, day: int = 0, texts: str = "") -> OpenLine:
    """A line some days from ``DAY``."""
    return OpenLine(f"bsl_{name}", amount, DAY + timedelta(days=day), False, texts)


def payment(number: int, amount: int, *, day: int = 0) -> OpenPayment:
    """A payment some days from ``DAY``."""
    return OpenPayment(IDS[number], amount, DAY + timedelta(days=day))


def matched(lines: list[OpenLine], payments: list[OpenPayment]) -> dict[str, tuple[str, int]]:
    """What is matched within five days, by line."""
    found = match(lines, payments, window_days=5)
    return {it.line_id: (it.payment_id, it.method) for it in found}


@pytest.mark.parametrize(
    "text",
    [
        "pay_01JD3Q9V7N8R4T2W6X0YZABCA0",
        "PAY 01JD3Q9V7N8R4T2W6X0YZABCA0",
        "Top-up pay01jd3q9v7n8r4t2w6x0yzabca0 thanks",
        "/EREF/PAY-01JD3Q9V7N8R4T2W6X0\nYZABCA0",
        "PAYPAY_01JD3Q9V7N8R4T2W6X0YZABCA0",
    ],
)
def test_a_payment_is_named_in_many_ways(text: str) -> None:
    """Goal: capitals, missing underscores and broken lines do not hide an id."""
    assert named_payments(text) == [IDS[0]]


@pytest.mark.parametrize(
    "text", ["", "PAYMENT FOR INVOICE 12345678901234567890", "pay_01JD3Q9V7N8R4T2W6X0YZABC"]
)
def test_no_payment_is_named(text: str) -> None:
    """Goal: words that begin alike, and ids that were cut off, are none."""
    assert named_payments(text) == []


def test_by_reference_before_amount() -> None:
    """Goal: a named payment is taken though another one fits as well, and however late it is."""
    lines = [line("a", -100, day=60, texts=IDS[0]), line("b", -100)]
    payments = [payment(0, -100), payment(1, -100)]
    assert matched(lines, payments) == {
        "bsl_a": (IDS[0], REFERENCE),
        "bsl_b": (IDS[1], AMOUNT),
    }


def test_a_named_payment_of_another_amount() -> None:
    """Goal: not matched, not even to one whose amount fits; but shown to whoever looks."""
    lines, payments = [line("a", -99, texts=IDS[0])], [payment(0, -100), payment(1, -99)]
    assert matched(lines, payments) == {}
    assert candidates(lines, payments, window_days=5) == {"bsl_a": [IDS[0]]}


def test_a_payout_that_was_made_twice() -> None:
    """Goal: two lines that name one payment are for a person, and so are two of one amount."""
    twice = [line("a", -100, texts=IDS[0]), line("b", -100, texts=IDS[0])]
    assert matched(twice, [payment(0, -100)]) == {}
    unnamed = [line("a", -100), line("b", -100)]
    assert matched(unnamed, [payment(0, -100)]) == {}
    assert candidates(unnamed, [payment(0, -100)], window_days=5) == {
        "bsl_a": [IDS[0]],
        "bsl_b": [IDS[0]],
    }


def test_a_line_that_names_two() -> None:
    """Goal: the one whose amount it has; neither if both have it."""
    texts = f"{IDS[0]} {IDS[1]}"
    assert matched([line("a", 5, texts=texts)], [payment(0, 5), payment(1, 6)]) == {
        "bsl_a": (IDS[0], REFERENCE)
    }
    assert matched([line("a", 5, texts=texts)], [payment(0, 5), payment(1, 5)]) == {}


@pytest.mark.parametrize(("days", "is_matched"), [(-6, False), (-5, True), (5, True), (6, False)])
def test_the_window(days: int, is_matched: bool) -> None:
    """Goal: five days to either side, and not one more."""
    found = matched([line("a", 70, day=days)], [payment(0, 70)])
    assert bool(found) is is_matched


def test_what_never_matches_by_amount() -> None:
    """Goal: the other direction, a reversal, and a line that names a payment we do not know."""
    assert matched([line("a", 70)], [payment(0, -70)]) == {}
    assert matched([line("a", 70)._replace(is_reversal=True)], [payment(0, 70)]) == {}
    assert matched([line("a", 70, texts=IDS[5])], [payment(0, 70)]) == {}


LINES = st.lists(
    st.builds(
        OpenLine,
        st.sampled_from([f"bsl_{number}" for number in range(40)]),
        st.sampled_from([-2, -1, 1, 2]),
        st.integers(-9, 9).map(lambda days: DAY + timedelta(days=days)),
        st.booleans(),
        st.lists(st.sampled_from(["rent", *IDS]), max_size=2).map(" ".join),
    ),
    max_size=14,
    unique_by=lambda it: it.id,
)
PAYMENTS = st.lists(
    st.builds(
        OpenPayment,
        st.sampled_from(IDS),
        st.sampled_from([-2, -1, 1, 2]),
        st.integers(-9, 9).map(lambda days: DAY + timedelta(days=days)),
    ),
    max_size=14,
    unique_by=lambda it: it.id,
)


def choices_of(it: OpenLine, payments: list[OpenPayment]) -> list[str]:
    """What a line could be by its amount, by comparing it with all."""
    return [
        other.id
        for other in payments
        if other.amount_minor == it.amount_minor
        and abs((other.moved_on - it.booking_date).days) <= 5
    ]


@given(LINES, PAYMENTS, st.randoms(use_true_random=False))
def test_nobody_twice_and_no_order(
    lines: list[OpenLine], payments: list[OpenPayment], random: object
) -> None:
    """Goal: no line and no payment is matched twice; amounts are equal; shuffled, the same comes
    out; and what was matched by amount had no other choice on either side."""
    found = match(lines, payments, window_days=5)
    assert len({it.line_id for it in found}) == len(found)
    assert len({it.payment_id for it in found}) == len(found)
    by_line = {it.id: it for it in lines}
    amounts = {it.id: it.amount_minor for it in payments}
    said = {payment_id for it in lines for payment_id in named_payments(it.texts)}
    unnamed = [it for it in payments if it.id not in said]
    for one in found:
        of_line = by_line[one.line_id]
        assert amounts[one.payment_id] == of_line.amount_minor
        if one.method is REFERENCE:
            assert one.payment_id in named_payments(of_line.texts)
        else:
            assert choices_of(of_line, unnamed) == [one.payment_id]
    shuffled = list(lines), list(payments)
    for part in shuffled:
        random.shuffle(part)  # type: ignore[attr-defined]
    assert match(*shuffled, window_days=5) == found


@given(LINES, PAYMENTS)
def test_counting_finds_what_comparing_finds(
    lines: list[OpenLine], payments: list[OpenPayment]
) -> None:
    """Goal: by amount, exactly the pairs in which neither side has another choice."""
    plain = [it._replace(texts="", is_reversal=False) for it in lines]
    choices = {it.id: choices_of(it, payments) for it in plain}
    wanted = [payment_id for ids in choices.values() for payment_id in ids]
    expected = [
        Match(line_id, ids[0], AMOUNT)
        for line_id, ids in sorted(choices.items())
        if len(ids) == 1 and wanted.count(ids[0]) == 1
    ]
    assert match(plain, payments, window_days=5) == expected
    shown = candidates(plain, payments, window_days=5)
    assert {key: set(ids) for key, ids in shown.items()} == {
        key: set(ids) for key, ids in choices.items() if len(ids) <= CANDIDATES_MAX
    } | {key: set(shown[key]) for key, ids in choices.items() if len(ids) > CANDIDATES_MAX}
