"""The use cases of the dead-letter desk: file, list, show, redrive, discard, settle.

Acts that need the queue or wallet are made of transactions and calls in an order that may be
interrupted anywhere and repeated: what a payment's owner could notice happens at most once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from google.protobuf.message import Message
from opentelemetry.trace import SpanKind
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from chassis.database import Database
from payment_svc.dead_letters import (
    PAYMENT_SUBJECT,
    Letter,
    LetterAct,
    LetterState,
    read_results,
    read_retry,
    read_tasks,
)
from payment_svc.errors import (
    DeadLetterClosed,
    DeadLetterNotFound,
    DeadLetterUnreadable,
    MoneyMoved,
)
from payment_svc.model import Status, StoredPayment
from payment_svc.queue import RESULTS_SUBJECT, RETRY_SUBJECT
from payment_svc.store import dead_letters as store
from payment_svc.store import payments as payment_store
from payment_svc.store import pending as pending_store
from payment_svc.store.dead_letters import FiledLetter, LetterFilter, LetterRecord
from payment_svc.traces import showing, tasks_in
from qrpay.payment.v1 import payment_queue_pb2
from qrpay.wallet.v1 import wallet_pb2

SYSTEM_ACTOR = "payment_svc"
_RECORDS_MAX = 100

_READERS: dict[str, Callable[[bytes], Message]] = {
    PAYMENT_SUBJECT: read_tasks,
    RESULTS_SUBJECT: read_results,
    RETRY_SUBJECT: read_retry,
}


class Shown(NamedTuple):
    """A letter with its history and its payment."""

    letter: FiledLetter
    records: list[LetterRecord]
    payment: StoredPayment | None


async def file_letters(
    database: Database, letters: Sequence[Letter], *, clock: Clock
) -> list[Letter]:
    """Store letters and keep the sweeper from their payments; answers those that are new, or dead
    again."""
    now = clock.now()

    async def work(connection: AsyncConnection) -> list[Letter]:
        filed = [
            letter for letter in letters if await store.file_letter(connection, letter, now=now)
        ]
        await store.record(
            connection,
            [letter.id for letter in filed],
            LetterAct.FILED,
            actor=SYSTEM_ACTOR,
            why="",
            now=now,
        )
        stuck = [
            letter.payment_id
            for letter in filed
            if letter.payment_id and letter.subject == PAYMENT_SUBJECT
        ]
        if stuck:
            await pending_store.end_sweeps(connection, stuck)
        return filed

    return await database.transaction(work)


async def settle_letters(database: Database, *, clock: Clock) -> list[str]:
    """Close letters whose payments became terminal without anybody's help: a task was still under
    way."""
    now = clock.now()

    async def work(connection: AsyncConnection) -> list[str]:
        settled = await store.settle_letters(connection)
        await store.record(
            connection, settled, LetterAct.SETTLED, actor=SYSTEM_ACTOR, why="", now=now
        )
        return settled

    return await database.transaction(work)


async def count_open(database: Database) -> tuple[int, float]:
    """How many letters wait for a person, and the age of the oldest in seconds."""
    return await database.read(store.count_open)


async def list_letters(
    database: Database,
    wanted: LetterFilter,
    *,
    before_id: str | None,
    count_max: int,
) -> list[FiledLetter]:
    """Letters, newest first."""

    async def work(connection: AsyncConnection) -> list[FiledLetter]:
        return await store.list_letters(
            connection, wanted, before_id=before_id, count_max=count_max
        )

    return await database.read(work)


async def show_letter(database: Database, letter_id: str) -> Shown:
    """A letter with its history and its payment. Raises ``DeadLetterNotFound``."""

    async def work(connection: AsyncConnection) -> Shown:
        letter = await store.read_letter(connection, letter_id)
        if letter is None:
            raise DeadLetterNotFound(dead_letter_id=letter_id)
        records = await store.list_records(connection, letter_id, count_max=_RECORDS_MAX)
        payment = None
        if letter.payment_id:
            found = await payment_store.payments_by_id(connection, [letter.payment_id])
            payment = found.get(letter.payment_id)
        return Shown(letter, records, payment)

    return await database.read(work)


async def redrive(
    database: Database,
    letter_id: str,
    *,
    actor: str,
    why: str,
    clock: Clock,
    put_back: Callable[[str, bytes], Awaitable[None]],
    remove: Callable[[str], Awaitable[None]],
    sweep_after_seconds: float,
) -> FiledLetter:
    """Put what is in a letter back to where it came from: copy, then note it, then remove.

    Interrupted in between, it is copied once more by a repeat: harmless, a payment moves money at
    most once. Raises ``DeadLetterNotFound``, ``DeadLetterClosed``, ``DeadLetterUnreadable``,
    ``Unavailable``.
    """
    letter = (await show_letter(database, letter_id)).letter
    _check_open(letter)
    try:
        message = _READERS[letter.subject](letter.payload)
    except (KeyError, ValueError) as error:
        raise DeadLetterUnreadable(dead_letter_id=letter_id) from error
    with showing("redrive dead letter", tasks_in(message), kind=SpanKind.PRODUCER):
        await put_back(letter.subject, letter.payload)
    # From now on the sweeper looks after its payment again: losing the queue loses nothing.
    after = await _close(
        database,
        letter,
        LetterState.REDRIVEN,
        LetterAct.REDRIVEN,
        actor=actor,
        why=why,
        clock=clock,
        sweep_after_seconds=sweep_after_seconds,
    )
    await remove(letter_id)
    return after


async def discard(
    database: Database,
    letter_id: str,
    *,
    actor: str,
    why: str,
    clock: Clock,
    cancel: Callable[[payment_queue_pb2.TransferTask], Awaitable[wallet_pb2.TransferOutcome]],
    publish_results: Callable[[Sequence[payment_queue_pb2.TransferResult]], Awaitable[None]],
    remove: Callable[[str], Awaitable[None]],
    sweep_after_seconds: float,
) -> FiledLetter:
    """End a letter for good; its payment FAILED, if it is about one.

    Wallet is asked first to cancel the transfer: its answer is kept there for ever, so no task that
    is still under way can move the money afterwards. If it has moved, nothing is discarded. Raises
    ``DeadLetterNotFound``, ``DeadLetterClosed``, ``MoneyMoved``, ``Unavailable``.
    """
    shown = await show_letter(database, letter_id)
    letter, payment = shown.letter, shown.payment
    _check_open(letter)
    result = None
    if letter.subject == PAYMENT_SUBJECT and payment is not None:
        if payment.status == Status.COMPLETED:
            await _refuse_discard(database, letter_id, actor=actor, why=why, clock=clock)
        (task,) = read_tasks(letter.payload).tasks
        outcome = await cancel(task)
        if not outcome.failure_code:
            await _refuse_discard(database, letter_id, actor=actor, why=why, clock=clock)
        result = payment_queue_pb2.TransferResult(
            task=task, failure_code=outcome.failure_code, execute_time=outcome.execute_time
        )
    # Should the result below get lost, the sweeper brings the payment to wallet, which answers that
    # it is cancelled.
    after = await _close(
        database,
        letter,
        LetterState.DISCARDED,
        LetterAct.DISCARDED,
        actor=actor,
        why=why,
        clock=clock,
        sweep_after_seconds=sweep_after_seconds,
    )
    if result is not None:
        await publish_results([result])
    await remove(letter_id)
    return after


async def _close(
    database: Database,
    letter: FiledLetter,
    state: LetterState,
    act: LetterAct,
    *,
    actor: str,
    why: str,
    clock: Clock,
    sweep_after_seconds: float,
) -> FiledLetter:
    """Close a letter, if nobody else has meanwhile, and give its payment back to the sweeper."""
    now = clock.now()

    async def work(connection: AsyncConnection) -> None:
        locked = await store.lock_letter(connection, letter.id)
        assert locked is not None, "letters are never deleted"
        if locked.state == LetterState.OPEN:
            await store.set_state(connection, letter.id, state)
            await store.record(connection, [letter.id], act, actor=actor, why=why, now=now)
        if letter.payment_id and letter.subject == PAYMENT_SUBJECT:
            await pending_store.postpone_sweeps(
                connection, [letter.payment_id], [sweep_after_seconds]
            )

    await database.transaction(work)
    return letter._replace(state=state)


async def _refuse_discard(
    database: Database, letter_id: str, *, actor: str, why: str, clock: Clock
) -> None:
    now = clock.now()

    async def work(connection: AsyncConnection) -> None:
        await store.record(
            connection, [letter_id], LetterAct.DISCARD_REFUSED, actor=actor, why=why, now=now
        )

    await database.transaction(work)
    raise MoneyMoved(dead_letter_id=letter_id)


def _check_open(letter: FiledLetter) -> None:
    if letter.state != LetterState.OPEN:
        raise DeadLetterClosed(state=letter.state.lower())
