"""Response bodies about merchants, for the merchants themselves and for operators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from gateway.answers import Answer, Merchant, MerchantId
from qrpay.barcode.v1 import merchant_pb2

StatusName = Annotated[
    Literal["open", "closed"], Meta(description="A closed one cannot be paid or changed.")
]
Version = Annotated[
    int, Meta(description="Counts the changes; in quotes it is the ETag.", examples=[3])
]


class LocalName(Answer, frozen=True, kw_only=True):
    """What a merchant is called in the local language."""

    language: Annotated[str, Meta(examples=["ja"])]
    name: Annotated[str, Meta(examples=["月のカフェ"])]
    city: str | UnsetType = UNSET


class MerchantRecord(Merchant, frozen=True, kw_only=True):
    """A merchant, for itself and for operators."""

    country: Annotated[str, Meta(description="ISO 3166-1 alpha-2.", examples=["PT"])]
    local: LocalName | None
    status: StatusName
    version: Version
    logo: Annotated[
        str | None,
        Meta(
            description="Where the logo is, for ever; add `?w=` for a size. Null: it has none.",
            examples=["/merchants/mer_01JD3Q7A1B3C5D7F9G2H4J6K8M/logo/9f86d0..."],
        ),
    ]


class MerchantChange(Answer, frozen=True, kw_only=True):
    """Something that was done to a merchant."""

    number: Annotated[int, Meta(description="1, 2, 3 ... without gaps for each merchant.")]
    at: Annotated[datetime, Meta(tz=True)]
    by: Annotated[str, Meta(description="The user who did it.")]
    act: Annotated[
        str,
        Meta(
            description="merchant.registered, merchant.updated, merchant.closed, store.added, "
            "store.renamed, store.closed, terminal.added, terminal.renamed, terminal.closed or "
            "logo.changed; more may come."
        ),
    ]
    subject: Annotated[str, Meta(description="The merchant, store or terminal.")]
    fields: Annotated[dict[str, str], Meta(description="Field -> what it became.")]


class MerchantChanges(Answer, frozen=True, kw_only=True):
    """A page of a merchant's history, newest first. ``next_cursor`` is null on the last page."""

    items: list[MerchantChange]
    next_cursor: str | None


class Store(Answer, frozen=True, kw_only=True):
    """A store of a merchant."""

    id: Annotated[str, Meta(examples=["sto_01JD3Q9V7N8R4T2W6X0YZABCDE"])]
    merchant: MerchantId
    name: Annotated[str, Meta(examples=["Harbour"])]
    status: StatusName
    version: Version


class Terminal(Store, frozen=True, kw_only=True):
    """A till in a store."""

    store: Annotated[str, Meta(examples=["sto_01JD3Q9V7N8R4T2W6X0YZABCDE"])]


class Stores(Answer, frozen=True, kw_only=True):
    """A page of stores, oldest first. ``next_cursor`` is null on the last page."""

    items: list[Store]
    next_cursor: str | None


class Terminals(Answer, frozen=True, kw_only=True):
    """A page of terminals, oldest first. ``next_cursor`` is null on the last page."""

    items: list[Terminal]
    next_cursor: str | None


def record_answer(merchant: merchant_pb2.Merchant) -> MerchantRecord:
    """A merchant with everything."""
    local = None
    if merchant.HasField("local"):
        local = LocalName(
            language=merchant.local.language_code,
            name=merchant.local.name,
            city=merchant.local.city or UNSET,
        )
    return MerchantRecord(
        id=merchant.id,
        name=merchant.name,
        city=merchant.city,
        mcc=merchant.category_code,
        currency=merchant.currency_code,
        country=merchant.country_code,
        local=local,
        status="closed" if merchant.closed else "open",
        version=merchant.version,
        logo=logo_address(merchant.id, merchant.logo_sha256) if merchant.logo_sha256 else None,
    )


def place_answer(place: merchant_pb2.Place) -> Store:
    """A store or a terminal."""
    status: Literal["open", "closed"] = "closed" if place.closed else "open"
    if not place.store_id:
        return Store(
            id=place.id,
            merchant=place.merchant_id,
            name=place.name,
            status=status,
            version=place.version,
        )
    return Terminal(
        id=place.id,
        merchant=place.merchant_id,
        name=place.name,
        status=status,
        version=place.version,
        store=place.store_id,
    )


def logo_address(merchant_id: str, sha256: str) -> str:
    """Where one logo is, for ever."""
    return f"/merchants/{merchant_id}/logo/{sha256}"
