"""What a payment is and which rules it must keep. Pure: no I/O, no clock, no randomness."""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from chassis.errors import FieldViolation, PermissionDenied
from chassis.money import CURRENCIES
from payment_svc.errors import (
    AmountMismatch,
    AmountOutOfRange,
    AmountRequired,
    CallerNotFound,
    CurrencyMismatch,
    RecipientNotFound,
    SameWallet,
    WalletClosed,
)

NOTE_CHARACTERS_MAX = 140
ORDER_REF_CHARACTERS_MAX = 64
REQUEST_ID_CHARACTERS_MAX = 255
QR_CHARACTERS_MAX = 512
"""EMVCo MPM 4.1: a payload should not be longer."""
BARCODE_DIGITS = 18


class Kind(StrEnum):
    """What moves the money, as stored."""

    SEND = "SEND"
    PAY = "PAY"
    WITHDRAW = "WITHDRAW"
    TOP_UP = "TOP_UP"


class Status(StrEnum):
    """Where a payment is in its life, as stored. PENDING goes to one of the others, once."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class StepKind(StrEnum):
    """What a payment can go through, as stored and as its timeline names it."""

    ACCEPTED = "ACCEPTED"
    QUEUED = "QUEUED"
    TRIED = "TRIED"
    RESTED = "RESTED"
    EXECUTED = "EXECUTED"
    REPORTED = "REPORTED"
    TOLD = "TOLD"
    SWEPT = "SWEPT"
    DEAD_LETTERED = "DEAD_LETTERED"
    REDRIVEN = "REDRIVEN"
    DISCARDED = "DISCARDED"
    DISCARD_REFUSED = "DISCARD_REFUSED"
    SETTLED = "SETTLED"


class Move(StrEnum):
    """How a payment was asked for."""

    SEND = "send"
    QR = "qr"
    BARCODE = "barcode"
    WITHDRAW = "withdraw"
    TOP_UP = "top_up"


KIND_OF_MOVE = {
    Move.SEND: Kind.SEND,
    Move.QR: Kind.PAY,
    Move.BARCODE: Kind.PAY,
    Move.WITHDRAW: Kind.WITHDRAW,
    Move.TOP_UP: Kind.TOP_UP,
}


class Request(NamedTuple):
    """A payment as it was asked for. A tuple, because thousands are made every second."""

    caller_id: str
    request_id: str
    move: Move | None
    target: str
    """Recipient, QR text, barcode or bank account id, after ``move``."""
    amount_minor: int
    """0 if the request names none."""
    currency_code: str
    """Empty if the request names none."""
    note: str
    order_ref: str
    traceparent: str


class Asked(NamedTuple):
    """How much is to be paid."""

    amount_minor: int
    currency_code: str


class OwnerKind(StrEnum):
    """What an owner is, as far as payments care."""

    CUSTOMER = "CUSTOMER"
    MERCHANT = "MERCHANT"
    OPERATOR = "OPERATOR"
    SYSTEM = "SYSTEM"


class Party(NamedTuple):
    """One side of a payment: an owner, and the wallet it has in the currency asked for."""

    owner_id: str
    owner_kind: OwnerKind
    name: str
    wallet_id: str
    """Empty if the owner has no wallet in that currency."""
    closed: bool


class NewPayment(NamedTuple):
    """An accepted payment, as it is stored."""

    id: str
    caller_id: str
    request_id: str
    fingerprint: bytes
    kind: Kind
    payer_id: str
    payer_name: str
    payer_wallet_id: str
    payee_id: str
    payee_name: str
    payee_wallet_id: str
    amount_minor: int
    currency_code: str
    note: str
    order_ref: str
    barcode_issuance_id: str
    """Empty if no barcode pays."""
    traceparent: str
    create_time: datetime


class StoredPayment(NamedTuple):
    """A payment as it is stored: the columns of its table, in their order."""

    id: str
    caller_id: str
    request_id: str
    fingerprint: bytes
    kind: str
    status: str
    failure_code: str | None
    payer_id: str
    payer_name: str
    payer_wallet_id: str
    payee_id: str
    payee_name: str
    payee_wallet_id: str
    amount_minor: int
    currency_code: str
    note: str
    order_ref: str
    barcode_issuance_id: str | None
    traceparent: str
    create_time: datetime
    sweep_time: datetime
    complete_time: datetime | None
    event_number: int | None
    payer_entry_number: int | None
    payee_entry_number: int | None
    queue_time: datetime | None
    """When the queue stored the task for the try that led to the end, and when that began."""
    try_time: datetime | None
    attempt: int | None
    result_time: datetime | None
    """When the queue stored the result."""


class Result(NamedTuple):
    """What became of a payment's transfer."""

    payment_id: str
    failure_code: str | None
    debit_entry_number: int
    credit_entry_number: int
    attempt: int = 0
    """The try that led to it; 0 if none did."""
    queue_us: int = 0
    """When the queue stored the task for that try, when the try began and when the queue stored
    this result: microseconds since 1970, 0 if unknown."""
    try_us: int = 0
    result_us: int = 0


def is_too_late(create_time: datetime, *, now: datetime, deadline_seconds: float) -> bool:
    """Whether a payment should have been executed by now."""
    return (now - create_time).total_seconds() >= deadline_seconds


def violations(request: Request) -> list[FieldViolation]:
    """Every field of the request that breaks a rule of form; empty if it is well formed."""
    found = []
    if not request.caller_id:
        found.append(FieldViolation("caller_id", "is required"))
    if not 1 <= len(request.request_id) <= REQUEST_ID_CHARACTERS_MAX or not printable(
        request.request_id
    ):
        found.append(FieldViolation("request_id", "must be 1 to 255 printable characters"))
    if request.move is None:
        found.append(FieldViolation("move", "is required"))
    else:
        found += _target_violations(request.move, request.target)
    found += _money_violations(request)
    if len(request.note) > NOTE_CHARACTERS_MAX or not printable(request.note):
        found.append(FieldViolation("note", "must be at most 140 characters, none of control"))
    if len(request.order_ref) > ORDER_REF_CHARACTERS_MAX or not printable(request.order_ref):
        found.append(FieldViolation("order_ref", "must be at most 64 characters, none of control"))
    return found


def _target_violations(move: Move, target: str) -> list[FieldViolation]:
    if move is Move.BARCODE:
        if len(target) == BARCODE_DIGITS and target.isascii() and target.isdigit():
            return []
        return [FieldViolation("barcode", "must be 18 digits")]
    if move is Move.QR:
        return (
            []
            if 1 <= len(target) <= QR_CHARACTERS_MAX
            else [FieldViolation("qr", "must be 1 to 512 characters")]
        )
    field = "bank_account" if move is Move.WITHDRAW else "to"
    if 1 <= len(target) <= 64 and printable(target):
        return []
    return [FieldViolation(field, "must be 1 to 64 printable characters")]


def _money_violations(request: Request) -> list[FieldViolation]:
    found = []
    # A QR code may carry both, so a request that pays one may leave them out.
    optional = request.move is Move.QR
    if request.amount_minor < 0 or (request.amount_minor == 0 and not optional):
        found.append(FieldViolation("amount", "must be positive"))
    if request.currency_code not in CURRENCIES and not (optional and not request.currency_code):
        found.append(FieldViolation("currency", "must be a currency of ISO 4217"))
    return found


def printable(text: str) -> bool:
    """Whether a text has no control characters, no NUL and no half of a surrogate pair."""
    # str.isprintable is a single pass in C; the slow look is for what it is too strict about.
    return text.isprintable() or not any(
        ord(character) < 32 or 127 <= ord(character) < 160 or "\ud800" <= character <= "\udfff"
        for character in text
    )


def fingerprint(request: Request) -> bytes:
    """SHA-256 of what was asked for: the same key with another one is another request (RFC draft
    "The Idempotency-Key HTTP Header Field", section 2.4)."""
    return hashlib.sha256(
        msgspec.json.encode(
            (
                request.move,
                request.target,
                request.amount_minor,
                request.currency_code,
                request.note,
                request.order_ref,
            )
        )
    ).digest()


def redemption_token(caller_id: str, request_id: str) -> str:
    """Who redeems a barcode for what. A retry of the same request redeems with the same token."""
    return hashlib.sha256(f"{caller_id}\n{request_id}".encode()).hexdigest()


def asked_by_qr(request: Request, *, code_amount_minor: int, code_currency_code: str) -> Asked:
    """How much a request that pays a QR code moves.

    ``code_amount_minor`` is 0 for a code that leaves the amount to the payer. Raises
    ``CurrencyMismatch``, ``AmountMismatch``, ``AmountRequired``.
    """
    if request.currency_code and request.currency_code != code_currency_code:
        raise CurrencyMismatch(currency=request.currency_code, expected=code_currency_code)
    if not code_amount_minor:
        if not request.amount_minor:
            raise AmountRequired(currency=code_currency_code)
        return Asked(request.amount_minor, code_currency_code)
    if request.amount_minor and request.amount_minor != code_amount_minor:
        raise AmountMismatch(amount=str(request.amount_minor), expected=str(code_amount_minor))
    return Asked(code_amount_minor, code_currency_code)


def check_amount(asked: Asked, *, amount_minor_max: int) -> None:
    """Raises ``AmountOutOfRange`` if one payment may not move this much."""
    if not 0 < asked.amount_minor <= amount_minor_max:
        raise AmountOutOfRange(
            amount=str(asked.amount_minor),
            largest=str(amount_minor_max),
            currency=asked.currency_code,
        )


def check_caller(move: Move, caller: Party | None) -> Party:
    """The caller, if it is one who may ask for this. Raises ``CallerNotFound``,
    ``PermissionDenied``.
    """
    if caller is None:
        raise CallerNotFound
    allowed = {
        Move.QR: {OwnerKind.CUSTOMER},
        Move.BARCODE: {OwnerKind.MERCHANT},
        Move.TOP_UP: {OwnerKind.OPERATOR},
    }.get(move, {OwnerKind.CUSTOMER, OwnerKind.MERCHANT})
    if caller.owner_kind not in allowed:
        raise PermissionDenied(f"This is not for a {caller.owner_kind.lower()}.")
    return caller


def check_payable(party: Party | None, *, asked: Asked) -> Party:
    """The side that is paid, if it can be. Raises ``RecipientNotFound``, or as ``check_wallet``."""
    # The system's own wallets are not addresses: what they are for has payment kinds of its own.
    if party is None or party.owner_kind is OwnerKind.SYSTEM:
        raise RecipientNotFound
    return check_wallet(party, asked=asked)


def check_wallet(party: Party, *, asked: Asked) -> Party:
    """A side that has a usable wallet. Raises ``CurrencyMismatch``, ``WalletClosed``."""
    if not party.wallet_id:
        raise CurrencyMismatch(currency=asked.currency_code)
    if party.closed:
        raise WalletClosed
    return party


def compose(
    request: Request,
    *,
    payment_id: str,
    payer: Party,
    payee: Party,
    asked: Asked,
    order_ref: str,
    barcode_issuance_id: str,
    at: datetime,
) -> NewPayment:
    """The payment to store: one shape for every way of asking. Raises ``SameWallet``."""
    assert request.move is not None, "checked by violations()"
    if payer.wallet_id == payee.wallet_id:
        raise SameWallet
    return NewPayment(
        id=payment_id,
        caller_id=request.caller_id,
        request_id=request.request_id,
        fingerprint=fingerprint(request),
        kind=KIND_OF_MOVE[request.move],
        payer_id=payer.owner_id,
        payer_name=payer.name,
        payer_wallet_id=payer.wallet_id,
        payee_id=payee.owner_id,
        payee_name=payee.name,
        payee_wallet_id=payee.wallet_id,
        amount_minor=asked.amount_minor,
        currency_code=asked.currency_code,
        note=request.note,
        order_ref=order_ref,
        barcode_issuance_id=barcode_issuance_id,
        traceparent=request.traceparent,
        create_time=at,
    )
