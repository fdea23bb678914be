"""Our own merchant codes: what we print, and what we take for one of ours. Pure, no I/O.

``emvco`` knows the standard; here is what we make of it. ``read`` goes in two steps, because
"damaged" and "of another scheme" are different news for the person who scanned it: first any sound
payload is taken apart, then one that names our scheme must keep all the rules of the objects we
use. Whatever text comes in, ``read`` raises nothing but ``QrInvalid`` and ``QrNotOurs``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from barcode_svc import emvco
from barcode_svc.emvco import DataObject, Payload
from barcode_svc.emvco.rules import (
    AMOUNT_LENGTH_MAX,
    CITY_LENGTH_MAX,
    LABEL_LENGTH_MAX,
    NAME_LENGTH_MAX,
    PAYLOAD,
    PAYLOAD_LENGTH_MAX,
    S,
    is_ans,
)
from barcode_svc.emvco.tlv import ACCOUNT_TEMPLATES, template
from barcode_svc.errors import QrInvalid, QrNotOurs
from chassis.money import AMOUNT_MINOR_MAX, CURRENCIES, CURRENCIES_BY_NUMBER, Currency

SCHEME_GUID = "dev.qrpay"
"""Marks a merchant account information template as ours: a reverse domain name (4.8.1)."""

MERCHANT_ID_LENGTH_MAX = 64
"""Ours. The template has room for 82 beside our GUID."""

_STATIC, _DYNAMIC = "11", "12"
_OUR_ACCOUNT = "26"
_ACCOUNT_HEAD = template(("00", SCHEME_GUID))

_CATEGORY_FORM = re.compile(r"[0-9]{4}")
_COUNTRY_FORM = re.compile(r"[A-Z]{2}")
_AMOUNT_FORM = re.compile(r"([0-9]+)(?:\.([0-9]*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantQr:
    """What a QR code of our scheme says.

    ``name``, ``city`` and ``category_code`` are what is printed, and nothing vouches for them: a
    payload has a checksum, not a signature. Show people the record of ``merchant_id``.
    """

    merchant_id: str
    name: str
    city: str
    category_code: str
    """ISO 18245, four digits."""
    country_code: str
    """ISO 3166-1 alpha-2."""
    currency_code: str
    """ISO 4217 alphabetic."""
    amount_minor: int = 0
    """In the currency's minor unit; 0: the payer chooses."""
    reference: str = ""
    """The merchant's reference label."""
    static: bool
    """Printed once and paid many times (object 01 is "11"), and not made for one payment ("12")."""


def amount_minor_max(currency_code: str) -> int:
    """The largest amount that object 54 has room for, in the currency's minor unit."""
    exponent = CURRENCIES[currency_code].exponent
    digits = AMOUNT_LENGTH_MAX - (1 if exponent else 0)  # the point takes one character
    largest: int = 10**digits - 1
    return min(largest, AMOUNT_MINOR_MAX)


def write(qr: MerchantQr) -> str:
    """The payload. The same ``qr`` always gives the same text.

    The caller has checked every field (lengths, characters, amount up to ``amount_minor_max``).
    """
    currency = CURRENCIES[qr.currency_code]
    account = emvco.Template(id=_OUR_ACCOUNT, guid=SCHEME_GUID, data=(("01", qr.merchant_id),))
    return emvco.build(
        emvco.MerchantPresented(
            initiation=_STATIC if qr.static else _DYNAMIC,
            accounts=(account,),
            category_code=qr.category_code,
            currency_number=currency.number,
            amount=_amount_text(qr.amount_minor, currency) if qr.amount_minor else "",
            country_code=qr.country_code,
            name=qr.name,
            city=qr.city,
            additional=emvco.AdditionalData(reference_label=qr.reference),
        )
    )


def read(text: str) -> MerchantQr:
    """Read a payload that somebody scanned: any text at all.

    Raises ``QrNotOurs`` for a sound payload without our GUID, ``QrInvalid`` for all else that is
    not a sound payload of ours. Their messages never quote the text.
    """
    payload = _sound_payload(text)
    account = _our_account(payload)
    if any(payload.find(id_) for id_ in ("55", "56", "57")):
        # We do not charge them, and to ignore them would be to pay another sum than the code says.
        raise QrInvalid("The code asks for a tip or a fee, which this scheme does not know.")
    initiation = payload.value("01")
    if initiation not in (_STATIC, _DYNAMIC):
        raise QrInvalid("Object 01 must be 11 or 12.")
    currency = CURRENCIES_BY_NUMBER.get(_required(payload.find("53"), "53"))
    if currency is None:
        raise QrInvalid("Object 53 names no currency that we know.")
    _optional(payload.find("61"), "61", 10)
    amount = payload.value("54")
    return MerchantQr(
        merchant_id=_printable(account.find("01"), "01", MERCHANT_ID_LENGTH_MAX),
        name=_printable(payload.find("59"), "59", NAME_LENGTH_MAX),
        city=_printable(payload.find("60"), "60", CITY_LENGTH_MAX),
        category_code=_matching(payload.find("52"), "52", _CATEGORY_FORM),
        country_code=_matching(payload.find("58"), "58", _COUNTRY_FORM),
        currency_code=currency.code,
        amount_minor=0 if amount is None else _amount_minor(amount, currency),
        reference=_reference(payload),
        static=initiation == _STATIC,
    )


def _amount_text(amount_minor: int, currency: Currency) -> str:
    assert 1 <= amount_minor <= amount_minor_max(currency.code), "the caller checks the amount"
    if currency.exponent == 0:
        return str(amount_minor)
    whole, fraction = divmod(amount_minor, 10**currency.exponent)
    return f"{whole}.{fraction:0{currency.exponent}}"


def _sound_payload(text: str) -> Payload:
    """Any scheme's payload, if its form is by the book, whatever its objects say."""
    if len(text) > PAYLOAD_LENGTH_MAX:
        raise QrInvalid(f"The text is longer than {PAYLOAD_LENGTH_MAX} characters.")
    try:
        payload = emvco.parse(text)
    except emvco.EmvcoError as error:
        raise QrInvalid(emvco.PARSE_ERRORS[error.code]) from error
    if payload.byte_lengths:
        raise QrInvalid("The lengths of objects must count characters.")
    if payload.value("00") != "01":
        raise QrInvalid('The text does not begin with "000201".')
    for item in payload.objects:
        # Other schemes leave objects out, and say in them what they like, but in these characters.
        rule = PAYLOAD[item.id]
        printable = rule.in_format(item.value) if rule.format == S else is_ans(item.value)
        if not item.value or not printable:
            raise QrInvalid(f"Object {item.id} is empty or has a character that it may not have.")
    return payload


def _our_account(payload: Payload) -> DataObject:
    """The merchant account information with our GUID. Other schemes may stand beside it."""
    ours: list[DataObject] = []
    for item in payload.objects:
        if item.id not in ACCOUNT_TEMPLATES:
            continue
        if item.objects is None and item.value.startswith(_ACCOUNT_HEAD):
            raise QrInvalid(f"Object {item.id} is malformed.")
        guid = item.find("00")
        if guid is not None and guid.value == SCHEME_GUID:
            ours.append(item)
    if not ours:
        raise QrNotOurs
    if len(ours) > 1:
        raise QrInvalid("The code names two merchants.")
    if not ours[0].value.startswith(_ACCOUNT_HEAD):
        raise QrInvalid("The scheme's name must come first in its template.")
    return ours[0]


def _required(item: DataObject | None, id_: str) -> str:
    if item is None:
        raise QrInvalid(f"Object {id_} is missing.")
    return item.value


def _matching(item: DataObject | None, id_: str, form: re.Pattern[str]) -> str:
    value = _required(item, id_)
    if not form.fullmatch(value):
        raise QrInvalid(f"Object {id_} is malformed.")
    return value


def _printable(item: DataObject | None, id_: str, length_max: int) -> str:
    """The value of an object of format ans."""
    value = _required(item, id_)
    if not emvco.is_printable(value, length_max):
        raise QrInvalid(f"Object {id_} is malformed.")
    return value


def _optional(item: DataObject | None, id_: str, length_max: int) -> str:
    """The same; empty if there is no such object."""
    return "" if item is None else _printable(item, id_, length_max)


def _reference(payload: Payload) -> str:
    additional = payload.find("62")
    if additional is None:
        return ""
    if additional.objects is None:
        raise QrInvalid("Object 62 is malformed.")
    return _optional(additional.find("05"), "62-05", LABEL_LENGTH_MAX)


def _amount_minor(text: str, currency: Currency) -> int:
    """Object 54: digits and at most one point, not zero; "98." is well-formed (4.7.7)."""
    match = _AMOUNT_FORM.fullmatch(text)
    if match is None or len(text) > AMOUNT_LENGTH_MAX:
        raise QrInvalid("Object 54 is not an amount.")
    whole, fraction = match[1], match[2] or ""
    if len(fraction) > currency.exponent:
        raise QrInvalid("The amount has more decimals than its currency.")
    amount_minor = int(whole + fraction.ljust(currency.exponent, "0"))
    if not 1 <= amount_minor <= AMOUNT_MINOR_MAX:
        raise QrInvalid("The amount is zero or too large.")
    return amount_minor
