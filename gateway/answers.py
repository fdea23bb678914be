"""Response bodies: their shapes. What is not set is left out, except where null says something."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

PaymentStatusName = Literal["PENDING", "COMPLETED", "FAILED"]
KindName = Literal["send", "pay", "withdraw", "top-up"]
FailureCode = Annotated[
    str,
    Meta(
        description="insufficient-funds, wallet-closed, wallet-frozen, limit-exceeded or "
        "bank-rejected; take any other for a failure too.",
        examples=["insufficient-funds"],
    ),
]
MinorUnits = Annotated[int, Meta(description="In the currency's minor unit.", examples=[1250])]


class Answer(Struct, frozen=True, kw_only=True):
    """A response body."""


class Party(Answer, frozen=True, kw_only=True):
    """One side of a payment."""

    id: str
    name: str


class Failure(Answer, frozen=True, kw_only=True):
    """Why a payment failed."""

    code: FailureCode
    message: str


class Payment(Answer, frozen=True, kw_only=True):
    """A payment. ``failure`` is there only when it FAILED; ``completed_at`` is when it became
    terminal, and null until then."""

    id: str
    kind: KindName
    status: PaymentStatusName
    failure: Failure | UnsetType = UNSET
    payer: Party
    payee: Party
    amount: MinorUnits
    currency: str
    note: str | UnsetType = UNSET
    order_ref: str | UnsetType = UNSET
    created_at: datetime
    completed_at: datetime | None


class PaymentEvent(Payment, frozen=True, kw_only=True):
    """The data of an event: the payment, and for a completed one the ``number`` of the entry in
    the reader's own wallet."""

    number: int | UnsetType = UNSET


class Payments(Answer, frozen=True, kw_only=True):
    """A page of payments, newest first. ``next_cursor`` is null on the last page."""

    items: list[Payment]
    next_cursor: str | None


class Wallet(Answer, frozen=True, kw_only=True):
    """One balance. ``available`` can be spent, ``held`` is set aside."""

    id: str
    currency: str
    available: MinorUnits
    held: MinorUnits


class Wallets(Answer, frozen=True, kw_only=True):
    """All wallets of the caller."""

    items: list[Wallet]


class Entry(Answer, frozen=True, kw_only=True):
    """One numbered line of a wallet; ``amount`` is negative for money that left."""

    number: int
    payment_id: str
    amount: MinorUnits
    balance_after: MinorUnits
    at: datetime
    counterparty: Party
    kind: KindName


class Entries(Answer, frozen=True, kw_only=True):
    """A page of entries in order of their number. ``next`` is the ``after`` of the next page, null
    when this page is the last for now."""

    items: list[Entry]
    next: int | None


class BarcodeImages(Answer, frozen=True, kw_only=True):
    """The code as images, SVG."""

    qr: str
    code128: str


class Barcode(Answer, frozen=True, kw_only=True):
    """A one-time barcode."""

    code: str
    expires_at: datetime
    ttl_seconds: int
    svg: BarcodeImages


class Merchant(Answer, frozen=True, kw_only=True):
    """A merchant, from our records."""

    id: str
    name: str
    city: str
    mcc: Annotated[str, Meta(description="Merchant category code (ISO 18245).")]
    currency: str


class DecodedQr(Answer, frozen=True, kw_only=True):
    """Whom a QR code pays. ``amount`` and ``currency`` are what it asks for, if it does."""

    merchant: Merchant
    amount: MinorUnits | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    static: bool


class BankAccount(Answer, frozen=True, kw_only=True):
    """A bank account; most of the IBAN is hidden."""

    id: str
    holder: str
    iban: Annotated[str, Meta(description="Masked.", examples=["DE89**************3000"])]


class BankAccounts(Answer, frozen=True, kw_only=True):
    """The caller's bank accounts, oldest first."""

    items: list[BankAccount]


class Health(Answer, frozen=True, kw_only=True):
    """Whether the process lives."""

    status: Literal["ok"]


class Readiness(Answer, frozen=True, kw_only=True):
    """Whether the process can serve, and what it still waits for."""

    status: Literal["ready", "not-ready"]
    waiting_for: list[str]
