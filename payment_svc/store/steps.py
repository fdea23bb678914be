"""Statements about the steps of single payments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from payment_svc.store.dead_letters import LetterRecord
from payment_svc.tables import dead_letter_records, dead_letters, payment_steps


class RecordedStep(NamedTuple):
    """A row of payment_steps: what happened to a payment out of the ordinary."""

    payment_id: str
    kind: str
    attempt: int
    """0 for what is no try."""
    queue_time: datetime | None
    start_time: datetime
    end_time: datetime
    reason: str


async def record_steps(connection: AsyncConnection, steps: Sequence[RecordedStep]) -> None:
    """Note steps; no more than one batch has."""
    await connection.execute(insert(payment_steps), [step._asdict() for step in steps])


async def list_steps(
    connection: AsyncConnection, payment_id: str, *, count_max: int
) -> list[RecordedStep]:
    """The newest of a payment's recorded steps, oldest first."""
    columns = payment_steps.c
    result = await connection.execute(
        select(*(columns[name] for name in RecordedStep._fields))
        .where(columns.payment_id == payment_id)
        .order_by(columns.number.desc())
        .limit(count_max)
    )
    return [RecordedStep._make(row) for row in result][::-1]


class LetterStep(NamedTuple):
    """A line of the history of a payment's dead letter."""

    record: LetterRecord
    reason: str
    consumer: str


async def list_letter_steps(
    connection: AsyncConnection, payment_id: str, *, count_max: int
) -> list[LetterStep]:
    """The newest lines about a payment's dead letter, oldest first."""
    records, letters = dead_letter_records.c, dead_letters.c
    result = await connection.execute(
        select(
            records.act, records.actor, records.why, records.time, letters.reason, letters.consumer
        )
        .join(dead_letters, letters.id == records.dead_letter_id)
        .where(letters.payment_id == payment_id)
        .order_by(records.number.desc())
        .limit(count_max)
    )
    found = [
        LetterStep(LetterRecord(row.act, row.actor, row.why, row.time), row.reason, row.consumer)
        for row in result
    ]
    return found[::-1]
