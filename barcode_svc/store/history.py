"""Statements about what was done: which request made what, and who changed what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from barcode_svc.merchant_model import Change
from barcode_svc.tables import CREATIONS, MERCHANT_CHANGES


class Creation(NamedTuple):
    """A request that made something."""

    actor: str
    request_id: str
    fingerprint: bytes
    subject_id: str


class StoredChange(NamedTuple):
    """A line of a merchant's history."""

    number: int
    change_time: datetime
    actor: str
    act: str
    subject_id: str
    fields: dict[str, str]


async def claim(
    connection: AsyncConnection, creation: Creation, *, create_time: datetime
) -> Creation | None:
    """Take a request id. None if it is ours now; otherwise what it was used for before.

    Waits for a transaction that has taken it and not ended yet.
    """
    statement = (
        insert_or(CREATIONS)
        .values(**creation._asdict(), create_time=create_time)
        .on_conflict_do_nothing(constraint="pk_creations")
        .returning(CREATIONS.c.actor)
    )
    if (await connection.execute(statement)).first() is not None:
        return None
    columns = (CREATIONS.c[field] for field in Creation._fields)
    row = await connection.execute(
        select(*columns).where(
            CREATIONS.c.actor == creation.actor, CREATIONS.c.request_id == creation.request_id
        )
    )
    return Creation._make(row.one())


async def insert_change(
    connection: AsyncConnection, change: Change, *, change_time: datetime
) -> None:
    """Write the next line of a merchant's history. The merchant is locked."""
    mine = MERCHANT_CHANGES.c.merchant_id == change.merchant_id
    last_number = func.coalesce(func.max(MERCHANT_CHANGES.c.number), 0)
    await connection.execute(
        insert(MERCHANT_CHANGES).values(
            number=select(last_number + 1).where(mine).scalar_subquery(),
            merchant_id=change.merchant_id,
            change_time=change_time,
            actor=change.actor,
            act=change.act,
            subject_id=change.subject_id,
            fields=dict(change.fields),
        )
    )


async def select_changes(
    connection: AsyncConnection, merchant_id: str, *, before_number: int, count_max: int
) -> Sequence[StoredChange]:
    """Lines of a merchant's history before a number (0: from the end), newest first."""
    columns = (MERCHANT_CHANGES.c[field] for field in StoredChange._fields)
    statement = select(*columns).where(MERCHANT_CHANGES.c.merchant_id == merchant_id)
    if before_number:
        statement = statement.where(MERCHANT_CHANGES.c.number < before_number)
    rows = await connection.execute(
        statement.order_by(MERCHANT_CHANGES.c.number.desc()).limit(count_max)
    )
    return [StoredChange._make(row) for row in rows]
