"""What a statement says, whatever file it becomes, and whether it adds up."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from chassis.money import CURRENCIES, Money


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Of which account and time a statement is, and its balances: credits less debits, minor
    units."""

    account_id: str
    account_class: str
    """In words; empty if it is not known."""
    currency_code: str
    start_time: datetime | None
    """Booked then or later; None: from the beginning."""
    end_time: datetime | None
    """Booked before; None: up to the present."""
    opening_minor: int
    closing_minor: int
    last_number: int
    """The last transaction of the book that is covered."""
    created_at: datetime

    def __post_init__(self) -> None:
        if self.currency_code not in CURRENCIES:
            raise NotExportable(f"{self.currency_code} is not a currency that we know")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One posting."""

    transaction_id: str
    line: int
    amount_minor: int
    """Positive: a credit; negative: a debit."""
    balance_minor: int
    """After it."""
    counter_account_ids: tuple[str, ...]
    source_id: str
    payment_id: str
    """Empty if no payment caused it."""
    kind: str
    """In words."""
    is_reversal: bool
    effective_time: datetime
    book_time: datetime
    description: str


class NotExportable(Exception):
    """A file of this format cannot say this."""


class DoesNotAddUp(Exception):
    """The postings do not lead from the opening to the closing balance: no file says so to anybody,
    and somebody has to look."""


class Totals:
    """Adds the lines of a statement up, and checks that each follows from the one before."""

    def __init__(self, head: Head) -> None:
        self.debit_count = self.credit_count = 0
        self.debits_minor = self.credits_minor = 0
        """Both positive."""
        self._head = head
        self._balance_minor = head.opening_minor

    def add(self, line: Line) -> None:
        """Take the next line. Raises ``DoesNotAddUp``."""
        self._balance_minor += line.amount_minor
        if line.balance_minor != self._balance_minor:
            raise DoesNotAddUp(f"{line.transaction_id} of {self._head.account_id}")
        if line.amount_minor > 0:
            self.credit_count += 1
            self.credits_minor += line.amount_minor
        else:
            self.debit_count += 1
            self.debits_minor -= line.amount_minor

    def finish(self) -> None:
        """There are no more lines. Raises ``DoesNotAddUp``."""
        if self._balance_minor != self._head.closing_minor:
            raise DoesNotAddUp(f"the closing balance of {self._head.account_id}")


def amount_text(amount_minor: int, currency_code: str) -> str:
    """``-1234.50``: with the decimals that the currency has."""
    return f"{Money(currency_code, amount_minor).decimal():f}"


def time_text(moment: datetime) -> str:
    """RFC 3339, UTC, to the microsecond."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
