"""Response bodies: their shapes. What is not set is left out, except where null says something."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

PaymentStatusName = Literal["PENDING", "COMPLETED", "FAILED"]
KindName = Literal["send", "pay", "withdraw", "top-up"]
StepName = Annotated[
    str,
    Meta(
        description="accepted, queued, tried, rested, executed, reported, told, posted, swept, "
        "dead-lettered, redriven, discarded, discard-refused or settled; take any other for one "
        "that was added later.",
        examples=["executed"],
    ),
]
FailureCode = Annotated[
    str,
    Meta(
        description="insufficient-funds, wallet-closed, wallet-frozen, limit-exceeded, "
        "bank-rejected or cancelled (by an operator); take any other for a failure too.",
        examples=["insufficient-funds"],
    ),
]
MinorUnits = Annotated[int, Meta(description="In the currency's minor unit.", examples=[1250])]
Currency = Annotated[str, Meta(description="ISO 4217 alphabetic code.", examples=["USD"])]
Instant = Annotated[datetime, Meta(tz=True)]
PaymentId = Annotated[str, Meta(examples=["pay_01JD3Q9V7N8R4T2W6X0YZABCDE"])]
OwnerId = Annotated[str, Meta(examples=["usr_01JD3Q8F2C9K5M7P1R4T6V8X0Z"])]
MerchantId = Annotated[str, Meta(examples=["mer_01JD3Q7A1B3C5D7F9G2H4J6K8M"])]


class Answer(Struct, frozen=True, kw_only=True):
    """A response body."""


class Party(Answer, frozen=True, kw_only=True):
    """One side of a payment."""

    id: OwnerId
    name: Annotated[str, Meta(examples=["Alice"])]


class Failure(Answer, frozen=True, kw_only=True):
    """Why a payment failed."""

    code: FailureCode
    message: Annotated[str, Meta(examples=["There was not enough money in the wallet."])]


class Payment(Answer, frozen=True, kw_only=True):
    """A payment. ``failure`` is there only when it FAILED; ``completed_at`` is when it became
    terminal, and null until then."""

    id: PaymentId
    kind: KindName
    status: PaymentStatusName
    failure: Failure | UnsetType = UNSET
    payer: Party
    payee: Party
    amount: MinorUnits
    currency: Currency
    note: Annotated[str, Meta(examples=["Two flat whites"])] | UnsetType = UNSET
    order_ref: Annotated[str, Meta(examples=["A-1047"])] | UnsetType = UNSET
    created_at: Instant
    completed_at: Instant | None


class TimelineStep(Answer, frozen=True, kw_only=True):
    """A step: a moment, or from ``at`` to ``until``. ``attempt`` numbers the tries; ``reason`` is
    why something did not work; ``by`` is who did it, and ``why`` what they said."""

    step: StepName
    at: Instant
    until: Instant | UnsetType = UNSET
    attempt: Annotated[int, Meta(examples=[1])] | UnsetType = UNSET
    reason: Annotated[str, Meta(examples=["insufficient-funds"])] | UnsetType = UNSET
    by: Annotated[str, Meta(examples=["ann"])] | UnsetType = UNSET
    why: Annotated[str, Meta(examples=["wallet is open again"])] | UnsetType = UNSET


class Timeline(Answer, frozen=True, kw_only=True):
    """A payment and its steps in their order. ``silent`` names services that could not be asked,
    whose steps may be missing."""

    payment: Payment
    steps: list[TimelineStep]
    silent: list[Annotated[str, Meta(examples=["ledger"])]] | UnsetType = UNSET


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

    id: Annotated[str, Meta(examples=["wal_01JD3Q8G4E6H8J0K2M4N6P8Q0R"])]
    currency: Currency
    available: MinorUnits
    held: MinorUnits


class Wallets(Answer, frozen=True, kw_only=True):
    """All wallets of the caller."""

    items: list[Wallet]


class Entry(Answer, frozen=True, kw_only=True):
    """One numbered line of a wallet; ``amount`` is negative for money that left."""

    number: int
    payment_id: PaymentId
    amount: MinorUnits
    balance_after: MinorUnits
    at: Instant
    counterparty: Party
    kind: KindName


class Entries(Answer, frozen=True, kw_only=True):
    """A page of entries in order of their number. ``next`` is the ``after`` of the next page, null
    when this page is the last for now."""

    items: list[Entry]
    next: int | None


class BarcodeImages(Answer, frozen=True, kw_only=True):
    """The code as images, SVG."""

    qr: Annotated[str, Meta(examples=["<svg ..."])]
    code128: Annotated[str, Meta(examples=["<svg ..."])]


class Barcode(Answer, frozen=True, kw_only=True):
    """A one-time barcode."""

    code: Annotated[str, Meta(examples=["281004327719356024"])]
    expires_at: Instant
    ttl_seconds: Annotated[int, Meta(examples=[60])]
    svg: BarcodeImages | UnsetType = UNSET


class Device(Answer, frozen=True, kw_only=True):
    """A device that may make codes offline. ``revoked_at`` only if it may not any more."""

    id: Annotated[str, Meta(examples=["dev_01JD3Q9V7N8R4T2W6X0YZABCDE"])]
    name: Annotated[str, Meta(examples=["Alice's phone"])]
    created_at: Instant
    expires_at: Annotated[Instant, Meta(description="Renew it until then.")]
    revoked_at: Instant | UnsetType = UNSET


class Devices(Answer, frozen=True, kw_only=True):
    """All that are not revoked, oldest first."""

    items: list[Device]


class OfflineMaterial(Answer, frozen=True, kw_only=True):
    """What a device makes its codes from. ``secret`` is told once, when it is enrolled."""

    handle: Annotated[str, Meta(description="9 digits.", examples=["012345678"])]
    permutation_key: Annotated[str, Meta(description="32 bytes, base64url.")]
    window_seconds: Annotated[int, Meta(examples=[30])]
    secret: Annotated[str, Meta(description="32 bytes, base64url.")] | UnsetType = UNSET


class EnrolledDevice(Answer, frozen=True, kw_only=True):
    """A device, and what it makes its codes from."""

    device: Device
    offline: OfflineMaterial


class Merchant(Answer, frozen=True, kw_only=True):
    """A merchant, from our records."""

    id: MerchantId
    name: Annotated[str, Meta(examples=["Cafe Luna"])]
    city: Annotated[str, Meta(examples=["Lisbon"])]
    mcc: Annotated[str, Meta(description="Merchant category code (ISO 18245).", examples=["5814"])]
    currency: Currency


class DecodedQr(Answer, frozen=True, kw_only=True):
    """Whom a QR code pays. ``amount`` and ``currency`` are what it asks for, if it does."""

    merchant: Merchant
    amount: MinorUnits | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET
    static: bool


class PrintedQr(Answer, frozen=True, kw_only=True):
    """Which issue of a printed code is valid now; all earlier ones are refused."""

    serial: Annotated[int, Meta(examples=[2])]


class QrKey(Answer, frozen=True, kw_only=True):
    """A public key (RFC 8037)."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    x: Annotated[str, Meta(examples=["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"])]
    kid: Annotated[str, Meta(examples=["kPrK_qmx"])]
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"


class QrKeys(Answer, frozen=True, kw_only=True):
    """The keys that vouch for merchants' codes (RFC 7517)."""

    keys: list[QrKey]


class BankAccount(Answer, frozen=True, kw_only=True):
    """A bank account; most of the IBAN is hidden."""

    id: Annotated[str, Meta(examples=["bnk_01JD3QB5X7Z9A1C3E5G7J9M1P3"])]
    holder: Annotated[str, Meta(examples=["Alice Example"])]
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
