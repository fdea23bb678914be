"""What may be booked, and what differs. Pure: no clock, no database, no message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_ID = re.compile(r"[a-z]{3}_[0-9A-Za-z_-]{1,60}")
_CURRENCY_CODE = re.compile(r"[A-Z]{3}")
BOOK_ONLY_KIND_MIN = 101
"""Kinds from here on have no payment, and moved no wallet."""
_KIND_MAX = BOOK_ONLY_KIND_MIN - 1
_AMOUNT_MINOR_MAX = 2**63 - 1
_MICROSECONDS_MAX = 253_402_300_800_000_000
"""The year 10000, where timestamps of protobuf and Python end."""


class Booking(NamedTuple):
    """One payment that moved money, as the journal holds it: debit the payer, credit the payee."""

    payment_id: str
    kind: int
    """A number of qrpay.type.v1.TransferKind; one that this release does not know is booked too."""
    debit_account_id: str
    credit_account_id: str
    currency_code: str
    amount_minor: int
    effective_microseconds: int
    """When the money moved, since 1970."""


DEBIT, CREDIT = 1, 2


_CUSTOMER, _MERCHANT = 1, 2
SYSTEM_CLASS_MIN = 3
"""Classes from here on are the system's own accounts."""
_CLASSES_OF_SYSTEM = {"sys_bank": 3, "sys_fees": 4, "sys_suspense": 5}


def account_class(owner_id: str) -> int | None:
    """The class of the account of a wallet with this owner, as the contract numbers it; None if
    such an owner has no wallets."""
    if owner_id.startswith("usr_"):
        return _CUSTOMER
    if owner_id.startswith("mer_"):
        return _MERCHANT
    return _CLASSES_OF_SYSTEM.get(owner_id)


class DraftPosting(NamedTuple):
    """One side of what is to be booked."""

    account_id: str
    direction: int
    """``DEBIT`` or ``CREDIT``."""
    currency_code: str
    amount_minor: int


class Draft(NamedTuple):
    """A transaction that is to be booked; it gets its number when it is."""

    source_id: str
    """What is booked: a payment, a correction, a line of a bank's statement. Booked once."""
    kind: int
    """A number of qrpay.type.v1.TransferKind for payments, above 100 of what no payment caused."""
    effective_microseconds: int
    """When it happened, since 1970."""
    description: str
    reverses_number: int | None
    """The transaction that it takes back."""
    postings: tuple[DraftPosting, ...]
    """Two or more; debits equal credits in each currency."""
    of_payment: bool = False
    """It takes back what a payment moved, or is said to have moved. Only told of what is to be
    booked."""

    @property
    def is_book_only(self) -> bool:
        """Whether the system's own wallets need not agree with it."""
        return self.kind >= BOOK_ONLY_KIND_MIN and not self.of_payment


def bank_charges_account(currency_code: str) -> str:
    """The account of what the bank charges; it has no wallet, and its first posting makes it."""
    return f"acc_bank_charges_{currency_code}"


def draft_of(booking: Booking) -> Draft:
    """A payment as a transaction."""
    currency, amount = booking.currency_code, booking.amount_minor
    return Draft(
        booking.payment_id,
        booking.kind,
        booking.effective_microseconds,
        "",
        None,
        (
            DraftPosting(booking.debit_account_id, DEBIT, currency, amount),
            DraftPosting(booking.credit_account_id, CREDIT, currency, amount),
        ),
    )


class TrialBalanceLine(NamedTuple):
    """Debits and credits of one currency."""

    currency_code: str
    debits_minor: int
    credits_minor: int
    account_count: int


def is_id(text: str) -> bool:
    """Whether the journal can hold this text as an id: three letters, an underscore, a name."""
    return _ID.fullmatch(text) is not None


def fault_of(booking: Booking) -> str | None:
    """The first field that cannot be booked; None if all can.

    The money has moved already when we hear of it, so only what no book could hold is refused:
    a limit of today's payments is not our business.
    """
    if not _ID.fullmatch(booking.payment_id):
        return "payment_id"
    if not 0 < booking.kind <= _KIND_MAX:
        return "kind"
    if not _ID.fullmatch(booking.debit_account_id):
        return "debit_wallet_id"
    if not _ID.fullmatch(booking.credit_account_id):
        return "credit_wallet_id"
    if not _CURRENCY_CODE.fullmatch(booking.currency_code):
        return "currency_code"
    if not 0 < booking.amount_minor <= _AMOUNT_MINOR_MAX:
        return "amount_minor"
    if not 0 < booking.effective_microseconds < _MICROSECONDS_MAX:
        return "execute_time"
    return None


def differences(draft: Draft, booked: Draft) -> list[str]:
    """The names of the fields in which a repeat differs from what is booked.

    When the money moved is left out: whoever repeats an execution may not know its first moment to
    the microsecond, and no balance depends on it.
    """
    fields = ("kind", "description", "reverses_number", "postings")
    return [name for name in fields if getattr(draft, name) != getattr(booked, name)]


def is_balanced(lines: Iterable[TrialBalanceLine]) -> bool:
    """Whether debits equal credits in every currency."""
    return all(line.debits_minor == line.credits_minor for line in lines)
