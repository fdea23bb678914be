"""What differs between the books, and what is to be done about it. Pure: rows in, decisions out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

TOP_UP = 4
"""The kind of a transfer that the bank pays, as the contract numbers it."""
SYSTEM_ACTOR = "ledger_svc"


class Kind(StrEnum):
    """What differs; see ``DifferenceKind`` of the contract."""

    MISSING_IN_PAYMENTS = "MISSING_IN_PAYMENTS"
    MISSING_IN_WALLET = "MISSING_IN_WALLET"
    MISSING_IN_LEDGER = "MISSING_IN_LEDGER"
    EXTRA_IN_PAYMENTS = "EXTRA_IN_PAYMENTS"
    EXTRA_IN_WALLET = "EXTRA_IN_WALLET"
    EXTRA_IN_LEDGER = "EXTRA_IN_LEDGER"
    AMOUNT = "AMOUNT"
    CURRENCY = "CURRENCY"
    PARTIES = "PARTIES"
    STATUS = "STATUS"
    BALANCE_DRIFT = "BALANCE_DRIFT"
    STUCK = "STUCK"


class Status(StrEnum):
    """Where a payment is in its life."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Remedy(StrEnum):
    """What is to be done about a difference."""

    POST = "POST"
    """Book it from wallet's transfer: the record of truth says all that is needed."""
    REPUBLISH = "REPUBLISH"
    """Let the payment go its way again: it ends as wallet has decided, or decides now."""
    FREEZE = "FREEZE"
    """Money differs: nobody knows what is true. Stop the wallet concerned, ask a person."""
    ASK = "ASK"
    """No money differs, but nothing follows either: ask a person."""
    LEAVE = "LEAVE"
    """A person has it on the desk of dead letters already."""


class Limits(NamedTuple):
    """The moments that decide what may still be under way."""

    settled_before: datetime
    """What happened since then may not have reached every book yet."""
    stuck_before: datetime
    """A payment from before then should have ended."""


class Terms(NamedTuple):
    """What all three books say of a payment."""

    kind: int
    debit_wallet_id: str
    credit_wallet_id: str
    currency_code: str
    amount_minor: int


class PaymentRow(NamedTuple):
    """A payment, as payment_svc has it."""

    payment_id: str
    terms: Terms
    status: Status
    failure_code: int
    create_time: datetime
    complete_time: datetime | None
    is_set_aside: bool
    """It is a dead letter."""


class TransferRow(NamedTuple):
    """A transfer, as wallet_svc has it."""

    payment_id: str
    terms: Terms
    failure_code: int
    """0 if the money moved."""
    execute_time: datetime


class TransactionRow(NamedTuple):
    """A journal transaction of a payment."""

    payment_id: str
    terms: Terms
    book_time: datetime


class Trio(NamedTuple):
    """What the three books have of one payment."""

    payment: PaymentRow | None
    transfer: TransferRow | None
    transaction: TransactionRow | None

    @property
    def wallet_ids(self) -> set[str]:
        """Every wallet that any of them names."""
        return {
            wallet_id
            for row in self
            if row is not None
            for wallet_id in (row.terms.debit_wallet_id, row.terms.credit_wallet_id)
        }


class EntryFault(NamedTuple):
    """An entry of a wallet that does not fit its transfer, or the entry before it."""

    payment_id: str
    wallet_id: str
    number: int
    is_chain: bool
    expected: str
    found: str


class BalanceRow(NamedTuple):
    """A wallet's balance at a moment, and what it and its last entry say now."""

    wallet_id: str
    currency_code: str
    as_of_minor: int
    balance_minor: int
    last_entry_number: int
    entry_number: int
    entry_balance_minor: int


class AccountRow(NamedTuple):
    """What the ledger says that a wallet had at a moment."""

    wallet_id: str
    currency_code: str
    as_of_minor: int


class Difference(NamedTuple):
    """One thing in which the books differ."""

    kind: Kind
    payment_id: str
    """Empty for a wallet's balance."""
    wallet_id: str
    """The wallet concerned: who paid, or who was paid by the bank."""
    expected: str
    found: str
    remedy: Remedy
    identity: str
    """Stays the same while the difference does, whatever else happens to the wallet."""
    wallet_ids: tuple[str, ...]
    """All wallets whose balances it may explain."""


def is_under_way(trio: Trio, limits: Limits) -> bool:
    """Whether something of it happened so recently that not every book can have heard."""
    payment, transfer, transaction = trio
    times = [
        payment.create_time if payment else None,
        payment.complete_time if payment else None,
        transfer.execute_time if transfer else None,
        transaction.book_time if transaction else None,
    ]
    if any(time is not None and time >= limits.settled_before for time in times):
        return True
    return (
        payment is not None
        and payment.status == Status.PENDING
        and transfer is None
        and transaction is None
        and payment.create_time >= limits.stuck_before
    )


def compare(trio: Trio) -> list[Difference]:
    """Everything in which the books differ about one payment that is not under way."""
    return [*_presence(trio), *_terms(trio)]


def _presence(trio: Trio) -> list[Difference]:
    """Whether all say alike that the money moved, or did not."""
    payment, transfer, transaction = trio
    moved = transfer is not None and not transfer.failure_code
    booked = transaction is not None
    found = []
    if payment is None:
        if moved and not booked:
            found.append(_make(trio, Kind.EXTRA_IN_WALLET, "no payment", "money moved"))
        elif transfer is not None:
            remedy = Remedy.FREEZE if moved else Remedy.ASK
            told = "money moved" if moved else f"refused ({transfer.failure_code})"
            found.append(_make(trio, Kind.MISSING_IN_PAYMENTS, told, "no payment", remedy=remedy))
    elif transfer is None:
        found += _without_transfer(trio, payment)
    else:
        found += _status(trio, payment, transfer)
    if booked and not moved and not any(item.kind == Kind.MISSING_IN_WALLET for item in found):
        found.append(_make(trio, Kind.EXTRA_IN_LEDGER, "no money moved", "a transaction"))
    # A payment that is put back into the queue comes by the journal too.
    if moved and not booked and payment is not None and payment.status != Status.PENDING:
        found.append(
            _make(trio, Kind.MISSING_IN_LEDGER, "a transaction", "none", remedy=Remedy.POST)
        )
    return found


def _without_transfer(trio: Trio, payment: PaymentRow) -> list[Difference]:
    match payment.status:
        case Status.PENDING if trio.transaction is not None:
            return []
        case Status.PENDING:
            return [_make(trio, Kind.STUCK, "an outcome", "PENDING", remedy=_push(payment))]
        case Status.COMPLETED if trio.transaction is None:
            return [_make(trio, Kind.EXTRA_IN_PAYMENTS, "no money moved", "COMPLETED")]
        case Status.COMPLETED:
            return [_make(trio, Kind.MISSING_IN_WALLET, "COMPLETED and booked", "no transfer")]
    if trio.transaction is not None:
        return []
    # Without a stored refusal, a task that is still somewhere could move the money of a payment
    # whose payer was told that it failed.
    return [_make(trio, Kind.MISSING_IN_WALLET, "a refused transfer", "none", remedy=Remedy.ASK)]


def _status(trio: Trio, payment: PaymentRow, transfer: TransferRow) -> list[Difference]:
    if transfer.failure_code and payment.status == Status.COMPLETED and trio.transaction:
        refused = f"refused ({transfer.failure_code})"
        return [_make(trio, Kind.MISSING_IN_WALLET, "COMPLETED and booked", refused)]
    expected = Status.FAILED if transfer.failure_code else Status.COMPLETED
    if payment.status == expected:
        if payment.failure_code == transfer.failure_code:
            return []
        told = (f"FAILED ({transfer.failure_code})", f"FAILED ({payment.failure_code})")
        return [_make(trio, Kind.STATUS, *told, remedy=Remedy.ASK)]
    remedy = _push(payment) if payment.status == Status.PENDING else Remedy.FREEZE
    return [_make(trio, Kind.STATUS, expected, payment.status, remedy=remedy)]


def blames_transfer(difference: Difference) -> bool:
    """Whether it is wallet's transfer that the others contradict."""
    in_wallet = (Kind.MISSING_IN_WALLET, Kind.EXTRA_IN_WALLET)
    return difference.kind in in_wallet or difference.found.endswith(" in wallet")


def _push(payment: PaymentRow) -> Remedy:
    return Remedy.LEAVE if payment.is_set_aside else Remedy.REPUBLISH


_BOOKS = ("payments", "wallet", "ledger")


def _terms(trio: Trio) -> list[Difference]:
    """Whether all who know of it tell the same of who paid whom how much."""
    told = {book: row.terms for book, row in zip(_BOOKS, trio, strict=True) if row is not None}
    if len(set(told.values())) < 2:
        return []
    aspects = {
        Kind.AMOUNT: {book: str(terms.amount_minor) for book, terms in told.items()},
        Kind.CURRENCY: {book: terms.currency_code for book, terms in told.items()},
        Kind.PARTIES: {
            book: f"{terms.debit_wallet_id} to {terms.credit_wallet_id}"
            for book, terms in told.items()
        },
        Kind.STATUS: {book: f"kind {terms.kind}" for book, terms in told.items()},
    }
    return [
        _make(
            trio,
            kind,
            expected,
            f"{value} in {book}",
            remedy=Remedy.ASK if kind == Kind.STATUS else Remedy.FREEZE,
        )
        for kind, values in aspects.items()
        for expected, book, value in _odd_ones(values)
    ]


def _odd_ones(values: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What is expected, and who says what else. Two against one are right; otherwise wallet is."""
    said = list(values.values())
    expected = next((value for value in said if said.count(value) > 1), None)
    if expected is None:
        expected = values.get("wallet", said[0])
    return [(expected, book, value) for book, value in values.items() if value != expected]


def _make(
    trio: Trio, kind: Kind, expected: str, found: str, *, remedy: Remedy = Remedy.FREEZE
) -> Difference:
    payment, transfer, transaction = trio
    row = transfer or payment or transaction
    assert row is not None, "somebody has it"
    terms = row.terms
    concerned = terms.credit_wallet_id if terms.kind == TOP_UP else terms.debit_wallet_id
    return Difference(
        kind=kind,
        payment_id=row.payment_id,
        wallet_id=concerned,
        expected=expected,
        found=found,
        remedy=remedy,
        identity=f"{expected}, {found}",
        wallet_ids=tuple(sorted(trio.wallet_ids)),
    )
