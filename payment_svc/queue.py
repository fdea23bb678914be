"""The queue as payment_svc uses it: its streams and consumers, and what it publishes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from chassis.errors import Unavailable
from chassis.ids import IdMaker
from chassis.jetstream import ConsumerSpec, JetStream, StreamSpec
from chassis.logs import get_logger
from chassis.settings import Track
from payment_svc.dead_letters import PAYMENT_SUBJECT
from payment_svc.messages import task_message
from payment_svc.model import NewPayment, StoredPayment
from payment_svc.traces import (
    DEAD_LETTERS_STREAM,
    RESULTS_STREAM,
    RETRIES_STREAM,
    TASKS_STREAM,
    sending,
    tasks_in,
)
from qrpay.payment.v1 import payment_queue_pb2

_LOG = get_logger(__name__)

TASKS_SUBJECT = PAYMENT_SUBJECT
RESULTS_SUBJECT = "payments.result"
RETRY_SUBJECT = "payments.retry"
_PILOT = ".pilot"
PILOT_TASKS_SUBJECT = TASKS_SUBJECT + _PILOT
"""What the canary accepted, the canary executes, as long as it lives. No message is of both tracks,
and the sweeper brings back to everybody's subject what the canary did not do."""
PILOT_RETRY_SUBJECT = RETRY_SUBJECT + _PILOT
DEAD_SUBJECT = "payments.dead"
"""A dead letter is published below it, under its own id, so that it can be removed alone."""
EVENTS_SUBJECT = "payments.event"
"""Core NATS, kept by nobody: every gateway that listens hears it."""

ADVISORIES_STREAM = "ADVISORIES"

_WEEK_SECONDS = 7 * 24 * 3600.0
_YEAR_SECONDS = 365 * 24 * 3600.0
_ITEMS_MAX = 256
"""Payments in one message."""


def streams(*, replicas: int) -> tuple[StreamSpec, ...]:
    """The streams that payment_svc owns."""
    return (
        StreamSpec(
            name=TASKS_STREAM,
            subjects=("payments.task.>", TASKS_SUBJECT),
            max_age_seconds=_WEEK_SECONDS,
            replicas=replicas,
        ),
        StreamSpec(
            name=RESULTS_STREAM,
            subjects=("payments.result.>", RESULTS_SUBJECT),
            max_age_seconds=_WEEK_SECONDS,
            replicas=replicas,
        ),
        StreamSpec(
            name=RETRIES_STREAM,
            subjects=("payments.retry.>", RETRY_SUBJECT),
            max_age_seconds=_WEEK_SECONDS,
            replicas=replicas,
        ),
        StreamSpec(
            name=DEAD_LETTERS_STREAM,
            subjects=(f"{DEAD_SUBJECT}.>",),
            max_age_seconds=_YEAR_SECONDS,
            replicas=replicas,
        ),
        StreamSpec(
            name=ADVISORIES_STREAM,
            # What the server tells of a message that it will never deliver again. Nobody listens at
            # just the right moment, so a stream does.
            subjects=(
                "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>",
                "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>",
            ),
            max_age_seconds=_WEEK_SECONDS,
            replicas=replicas,
        ),
    )


def stable_subject(subject: str) -> str:
    """Where a message goes that comes back: the canary that it was for may be gone."""
    return subject.removesuffix(_PILOT)


# One step of back-off: with several, the server adds their difference to the delay of a nak.
_BACKOFF_SECONDS = (60.0,)
EXECUTOR = ConsumerSpec(
    stream=TASKS_STREAM,
    name="executor",
    filter_subject=TASKS_SUBJECT,
    handler_seconds_max=20,
    backoff_seconds=_BACKOFF_SECONDS,
)
RESULTS = ConsumerSpec(
    stream=RESULTS_STREAM,
    name="payment-results",
    handler_seconds_max=20,
    backoff_seconds=_BACKOFF_SECONDS,
)


RETRIES = ConsumerSpec(
    stream=RETRIES_STREAM,
    name="executor-retries",
    filter_subject=RETRY_SUBJECT,
    handler_seconds_max=20,
    backoff_seconds=_BACKOFF_SECONDS,
    # What rests counts as delivered and not acknowledged.
    max_ack_pending=10_000,
)
CANARY_EXECUTOR = replace(EXECUTOR, name="executor-canary", filter_subject=PILOT_TASKS_SUBJECT)
CANARY_RETRIES = replace(
    RETRIES, name="executor-canary-retries", filter_subject=PILOT_RETRY_SUBJECT
)
FILING = ConsumerSpec(
    stream=DEAD_LETTERS_STREAM,
    name="desk",
    handler_seconds_max=20,
    backoff_seconds=_BACKOFF_SECONDS,
    max_deliver=1_000,
)
ADVISORIES = ConsumerSpec(
    stream=ADVISORIES_STREAM,
    name="desk",
    handler_seconds_max=20,
    backoff_seconds=_BACKOFF_SECONDS,
    max_deliver=1_000,
)


class Publisher:
    """Publishes tasks, results and events."""

    def __init__(
        self, *, jetstream: JetStream, ids: IdMaker, in_flight_max: int, track: Track = "stable"
    ) -> None:
        canary = track == "canary"
        self._own_tasks = PILOT_TASKS_SUBJECT if canary else TASKS_SUBJECT
        self._own_retries = PILOT_RETRY_SUBJECT if canary else RETRY_SUBJECT
        self._jetstream = jetstream
        self._ids = ids
        self._in_flight_max = in_flight_max
        self._in_flight: set[asyncio.Task[None]] = set()

    def hand_over(self, payments: Sequence[NewPayment]) -> None:
        """Publish the tasks of accepted payments without making their callers wait.

        The payments are stored, so losing this message loses nothing: the sweeper brings them. That
        is also what happens past the bound on publishes in flight.
        """
        if not payments:
            return
        if len(self._in_flight) >= self._in_flight_max:
            _LOG.warning("queue is slow: left to the sweeper", payments=len(payments))
            return
        task = asyncio.create_task(self._try_to_publish(payments))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def publish_tasks(self, payments: Sequence[NewPayment | StoredPayment]) -> None:
        """Put the tasks of payments, whoever accepted them, into everybody's queue. Raises
        ``Unavailable``."""
        await self._publish_tasks(payments, TASKS_SUBJECT)

    async def _publish_tasks(
        self, payments: Sequence[NewPayment | StoredPayment], subject: str
    ) -> None:
        for start in range(0, len(payments), _ITEMS_MAX):
            tasks = [task_message(payment) for payment in payments[start : start + _ITEMS_MAX]]
            batch = payment_queue_pb2.TaskBatch(batch_id=self._ids.make("bat"), tasks=tasks)
            await self._publish(subject, batch, tasks, stream=TASKS_STREAM)

    async def publish_results(self, results: Sequence[payment_queue_pb2.TransferResult]) -> None:
        """Publish what became of transfers. Raises ``Unavailable``."""
        for start in range(0, len(results), _ITEMS_MAX):
            batch = payment_queue_pb2.ResultBatch(
                batch_id=self._ids.make("bat"), results=results[start : start + _ITEMS_MAX]
            )
            tasks = [result.task for result in batch.results]
            await self._publish(RESULTS_SUBJECT, batch, tasks, stream=RESULTS_STREAM)

    async def publish_retry(self, retry: payment_queue_pb2.RetryTask) -> None:
        """Have one task tried again after its rest. Raises ``Unavailable``."""
        task = retry.task
        with sending(RETRIES_STREAM, [task]):
            await self._jetstream.publish(
                self._own_retries,
                retry.SerializeToString(),
                message_id=f"retry {task.payment_id} {task.attempt}",
            )

    async def publish_dead_letter(self, letter: payment_queue_pb2.DeadLetter) -> None:
        """Have a person look at something. Raises ``Unavailable``."""
        with sending(DEAD_LETTERS_STREAM, tasks_in(letter)):
            await self._jetstream.publish(
                f"{DEAD_SUBJECT}.{letter.id}",
                letter.SerializeToString(),
                message_id=f"{letter.id} {letter.last_failure_time.ToNanoseconds()}",
            )

    async def put_back(self, subject: str, payload: bytes) -> None:
        """Publish again what was in a dead letter. Raises ``Unavailable``."""
        await self._jetstream.publish(subject, payload, message_id=self._ids.make("bat"))

    async def remove_dead_letter(self, letter_id: str) -> None:
        """Take a letter out of the stream. Raises ``Unavailable``."""
        await self._jetstream.remove_subject(DEAD_LETTERS_STREAM, f"{DEAD_SUBJECT}.{letter_id}")

    async def tell(self, events: payment_queue_pb2.EventBatch) -> None:
        """Tell every gateway that payments are done. May get lost; the numbers show it."""
        await self._jetstream.tell(EVENTS_SUBJECT, events.SerializeToString())

    async def close(self) -> None:
        """Wait for the publishes in flight."""
        if self._in_flight:
            await asyncio.wait(self._in_flight)

    async def _publish(
        self,
        subject: str,
        batch: payment_queue_pb2.TaskBatch | payment_queue_pb2.ResultBatch,
        tasks: Sequence[payment_queue_pb2.TransferTask],
        *,
        stream: str,
    ) -> None:
        with sending(stream, tasks):
            await self._jetstream.publish(
                subject, batch.SerializeToString(), message_id=batch.batch_id
            )

    async def _try_to_publish(self, payments: Sequence[NewPayment]) -> None:
        try:
            await self._publish_tasks(payments, self._own_tasks)
        except Unavailable as error:
            _LOG.warning("tasks not published: left to the sweeper", reason=error.reason)
