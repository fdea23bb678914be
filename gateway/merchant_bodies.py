"""Request bodies about merchants, their stores and their terminals."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from gateway.bodies import DIGITS, PLAIN_TEXT, PRINTABLE_ASCII, Body, CurrencyCode

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=25,
        pattern=PRINTABLE_ASCII,
        description="Shown to customers (EMVCo MPM, object 59).",
        examples=["Cafe Luna"],
        extra={"rule": "must be 1 to 25 characters of printable ASCII, no spaces at the ends"},
    ),
]
City = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=15,
        pattern=PRINTABLE_ASCII,
        description="Shown to customers (EMVCo MPM, object 60).",
        examples=["Lisbon"],
        extra={"rule": "must be 1 to 15 characters of printable ASCII, no spaces at the ends"},
    ),
]
CategoryCode = Annotated[
    str,
    Meta(
        min_length=4,
        max_length=4,
        pattern=DIGITS,
        description="Merchant category code (ISO 18245).",
        examples=["5814"],
        extra={"rule": "must be a merchant category code of ISO 18245, four digits"},
    ),
]
CountryCode = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=2,
        pattern=PRINTABLE_ASCII,
        description="ISO 3166-1 alpha-2.",
        examples=["PT"],
        extra={"rule": "must be a country code of ISO 3166-1, two capital letters"},
    ),
]
LanguageCode = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=2,
        pattern=PRINTABLE_ASCII,
        description="ISO 639-1.",
        examples=["ja"],
        extra={"rule": "must be a language code of ISO 639-1, two small letters"},
    ),
]
LocalText = Annotated[
    str,
    Meta(
        max_length=100,  # decomposed, as some keyboards send it; 25 and 15 are counted composed
        pattern=PLAIN_TEXT,
        examples=["月のカフェ"],
        extra={"rule": "must be a printable text"},
    ),
]
MerchantIdentity = Annotated[
    str,
    Meta(
        min_length=5,
        max_length=64,
        pattern=PRINTABLE_ASCII,
        description="The merchant's user id. A merchant registers itself and may leave it out.",
        examples=["mer_01JD3Q7A1B3C5D7F9G2H4J6K8M"],
        extra={"rule": 'must be "mer_..."'},
    ),
]
PlaceName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=25,
        pattern=PRINTABLE_ASCII,
        description="Printed in codes (EMVCo MPM, objects 62-03 and 62-07).",
        examples=["Harbour"],
        extra={"rule": "must be 1 to 25 characters of printable ASCII, no spaces at the ends"},
    ),
]
StoreId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=PRINTABLE_ASCII,
        examples=["sto_01JD3Q9V7N8R4T2W6X0YZABCDE"],
        extra={"rule": "must be the id of a store"},
    ),
]


class LocalNameBody(Body, frozen=True, kw_only=True):
    """What a merchant is called in the local language (EMVCo MPM, object 64): the name has at most
    25 characters, the city 15, both composed (NFC)."""

    language: LanguageCode
    name: LocalText
    city: LocalText | None = None


class LocalNamePatch(Body, frozen=True, kw_only=True):
    """Changes to the local name; ``city`` null removes it."""

    language: LanguageCode | UnsetType = UNSET
    name: LocalText | UnsetType = UNSET
    city: LocalText | UnsetType | None = UNSET


class RegisterMerchantBody(Body, frozen=True, kw_only=True):
    """A merchant to register."""

    id: MerchantIdentity | None = None
    name: Name
    city: City
    mcc: CategoryCode
    country: CountryCode
    currency: CurrencyCode
    local: LocalNameBody | None = None


class MerchantPatch(Body, frozen=True, kw_only=True):
    """Changes to a merchant (RFC 7396): what is left out stays, ``local`` null removes it. The
    currency cannot be changed: printed codes carry it."""

    name: Name | UnsetType = UNSET
    city: City | UnsetType = UNSET
    mcc: CategoryCode | UnsetType = UNSET
    country: CountryCode | UnsetType = UNSET
    local: LocalNamePatch | UnsetType | None = UNSET


class StoreBody(Body, frozen=True, kw_only=True):
    """A store to add."""

    name: PlaceName


class TerminalBody(Body, frozen=True, kw_only=True):
    """A terminal to add."""

    store: StoreId
    name: PlaceName


class PlacePatch(Body, frozen=True, kw_only=True):
    """Changes to a store or a terminal (RFC 7396)."""

    name: PlaceName
