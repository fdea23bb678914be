"""Merchant-presented payloads from their fields. What is built is valid, or it is not built.

The text is made first and then checked with the same rules as anybody else's (``validate``); the
first broken one becomes an error that names the field. So there is one set of rules, not two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from barcode_svc.emvco.errors import PARSE_ERRORS, BuildError
from barcode_svc.emvco.tlv import VALUE_LENGTH_MAX, seal, write_object
from barcode_svc.emvco.validate import validate


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template with a globally unique identifier: 26 to 51, 80 to 99, or 62-50 to 62-99."""

    id: str
    guid: str
    """Reverse domain name, application id, or UUID without hyphens."""
    data: tuple[tuple[str, str], ...] = ()
    """Ids (01 to 99) and values of what else is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A merchant account of one object, 02 to 25: what a card network gave the merchant."""

    id: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdditionalData:
    """Object 62. An empty text: not there; ``***``: the app asks the payer."""

    bill_number: str = ""
    mobile_number: str = ""
    store_label: str = ""
    loyalty_number: str = ""
    reference_label: str = ""
    customer_label: str = ""
    terminal_label: str = ""
    purpose: str = ""
    consumer_data_request: str = ""
    """Letters of A (address), M (mobile number), E (e-mail address)."""
    systems: tuple[Template, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """Object 64: name and city as the merchant's country writes them."""

    language: str
    """ISO 639, two letters."""
    name: str
    city: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantPresented:
    """What a merchant-presented payload says. An empty text: the object is not there."""

    accounts: tuple[Account | Template, ...]
    category_code: str
    """ISO 18245, four digits."""
    currency_number: str
    """ISO 4217 numeric, three digits."""
    country_code: str
    """ISO 3166-1 alpha-2."""
    name: str
    city: str
    initiation: str = ""
    """"11" static, "12" dynamic."""
    amount: str = ""
    """In the major unit, as in ``12.50``."""
    tip_or_fee: str = ""
    """"01" ask for a tip, "02" add ``fee_fixed``, "03" add ``fee_percent``."""
    fee_fixed: str = ""
    fee_percent: str = ""
    postal_code: str = ""
    additional: AdditionalData = field(default_factory=AdditionalData)
    language: Language | None = None
    unreserved: tuple[Template, ...] = ()


_ADDITIONAL_FIELDS = (
    *("bill_number", "mobile_number", "store_label", "loyalty_number", "reference_label"),
    *("customer_label", "terminal_label", "purpose", "consumer_data_request"),
)


def build(merchant: MerchantPresented) -> str:
    """The payload. The same ``merchant`` always gives the same text.

    Raises ``BuildError``.
    """
    builder = _Builder()
    text = builder.payload(merchant)
    for violation in validate(text):
        path = violation.path
        while path not in builder.fields:
            path = path.rpartition(".")[0]
        raise BuildError(builder.fields[path], violation.code, violation.message)
    return text


class _Builder:
    """Writes objects, and remembers which field each comes from."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {"": "payload"}

    def payload(self, merchant: MerchantPresented) -> str:
        # In the order of the ids: the standard leaves it open, and so all our texts look alike.
        return seal("".join(self._objects(merchant)))

    def _objects(self, merchant: MerchantPresented) -> Iterator[str]:
        yield write_object("00", "01")
        yield self._text("01", merchant.initiation, "initiation")
        for number, account in enumerate(merchant.accounts):
            name = f"accounts[{number}]"
            if isinstance(account, Template):
                yield self._template(account, name, lowest=26, highest=51)
            else:
                self._check_id(account.id, name, lowest=2, highest=25)
                yield self._text(account.id, account.value, f"{name}.value", required=True)
        yield self._text("52", merchant.category_code, "category_code")
        yield self._text("53", merchant.currency_number, "currency_number")
        yield self._text("54", merchant.amount, "amount")
        yield self._text("55", merchant.tip_or_fee, "tip_or_fee")
        yield self._text("56", merchant.fee_fixed, "fee_fixed")
        yield self._text("57", merchant.fee_percent, "fee_percent")
        yield self._text("58", merchant.country_code, "country_code")
        yield self._text("59", merchant.name, "name")
        yield self._text("60", merchant.city, "city")
        yield self._text("61", merchant.postal_code, "postal_code")
        yield self._additional(merchant.additional)
        if merchant.language is not None:
            yield self._language(merchant.language)
        for number, template in enumerate(merchant.unreserved):
            yield self._template(template, f"unreserved[{number}]", lowest=80, highest=99)

    def _additional(self, additional: AdditionalData) -> str:
        parts = [
            self._text(f"{number:02}", getattr(additional, name), f"additional.{name}", outer="62.")
            for number, name in enumerate(_ADDITIONAL_FIELDS, 1)
        ]
        for number, system in enumerate(additional.systems):
            name = f"additional.systems[{number}]"
            parts.append(self._template(system, name, lowest=50, highest=99, outer="62."))
        return self._text("62", "".join(parts), "additional")

    def _language(self, language: Language) -> str:
        parts = [
            self._text("00", language.language, "language.language", outer="64."),
            self._text("01", language.name, "language.name", outer="64."),
            self._text("02", language.city, "language.city", outer="64."),
        ]
        return self._text("64", "".join(parts), "language", required=True)

    def _template(
        self, template: Template, name: str, *, lowest: int, highest: int, outer: str = ""
    ) -> str:
        self._check_id(template.id, name, lowest=lowest, highest=highest)
        within = f"{outer}{template.id}."
        parts = [self._text("00", template.guid, f"{name}.guid", outer=within, required=True)]
        for number, (id_, value) in enumerate(template.data):
            field_name = f"{name}.data[{number}]"
            self._check_id(id_, field_name, lowest=1, highest=99)
            parts.append(self._text(id_, value, field_name, outer=within, required=True))
        return self._text(template.id, "".join(parts), name, outer=outer, required=True)

    def _text(
        self, id_: str, value: str, name: str, *, outer: str = "", required: bool = False
    ) -> str:
        # Known also when empty: what is missing is then told by its field's name.
        path = outer + id_
        if path in self.fields and (value or required):
            raise BuildError(name, "duplicate-id", PARSE_ERRORS["duplicate-id"])
        self.fields[path] = name
        if not value:
            if required:
                raise BuildError(name, "empty", "An object has at least one character.")
            return ""
        if len(value) > VALUE_LENGTH_MAX:
            raise BuildError(name, "length", f"An object has room for {VALUE_LENGTH_MAX}.")
        return write_object(id_, value)

    @staticmethod
    def _check_id(id_: str, name: str, *, lowest: int, highest: int) -> None:
        if id_ not in {f"{number:02}" for number in range(lowest, highest + 1)}:
            raise BuildError(name, "id", f"The id must be {lowest:02} to {highest:02}.")
