"""Statements about stores and terminals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, insert, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from barcode_svc.merchant_model import PREFIXES, Place, PlaceKind
from barcode_svc.tables import PLACES

_COLUMNS = [
    PLACES.c.id,
    PLACES.c.merchant_id,
    func.coalesce(PLACES.c.store_id, "").label("store_id"),
    PLACES.c.name,
    PLACES.c.version,
    PLACES.c.close_time.is_not(None).label("closed"),
]


async def insert_place(connection: AsyncConnection, place: Place, *, create_time: datetime) -> None:
    """Store a new place. Its merchant is locked."""
    await connection.execute(
        insert(PLACES).values(
            id=place.id,
            merchant_id=place.merchant_id,
            store_id=place.store_id or None,
            name=place.name,
            create_time=create_time,
        )
    )


async def count_places(connection: AsyncConnection, merchant_id: str, kind: PlaceKind) -> int:
    """How many places of a kind a merchant has, closed ones included."""
    statement = select(func.count()).select_from(PLACES).where(*_of(merchant_id, kind))
    return int((await connection.execute(statement)).scalar_one())


async def select_places(
    connection: AsyncConnection,
    merchant_id: str,
    kind: PlaceKind,
    *,
    store_id: str,
    after_id: str,
    count_max: int,
) -> Sequence[Place]:
    """Places of a kind after an id (empty: from the start), in order of their ids, which is that
    of their making; of one store if it is named."""
    statement = _select().where(*_of(merchant_id, kind))
    if after_id:
        statement = statement.where(PLACES.c.id > after_id)
    if store_id:
        statement = statement.where(PLACES.c.store_id == store_id)
    rows = await connection.execute(statement.order_by(PLACES.c.id).limit(count_max))
    return [_place(row) for row in rows.mappings()]


async def read_place(connection: AsyncConnection, merchant_id: str, place_id: str) -> Place | None:
    """A merchant's place."""
    row = (await connection.execute(_select_one(merchant_id, place_id))).mappings().first()
    return _place(row) if row else None


async def rename_place(connection: AsyncConnection, place: Place) -> None:
    """Store the name and the version that a place got. Its merchant is locked."""
    await connection.execute(
        PLACES.update()
        .where(PLACES.c.id == place.id)
        .values(name=place.name, version=place.version)
    )


async def close_places(
    connection: AsyncConnection, place: Place, *, close_time: datetime
) -> list[str]:
    """Close a place, and the terminals in it; answers the ids of all that were open.

    Their merchant is locked.
    """
    statement = (
        PLACES.update()
        .where(
            (PLACES.c.id == place.id) | (PLACES.c.store_id == place.id),
            PLACES.c.merchant_id == place.merchant_id,
            PLACES.c.close_time.is_(None),
        )
        .values(close_time=close_time, version=PLACES.c.version + 1)
        .returning(PLACES.c.id)
    )
    return sorted((await connection.execute(statement)).scalars())


def _select() -> Select[Any]:
    return select(*_COLUMNS)


def _select_one(merchant_id: str, place_id: str) -> Select[Any]:
    return _select().where(PLACES.c.merchant_id == merchant_id, PLACES.c.id == place_id)


def _of(merchant_id: str, kind: PlaceKind) -> tuple[Any, ...]:
    # A stretch of ix_places_merchant: the character after "_" ends it.
    prefix = PREFIXES[kind]
    return (
        PLACES.c.merchant_id == merchant_id,
        PLACES.c.id > f"{prefix}_",
        PLACES.c.id < f"{prefix}`",
    )


def _place(row: RowMapping) -> Place:
    return Place(**row)
