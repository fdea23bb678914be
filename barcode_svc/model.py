"""What makes a merchant, a request or a code acceptable. Pure: no I/O, no clock, no chance."""

from __future__ import annotations

import re
from dataclasses import dataclass

from barcode_svc import emvco
from barcode_svc.emvco import MerchantQr
from barcode_svc.errors import AmountOutOfRange, CurrencyMismatch, MerchantNotFound, QrInvalid
from chassis.errors import FieldViolation, InvalidArgument
from chassis.money import CURRENCIES

_MERCHANT_ID_FORM = re.compile(r"mer_[0-9A-Za-z_-]{1,60}")
_KEY_PART_FORM = re.compile(r"[!-~]{1,200}")
_DEVICE_LABEL_FORM = re.compile(r"[!-~]{0,64}")
_CATEGORY_FORM = re.compile(r"[0-9]{4}")
_COUNTRY_FORM = re.compile(r"[A-Z]{2}")


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


def is_device_label(text: str) -> bool:
    """Whether ``text`` can tell an owner's devices apart: up to 64 visible ASCII characters."""
    return _DEVICE_LABEL_FORM.fullmatch(text) is not None


def check_merchant(merchant: Merchant) -> None:
    """Raise ``InvalidArgument`` with every field that breaks a rule."""
    rules = [
        ("id", is_merchant_id(merchant.id), 'must be "mer_" and up to 60 letters or digits'),
        ("name", _is_label(merchant.name, emvco.NAME_LENGTH_MAX), _label_rule(25)),
        ("city", _is_label(merchant.city, emvco.CITY_LENGTH_MAX), _label_rule(15)),
        ("category_code", _CATEGORY_FORM.fullmatch(merchant.category_code), "must be four digits"),
        (
            "country_code",
            _COUNTRY_FORM.fullmatch(merchant.country_code),
            "must be two capital letters (ISO 3166-1)",
        ),
        (
            "currency_code",
            merchant.currency_code in CURRENCIES,
            "must be a currency code of ISO 4217 that we know",
        ),
    ]
    broken = [FieldViolation(f"merchant.{field}", rule) for field, kept, rule in rules if not kept]
    if broken:
        raise InvalidArgument(broken)


def check_reference(reference: str) -> None:
    """Raise ``InvalidArgument`` if a code cannot carry this reference. It may be empty."""
    if reference and not _is_label(reference, emvco.REFERENCE_LENGTH_MAX):
        raise InvalidArgument([("reference", _label_rule(emvco.REFERENCE_LENGTH_MAX))])


def qr_of(merchant: Merchant, *, requested: RequestedAmount | None, reference: str) -> MerchantQr:
    """The code that a merchant prints (no amount) or shows for one payment.

    The reference has been checked. Raises ``CurrencyMismatch``, ``AmountOutOfRange``.
    """
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
    ``MerchantNotFound``, and ``QrInvalid`` if the code asks for a currency that is not its
    merchant's.
    """
    if merchant is None:
        raise MerchantNotFound
    if qr.currency_code != merchant.currency_code:
        # 100 yen and 100 dinar are the same digits: such a code was forged, not printed by us.
        raise QrInvalid("The code asks for another currency than its merchant.")
    return PaymentRequest(
        merchant=merchant,
        amount_minor=qr.amount_minor,
        reference=qr.reference,
        static=qr.static,
    )


def _is_label(text: str, length_max: int) -> bool:
    """Printable, and with nothing invisible at its ends, where people could not tell two apart."""
    return emvco.is_printable(text, length_max) and text == text.strip(" ")


def _label_rule(length_max: int) -> str:
    return f"must be 1 to {length_max} characters of printable ASCII, without spaces at the ends"
