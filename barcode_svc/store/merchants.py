"""Statements about merchants."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from barcode_svc.model import LocalName, Merchant
from barcode_svc.tables import LOGOS, MERCHANTS

_COLUMNS = [
    MERCHANTS.c.id,
    MERCHANTS.c.name,
    MERCHANTS.c.city,
    MERCHANTS.c.category_code,
    MERCHANTS.c.country_code,
    MERCHANTS.c.currency_code,
    MERCHANTS.c.language_code,
    MERCHANTS.c.local_name,
    MERCHANTS.c.local_city,
    MERCHANTS.c.version,
    MERCHANTS.c.close_time.is_not(None).label("closed"),
    func.coalesce(MERCHANTS.c.logo_sha256, "").label("logo_sha256"),
    MERCHANTS.c.pilot,
]


async def insert_merchant(
    connection: AsyncConnection, merchant: Merchant, *, create_time: datetime
) -> bool:
    """Store a merchant. False, and nothing stored, if its id is taken (``pk_merchants``)."""
    statement = (
        insert(MERCHANTS)
        .values(
            id=merchant.id,
            currency_code=merchant.currency_code,
            create_time=create_time,
            **_editable(merchant),
        )
        # Not an error to catch: a violation would end the transaction, and the caller reads on.
        .on_conflict_do_nothing(constraint="pk_merchants")
        .returning(MERCHANTS.c.id)
    )
    return (await connection.execute(statement)).first() is not None


async def select_merchants(
    connection: AsyncConnection, merchant_ids: Collection[str]
) -> dict[str, Merchant]:
    """Those of the merchants that exist, by id, in one query."""
    rows = (await connection.execute(select_columns(merchant_ids))).mappings()
    return {row["id"]: to_merchant(row) for row in rows}


async def lock_merchant(connection: AsyncConnection, merchant_id: str) -> Merchant | None:
    """A merchant, locked until the end of the transaction: whoever changes it or adds a place
    comes one after the other."""
    statement = select_columns([merchant_id]).with_for_update()
    row = (await connection.execute(statement)).mappings().first()
    return to_merchant(row) if row else None


async def update_merchant(
    connection: AsyncConnection, merchant: Merchant, *, closed_at: datetime | None = None
) -> None:
    """Store what a locked merchant became, ``closed_at`` if it was closed now."""
    values: dict[str, Any] = {
        **_editable(merchant),
        "version": merchant.version,
        "logo_sha256": merchant.logo_sha256 or None,
        "pilot": merchant.pilot,
    }
    if closed_at is not None:
        values["close_time"] = closed_at
    await connection.execute(MERCHANTS.update().where(MERCHANTS.c.id == merchant.id).values(values))


async def select_pilots(connection: AsyncConnection, *, count_max: int) -> list[str]:
    """The ids of open merchants that are pilots, in their order."""
    statement = (
        select(MERCHANTS.c.id)
        .where(MERCHANTS.c.pilot, MERCHANTS.c.close_time.is_(None))
        .order_by(MERCHANTS.c.id)
        .limit(count_max)
    )
    return list((await connection.execute(statement)).scalars())


async def insert_logo(
    connection: AsyncConnection, merchant_id: str, sha256: str, *, create_time: datetime
) -> None:
    """Remember that a merchant has or had this logo."""
    await connection.execute(
        insert(LOGOS)
        .values(merchant_id=merchant_id, sha256=sha256, create_time=create_time)
        .on_conflict_do_nothing(constraint="pk_logos")
    )


async def has_logo(connection: AsyncConnection, merchant_id: str, sha256: str) -> bool:
    """Whether a merchant has or had this logo."""
    statement = select(LOGOS.c.sha256).where(
        LOGOS.c.merchant_id == merchant_id, LOGOS.c.sha256 == sha256
    )
    return (await connection.execute(statement)).first() is not None


def select_columns(merchant_ids: Collection[str]) -> Select[Any]:
    """The statement that reads merchants; ``to_merchant`` takes its rows."""
    return select(*_COLUMNS).where(MERCHANTS.c.id.in_(merchant_ids))


def _editable(merchant: Merchant) -> dict[str, str | None]:
    local = merchant.local
    return {
        "name": merchant.name,
        "city": merchant.city,
        "category_code": merchant.category_code,
        "country_code": merchant.country_code,
        "language_code": local.language_code if local else None,
        "local_name": local.name if local else None,
        "local_city": (local.city or None) if local else None,
    }


def to_merchant(row: Mapping[str, Any]) -> Merchant:
    """A row of ``select_columns``."""
    values = dict(row)
    language_code, name, city = (
        values.pop(column) for column in ("language_code", "local_name", "local_city")
    )
    local = LocalName(language_code=language_code, name=name, city=city or "") if name else None
    return Merchant(**values, local=local)
