"""What makes a merchant, a request or a code acceptable. Pure: no I/O, no clock, no chance."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from barcode_svc import merchant_qr
from barcode_svc.emvco import rules
from barcode_svc.errors import (
    AmountOutOfRange,
    CurrencyMismatch,
    MerchantClosed,
    MerchantNotFound,
    QrExpired,
    QrInvalid,
    QrRevoked,
)
from barcode_svc.merchant_qr import MerchantQr
from barcode_svc.poster_words import POSTER_WORDS
from chassis.errors import FieldViolation, InvalidArgument

FIRST_SERIAL = 1
"""Of every shop's static code, and of those printed before there were serials."""
EXPIRY_STEP_SECONDS = 60
"""Codes for the same payment that are asked for within a minute are the same: they end together."""

_MERCHANT_ID_FORM = re.compile(r"mer_[0-9A-Za-z_-]{1,60}")
KEY_PART_RULE = "must be 1 to 200 visible ASCII characters"
"""The rule of ``is_key_part``, in words."""
_KEY_PART_FORM = re.compile(r"[!-~]{1,200}")
_DEVICE_LABEL_FORM = re.compile(r"[!-~]{0,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalName:
    """What a merchant is called in another language (EMVCo MPM, object 64)."""

    language_code: str
    """ISO 639-1."""
    name: str
    city: str
    """May be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """A shop that takes QR payments."""

    id: str
    """"mer_...": the id of the wallet owner who is paid."""
    name: str
    city: str
    category_code: str
    """ISO 18245, four digits."""
    country_code: str
    """ISO 3166-1 alpha-2."""
    currency_code: str
    """ISO 4217 alphabetic: what its codes ask for."""
    local: LocalName | None = None
    version: int = 1
    """Counts the changes."""
    closed: bool = False
    """Its codes can no longer be paid."""
    logo_sha256: str = ""
    """Of its logo, in hex; empty: none."""
    pilot: bool = False
    """Its payments go to the next version first."""


class Place(NamedTuple):
    """A shop: what a static code is printed for, and revoked by."""

    merchant_id: str
    store_id: str
    """Empty: the merchant does not tell its shops apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedAmount:
    """What a dynamic code shall ask for."""

    currency_code: str
    """Empty: the merchant's."""
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """What a QR code says, with the merchant as our records have it."""

    merchant: Merchant
    amount_minor: int
    """0: the payer chooses."""
    reference: str
    static: bool
    store_id: str = ""
    terminal_id: str = ""
    expire_time: int = 0
    """Seconds since 1970-01-01 UTC; 0: it does not expire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QrTerms:
    """Where a code is printed or shown, and how long it lives."""

    store_id: str = ""
    terminal_id: str = ""
    serial: int = FIRST_SERIAL
    """The current one of the place."""
    expire_time: int = 0
    """Of a dynamic code: seconds since 1970-01-01 UTC."""


def is_merchant_id(text: str) -> bool:
    """Whether a merchant could have this id."""
    return _MERCHANT_ID_FORM.fullmatch(text) is not None


def is_key_part(text: str) -> bool:
    """Whether ``text`` can stand in a key: 1 to 200 visible ASCII characters."""
    return _KEY_PART_FORM.fullmatch(text) is not None


def is_device_label(text: str) -> bool:
    """Whether ``text`` can tell an owner's devices apart: up to 64 visible ASCII characters."""
    return _DEVICE_LABEL_FORM.fullmatch(text) is not None


def check_reference(reference: str) -> None:
    """Raise ``InvalidArgument`` if a code cannot carry this reference. It may be empty."""
    if reference and not is_label(reference, rules.LABEL_LENGTH_MAX):
        raise InvalidArgument([("reference", label_rule(rules.LABEL_LENGTH_MAX))])


def check_poster_language(language: str) -> None:
    """Raise ``InvalidArgument`` if we have no poster in this language."""
    if language not in POSTER_WORDS:
        raise InvalidArgument([("language", f"must be one of {', '.join(sorted(POSTER_WORDS))}")])


def check_place(merchant_id: str, *, store_id: str, terminal_id: str = "") -> None:
    """Raise ``InvalidArgument`` if a code cannot carry these ids; both may be empty."""
    broken = [
        FieldViolation(field, "must be 1 to 30 letters, digits, points, hyphens or underscores")
        for field, value in (("store_id", store_id), ("terminal_id", terminal_id))
        if value and not merchant_qr.is_place(value)
    ]
    if not broken and not merchant_qr.places_fit(
        merchant_id, store_id=store_id, terminal_id=terminal_id
    ):
        field = "store_id" if store_id else "terminal_id"
        broken = [FieldViolation(field, "is too long beside this merchant's id")]
    if broken:
        raise InvalidArgument(broken)


def expiry(now: datetime, *, lifetime_seconds: int) -> int:
    """When a dynamic code that is made now ends: after its lifetime, at the next full minute."""
    return math.ceil((now.timestamp() + lifetime_seconds) / EXPIRY_STEP_SECONDS) * (
        EXPIRY_STEP_SECONDS
    )


def serial_after(current: int, *, revoked: int) -> int:
    """The serial that is valid when all up to ``revoked`` are not; 0: up to the current one.

    Raises ``InvalidArgument`` for one that was never printed.
    """
    if not 0 <= revoked <= current:
        raise InvalidArgument([("serial", "must be that of a code that was printed")])
    after = current if 0 < revoked < current else current + 1
    if after > merchant_qr.SERIAL_MAX:
        raise InvalidArgument([("serial", "is the last that a code can carry")])
    return after


def qr_of(
    merchant: Merchant,
    *,
    requested: RequestedAmount | None,
    reference: str,
    terms: QrTerms = QrTerms(),
) -> MerchantQr:
    """The code that a merchant prints (no amount) or shows for one payment.

    Reference and place have been checked. Raises ``MerchantClosed``, ``CurrencyMismatch``,
    ``AmountOutOfRange``.
    """
    if merchant.closed:
        raise MerchantClosed
    if requested is not None:
        if requested.currency_code not in ("", merchant.currency_code):
            raise CurrencyMismatch(currency_code=merchant.currency_code)
        amount_minor_max = merchant_qr.amount_minor_max(merchant.currency_code)
        if not 1 <= requested.amount_minor <= amount_minor_max:
            raise AmountOutOfRange(amount_minor_min="1", amount_minor_max=str(amount_minor_max))
    return MerchantQr(
        merchant_id=merchant.id,
        name=merchant.name,
        city=merchant.city,
        category_code=merchant.category_code,
        country_code=merchant.country_code,
        currency_code=merchant.currency_code,
        amount_minor=requested.amount_minor if requested else 0,
        reference=reference,
        static=requested is None,
        store_id=terms.store_id,
        terminal_id=terms.terminal_id,
        serial=terms.serial if requested is None else 0,
        expire_time=0 if requested is None else terms.expire_time,
    )


def payment_request(
    qr: MerchantQr, merchant: Merchant | None, *, serial: int, now: datetime
) -> PaymentRequest:
    """What the code asks for, given the merchant's record, if there is one.

    ``serial`` is that of the place's current static code. Name, city and category are the record's:
    a sticker can print any name beside any id. Raises ``MerchantNotFound``, ``MerchantClosed``,
    ``QrRevoked``, ``QrExpired``, and ``QrInvalid`` if the code asks for a currency that is not its
    merchant's.
    """
    if merchant is None:
        raise MerchantNotFound
    if merchant.closed:
        raise MerchantClosed
    if qr.expire_time and now.timestamp() >= qr.expire_time:
        raise QrExpired
    if qr.static and (qr.serial or FIRST_SERIAL) < serial:
        raise QrRevoked
    if qr.currency_code != merchant.currency_code:
        # 100 yen and 100 dinar are the same digits: such a code was forged, not printed by us.
        raise QrInvalid("The code asks for another currency than its merchant.")
    return PaymentRequest(
        merchant=merchant,
        amount_minor=qr.amount_minor,
        reference=qr.reference,
        static=qr.static,
        store_id=qr.store_id,
        terminal_id=qr.terminal_id,
        expire_time=qr.expire_time,
    )


def is_label(text: str, length_max: int) -> bool:
    """Printable, and with nothing invisible at its ends, where people could not tell two apart."""
    return rules.is_printable(text, length_max) and text == text.strip(" ")


def label_rule(length_max: int) -> str:
    """The rule of ``is_label``, in words."""
    return f"must be 1 to {length_max} characters of printable ASCII, without spaces at the ends"
