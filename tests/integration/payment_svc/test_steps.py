"""What is kept of a payment's steps, in a real database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from chassis.database import Database
from payment_svc import digests, operations
from payment_svc.errors import PaymentNotFound
from payment_svc.model import NewPayment, Result, StoredPayment
from payment_svc.operations import FailedTry
from payment_svc.store import pending
from payment_svc.store.steps import RecordedStep

MakePayment = Callable[..., NewPayment]
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
MICROSECONDS = 1_767_323_045_678_901


def tried(payment_id: str, attempt: int) -> RecordedStep:
    """A try that led to nothing."""
    return RecordedStep(
        payment_id,
        "TRIED",
        attempt,
        NOW,
        NOW + timedelta(seconds=1),
        NOW + timedelta(seconds=2),
        "WALLET_BUSY",
    )


async def test_the_end_brings_the_times_of_the_way_there(
    database: Database, make_payment: MakePayment
) -> None:
    """Goal: to the microsecond; nothing where nothing is known, as after a person ended it."""
    tracked, cancelled = make_payment(), make_payment()
    await operations.accept_payments(database, [tracked, cancelled], sweep_after_seconds=9)
    times = {"queue_us": MICROSECONDS, "try_us": MICROSECONDS + 1, "result_us": MICROSECONDS + 2}
    await operations.apply_results(
        database,
        [
            Result(tracked.id, None, 1, 1, attempt=3, **times),
            Result(cancelled.id, "CANCELLED", 0, 0),
        ],
    )
    row = (await operations.read_life(database, tracked.id)).payment
    assert (row.queue_time, row.attempt) == (NOW, 3)
    assert row.try_time == NOW + timedelta(microseconds=1)
    assert row.result_time == NOW + timedelta(microseconds=2)
    row = (await operations.read_life(database, cancelled.id)).payment
    assert (row.queue_time, row.try_time, row.attempt, row.result_time) == (None,) * 4


async def test_failed_tries_are_kept_and_the_sweeper_kept_away(
    database: Database, make_payment: MakePayment
) -> None:
    """Goal: both in one transaction, each payment's own, in their order."""
    first, second = make_payment(), make_payment()
    await operations.accept_payments(database, [first, second], sweep_after_seconds=0)
    steps = [tried(first.id, 1), tried(second.id, 1)]
    await operations.record_failed_tries(database, [FailedTry(step, 60) for step in steps])
    await operations.record_failed_tries(database, [FailedTry(tried(first.id, 2), 60)])
    assert not await operations.take_overdue(database, again_after_seconds=0, count_max=9)
    life = await operations.read_life(database, first.id)
    assert life.recorded == [tried(first.id, 1), tried(first.id, 2)]
    assert life.letter_steps == []


async def test_a_sweep_leaves_a_step(database: Database, make_payment: MakePayment) -> None:
    """Goal: whoever asks sees that the queue had lost it."""
    payment = make_payment()
    await operations.accept_payments(database, [payment], sweep_after_seconds=0)
    await operations.take_overdue(database, again_after_seconds=60, count_max=9)
    (step,) = (await operations.read_life(database, payment.id)).recorded
    assert (step.kind, step.attempt, step.queue_time, step.reason) == ("SWEPT", 0, None, "")


async def test_the_newest_steps_are_told(database: Database, make_payment: MakePayment) -> None:
    """Goal: a payment that was swept for days is answered with a bounded list."""
    payment = make_payment()
    await operations.accept_payments(database, [payment], sweep_after_seconds=0)
    for attempt in range(1, 252, 50):
        await operations.record_failed_tries(
            database, [FailedTry(tried(payment.id, attempt + more), 60) for more in range(50)]
        )
    steps = (await operations.read_life(database, payment.id)).recorded
    assert [step.attempt for step in steps] == list(range(101, 301))


async def test_no_payment_no_life(database: Database) -> None:
    """Goal: a typed error."""
    with pytest.raises(PaymentNotFound):
        await operations.read_life(database, "pay_1")


@pytest.mark.parametrize(
    "statement",
    ["UPDATE payment_steps SET reason = ''", "DELETE FROM payment_steps", "TRUNCATE payment_steps"],
)
async def test_steps_are_append_only(payment_database: Any, statement: str) -> None:
    """Goal: the service that writes them cannot change them."""
    async with await psycopg.AsyncConnection.connect(payment_database.url) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(statement.encode())


async def test_who_waits_for_a_person_is_not_put_back(
    database: Database, make_payment: MakePayment
) -> None:
    """Goal: the reconciler may ask for what is on the desk of dead letters, and does not get it;
    what it gets leaves a step."""
    lost, dead = make_payment(), make_payment()
    await operations.accept_payments(database, [lost, dead], sweep_after_seconds=60)
    await database.transaction(lambda connection: pending.end_sweeps(connection, [dead.id]))
    published: list[str] = []

    async def publish(payments: Sequence[StoredPayment]) -> None:
        published.extend(payment.id for payment in payments)

    answered = await digests.republish(
        database, [lost.id, dead.id], publish_tasks=publish, sweep_after_seconds=60
    )
    assert answered == published == [lost.id]
    assert [step.kind for step in (await operations.read_life(database, lost.id)).recorded] == [
        "SWEPT"
    ]
