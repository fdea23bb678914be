"""What a merchant, a store or a terminal may be called, and what becomes of them. Pure: no I/O."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from barcode_svc import code_lists, model
from barcode_svc.emvco.rules import CITY_LENGTH_MAX, NAME_LENGTH_MAX
from barcode_svc.errors import (
    MerchantClosed,
    StoreClosed,
    StoreNotFound,
    TerminalClosed,
    TerminalNotFound,
    VersionMismatch,
)
from barcode_svc.model import LocalName, Merchant
from chassis.errors import FieldViolation, InvalidArgument
from chassis.money import CURRENCIES

REQUEST_ID_LENGTH_MAX = 255
PLACE_NAME_LENGTH_MAX = 25
"""Of a store (EMVCo MPM, object 62-03) and of a terminal (62-07)."""
UPDATABLE = frozenset(
    {
        *("name", "city", "category_code", "country_code"),
        *("local", "local.language_code", "local.name", "local.city"),
    }
)
"""The fields that an update may name. The currency is not among them: printed codes carry it, and
whoever pays one must not pay 100 yen for 100 dinar."""

_ACTOR_FORM = re.compile(r"[!-~]{1,64}")
_PLACE_ID_FORM = re.compile(r"(?:sto|trm)_[0-9A-Z]{26}")
# What shows nothing, breaks a line, turns the direction of the text around it (Unicode Technical
# Report 36, section 2.5), or is no character at all.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Of those, what the scripts of Persian and of India spell with: joiners between letters.
_JOINERS = "\u200c\u200d"

PlaceKind = Literal["store", "terminal"]
PREFIXES: Mapping[PlaceKind, str] = {"store": "sto", "terminal": "trm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A store, or a terminal in one."""

    id: str
    merchant_id: str
    store_id: str
    """Empty for a store."""
    name: str
    version: int = 1
    closed: bool = False

    @property
    def kind(self) -> PlaceKind:
        """What kind of place it is."""
        return "terminal" if self.store_id else "store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is written to a merchant's history."""

    merchant_id: str
    actor: str
    act: str
    subject_id: str
    fields: Mapping[str, str]
    """Field -> what it became."""


def check_person(actor: str, request_id: str | None = None) -> None:
    """Raise ``InvalidArgument`` if nobody is named, or the attempt has no name of its own."""
    broken = []
    if not _ACTOR_FORM.fullmatch(actor):
        broken.append(FieldViolation("actor", "must be 1 to 64 visible ASCII characters"))
    if request_id is not None and not (
        1 <= len(request_id) <= REQUEST_ID_LENGTH_MAX and request_id.isprintable()
    ):
        rule = f"must be 1 to {REQUEST_ID_LENGTH_MAX} printable characters"
        broken.append(FieldViolation("request_id", rule))
    if broken:
        raise InvalidArgument(broken)


def check_merchant(merchant: Merchant) -> None:
    """Raise ``InvalidArgument`` with every field that breaks a rule."""
    rules: list[tuple[str, object, str]] = [
        ("id", model.is_merchant_id(merchant.id), 'must be "mer_" and up to 60 letters or digits'),
        ("name", model.is_label(merchant.name, NAME_LENGTH_MAX), model.label_rule(25)),
        ("city", model.is_label(merchant.city, CITY_LENGTH_MAX), model.label_rule(15)),
        (
            "category_code",
            merchant.category_code in code_lists.category_codes(),
            "must be a merchant category code of ISO 18245",
        ),
        (
            "country_code",
            merchant.country_code in code_lists.country_codes(),
            "must be a country code of ISO 3166-1, two capital letters",
        ),
        (
            "currency_code",
            merchant.currency_code in CURRENCIES,
            "must be a currency code of ISO 4217 that we know",
        ),
    ]
    if merchant.local is not None:
        rules += _local_rules(merchant.local)
    broken = [FieldViolation(f"merchant.{field}", rule) for field, kept, rule in rules if not kept]
    if broken:
        raise InvalidArgument(broken)


def _local_rules(local: LocalName) -> list[tuple[str, object, str]]:
    return [
        (
            "local.language_code",
            local.language_code in code_lists.language_codes(),
            "must be a language code of ISO 639-1, two small letters",
        ),
        ("local.name", _is_local(local.name, NAME_LENGTH_MAX), _local_rule(25)),
        (
            "local.city",
            not local.city or _is_local(local.city, CITY_LENGTH_MAX),
            _local_rule(15),
        ),
    ]


def check_place_name(name: str) -> None:
    """Raise ``InvalidArgument`` if a code could not carry this label."""
    if not model.is_label(name, PLACE_NAME_LENGTH_MAX):
        raise InvalidArgument([("name", model.label_rule(PLACE_NAME_LENGTH_MAX))])


def is_place_id(text: str) -> bool:
    """Whether a store or a terminal could have this id."""
    return _PLACE_ID_FORM.fullmatch(text) is not None


def normalized(merchant: Merchant) -> Merchant:
    """The merchant with its local name composed (NFC): lengths are counted in such characters."""
    if merchant.local is None:
        return merchant
    local = replace(
        merchant.local,
        name=unicodedata.normalize("NFC", merchant.local.name),
        city=unicodedata.normalize("NFC", merchant.local.city),
    )
    return replace(merchant, local=local)


def same_content(one: Merchant, other: Merchant) -> bool:
    """Whether the two say the same, whatever has been counted or drawn meanwhile."""
    return content_of(one) == content_of(other)


def content_of(merchant: Merchant) -> dict[str, str]:
    """What people write about a merchant, field by field; an empty field is left out."""
    local = merchant.local
    content = {
        "name": merchant.name,
        "city": merchant.city,
        "category_code": merchant.category_code,
        "country_code": merchant.country_code,
        "currency_code": merchant.currency_code,
        "local.language_code": local.language_code if local else "",
        "local.name": local.name if local else "",
        "local.city": local.city if local else "",
    }
    return {field: text for field, text in content.items() if text}


def changed_fields(before: Merchant, after: Merchant) -> dict[str, str]:
    """Field -> what it became; an empty text if it was removed."""
    old, new = content_of(before), content_of(after)
    return {
        field: new.get(field, "")
        for field in sorted(old.keys() | new.keys())
        if old.get(field) != new.get(field)
    }


def updated(known: Merchant, wanted: Merchant, *, fields: Collection[str]) -> Merchant:
    """``known`` with the named fields of ``wanted``. An empty local name is none.

    Raises ``InvalidArgument`` for a field that cannot be changed, or for what it would become.
    """
    unknown = sorted(set(fields) - UPDATABLE)
    if unknown or not fields:
        rule = "must name one or more of " + ", ".join(sorted(UPDATABLE))
        raise InvalidArgument([("update_mask", rule)])
    changes = {field: getattr(wanted, field) for field in fields if not field.startswith("local")}
    local = wanted.local if "local" in fields else known.local
    for field in fields:
        if field.startswith("local."):
            part = field.removeprefix("local.")
            value = getattr(wanted.local, part) if wanted.local else ""
            local = replace(local or LocalName(language_code="", name="", city=""), **{part: value})
    if local == LocalName(language_code="", name="", city=""):
        local = None
    after = normalized(replace(known, **changes, local=local))
    check_merchant(after)
    return after


def check_editable(known: Merchant | Place, *, version: int) -> None:
    """Raise ``VersionMismatch`` if the change was made for another version than the one that is
    there (0 means whatever is there); ``MerchantClosed``, ``StoreClosed``, ``TerminalClosed``."""
    if known.closed:
        raise _closed(known)
    if version not in (0, known.version):
        raise VersionMismatch


def missing(place_id: str) -> StoreNotFound | TerminalNotFound:
    """What to say if there is no such place."""
    return TerminalNotFound() if place_id.startswith("trm_") else StoreNotFound()


def _closed(known: Merchant | Place) -> MerchantClosed | StoreClosed | TerminalClosed:
    if isinstance(known, Merchant):
        return MerchantClosed()
    return StoreClosed() if known.kind == "store" else TerminalClosed()


def fingerprint(*content: object) -> bytes:
    """32 bytes that are equal for requests with equal content."""
    return hashlib.sha256(msgspec.json.encode(content)).digest()


def _is_local(text: str, length_max: int) -> bool:
    return (
        1 <= len(text) <= length_max
        and text == text.strip().strip(_JOINERS)
        and not any(
            unicodedata.category(character) in _REFUSED_CATEGORIES
            for character in text
            if character not in _JOINERS
        )
    )


def _local_rule(length_max: int) -> str:
    return f"must be at most {length_max} printable characters, without spaces at the ends"
