"""Statements about dead letters and their history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import insert, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from payment_svc.dead_letters import PAYMENT_SUBJECT, Letter, LetterAct, LetterState
from payment_svc.tables import dead_letter_records, dead_letters


class LetterFilter(NamedTuple):
    """Which letters to list."""

    state: str | None = None
    reason: str | None = None
    payment_id: str | None = None
    consumer: str | None = None


class FiledLetter(NamedTuple):
    """A row of dead_letters."""

    id: str
    reason: str
    payment_id: str | None
    subject: str
    payload: bytes
    attempts: int
    first_failure_time: datetime
    last_failure_time: datetime
    last_error: str
    consumer: str
    state: str
    file_time: datetime


class LetterRecord(NamedTuple):
    """A line of a letter's history."""

    act: str
    actor: str
    why: str
    time: datetime


_SETTLE = text("""
    UPDATE dead_letters SET state = 'SETTLED'
    FROM payments
    WHERE dead_letters.state = 'OPEN' AND dead_letters.subject = :subject
        AND payments.id = dead_letters.payment_id AND payments.status <> 'PENDING'
    RETURNING dead_letters.id
""")


async def file_letter(connection: AsyncConnection, letter: Letter, *, now: datetime) -> bool:
    """Store a letter, or open one again that has failed anew; answers whether anything changed.

    A letter that is brought twice -- redelivered, or noticed by the server as well -- is older than
    or the same as what is stored, and changes nothing.
    """
    statement = insert_or(dead_letters).values(
        **letter._asdict(), state=LetterState.OPEN, file_time=now
    )
    anew = statement.excluded
    result = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_={
                "reason": anew.reason,
                "payload": anew.payload,
                "attempts": dead_letters.c.attempts + anew.attempts,
                "last_failure_time": anew.last_failure_time,
                "last_error": anew.last_error,
                "consumer": anew.consumer,
                "state": LetterState.OPEN,
            },
            where=(
                (anew.last_failure_time > dead_letters.c.last_failure_time)
                & (dead_letters.c.state != LetterState.DISCARDED)
            ),
        ).returning(dead_letters.c.id)
    )
    return result.first() is not None


async def settle_letters(connection: AsyncConnection) -> list[str]:
    """Close open letters about payments that have become terminal; answers their ids."""
    return list((await connection.execute(_SETTLE, {"subject": PAYMENT_SUBJECT})).scalars())


async def lock_letter(connection: AsyncConnection, letter_id: str) -> FiledLetter | None:
    """A letter, locked until the end of the transaction."""
    row = (
        await connection.execute(
            select(dead_letters).where(dead_letters.c.id == letter_id).with_for_update()
        )
    ).first()
    return FiledLetter._make(row) if row else None


async def read_letter(connection: AsyncConnection, letter_id: str) -> FiledLetter | None:
    """A letter."""
    row = (
        await connection.execute(select(dead_letters).where(dead_letters.c.id == letter_id))
    ).first()
    return FiledLetter._make(row) if row else None


async def set_state(connection: AsyncConnection, letter_id: str, state: LetterState) -> None:
    """Change the state of a letter that is locked."""
    await connection.execute(
        dead_letters.update().where(dead_letters.c.id == letter_id).values(state=state)
    )


async def list_letters(
    connection: AsyncConnection,
    wanted: LetterFilter,
    *,
    before_id: str | None,
    count_max: int,
) -> list[FiledLetter]:
    """Letters, newest first, from after the one with ``before_id`` on."""
    statement = select(dead_letters)
    for name, value in wanted._asdict().items():
        if value is not None:
            statement = statement.where(dead_letters.c[name] == value)
    if before_id is not None:
        place = tuple_(dead_letters.c.file_time, dead_letters.c.id)
        before = dead_letters.alias("before")
        statement = statement.where(
            place
            < select(before.c.file_time, before.c.id)
            .where(before.c.id == before_id)
            .scalar_subquery()
        )
    result = await connection.execute(
        statement.order_by(dead_letters.c.file_time.desc(), dead_letters.c.id.desc()).limit(
            count_max
        )
    )
    return [FiledLetter._make(row) for row in result]


async def count_open(connection: AsyncConnection) -> tuple[int, float]:
    """How many letters are open, and the age of the oldest in seconds."""
    row = (
        await connection.execute(
            text("""
                SELECT count(*), coalesce(extract(epoch FROM now() - min(file_time)), 0)
                FROM dead_letters WHERE state = 'OPEN'
            """)
        )
    ).one()
    return int(row[0]), float(row[1])


async def record(
    connection: AsyncConnection,
    letter_ids: Sequence[str],
    act: LetterAct,
    *,
    actor: str,
    why: str,
    now: datetime,
) -> None:
    """Add a line to the history of letters."""
    if letter_ids:
        lines: list[dict[str, Any]] = [
            {"dead_letter_id": letter_id, "act": act, "actor": actor, "why": why, "time": now}
            for letter_id in letter_ids
        ]
        await connection.execute(insert(dead_letter_records), lines)


async def list_records(
    connection: AsyncConnection, letter_id: str, *, count_max: int
) -> list[LetterRecord]:
    """The newest lines of a letter's history, oldest first."""
    columns = dead_letter_records.c
    result = await connection.execute(
        select(columns.act, columns.actor, columns.why, columns.time)
        .where(columns.dead_letter_id == letter_id)
        .order_by(columns.number.desc())
        .limit(count_max)
    )
    return [LetterRecord._make(row) for row in result][::-1]
