"""A statement of a bank, whatever file it came in. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from enum import IntEnum
from typing import NamedTuple

import msgspec

from chassis.money import CURRENCIES, currency_exponent
from ledger_svc.errors import StatementMalformed
from ledger_svc.model import CREDIT, DEBIT, Draft, DraftPosting, bank_charges_account

STATEMENT_LINES_MAX = 10_000
"""Lines of one statement. A file of 3 MiB has about three thousand."""
BANK_FEE = 103
"""qrpay.ledger.v1.BookKind."""

_AMOUNT = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,9})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AMOUNT_MINOR_MAX = 10**17
_TEXTS_CHARACTERS_MAX = 2_000


class LineKind(IntEnum):
    """What a line is; the numbers are the contract's."""

    MOVEMENT = 1
    FEE = 2


class StatementLine(msgspec.Struct, frozen=True, kw_only=True):
    """One movement on the bank account."""

    position: str
    kind: LineKind
    amount_minor: int
    """Signed: negative for money that left the bank account."""
    booking_date: date
    value_date: date | None = None
    is_reversal: bool = False
    """The bank takes back an earlier entry."""
    bank_reference: str = ""
    counterparty: str = ""
    texts: str = ""
    """End-to-end id, remittance information and other references."""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that adds up."""

    account: str
    reference: str
    currency_code: str
    start_date: date
    end_date: date
    opening_minor: int
    closing_minor: int
    lines: tuple[StatementLine, ...]

    def content_hash(self) -> bytes:
        """SHA-256 of all that it says."""
        return hashlib.sha256(msgspec.json.encode(self)).digest()


class StoredLine(NamedTuple):
    """A line that is in the database."""

    id: str
    statement_id: str
    position: str
    kind: LineKind
    amount_minor: int
    currency_code: str
    booking_date: date
    value_date: date | None
    is_reversal: bool
    bank_reference: str
    counterparty: str
    texts: str
    method: int | None
    """How it was matched; None if it was not."""
    payment_id: str | None
    actor: str | None
    reason: str | None
    transaction_number: int | None
    """Of a fee that is booked."""


def check_statement(statement: Statement) -> Statement:
    """The statement, if it adds up: opening balance and lines are the closing balance.

    Raises ``StatementMalformed``.
    """
    name = f"statement {statement.reference}"
    if statement.start_date > statement.end_date:
        raise StatementMalformed(f"{name}: its closing balance is of an earlier day than its first")
    if len(statement.lines) > STATEMENT_LINES_MAX:
        raise StatementMalformed(f"{name}: it has more than {STATEMENT_LINES_MAX} lines")
    moved = sum(line.amount_minor for line in statement.lines)
    if statement.opening_minor + moved != statement.closing_minor:
        raise StatementMalformed(
            f"{name}: it does not add up: opening {statement.opening_minor}, entries {moved}, "
            f"closing {statement.closing_minor} (minor units)"
        )
    return statement


def amount_minor_of(text: str, currency_code: str, *, where: str) -> int:
    """An unsigned decimal as minor units, exactly. Raises ``StatementMalformed``."""
    text = text.strip()
    if not _AMOUNT.fullmatch(text):
        raise StatementMalformed(f"{where}: {text[:32]!r} is not an amount")
    exponent = currency_exponent(currency_code)
    whole, _, fraction = text.partition(".")
    fraction, rest = fraction[:exponent], fraction[exponent:]
    if rest.strip("0"):
        raise StatementMalformed(f"{where}: {text} is finer than {currency_code} can be")
    amount_minor = int(whole + fraction.ljust(exponent, "0"))
    if amount_minor > _AMOUNT_MINOR_MAX:
        raise StatementMalformed(f"{where}: {text} is more than an account can have")
    return amount_minor


def date_of(text: str, *, where: str) -> date:
    """A day; of a time, its day. Raises ``StatementMalformed``."""
    day = text.strip()[:10]
    try:
        # Strict: Python would take other forms of ISO 8601 too.
        if _DATE.fullmatch(day):
            return date.fromisoformat(day)
    except ValueError:
        pass
    raise StatementMalformed(f"{where}: {text[:32]!r} is not a date")


def known_currency(code: str, *, where: str) -> str:
    """The code, if it is a currency that we know. Raises ``StatementMalformed``."""
    if code not in CURRENCIES:
        raise StatementMalformed(f"{where}: {code[:8]!r} is not a currency that we know")
    return code


def joined(texts: Sequence[str]) -> str:
    """Texts of a line, each once and on a line of its own, without control characters."""
    cleaned = (" ".join("".join(map(_printable, text)).split()) for text in texts)
    return "\n".join(dict.fromkeys(filter(None, cleaned)))[:_TEXTS_CHARACTERS_MAX]


def _printable(character: str) -> str:
    return character if character.isprintable() else " "


def fee_draft(line: StoredLine, *, clearing_account_id: str) -> Draft:
    """A fee of the bank as a transaction: money left the bank account, and was spent.

    A fee that the bank gave back is booked the other way round.
    """
    charges = DraftPosting(
        bank_charges_account(line.currency_code),
        DEBIT if line.amount_minor < 0 else CREDIT,
        line.currency_code,
        abs(line.amount_minor),
    )
    clearing = DraftPosting(
        clearing_account_id,
        CREDIT if line.amount_minor < 0 else DEBIT,
        line.currency_code,
        abs(line.amount_minor),
    )
    day = line.booking_date
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Draft(
        line.id,
        BANK_FEE,
        int(midnight.timestamp()) * 1_000_000,
        f"bank fee, statement line {line.id}",
        None,
        (charges, clearing) if charges.direction == DEBIT else (clearing, charges),
    )
