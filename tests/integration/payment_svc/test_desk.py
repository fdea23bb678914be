"""The desk's use cases against a real database; queue and wallet are small stand-ins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from chassis.clock import SystemClock
from chassis.database import Database
from payment_svc import desk, operations
from payment_svc.dead_letters import Letter, LetterReason, letter_of, payment_letter
from payment_svc.errors import DeadLetterClosed, DeadLetterNotFound, MoneyMoved
from payment_svc.messages import task_message
from payment_svc.model import NewPayment, Result, StoredPayment
from payment_svc.store.dead_letters import LetterFilter
from payment_svc.sweeper import Sweeper
from qrpay.payment.v1 import payment_queue_pb2
from qrpay.wallet.v1 import wallet_pb2

CLOCK = SystemClock()
MakePayment = Callable[..., NewPayment]


class Queue:
    """Takes down what is published and removed."""

    def __init__(self) -> None:
        self.tasks: list[str] = []
        self.letters: list[payment_queue_pb2.DeadLetter] = []
        self.put_back: list[tuple[str, bytes]] = []
        self.results: list[payment_queue_pb2.TransferResult] = []
        self.removed: list[str] = []

    async def publish_tasks(self, payments: Sequence[StoredPayment]) -> None:
        """Tasks of swept payments."""
        self.tasks += [payment.id for payment in payments]

    async def publish_dead_letter(self, letter: payment_queue_pb2.DeadLetter) -> None:
        """A letter."""
        self.letters.append(letter)

    async def put(self, subject: str, payload: bytes) -> None:
        """What a letter held."""
        self.put_back.append((subject, payload))

    async def publish_results(self, results: Sequence[payment_queue_pb2.TransferResult]) -> None:
        """How a discarded payment ends."""
        self.results += results

    async def remove(self, letter_id: str) -> None:
        """A letter that was dealt with."""
        self.removed.append(letter_id)


def letter_for(payment: NewPayment, *, at: datetime | None = None, attempts: int = 5) -> Letter:
    """An exhausted payment's letter."""
    moment = at or CLOCK.now()
    return letter_of(
        payment_letter(
            task_message(payment),
            reason=LetterReason.EXHAUSTED,
            attempts=attempts,
            first_failure_time=moment,
            last_failure_time=moment,
            last_error="TRANSFER_NOT_EXECUTED: no",
            consumer="executor",
        )
    )


async def accept(database: Database, *payments: NewPayment) -> None:
    """Store payments that are due for a sweep at once."""
    await operations.accept_payments(database, payments, sweep_after_seconds=0)


def sweeper_to(queue: Queue, database: Database, *, deadline_seconds: float) -> Sweeper:
    """A sweeper that takes a payment as often as it looks."""
    return Sweeper(
        database=database,
        publish_tasks=queue.publish_tasks,
        publish_dead_letter=queue.publish_dead_letter,
        clock=CLOCK,
        every_seconds=0.01,
        again_after_seconds=0,
        deadline_seconds=deadline_seconds,
    )


async def redrive(database: Database, queue: Queue, letter_id: str) -> Any:
    """Redrive a letter as eve."""
    return await desk.redrive(
        database,
        letter_id,
        actor="eve",
        why="mended",
        clock=CLOCK,
        put_back=queue.put,
        remove=queue.remove,
        sweep_after_seconds=0,
    )


async def discard(database: Database, queue: Queue, letter_id: str, *, moved: bool) -> Any:
    """Discard a letter as eve, with a wallet that did or did not move the money before."""

    async def cancel(task: payment_queue_pb2.TransferTask) -> wallet_pb2.TransferOutcome:
        return wallet_pb2.TransferOutcome(
            payment_id=task.payment_id,
            failure_code="FAILURE_CODE_UNSPECIFIED" if moved else "FAILURE_CODE_CANCELLED",
        )

    return await desk.discard(
        database,
        letter_id,
        actor="eve",
        why="asked",
        clock=CLOCK,
        cancel=cancel,
        publish_results=queue.publish_results,
        remove=queue.remove,
        sweep_after_seconds=0,
    )


async def acts(database: Database, letter_id: str) -> list[str]:
    """What was done to a letter, in order."""
    return [record.act for record in (await desk.show_letter(database, letter_id)).records]


async def test_a_payment_past_its_deadline_is_escalated_once(
    database: Database, make_payment: MakePayment
) -> None:
    """Goal: what was not executed in time goes to the dead letters and not into the queue again;
    filed, it is left alone by every sweep, and stays PENDING."""
    old = make_payment(create_time=CLOCK.now() - timedelta(hours=25))
    young = make_payment(create_time=CLOCK.now() - timedelta(hours=23))
    await accept(database, old, young)
    queue = Queue()
    sweeper = sweeper_to(queue, database, deadline_seconds=24 * 3600)

    await sweeper.sweep()

    assert queue.tasks == [young.id]
    (letter,) = [letter_of(item) for item in queue.letters]
    assert (letter.reason, letter.payment_id) == (LetterReason.OVERDUE, old.id)
    assert [item.id for item in await desk.file_letters(database, [letter], clock=CLOCK)] == [
        letter.id
    ]
    await sweeper.sweep()
    assert queue.tasks == [young.id] * 2
    assert len(queue.letters) == 1
    assert (await operations.get_payment(database, old.id, viewer_id="")).status == "PENDING"
    assert (await desk.count_open(database))[0] == 1


async def test_a_letter_that_arrives_again_changes_nothing(
    database: Database, make_payment: MakePayment
) -> None:
    """Goal: redelivery and the server's own advisory do not file a letter twice, nor open one again
    that somebody has dealt with; a payment that dies anew does, with its tries added up."""
    payment = make_payment()
    await accept(database, payment)
    letter, queue = letter_for(payment), Queue()
    assert await desk.file_letters(database, [letter], clock=CLOCK) == [letter]
    assert await desk.file_letters(database, [letter, letter], clock=CLOCK) == []

    await redrive(database, queue, letter.id)
    assert queue.put_back == [("payments.task", letter.payload)]
    assert queue.removed == [letter.id]
    assert await desk.file_letters(database, [letter], clock=CLOCK) == []
    with pytest.raises(DeadLetterClosed):
        await redrive(database, queue, letter.id)

    later = letter_for(payment, at=CLOCK.now() + timedelta(seconds=1))
    assert await desk.file_letters(database, [later], clock=CLOCK) == [later]
    shown = await desk.show_letter(database, letter.id)
    assert (shown.letter.state, shown.letter.attempts) == ("OPEN", 10)
    assert await acts(database, letter.id) == ["FILED", "REDRIVEN", "FILED"]


async def test_a_redriven_payment_is_swept_again(
    database: Database, make_payment: MakePayment
) -> None:
    """Goal: after a redrive the payment no longer depends on the queue: the sweeper has it back."""
    payment = make_payment()
    await accept(database, payment)
    queue, letter = Queue(), letter_for(payment)
    sweeper = sweeper_to(queue, database, deadline_seconds=3600)
    await desk.file_letters(database, [letter], clock=CLOCK)
    assert await sweeper.sweep() == 0
    await redrive(database, queue, letter.id)
    assert await sweeper.sweep() == 1


async def test_nothing_is_discarded_whose_money_has_moved(
    database: Database, make_payment: MakePayment
) -> None:
    """Goal: a payment whose transfer was executed is not ended FAILED; the attempt is on record and
    the letter stays open."""
    payment = make_payment()
    await accept(database, payment)
    letter, queue = letter_for(payment), Queue()
    await desk.file_letters(database, [letter], clock=CLOCK)

    with pytest.raises(MoneyMoved):
        await discard(database, queue, letter.id, moved=True)

    assert (queue.results, queue.removed) == ([], [])
    assert await acts(database, letter.id) == ["FILED", "DISCARD_REFUSED"]
    assert (await desk.show_letter(database, letter.id)).letter.state == "OPEN"


async def test_a_discarded_payment_ends_even_if_its_result_is_lost(
    database: Database, make_payment: MakePayment
) -> None:
    """Goal: discarding publishes the end of the payment, and should that get lost, the sweeper
    brings the payment to wallet, which has the same answer. A letter dealt with is closed."""
    payment = make_payment()
    await accept(database, payment)
    letter, queue = letter_for(payment), Queue()
    await desk.file_letters(database, [letter], clock=CLOCK)

    await discard(database, queue, letter.id, moved=False)

    assert [result.task.payment_id for result in queue.results] == [payment.id]
    assert queue.results[0].failure_code == 6
    assert await sweeper_to(queue, database, deadline_seconds=3600).sweep() == 1
    with pytest.raises(DeadLetterClosed):
        await discard(database, queue, letter.id, moved=False)
    later = letter_for(payment, at=CLOCK.now() + timedelta(seconds=9))
    assert await desk.file_letters(database, [later], clock=CLOCK) == [], "ended for good"


async def test_a_letter_settles_with_its_payment(
    database: Database, make_payment: MakePayment
) -> None:
    """Goal: a payment that completes by itself after all -- its task was still under way -- closes
    its letter, and only its own."""
    done, stuck = make_payment(), make_payment()
    await accept(database, done, stuck)
    letters = [letter_for(done), letter_for(stuck)]
    await desk.file_letters(database, letters, clock=CLOCK)
    await operations.apply_results(database, [Result(done.id, None, 1, 1)])

    assert await desk.settle_letters(database, clock=CLOCK) == [letters[0].id]

    assert await acts(database, letters[0].id) == ["FILED", "SETTLED"]
    assert (await desk.show_letter(database, letters[1].id)).letter.state == "OPEN"


async def test_lists_are_newest_first_filtered_and_paged(
    database: Database, make_payment: MakePayment
) -> None:
    """Goal: every letter is on exactly one page, newest first; filters cut and do not reorder."""
    payments = [make_payment() for _ in range(5)]
    await accept(database, *payments)
    for payment in payments:
        await desk.file_letters(database, [letter_for(payment)], clock=CLOCK)
    await redrive(database, Queue(), letter_for(payments[2]).id)
    listed: list[str] = []
    while page := await desk.list_letters(
        database,
        LetterFilter(state="OPEN"),
        before_id=listed[-1] if listed else None,
        count_max=3,
    ):
        listed += [letter.id for letter in page]
    assert listed == [letter_for(payments[index]).id for index in (4, 3, 1, 0)]
    with pytest.raises(DeadLetterNotFound):
        await desk.show_letter(database, "dea_none")


async def test_the_history_cannot_be_changed(payment_database: Any) -> None:
    """Goal: the service itself may neither change nor delete a line of the audit, nor delete a
    letter."""
    async with await psycopg.AsyncConnection.connect(payment_database.url) as connection:
        for statement in (
            "UPDATE dead_letter_records SET why = 'x'",
            "DELETE FROM dead_letter_records",
            "DELETE FROM dead_letters",
            "TRUNCATE dead_letters",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement.encode())
            await connection.rollback()


async def test_two_people_redrive_one_letter(database: Database, make_payment: MakePayment) -> None:
    """Goal: two redrives at once leave one act on record, however often the task is copied."""
    payment = make_payment()
    await accept(database, payment)
    letter, queue = letter_for(payment), Queue()
    await desk.file_letters(database, [letter], clock=CLOCK)
    await asyncio.gather(
        *(redrive(database, queue, letter.id) for _ in range(2)), return_exceptions=True
    )
    assert await acts(database, letter.id) == ["FILED", "REDRIVEN"]
    assert queue.put_back[0] == ("payments.task", letter.payload)
    assert letter.first_failure_time.tzinfo is UTC
