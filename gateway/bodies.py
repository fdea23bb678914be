"""Request bodies: their shapes, and how bytes become one of them or a list of faults.

Decoding is strict and in one pass. Only when it fails are the same bytes looked at field by field,
so that the answer names everything that is wrong and not just the first thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from chassis.money import CURRENCIES
from gateway.problems import Problem, invalid_request

BodyType = TypeVar("BodyType", bound=Struct)

AMOUNT_MAX = 2**63 - 1
"""The largest amount that our services could even be asked about."""

# No C0 or C1 control characters anywhere, line breaks included. A look-ahead and not `^[...]*$`,
# whose `$` would let a line break at the end pass. Same meaning in Python and in ECMA-262.
PLAIN_TEXT = r"^(?![\s\S]*[\u0000-\u001f\u007f-\u009f])"
PRINTABLE_ASCII = r"^(?![\s\S]*[^\u0020-\u007e])"
DIGITS = r"^(?![\s\S]*[^0-9])"

if TYPE_CHECKING:
    CurrencyCode = str
else:
    CurrencyCode = Annotated[
        Literal[tuple(CURRENCIES)],
        Meta(
            description="ISO 4217 alphabetic code, upper case.",
            examples=["USD"],
            extra={"rule": "must be an ISO 4217 currency code in upper case that we know"},
        ),
    ]

Amount = Annotated[
    int,
    Meta(
        ge=1,
        description="In the currency's minor unit: 1250 with USD is $12.50.",
        examples=[1250],
        extra={"rule": "must be a whole number of minor units, at least 1"},
    ),
]
Note = Annotated[
    str,
    Meta(
        max_length=140,
        pattern=PLAIN_TEXT,
        description="The payer's words, shown to both sides.",
        examples=["Two flat whites"],
        extra={"rule": "must be a text of at most 140 characters without control characters"},
    ),
]
OrderRef = Annotated[
    str,
    Meta(
        max_length=64,
        pattern=PLAIN_TEXT,
        description="The merchant's own order number.",
        examples=["A-1047"],
        extra={"rule": "must be a text of at most 64 characters without control characters"},
    ),
]
Recipient = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=PLAIN_TEXT,
        description="A user's handle, a user id or a wallet id.",
        examples=["bob"],
        extra={"rule": "must be a handle, a user id or a wallet id"},
    ),
]
QrText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=512,
        pattern=PLAIN_TEXT,
        description="The text of a merchant's QR code, as scanned.",
        examples=["00020101021126..."],
        extra={"rule": "must be a text of 1 to 512 characters without control characters"},
    ),
]
Barcode = Annotated[
    str,
    Meta(
        min_length=18,
        max_length=18,
        pattern=DIGITS,
        description="The 18 digits of the customer's barcode.",
        examples=["281004327719356024"],
        extra={"rule": "must be 18 digits"},
    ),
]
DeviceLabel = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^(?![\s\S]*[^\u0021-\u007e])",
        description="Any name by which your devices are told apart; each has one live code.",
        examples=["pixel-8"],
        extra={"rule": "must be 1 to 64 visible ASCII characters, without spaces"},
    ),
]
DeviceName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^(?![\s\S]*[\u0000-\u001f\u007f-\u009f])(?! )(?![\s\S]* $)",
        description="Your word for the device. A second one of this name replaces the first.",
        examples=["Alice's phone"],
        extra={"rule": "must be 1 to 64 printable characters, without spaces at the ends"},
    ),
]
BankAccountId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=PLAIN_TEXT,
        description="An id from POST /bank-accounts.",
        examples=["bnk_01JD3Q9V7N8R4T2W6X0YZABCDE"],
        extra={"rule": "must be the id of a bank account"},
    ),
]
Holder = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=80,
        pattern=PLAIN_TEXT,
        description="The account holder's name.",
        examples=["Alice Example"],
        extra={"rule": "must be a text of 1 to 80 characters without control characters"},
    ),
]
Iban = Annotated[
    str,
    Meta(
        min_length=15,
        max_length=42,
        pattern=PRINTABLE_ASCII,
        description="The IBAN (ISO 13616); spaces are allowed.",
        examples=["DE89 3704 0044 0532 0130 00"],
        extra={"rule": "must be an IBAN"},
    ),
]


StoreId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=30,
        pattern=PRINTABLE_ASCII,
        description="The shop whose codes are meant; none: the codes without a shop.",
        examples=["baixa"],
        extra={"rule": "must be the id of a shop, at most 30 characters"},
    ),
]
Serial = Annotated[
    int,
    Meta(
        ge=1,
        le=99_999_999,
        description="The last issue that ends. With it the request can be repeated safely.",
        examples=[1],
        extra={"rule": "must be a serial that was printed"},
    ),
]


class Body(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A request body. Fields that are not named here are refused; null means left out."""


class SendBody(Body, frozen=True, kw_only=True):
    """Send money to a person."""

    to: Recipient
    amount: Amount
    currency: CurrencyCode
    note: Note | None = None


class PayQrBody(Body, frozen=True, kw_only=True):
    """Pay the merchant of a scanned QR code. ``amount`` and ``currency`` go together, and are left
    out only if the code carries them."""

    qr: QrText
    amount: Amount | None = None
    currency: CurrencyCode | None = None
    note: Note | None = None


class PayBarcodeBody(Body, frozen=True, kw_only=True):
    """Charge the customer whose barcode was read."""

    barcode: Barcode
    amount: Amount
    currency: CurrencyCode
    order_ref: OrderRef | None = None


class WithdrawBody(Body, frozen=True, kw_only=True):
    """Take money out to a bank account."""

    bank_account: BankAccountId
    amount: Amount
    currency: CurrencyCode


class BankAccountBody(Body, frozen=True, kw_only=True):
    """A bank account to withdraw to."""

    holder: Holder
    iban: Iban


class RevokeQrBody(Body, frozen=True, kw_only=True):
    """End printed codes. Without ``serial``: all that have been printed."""

    store: StoreId | None = None
    serial: Serial | None = None


class DecodeQrBody(Body, frozen=True, kw_only=True):
    """A QR code to look at."""

    qr: QrText


class DeviceBody(Body, frozen=True, kw_only=True):
    """A device that shall make codes offline."""

    name: DeviceName


class BarcodeBody(Body, frozen=True, kw_only=True):
    """Which device will show the code. No body at all, or an empty object: the customer's only."""

    device: DeviceLabel | None = None


class EmptyBody(Body, frozen=True, kw_only=True):
    """Nothing: no body at all, or an empty object."""


def rule_of(annotation: Any) -> str | None:
    """The sentence that states the rule of a field, from ``Meta(extra={"rule": ...})``."""
    for part in getattr(annotation, "__metadata__", ()):
        if isinstance(part, Meta) and part.extra and "rule" in part.extra:
            return str(part.extra["rule"])
    return next(filter(None, map(rule_of, get_args(annotation))), None)


def field_faults(struct_type: type[Struct], values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Everything that is wrong with ``values`` as a ``struct_type``: (field, message) each."""
    fields = msgspec.structs.fields(struct_type)
    known = {field.encode_name for field in fields}
    faults = [(name, "is not known here") for name in sorted(values.keys() - known)]
    for field in fields:
        name, rule = field.encode_name, rule_of(field.type) or "is not valid"
        if name not in values:
            if field.required:
                faults.append((name, f"is required: it {rule}"))
            continue
        try:
            msgspec.convert(values[name], field.type)
        except msgspec.ValidationError:
            faults.append((name, rule))
    return faults


class BodyDecoder(Generic[BodyType]):
    """Decodes one kind of body. Made once, used for every request."""

    def __init__(
        self, body_type: type[BodyType], *, forbidden_fields: Mapping[str, str] | None = None
    ) -> None:
        self.body_type = body_type
        self._decode = msgspec.json.Decoder(body_type).decode
        self._forbidden_fields = dict(forbidden_fields or {})

    def decode(self, raw: bytes) -> BodyType:
        """The body. Raises ``Problem`` malformed-json, invalid-request with every fault, or
        forbidden if it has a field that only another role may send (``forbidden_fields``, with the
        sentence that says so)."""
        try:
            return self._decode(raw)
        except (ValueError, RecursionError):  # all of msgspec's errors, and bytes that are no UTF-8
            problem = self._explain(raw)
        raise problem

    def _explain(self, raw: bytes) -> Problem:
        try:
            values = msgspec.json.decode(raw)
        except msgspec.ValidationError:
            return invalid_request(("", "holds a number that is out of range"))
        except (ValueError, RecursionError):
            return Problem("malformed-json")
        if not isinstance(values, dict):
            return invalid_request(("", "must be a JSON object"))
        for field, detail in self._forbidden_fields.items():
            if field in values:
                return Problem("forbidden", detail=detail)
        return invalid_request(*field_faults(self.body_type, values))
