"""What may be booked, and what differs. Pure: no clock, no database, no message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_ID = re.compile(r"[a-z]{3}_[0-9A-Za-z_-]{1,60}")
_CURRENCY_CODE = re.compile(r"[A-Z]{3}")
_KIND_MAX = 2**15 - 1
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


def differences(booking: Booking, booked: Booking) -> list[str]:
    """The names of the fields in which a repeat differs from what is booked.

    When the money moved is left out: whoever repeats an execution may not know its first moment to
    the microsecond, and no balance depends on it.
    """
    fields = zip(Booking._fields[:-1], booking[:-1], booked[:-1], strict=True)
    return [name for name, repeated, there in fields if repeated != there]


def is_balanced(lines: Iterable[TrialBalanceLine]) -> bool:
    """Whether debits equal credits in every currency."""
    return all(line.debits_minor == line.credits_minor for line in lines)
