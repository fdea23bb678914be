"""What makes a merchant, a request or a code acceptable. Pure: no I/O, no clock, no chance."""

from __future__ import annotations

import re
from dataclasses import dataclass

from barcode_svc import emvco
from barcode_svc.emvco import MerchantQr
from barcode_svc.errors import (
    AmountOutOfRange,
    CurrencyMismatch,
    MerchantClosed,
    MerchantNotFound,
    QrInvalid,
)
from barcode_svc.poster_words import POSTER_WORDS
from chassis.errors import InvalidArgument

_MERCHANT_ID_FORM = re.compile(r"mer_[0-9A-Za-z_-]{1,60}")
_KEY_PART_FORM = re.compile(r"[!-~]{1,200}")


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


def is_merchant_id(text: str) -> bool:
    """Whether a merchant could have this id."""
    return _MERCHANT_ID_FORM.fullmatch(text) is not None


def is_key_part(text: str) -> bool:
    """Whether ``text`` can stand in a key: 1 to 200 visible ASCII characters."""
    return _KEY_PART_FORM.fullmatch(text) is not None


def check_reference(reference: str) -> None:
    """Raise ``InvalidArgument`` if a code cannot carry this reference. It may be empty."""
    if reference and not is_label(reference, emvco.REFERENCE_LENGTH_MAX):
        raise InvalidArgument([("reference", label_rule(emvco.REFERENCE_LENGTH_MAX))])


def check_poster_language(language: str) -> None:
    """Raise ``InvalidArgument`` if we have no poster in this language."""
    if language not in POSTER_WORDS:
        raise InvalidArgument([("language", f"must be one of {', '.join(sorted(POSTER_WORDS))}")])


def qr_of(merchant: Merchant, *, requested: RequestedAmount | None, reference: str) -> MerchantQr:
    """The code that a merchant prints (no amount) or shows for one payment.

    The reference has been checked. Raises ``MerchantClosed``, ``CurrencyMismatch``,
    ``AmountOutOfRange``.
    """
    if merchant.closed:
        raise MerchantClosed
    if requested is not None:
        if requested.currency_code not in ("", merchant.currency_code):
            raise CurrencyMismatch(currency_code=merchant.currency_code)
        amount_minor_max = emvco.amount_minor_max(merchant.currency_code)
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
    )


def payment_request(qr: MerchantQr, merchant: Merchant | None) -> PaymentRequest:
    """What the code asks for, given the merchant's record, if there is one.

    Name, city and category are the record's: a sticker can print any name beside any id. Raises
    ``MerchantNotFound``, ``MerchantClosed``, and ``QrInvalid`` if the code asks for a currency that
    is not its merchant's.
    """
    if merchant is None:
        raise MerchantNotFound
    if merchant.closed:
        raise MerchantClosed
    if qr.currency_code != merchant.currency_code:
        # 100 yen and 100 dinar are the same digits: such a code was forged, not printed by us.
        raise QrInvalid("The code asks for another currency than its merchant.")
    return PaymentRequest(
        merchant=merchant,
        amount_minor=qr.amount_minor,
        reference=qr.reference,
        static=qr.static,
    )


def is_label(text: str, length_max: int) -> bool:
    """Printable, and with nothing invisible at its ends, where people could not tell two apart."""
    return emvco.is_printable(text, length_max) and text == text.strip(" ")


def label_rule(length_max: int) -> str:
    """The rule of ``is_label``, in words."""
    return f"must be 1 to {length_max} characters of printable ASCII, without spaces at the ends"
