"""Every SQL statement of the service. Functions take the caller's connection."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from barcode_svc.model import Merchant
from barcode_svc.tables import MERCHANTS

_MERCHANT_COLUMNS = [
    MERCHANTS.c.id,
    MERCHANTS.c.name,
    MERCHANTS.c.city,
    MERCHANTS.c.category_code,
    MERCHANTS.c.country_code,
    MERCHANTS.c.currency_code,
]


async def insert_merchant(
    connection: AsyncConnection, merchant: Merchant, *, create_time: datetime
) -> bool:
    """Store a merchant. False, and nothing stored, if its id is taken (``pk_merchants``)."""
    statement = (
        insert(MERCHANTS)
        .values(
            id=merchant.id,
            name=merchant.name,
            city=merchant.city,
            category_code=merchant.category_code,
            country_code=merchant.country_code,
            currency_code=merchant.currency_code,
            create_time=create_time,
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
    statement = select(*_MERCHANT_COLUMNS).where(MERCHANTS.c.id.in_(merchant_ids))
    rows = (await connection.execute(statement)).mappings()
    return {row["id"]: Merchant(**row) for row in rows}
