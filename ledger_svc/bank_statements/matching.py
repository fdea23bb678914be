"""Which payment a line of a bank's statement is. Pure, and in whatever order they are given.

Two steps. A line that names a payment by its id, and has its amount, is that payment. A line that
names none may be known by its amount within a few days. In both, a line and a payment are matched
only if neither has any other choice: who guesses, hides a payout that was made twice.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from enum import IntEnum
from typing import NamedTuple

CANDIDATES_MAX = 10
"""Payments that are named for a line that stays open."""

# A payment's id (chassis.ids) as it survives on its way through banks: some write all letters in
# capitals, and SEPA knows no underscore; remittance information is broken into lines anywhere.
_PAYMENT_KEY = re.compile(r"(?=PAY([0-7][0-9A-HJKMNP-TV-Z]{25}))")
_NOISE = re.compile(r"[^0-9A-Z]")


class MatchMethod(IntEnum):
    """How a line was matched; the numbers are the contract's."""

    REFERENCE = 1
    AMOUNT = 2
    HAND = 3


class OpenLine(NamedTuple):
    """A line that is not matched."""

    id: str
    amount_minor: int
    """Signed: negative for money that left the bank account."""
    booking_date: date
    is_reversal: bool
    """The bank takes back an earlier entry: its amount says nothing about a payment."""
    texts: str


class OpenPayment(NamedTuple):
    """A withdrawal or top-up of the book that no line is matched to."""

    id: str
    amount_minor: int
    """As it stands on a statement: negative for a withdrawal."""
    moved_on: date


class Match(NamedTuple):
    """A line and the payment that it is."""

    line_id: str
    payment_id: str
    method: MatchMethod


def named_payments(texts: str) -> list[str]:
    """The ids of payments that a text names, each once, by id."""
    plain = _NOISE.sub("", texts.upper())
    return sorted({f"pay_{key}" for key in _PAYMENT_KEY.findall(plain)})


def match(
    lines: Sequence[OpenLine], payments: Sequence[OpenPayment], *, window_days: int
) -> list[Match]:
    """Match open lines to open payments; all that there are, which any of them could be."""
    choices = _Choices(lines, payments, window_days)
    claims = {
        line.id: [it for it in choices.named[line.id] if choices.amounts[it] == line.amount_minor]
        for line in lines
    }
    return sorted([*_sole_claims(claims), *choices.guesses.sole()])


def candidates(
    lines: Sequence[OpenLine], payments: Sequence[OpenPayment], *, window_days: int
) -> dict[str, list[str]]:
    """Payments that each of these lines could be, a few, for a person to choose from; by line id.

    A payment that a line names is one also if it has another amount: somebody has to look.
    """
    choices = _Choices(lines, payments, window_days)
    return {
        line.id: (choices.named[line.id] or choices.guesses.of(line.id))[:CANDIDATES_MAX]
        for line in lines
    }


class _Choices:
    """What each line could be by what it says, and by its amount."""

    def __init__(
        self, lines: Sequence[OpenLine], payments: Sequence[OpenPayment], window_days: int
    ) -> None:
        self.amounts = {payment.id: payment.amount_minor for payment in payments}
        said = {line.id: named_payments(line.texts) for line in lines}
        self.named = {
            line_id: [it for it in payment_ids if it in self.amounts]
            for line_id, payment_ids in said.items()
        }
        # Whatever is named anywhere is spoken of: no other line takes it for its amount. And a line
        # that names a payment is no other one, also if that payment is not to be found.
        spoken_of = {payment_id for payment_ids in said.values() for payment_id in payment_ids}
        self.guesses = _Guesses(
            [line for line in lines if not said[line.id] and not line.is_reversal],
            [payment for payment in payments if payment.id not in spoken_of],
            window=timedelta(days=window_days),
        )


def _sole_claims(claims: Mapping[str, Sequence[str]]) -> list[Match]:
    """The pairs in which neither side has another choice."""
    wanted = Counter(payment_id for payment_ids in claims.values() for payment_id in payment_ids)
    return [
        Match(line_id, payment_ids[0], MatchMethod.REFERENCE)
        for line_id, payment_ids in claims.items()
        if len(payment_ids) == 1 and wanted[payment_ids[0]] == 1
    ]


class _Guesses:
    """Payments of a line's amount within some days of it. All of one amount are sorted by day, so
    that choices are counted and not compared: a thousand of one amount are nothing unusual."""

    def __init__(
        self, lines: Iterable[OpenLine], payments: Iterable[OpenPayment], *, window: timedelta
    ) -> None:
        self._window = window
        self._lines = {line.id: line for line in lines}
        self._payments: dict[int, list[tuple[date, str]]] = defaultdict(list)
        for payment in payments:
            self._payments[payment.amount_minor].append((payment.moved_on, payment.id))
        self._days: dict[int, list[date]] = defaultdict(list)
        for line in self._lines.values():
            self._days[line.amount_minor].append(line.booking_date)
        for of_amount in self._payments.values():
            of_amount.sort()
        for days in self._days.values():
            days.sort()

    def of(self, line_id: str) -> list[str]:
        """What a line could be, by day; a few of them."""
        line = self._lines.get(line_id)
        if line is None:
            return []
        payments, start, end = self._near(line)
        return [payment_id for _, payment_id in payments[start : min(end, start + CANDIDATES_MAX)]]

    def sole(self) -> list[Match]:
        """The pairs in which neither side has another choice."""
        found = []
        for line in self._lines.values():
            payments, start, end = self._near(line)
            if end - start != 1:
                continue
            moved_on, payment_id = payments[start]
            days = self._days[line.amount_minor]
            first = bisect_left(days, moved_on - self._window)
            if bisect_right(days, moved_on + self._window) - first == 1:
                found.append(Match(line.id, payment_id, MatchMethod.AMOUNT))
        return found

    def _near(self, line: OpenLine) -> tuple[list[tuple[date, str]], int, int]:
        payments = self._payments.get(line.amount_minor, [])
        start = bisect_left(payments, line.booking_date - self._window, key=_day)
        end = bisect_right(payments, line.booking_date + self._window, key=_day)
        return payments, start, end


def _day(payment: tuple[date, str]) -> date:
    return payment[0]
