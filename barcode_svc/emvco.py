"""EMVCo merchant-presented QR payloads: what we print and what we read. Pure text, no I/O.

Rules are cited from "EMV QR Code Specification for Payment Systems: Merchant-Presented Mode", v1.1.
A payload is a sequence of objects: an id and a length of two digits each, then that many
*characters* (4.4.1.1). Some objects are templates, sequences of objects themselves.

``write`` makes one spelling only. ``read`` goes in two steps, because "damaged" and "of another
scheme" are different news for the person who scanned it: first any sound payload is taken apart
(objects, checksum), then one that names our scheme must keep all the rules of the objects we use.
Whatever text comes in, ``read`` raises nothing but ``QrInvalid`` and ``QrNotOurs``.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

from barcode_svc.errors import QrInvalid, QrNotOurs
from chassis.money import AMOUNT_MINOR_MAX, CURRENCIES, CURRENCIES_BY_NUMBER, Currency

SCHEME_GUID = "dev.qrpay"
"""Marks a merchant account information template as ours: a reverse domain name (4.8.1)."""

TEXT_LENGTH_MAX = 512
"""Characters of a payload (4.1)."""
NAME_LENGTH_MAX = 25
CITY_LENGTH_MAX = 15
REFERENCE_LENGTH_MAX = 25
AMOUNT_LENGTH_MAX = 13
MERCHANT_ID_LENGTH_MAX = 64
"""Ours. The template has room for 82 beside our GUID."""

# Ids of the objects, table 4-1 of the specification.
_FORMAT = "00"
_INITIATION = "01"
_OUR_ACCOUNT = "26"
_CATEGORY = "52"
_CURRENCY = "53"
_AMOUNT = "54"
_TIPS_AND_FEES = ("55", "56", "57")
_COUNTRY = "58"
_NAME = "59"
_CITY = "60"
_POSTAL_CODE = "61"
_ADDITIONAL = "62"
_CHECKSUM = "63"
# Ids inside templates.
_GUID = "00"
_MERCHANT_ID = "01"
_REFERENCE = "05"

_FORMAT_VALUE = "01"
_STATIC, _DYNAMIC = "11", "12"
_CHECKSUM_HEAD = "6304"

_ACCOUNT_TEMPLATES = tuple(f"{number:02}" for number in range(26, 52))
# Only these may hold more than printable ASCII: format S of table 4-1.
_UNICODE_OBJECTS = {"62", *(f"{number:02}" for number in range(64, 100))}

# "[0-9]" and not "\d", isdigit or int(): those take the digits of every script.
_TWO_DIGITS = re.compile(r"[0-9]{2}")
_PRINTABLE = re.compile(r"[ -~]*")
_CHECKSUM_FORM = re.compile(r"[0-9A-Fa-f]{4}")
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


def is_printable(text: str, length_max: int) -> bool:
    """Whether ``text`` is 1 to ``length_max`` characters of format ans: 0x20 to 0x7E (1.4.3)."""
    return 1 <= len(text) <= length_max and _PRINTABLE.fullmatch(text) is not None


def amount_minor_max(currency_code: str) -> int:
    """The largest amount that object 54 has room for, in the currency's minor unit."""
    exponent = CURRENCIES[currency_code].exponent
    digits = AMOUNT_LENGTH_MAX - (1 if exponent else 0)  # the point takes one character
    largest: int = 10**digits - 1
    return min(largest, AMOUNT_MINOR_MAX)


def checksum(text: str) -> str:
    """Object 63's value for all before it, "6304" included: CRC-16, 0x1021, 0xFFFF (4.7.3)."""
    return f"{binascii.crc_hqx(text.encode(), 0xFFFF):04X}"


def write(qr: MerchantQr) -> str:
    """The payload. The same ``qr`` always gives the same text.

    The caller has checked every field (lengths, characters, amount up to ``amount_minor_max``).
    """
    currency = CURRENCIES[qr.currency_code]
    objects = [
        _object(_FORMAT, _FORMAT_VALUE),
        _object(_INITIATION, _STATIC if qr.static else _DYNAMIC),
        _object(_OUR_ACCOUNT, _object(_GUID, SCHEME_GUID) + _object(_MERCHANT_ID, qr.merchant_id)),
        _object(_CATEGORY, qr.category_code),
        _object(_CURRENCY, currency.number),
    ]
    if qr.amount_minor:
        objects.append(_object(_AMOUNT, _amount_text(qr.amount_minor, currency)))
    objects += [
        _object(_COUNTRY, qr.country_code),
        _object(_NAME, qr.name),
        _object(_CITY, qr.city),
    ]
    if qr.reference:
        objects.append(_object(_ADDITIONAL, _object(_REFERENCE, qr.reference)))
    unsigned = "".join(objects) + _CHECKSUM_HEAD
    return unsigned + checksum(unsigned)


def read(text: str) -> MerchantQr:
    """Read a payload that somebody scanned: any text at all.

    Raises ``QrNotOurs`` for a sound payload without our GUID, ``QrInvalid`` for all else that is
    not a sound payload of ours. Their messages never quote the text.
    """
    objects = _sound_objects(text)
    account = _our_account(objects)
    if any(id_ in objects for id_ in _TIPS_AND_FEES):
        # We do not charge them, and to ignore them would be to pay another sum than the code says.
        raise QrInvalid("The code asks for a tip or a fee, which this scheme does not know.")
    initiation = _required(objects, _INITIATION)
    if initiation not in (_STATIC, _DYNAMIC):
        raise QrInvalid("Object 01 must be 11 or 12.")
    currency = CURRENCIES_BY_NUMBER.get(_required(objects, _CURRENCY))
    if currency is None:
        raise QrInvalid("Object 53 names no currency that we know.")
    _printable(objects, _POSTAL_CODE, 10)
    return MerchantQr(
        merchant_id=_printable(account, _MERCHANT_ID, MERCHANT_ID_LENGTH_MAX, required=True),
        name=_printable(objects, _NAME, NAME_LENGTH_MAX, required=True),
        city=_printable(objects, _CITY, CITY_LENGTH_MAX, required=True),
        category_code=_matching(objects, _CATEGORY, _CATEGORY_FORM),
        country_code=_matching(objects, _COUNTRY, _COUNTRY_FORM),
        currency_code=currency.code,
        amount_minor=_amount_minor(objects[_AMOUNT], currency) if _AMOUNT in objects else 0,
        reference=_reference(objects),
        static=initiation == _STATIC,
    )


def _object(id_: str, value: str) -> str:
    assert 1 <= len(value) <= 99, f"object {id_} has no room for this value"
    return f"{id_}{len(value):02}{value}"


def _amount_text(amount_minor: int, currency: Currency) -> str:
    assert 1 <= amount_minor <= amount_minor_max(currency.code), "the caller checks the amount"
    if currency.exponent == 0:
        return str(amount_minor)
    whole, fraction = divmod(amount_minor, 10**currency.exponent)
    return f"{whole}.{fraction:0{currency.exponent}}"


def _walk(text: str) -> dict[str, str]:
    """The objects of a payload or template by id, in their order."""
    objects: dict[str, str] = {}
    position = 0
    while position < len(text):
        id_, length = text[position : position + 2], text[position + 2 : position + 4]
        if not _TWO_DIGITS.fullmatch(id_) or not _TWO_DIGITS.fullmatch(length):
            raise QrInvalid("An object must begin with an id and a length of two digits each.")
        value = text[position + 4 : position + 4 + int(length)]
        if length == "00" or len(value) != int(length):
            raise QrInvalid(f"Object {id_} is not as long as it says.")
        if id_ in objects:
            # 4.3.1.2. If it were let through, each reader would choose its own of the two.
            raise QrInvalid(f"Object {id_} occurs twice.")
        objects[id_] = value
        position += 4 + int(length)
    return objects


def _sound_objects(text: str) -> dict[str, str]:
    """The objects of any scheme's payload, if they are sound and the checksum holds."""
    if len(text) > TEXT_LENGTH_MAX:
        raise QrInvalid(f"The text is longer than {TEXT_LENGTH_MAX} characters.")
    objects = _walk(text)
    ids = list(objects)
    if ids[:1] != [_FORMAT] or objects[_FORMAT] != _FORMAT_VALUE:
        raise QrInvalid('The text does not begin with "000201".')
    if ids[-1] != _CHECKSUM or not _CHECKSUM_FORM.fullmatch(objects[_CHECKSUM]):
        raise QrInvalid("The text does not end with a checksum.")
    for id_, value in objects.items():
        if id_ not in _UNICODE_OBJECTS and not _PRINTABLE.fullmatch(value):
            raise QrInvalid(f"Object {id_} has a character that it may not have.")
    try:
        expected = checksum(text[:-4])
    except UnicodeEncodeError as error:  # half of a surrogate pair: no such text exists in UTF-8
        raise QrInvalid("The text is not Unicode.") from error
    if objects[_CHECKSUM].upper() != expected:  # other schemes print lower case as well
        raise QrInvalid("The checksum does not match: the code was misread or changed.")
    return objects


def _our_account(objects: dict[str, str]) -> dict[str, str]:
    """The merchant account information with our GUID. Other schemes may stand beside it."""
    ours: list[dict[str, str]] = []
    for id_ in _ACCOUNT_TEMPLATES:
        if id_ not in objects:
            continue
        try:
            account = _walk(objects[id_])
        except QrInvalid:
            if objects[id_].startswith(_object(_GUID, SCHEME_GUID)):
                raise
            continue  # another scheme's, and its own business
        if account.get(_GUID) == SCHEME_GUID:
            ours.append(account)
    if not ours:
        raise QrNotOurs
    if len(ours) > 1:
        raise QrInvalid("The code names two merchants.")
    if next(iter(ours[0])) != _GUID:
        raise QrInvalid("The scheme's name must come first in its template.")
    return ours[0]


def _required(objects: dict[str, str], id_: str) -> str:
    if id_ not in objects:
        raise QrInvalid(f"Object {id_} is missing.")
    return objects[id_]


def _matching(objects: dict[str, str], id_: str, form: re.Pattern[str]) -> str:
    value = _required(objects, id_)
    if not form.fullmatch(value):
        raise QrInvalid(f"Object {id_} is malformed.")
    return value


def _printable(
    objects: dict[str, str], id_: str, length_max: int, *, required: bool = False
) -> str:
    """The value of an object of format ans; empty if it may be missing and is."""
    if id_ not in objects and not required:
        return ""
    value = _required(objects, id_)
    if not is_printable(value, length_max):
        raise QrInvalid(f"Object {id_} is malformed.")
    return value


def _reference(objects: dict[str, str]) -> str:
    if _ADDITIONAL not in objects:
        return ""
    return _printable(_walk(objects[_ADDITIONAL]), _REFERENCE, REFERENCE_LENGTH_MAX)


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
