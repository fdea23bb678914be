"""Our own merchant codes: what we print, and what we take for one of ours. Pure, no I/O.

``emvco`` knows the standard; here is what we make of it. ``read`` goes in two steps, because
"damaged" and "of another scheme" are different news for the person who scanned it: first any sound
payload is taken apart, then one that names our scheme must keep all the rules of the objects we
use. Whatever text comes in, ``read`` raises nothing but ``QrInvalid`` and ``QrNotOurs``.

A code is signed (``Signature``); ``read`` finds the signature and does not judge it. An object has
room for 99 characters, and a signature is 86 of base64url: beside our GUID it does not fit into
one, so its halves stand in two, at the very end. Signed is every character before the first half:

    000201...  80 LL 00 09 dev.qrpay 01 08 key id [02 10 expiry]  | 03 43 first half
               81 60 00 09 dev.qrpay 01 43 second half  63 04 CRC
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
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
from barcode_svc.emvco.tlv import (
    ACCOUNT_TEMPLATES,
    UNRESERVED_TEMPLATES,
    VALUE_LENGTH_MAX,
    seal,
    template,
    write_object,
)
from barcode_svc.errors import QrInvalid, QrNotOurs
from chassis.money import AMOUNT_MINOR_MAX, CURRENCIES, CURRENCIES_BY_NUMBER, Currency

SCHEME_GUID = "dev.qrpay"
"""Marks a merchant account information template as ours: a reverse domain name (4.8.1)."""

MERCHANT_ID_LENGTH_MAX = 64
PLACE_LENGTH_MAX = 30
"""Characters of a store id or a terminal id."""
SERIAL_MAX = 99_999_999
KEY_ID_LENGTH = 8

_STATIC, _DYNAMIC = "11", "12"
_OUR_ACCOUNT = "26"
_ACCOUNT_HEAD = template(("00", SCHEME_GUID))

_CATEGORY_FORM = re.compile(r"[0-9]{4}")
_COUNTRY_FORM = re.compile(r"[A-Z]{2}")
_PLACE_FORM = re.compile(rf"[0-9A-Za-z._-]{{1,{PLACE_LENGTH_MAX}}}")
_SERIAL_FORM = re.compile(r"[1-9][0-9]{0,7}")
_EXPIRY_FORM = re.compile(r"[1-9][0-9]{9}")
_KEY_ID_FORM = re.compile(rf"[0-9A-Za-z_-]{{{KEY_ID_LENGTH}}}")

_SIGNATURE, _SIGNATURE_REST = "80", "81"
_HALF = 43
_UNSIGNED_HALF = "A" * _HALF
_SIGNATURE_TAIL = re.compile(
    rf"03{_HALF}([0-9A-Za-z_-]{{{_HALF}}})"
    rf"{_SIGNATURE_REST}60{re.escape(_ACCOUNT_HEAD)}01{_HALF}([0-9A-Za-z_-]{{{_HALF}}})"
    r"6304[0-9A-Fa-f]{4}"
)
_SIGNATURE_TAIL_LENGTH = 4 + _HALF + 4 + len(_ACCOUNT_HEAD) + 4 + _HALF + 8

_AMOUNT_FORM = re.compile(r"([0-9]+)(?:\.([0-9]*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantQr:
    """What a QR code of our scheme says.

    ``name``, ``city`` and ``category_code`` are what was printed. Show people the record of
    ``merchant_id``: it is what they pay.
    """

    merchant_id: str
    store_id: str = ""
    """The merchant's shop; may be empty."""
    terminal_id: str = ""
    """The till; may be empty."""
    serial: int = 0
    """Which issue of the shop's static code this is, from 1; 0: a dynamic code, or an old one."""
    expire_time: int = 0
    """Seconds since 1970-01-01 UTC, from which on the code is refused; 0: never."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who vouches for a code."""

    key_id: str
    signed: str
    """The characters that the signature is over, from the first on."""
    value: bytes
    """64 bytes of Ed25519 (RFC 8032)."""


def amount_minor_max(currency_code: str) -> int:
    """The largest amount that object 54 has room for, in the currency's minor unit."""
    exponent = CURRENCIES[currency_code].exponent
    digits = AMOUNT_LENGTH_MAX - (1 if exponent else 0)  # the point takes one character
    largest: int = 10**digits - 1
    return min(largest, AMOUNT_MINOR_MAX)


def is_place(text: str) -> bool:
    """Whether ``text`` can be a store id or a terminal id."""
    return _PLACE_FORM.fullmatch(text) is not None


def places_fit(merchant_id: str, *, store_id: str, terminal_id: str) -> bool:
    """Whether the three have room in one template, whatever the serial."""
    lengths = [len(_ACCOUNT_HEAD), 4 + len(merchant_id), 4 + len(str(SERIAL_MAX))]
    lengths += [4 + len(place) for place in (store_id, terminal_id) if place]
    return sum(lengths) <= VALUE_LENGTH_MAX


def write(qr: MerchantQr, *, key_id: str, sign: Callable[[bytes], bytes]) -> str:
    """The signed payload. The same ``qr`` and key always give the same text.

    The caller has checked every field (lengths, characters, amount up to ``amount_minor_max``).
    """
    unsigned = emvco.build(_presented(qr, key_id=key_id))
    signed = unsigned[:-_SIGNATURE_TAIL_LENGTH]
    signature = base64.urlsafe_b64encode(sign(signed.encode())).rstrip(b"=").decode()
    halves = signature[:_HALF], signature[_HALF:]
    rest = template(("00", SCHEME_GUID), ("01", halves[1]))
    return seal(signed + write_object("03", halves[0]) + write_object(_SIGNATURE_REST, rest))


def _presented(qr: MerchantQr, *, key_id: str) -> emvco.MerchantPresented:
    """With room for the signature."""
    currency = CURRENCIES[qr.currency_code]
    places = [("01", qr.merchant_id), ("02", qr.store_id), ("03", qr.terminal_id)]
    if qr.serial:
        places.append(("04", str(qr.serial)))
    expiry = [("02", str(qr.expire_time))] if qr.expire_time else []
    return emvco.MerchantPresented(
        initiation=_STATIC if qr.static else _DYNAMIC,
        accounts=(
            emvco.Template(
                id=_OUR_ACCOUNT,
                guid=SCHEME_GUID,
                data=tuple((id_, value) for id_, value in places if value),
            ),
        ),
        category_code=qr.category_code,
        currency_number=currency.number,
        amount=_amount_text(qr.amount_minor, currency) if qr.amount_minor else "",
        country_code=qr.country_code,
        name=qr.name,
        city=qr.city,
        additional=emvco.AdditionalData(
            reference_label=qr.reference,
            # Where other schemes' tills look for it. A sticker that lives for years is kept small.
            terminal_label="" if qr.static else qr.terminal_id,
        ),
        unreserved=(
            emvco.Template(
                id=_SIGNATURE,
                guid=SCHEME_GUID,
                data=(("01", key_id), *expiry, ("03", _UNSIGNED_HALF)),
            ),
            emvco.Template(id=_SIGNATURE_REST, guid=SCHEME_GUID, data=(("01", _UNSIGNED_HALF),)),
        ),
    )


def read(text: str) -> tuple[MerchantQr, Signature | None]:
    """Read a payload that somebody scanned, any text at all; None: it is not signed.

    Whether the signature is right is not asked here. Raises ``QrNotOurs`` for a sound payload
    without our GUID, ``QrInvalid`` for all else that is not a sound payload of ours. Their messages
    never quote the text.
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
    signature = _signature(text, payload)
    expiry = payload.find(_SIGNATURE, "02") if signature else None
    serial = account.find("04")
    qr = MerchantQr(
        merchant_id=_printable(account.find("01"), "01", MERCHANT_ID_LENGTH_MAX),
        store_id=_place(account.find("02")),
        terminal_id=_place(account.find("03")),
        serial=0 if serial is None else int(_matching(serial, "26-04", _SERIAL_FORM)),
        expire_time=0 if expiry is None else int(_matching(expiry, "80-02", _EXPIRY_FORM)),
        name=_printable(payload.find("59"), "59", NAME_LENGTH_MAX),
        city=_printable(payload.find("60"), "60", CITY_LENGTH_MAX),
        category_code=_matching(payload.find("52"), "52", _CATEGORY_FORM),
        country_code=_matching(payload.find("58"), "58", _COUNTRY_FORM),
        currency_code=currency.code,
        amount_minor=0 if amount is None else _amount_minor(amount, currency),
        reference=_reference(payload),
        static=initiation == _STATIC,
    )
    return qr, signature


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


def _signature(text: str, payload: Payload) -> Signature | None:
    """Who vouches for the code. One that looks signed, and is not signed to its end, is refused."""
    claims = [
        item.id
        for item in payload.objects
        if item.id in UNRESERVED_TEMPLATES and item.value.startswith(_ACCOUNT_HEAD)
    ]
    if not claims:
        return None
    tail = _SIGNATURE_TAIL.fullmatch(text[-_SIGNATURE_TAIL_LENGTH:])
    last = [item.id for item in payload.objects[-3:]]
    if claims != [_SIGNATURE, _SIGNATURE_REST] or last != [*claims, "63"] or tail is None:
        raise QrInvalid("The signature is not where it must be, at the end of the code.")
    if payload.find(_SIGNATURE, "03") is None:
        raise QrInvalid("Object 80 is malformed.")
    encoded = tail[1] + tail[2]
    value = base64.urlsafe_b64decode(encoded + "==")
    if base64.urlsafe_b64encode(value).rstrip(b"=").decode() != encoded:
        raise QrInvalid("The signature is malformed.")  # two spellings of one are one too many
    return Signature(
        key_id=_matching(payload.find(_SIGNATURE, "01"), "80-01", _KEY_ID_FORM),
        signed=text[:-_SIGNATURE_TAIL_LENGTH],
        value=value,
    )


def _place(item: DataObject | None) -> str:
    return "" if item is None else _matching(item, "of a store or terminal", _PLACE_FORM)


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
