"""What a statement says: one month of one wallet, in UTC. Pure."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from chassis.money import Money, currency_exponent
from gateway.answers import KindName


class Month(NamedTuple):
    """A month of a year, in UTC."""

    year: int
    number: int
    """1 to 12."""

    @classmethod
    def of(cls, time: datetime) -> Month:
        """The month in which a moment is."""
        utc = time.astimezone(UTC)
        return cls(utc.year, utc.month)

    @classmethod
    def parse(cls, text: str) -> Month:
        """``2026-11``, of that form."""
        year, _, number = text.partition("-")
        return cls(int(year), int(number))

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return Month(self.year + self.number // 12, self.number % 12 + 1).start

    @property
    def name(self) -> str:
        """``November 2026``."""
        return f"{calendar.month_name[self.number]} {self.year}"

    def __str__(self) -> str:
        return f"{self.year}-{self.number:02}"


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Whose statement it is, and what it begins and ends with."""

    owner_id: str
    owner_name: str
    wallet_id: str
    currency: str
    month: Month
    made_at: datetime
    after_number: int
    """Of the last entry before the month; 0 if there is none."""
    last_number: int
    """Of the month's last entry; ``after_number`` if there is none."""
    opening_minor: int
    closing_minor: int

    @property
    def count(self) -> int:
        """How many entries the month has."""
        return self.last_number - self.after_number

    @property
    def is_over(self) -> bool:
        """Whether the month had ended when the statement was made."""
        return self.made_at >= self.month.end

    @property
    def closed_at(self) -> datetime:
        """The moment of the closing balance: the month's end, or when the statement was made."""
        return min(self.made_at, self.month.end)


class Line(msgspec.Struct, frozen=True):
    """One entry."""

    number: int
    at: datetime
    kind: KindName
    counterparty_id: str
    counterparty_name: str
    payment_id: str
    amount_minor: int
    """Negative for money that left."""
    balance_minor: int
    """After this entry."""


class DoesNotAddUp(Exception):
    """The entries are not those that lead from the opening to the closing balance: no statement
    says so to anybody, and somebody has to look."""


class Totals:
    """Adds the lines of a statement up, and checks that each follows from the one before."""

    def __init__(self, head: Head) -> None:
        self.in_minor = 0
        """Money that came in."""
        self.out_minor = 0
        """Money that left, positive."""
        self._head = head
        self._number = head.after_number
        self._balance_minor = head.opening_minor

    def add(self, line: Line) -> None:
        """Take the next line. Raises ``DoesNotAddUp``."""
        self._number += 1
        self._balance_minor += line.amount_minor
        if (line.number, line.balance_minor) != (self._number, self._balance_minor):
            raise DoesNotAddUp(f"entry {line.number} of {self._head.wallet_id}")
        if line.amount_minor > 0:
            self.in_minor += line.amount_minor
        else:
            self.out_minor -= line.amount_minor

    def finish(self) -> None:
        """There are no more lines. Raises ``DoesNotAddUp``."""
        head = self._head
        if (self._number, self._balance_minor) != (head.last_number, head.closing_minor):
            raise DoesNotAddUp(f"closing balance of {head.wallet_id}")


def amount_text(amount_minor: int, currency: str, *, grouped: bool = False) -> str:
    """``-1234.50``, or ``-1,234.50`` if grouped: with the decimals that the currency has."""
    comma = "," if grouped else ""
    return f"{Money(currency, amount_minor).decimal():{comma}.{currency_exponent(currency)}f}"


def file_name(head: Head, extension: str) -> str:
    """What the file is called where it is saved; ASCII without a space or a quote."""
    return f"qrpay-statement-{head.month}-{head.currency}.{extension}"
