"""Every SQL statement of the service. Functions take the caller's connection."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from barcode_svc.model import FIRST_SERIAL, Merchant, Place
from barcode_svc.tables import MERCHANTS, QR_SERIALS

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


async def select_places(
    connection: AsyncConnection, places: Collection[Place]
) -> dict[Place, tuple[Merchant, int]]:
    """Those of the places whose merchant exists, with the serial of their current static code, in
    one query."""
    ids = {place.merchant_id for place in places}
    current = and_(
        QR_SERIALS.c.merchant_id == MERCHANTS.c.id,
        tuple_(QR_SERIALS.c.merchant_id, QR_SERIALS.c.store_id).in_([*places]),
    )
    statement = (
        select(*_MERCHANT_COLUMNS, QR_SERIALS.c.store_id, QR_SERIALS.c.serial)
        .select_from(MERCHANTS.outerjoin(QR_SERIALS, current))
        .where(MERCHANTS.c.id.in_(ids))
    )
    merchants: dict[str, Merchant] = {}
    serials: dict[Place, int] = {}
    for *columns, store_id, serial in await connection.execute(statement):
        names = (column.name for column in _MERCHANT_COLUMNS)
        merchant = Merchant(**dict(zip(names, columns, strict=True)))
        merchants[merchant.id] = merchant
        if serial is not None:
            serials[Place(merchant.id, store_id)] = serial
    return {
        place: (merchants[place.merchant_id], serials.get(place, FIRST_SERIAL))
        for place in places
        if place.merchant_id in merchants
    }


async def lock_serial(connection: AsyncConnection, place: Place, *, now: datetime) -> int:
    """The serial of a place's current static code, which nobody else changes until the commit. Its
    merchant exists."""
    await connection.execute(
        insert(QR_SERIALS)
        .values(**place._asdict(), serial=FIRST_SERIAL, update_time=now)
        .on_conflict_do_nothing(constraint="pk_qr_serials")
    )
    statement = select(QR_SERIALS.c.serial).where(*_at(place)).with_for_update()
    serial: int = (await connection.execute(statement)).scalar_one()
    return serial


async def update_serial(
    connection: AsyncConnection, place: Place, *, serial: int, now: datetime
) -> None:
    """Make this serial the current one. The caller has locked it."""
    await connection.execute(
        update(QR_SERIALS).where(*_at(place)).values(serial=serial, update_time=now)
    )


def _at(place: Place) -> tuple[ColumnElement[bool], ...]:
    return (
        QR_SERIALS.c.merchant_id == place.merchant_id,
        QR_SERIALS.c.store_id == place.store_id,
    )
