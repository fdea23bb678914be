"""The two tracks in the queue: who gets which tasks, and how a running system gets there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis.clock import SystemClock
from chassis.ids import IdMaker
from chassis.jetstream import ConsumerSpec, JetStream, StoredMessage, connect
from embedded.nats import NatsServer, running_nats
from payment_svc import queue
from payment_svc.dead_letters import read_tasks
from payment_svc.filing import Advisory, Filing
from payment_svc.queue import Publisher, streams
from qrpay.payment.v1 import payment_queue_pb2
from tests.integration.chassis.jetstream.kit import consuming, eventually, settled
from tests.integration.payment_svc.conftest import MakePayment

IDS = IdMaker(clock=SystemClock())
UNFILTERED = replace(queue.EXECUTOR, filter_subject="")
"""The consumer as it was before there were tracks."""


class Executor:
    """Remembers whose payments it got, message by message."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.may_end = asyncio.Event()
        self.may_end.set()
        self._changed = asyncio.Condition()

    async def __call__(self, messages: Sequence[Any]) -> None:
        async with self._changed:
            for message in messages:
                self.batches.append([task.payment_id for task in message.value.tasks])
            self._changed.notify_all()
        await self.may_end.wait()

    @property
    def got(self) -> list[str]:
        """The ids, sorted."""
        return sorted({payment_id for batch in self.batches for payment_id in batch})

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until messages have come that satisfy this."""
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(reached)


class Tracks:
    """The queue as payment_svc's user has it, and both tracks' publishers."""

    def __init__(self, jetstream: JetStream, make_payment: MakePayment) -> None:
        self.jetstream = jetstream
        self._make_payment = make_payment
        self.stable = Publisher(jetstream=jetstream, ids=IDS, in_flight_max=8)
        self.canary = Publisher(jetstream=jetstream, ids=IDS, in_flight_max=8, track="canary")

    async def accept(self, publisher: Publisher, *names: str) -> None:
        """Hand payments over, as accepting does: a message for each call."""
        publisher.hand_over([self._make_payment(id=name) for name in names])
        await publisher.close()

    async def sweep(self, *names: str) -> None:
        """Put payments back, as the sweeper does."""
        await self.stable.publish_tasks([self._make_payment(id=name) for name in names])

    @asynccontextmanager
    async def executing(self, spec: ConsumerSpec) -> AsyncIterator[Executor]:
        """A consumer for the time of the block."""
        executor = Executor()
        async with consuming(self.jetstream, spec, executor, decode=read_tasks):
            yield executor
            executor.may_end.set()


@pytest.fixture(scope="module")
async def nats(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NatsServer]:
    """A NATS of this file's own, with the users of the stack and their permissions."""
    async with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
async def tracks(nats: NatsServer, make_payment: MakePayment) -> AsyncIterator[Tracks]:
    """Empty streams, and nobody who consumes."""
    async with connect(nats.url, name="admin") as admin:
        session = await admin.session()
        for spec in streams(replicas=1):
            await session.client.request(f"$JS.API.STREAM.DELETE.{spec.name}", timeout=2)
    async with connect(
        nats.url_for("payment"), name="payment", streams=streams(replicas=1)
    ) as jetstream:
        await jetstream.session()
        await jetstream.declare()
        yield Tracks(jetstream, make_payment)


async def test_each_track_executes_its_own(tracks: Tracks) -> None:
    """What the canary accepted goes to the canary's executor, all else to stable's: also what the
    sweeper brings, whoever accepted it. No message is of both."""
    async with (
        tracks.executing(queue.EXECUTOR) as stable,
        tracks.executing(queue.CANARY_EXECUTOR) as canary,
    ):
        await tracks.accept(tracks.stable, "pay_1", "pay_2")
        await tracks.accept(tracks.canary, "pay_3", "pay_4")
        await tracks.sweep("pay_2", "pay_4")
        await stable.until(lambda: len(stable.batches) == 2)
        await canary.until(lambda: len(canary.batches) == 1)
        for spec in (queue.EXECUTOR, queue.CANARY_EXECUTOR):
            await eventually(lambda spec=spec: settled(tracks.jetstream, spec))  # type: ignore[misc]
    assert stable.batches == [["pay_1", "pay_2"], ["pay_2", "pay_4"]]
    assert canary.batches == [["pay_3", "pay_4"]]


async def test_retries_stay_on_their_track(tracks: Tracks) -> None:
    """What fails under the canary is tried again by the canary."""
    for publisher, name in ((tracks.stable, "pay_1"), (tracks.canary, "pay_2")):
        task = payment_queue_pb2.TransferTask(payment_id=name, attempt=2)
        await publisher.publish_retry(payment_queue_pb2.RetryTask(task=task, delay_milliseconds=1))
    for spec, name in ((queue.RETRIES, "pay_1"), (queue.CANARY_RETRIES, "pay_2")):
        got: list[str] = []

        async def handle(messages: Sequence[Any], got: list[str] = got) -> None:
            got += [message.value.task.payment_id for message in messages]

        async with consuming(
            tracks.jetstream, spec, handle, decode=payment_queue_pb2.RetryTask.FromString
        ):
            await eventually(lambda spec=spec: settled(tracks.jetstream, spec))  # type: ignore[misc]
        assert got == [name]


async def test_a_running_consumer_gets_its_filter(tracks: Tracks) -> None:
    """The upgrade: a consumer without filter, with messages behind it, under way and before it,
    gets one. Nothing that was accepted is lost, and what is a pilot's no longer comes here."""
    async with tracks.executing(UNFILTERED) as before:
        await tracks.accept(tracks.stable, "pay_done")
        await before.until(lambda: before.got == ["pay_done"])
        await eventually(lambda: settled(tracks.jetstream, UNFILTERED))
        before.may_end.clear()
        await tracks.accept(tracks.stable, "pay_under_way")
        await before.until(lambda: before.got == ["pay_done", "pay_under_way"])
        async with tracks.executing(queue.EXECUTOR) as after:
            # Now it has its filter, while the old process is in the middle of something.
            await eventually(lambda: has_filter(tracks.jetstream, queue.TASKS_SUBJECT))
            await tracks.accept(tracks.canary, "pay_pilot")
            await tracks.accept(tracks.stable, "pay_later")
            before.may_end.set()
            await eventually(lambda: settled(tracks.jetstream, queue.EXECUTOR))
    assert "pay_later" in before.got + after.got
    assert "pay_under_way" in before.got
    assert "pay_pilot" not in before.got + after.got
    async with tracks.executing(queue.CANARY_EXECUTOR) as canary:
        await canary.until(lambda: canary.got == ["pay_pilot"])


async def test_what_waited_before_the_upgrade_is_delivered(tracks: Tracks) -> None:
    """Messages that nobody had got yet come through the filter."""
    await tracks.jetstream.declare_consumer(UNFILTERED)
    await tracks.accept(tracks.stable, "pay_waiting")
    async with tracks.executing(queue.EXECUTOR) as executor:
        await executor.until(lambda: executor.got == ["pay_waiting"])
        await eventually(lambda: settled(tracks.jetstream, queue.EXECUTOR))
    assert await has_filter(tracks.jetstream, queue.TASKS_SUBJECT)


async def test_a_canary_that_comes_back_finds_what_was_left(tracks: Tracks) -> None:
    """Removed in the middle and deployed again, it gets the same tasks once more, which is what
    executing a payment bears anyway."""
    async with tracks.executing(queue.CANARY_EXECUTOR):
        pass
    await tracks.accept(tracks.canary, "pay_left")
    await tracks.sweep("pay_left")
    async with tracks.executing(queue.EXECUTOR) as stable:
        await stable.until(lambda: stable.got == ["pay_left"])
    async with tracks.executing(queue.CANARY_EXECUTOR) as canary:
        await canary.until(lambda: canary.got == ["pay_left"])


@pytest.mark.parametrize(
    ("subject", "goes_back_to"),
    [
        (queue.PILOT_TASKS_SUBJECT, queue.TASKS_SUBJECT),
        (queue.TASKS_SUBJECT, queue.TASKS_SUBJECT),
        # Of a retry the letter is about its payment, whose task starts anew.
        (queue.PILOT_RETRY_SUBJECT, queue.TASKS_SUBJECT),
    ],
)
async def test_a_letter_of_the_canary_goes_back_to_stable(subject: str, goes_back_to: str) -> None:
    """When it is redriven there may be no canary any more."""
    letters: list[payment_queue_pb2.DeadLetter] = []

    async def publish(letter: payment_queue_pb2.DeadLetter) -> None:
        letters.append(letter)

    async def stored(_stream: str, _sequence: int) -> Any:
        task = payment_queue_pb2.TransferTask(payment_id="pay_1")
        payload: Any = payment_queue_pb2.TaskBatch(tasks=[task])
        if "retry" in subject:
            payload = payment_queue_pb2.RetryTask(task=task, delay_milliseconds=1)
        return StoredMessage(subject, payload.SerializeToString(), "2026-11-26T12:00:00Z")

    filing = Filing(
        database=None,  # type: ignore[arg-type]  # advisories need none
        stored_message=stored,
        publish_dead_letter=publish,
        clock=SystemClock(),
    )
    advisory = Advisory("PAYMENT_TASKS", "executor-canary", 1, 20, False, "too often")
    await filing.handle_advisories([Given(advisory)])  # type: ignore[list-item]
    assert [letter.subject for letter in letters] == [goes_back_to]


class Given:
    """A message with a value."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.timestamp = datetime.now(UTC)


async def has_filter(jetstream: JetStream, subject: str) -> bool:
    """Whether the server has this filter for stable's executor."""
    info = await jetstream.consumer_info(queue.EXECUTOR)
    return info is not None and info["config"].get("filter_subject") == subject
