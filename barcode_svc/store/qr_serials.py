"""Statements about printed codes: which issue of a shop's code is the current one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from barcode_svc.model import FIRST_SERIAL, Merchant, Place
from barcode_svc.store.merchants import select_columns, to_merchant
from barcode_svc.tables import MERCHANTS, QR_SERIALS


async def select_places(
    connection: AsyncConnection, places: Collection[Place]
) -> dict[Place, tuple[Merchant, int]]:
    """Those of the places whose merchant exists, with the serial of their current static code, in
    one query."""
    current = and_(
        QR_SERIALS.c.merchant_id == MERCHANTS.c.id,
        tuple_(QR_SERIALS.c.merchant_id, QR_SERIALS.c.store_id).in_([*places]),
    )
    statement = (
        select_columns({place.merchant_id for place in places})
        .add_columns(QR_SERIALS.c.store_id, QR_SERIALS.c.serial)
        .select_from(MERCHANTS.outerjoin(QR_SERIALS, current))
    )
    merchants: dict[str, Merchant] = {}
    serials: dict[Place, int] = {}
    for row in (await connection.execute(statement)).mappings():
        values = dict(row)
        store_id, serial = values.pop("store_id"), values.pop("serial")
        merchants[row["id"]] = to_merchant(values)
        if serial is not None:
            serials[Place(row["id"], store_id)] = serial
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
