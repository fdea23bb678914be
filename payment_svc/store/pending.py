"""Statements about what is PENDING: what the sweeper takes, what it leaves alone, and for how long.

Sweep times are the database's own: processes whose clocks differ by minutes agree on them. What
waits for a person has a sweep time in the year 9999.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import number_array, text_array
from payment_svc.model import StoredPayment
from payment_svc.store.payments import stored
from payment_svc.tables import payments

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When the sweeper looks at a payment that is a dead letter."""

_TAKE_OVERDUE = text("""
    WITH taken AS (
        UPDATE pending_payments
        SET sweep_time = now() + make_interval(secs => :again_after_seconds)
        WHERE payment_id IN (
            SELECT payment_id FROM pending_payments
            WHERE sweep_time <= now()
            ORDER BY sweep_time
            LIMIT :count_max
            -- Another sweeper's catch is not ours.
            FOR UPDATE SKIP LOCKED
        )
        RETURNING payment_id
    ), noted AS (
        INSERT INTO payment_steps (payment_id, kind, attempt, start_time, end_time, reason)
        SELECT payment_id, 'SWEPT', 0, now(), now(), '' FROM taken
    )
    SELECT payments.* FROM taken JOIN payments ON payments.id = taken.payment_id
    WHERE payments.status = 'PENDING'
""").columns(*payments.columns)

# Asked of the payments themselves, in the order in which those who end them lock them: whoever is
# PENDING and not on the list, because somebody changed a row by hand, is on it again.
_TAKE_PENDING = text("""
    WITH wanted AS (
        SELECT id FROM payments
        WHERE id = any(CAST(:payment_ids AS text[])) AND status = 'PENDING'
        ORDER BY id
        FOR NO KEY UPDATE
    ), taken AS (
        INSERT INTO pending_payments (payment_id, sweep_time)
        SELECT id, now() + make_interval(secs => :sweep_after_seconds) FROM wanted
        ON CONFLICT (payment_id) DO UPDATE SET sweep_time = excluded.sweep_time
        WHERE pending_payments.sweep_time < :never
        RETURNING payment_id
    ), noted AS (
        INSERT INTO payment_steps (payment_id, kind, attempt, start_time, end_time, reason)
        SELECT payment_id, 'SWEPT', 0, now(), now(), '' FROM taken
    )
    SELECT payments.* FROM taken JOIN payments ON payments.id = taken.payment_id
    WHERE payments.status = 'PENDING'
""").columns(*payments.columns)

_POSTPONE = text("""
    UPDATE pending_payments
    SET sweep_time = now() + make_interval(secs => later.seconds)
    FROM unnest(CAST(:payment_ids AS text[]), CAST(:seconds AS bigint[]))
        AS later (payment_id, seconds)
    WHERE pending_payments.payment_id = later.payment_id
""")

_NEVER = text("""
    UPDATE pending_payments SET sweep_time = :never
    WHERE payment_id = any(CAST(:payment_ids AS text[]))
""")

# By the primary key, whose ids begin with their time: it stops at the first that is not left to a
# person, however many there are.
_OLDEST = text("""
    SELECT payment_id FROM pending_payments WHERE sweep_time < '9999-01-01 00:00:00+00'
    ORDER BY payment_id LIMIT 1
""")


async def take_overdue_payments(
    connection: AsyncConnection, *, again_after_seconds: float, count_max: int
) -> list[StoredPayment]:
    """PENDING payments whose sweep time has come, longest overdue first; not again for a while."""
    result = await connection.execute(
        _TAKE_OVERDUE, {"again_after_seconds": again_after_seconds, "count_max": count_max}
    )
    return stored(result)


async def take_pending_payments(
    connection: AsyncConnection, payment_ids: Sequence[str], *, sweep_after_seconds: float
) -> list[StoredPayment]:
    """Those that are PENDING and no dead letters; the sweeper leaves them alone for so long."""
    result = await connection.execute(
        _TAKE_PENDING,
        {
            "payment_ids": text_array(payment_ids),
            "sweep_after_seconds": sweep_after_seconds,
            "never": NEVER,
        },
    )
    return stored(result)


async def postpone_sweeps(
    connection: AsyncConnection, payment_ids: Sequence[str], seconds: Sequence[float]
) -> None:
    """Let the sweeper leave PENDING payments alone for so long, each for its own time."""
    await connection.execute(
        _POSTPONE,
        {
            "payment_ids": text_array(payment_ids),
            "seconds": number_array([math.ceil(item) for item in seconds]),
        },
    )


async def end_sweeps(connection: AsyncConnection, payment_ids: Sequence[str]) -> None:
    """Let the sweeper leave PENDING payments alone until somebody puts them back."""
    await connection.execute(_NEVER, {"payment_ids": text_array(payment_ids), "never": NEVER})


async def oldest_pending(connection: AsyncConnection) -> str | None:
    """The id of the payment that has been PENDING for longest, those apart that wait for a person;
    None if there is none."""
    found: str | None = (await connection.execute(_OLDEST)).scalar()
    return found
