"""What becomes of a transfer that could not be executed: again after a rest, or the dead letters.

A task that fails for a reason of its own leaves its batch here and travels on alone, so that it
holds up nobody. Its rest is told as a length and not as a time of day: the queue measures it, and
processes whose clocks differ agree.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from chassis.clock import Clock
from chassis.errors import ServiceError
from chassis.logs import get_logger
from payment_svc.dead_letters import LetterReason, payment_letter
from payment_svc.messages import timestamp
from payment_svc.model import StepKind
from payment_svc.operations import FailedTry
from payment_svc.store.steps import RecordedStep
from payment_svc.traces import traceparent_for_log
from qrpay.payment.v1 import payment_queue_pb2

_LOG = get_logger(__name__)


class RetryPolicy(NamedTuple):
    """How often a transfer is tried that fails for a reason of its own, and how long it rests in
    between."""

    tries_max: int
    first_delay_seconds: float
    factor: float
    """Each rest is so many times as long as the one before."""

    def delay_seconds(self, attempt: int, *, jitter: float) -> float | None:
        """How long to rest after this try, the first being 1; None if it was the last.

        ``jitter`` from 0 to 1 spreads the rest over 80 to 120 % of it, so that what failed together
        does not come back together.
        """
        if attempt >= self.tries_max:
            return None
        rest = self.first_delay_seconds * self.factor ** (attempt - 1)
        return rest * (0.8 + 0.4 * jitter)


class Try(NamedTuple):
    """One try of a task."""

    task: payment_queue_pb2.TransferTask
    queue_time: datetime
    """When the queue stored it."""
    first_failure_time: datetime | None = None
    """When an earlier try failed for the first time; None for the first try."""


class Failure(NamedTuple):
    """A try that led to no outcome, for a reason of its own."""

    tried: Try
    error: ServiceError
    start_time: datetime


def try_of(retry: payment_queue_pb2.RetryTask, queue_time: datetime) -> Try:
    """The try that a message of the retry queue asks for, stored there at ``queue_time``."""
    return Try(retry.task, queue_time, retry.first_failure_time.ToDatetime(tzinfo=UTC))


class Retries:
    """Sends failed tries to where they belong."""

    def __init__(
        self,
        *,
        policy: RetryPolicy,
        publish_retry: Callable[[payment_queue_pb2.RetryTask], Awaitable[None]],
        publish_dead_letter: Callable[[payment_queue_pb2.DeadLetter], Awaitable[None]],
        record_failed_tries: Callable[[Sequence[FailedTry]], Awaitable[None]],
        sweep_after_seconds: float,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._publish_retry = publish_retry
        self._publish_dead_letter = publish_dead_letter
        self._record_failed_tries = record_failed_tries
        self._sweep_after_seconds = sweep_after_seconds
        self._clock = clock
        self._jitter = jitter

    async def take_over(self, failures: Sequence[Failure]) -> None:
        """Make sure that each of these is tried again or becomes a dead letter.

        Raises ``Unavailable`` while the queue or the database is away; may be repeated.
        """
        now = self._clock.now()
        retries: list[payment_queue_pb2.RetryTask] = []
        letters: list[payment_queue_pb2.DeadLetter] = []
        failed: list[FailedTry] = []
        for failure in failures:
            delay = None
            if failure.error.retryable:
                attempt = failure.tried.task.attempt
                delay = self._policy.delay_seconds(attempt, jitter=self._jitter())
            if delay is None:
                letters.append(_letter(failure, now))
            else:
                retries.append(_retry(failure, delay, now))
            failed.append(FailedTry(_step(failure, now), (delay or 0) + self._sweep_after_seconds))
        if not failed:
            return
        # First, so that the sweeper does not bring back early what is to rest.
        await self._record_failed_tries(failed)
        for retry in retries:
            await self._publish_retry(retry)
        for letter in letters:
            await self._publish_dead_letter(letter)


def _step(failure: Failure, now: datetime) -> RecordedStep:
    task = failure.tried.task
    return RecordedStep(
        payment_id=task.payment_id,
        kind=StepKind.TRIED,
        attempt=task.attempt,
        queue_time=failure.tried.queue_time,
        start_time=failure.start_time,
        end_time=now,
        reason=failure.error.reason,
    )


def _retry(failure: Failure, delay: float, now: datetime) -> payment_queue_pb2.RetryTask:
    task = failure.tried.task
    _LOG.warning(
        "transfer failed, again later",
        payment_id=task.payment_id,
        traceparent=traceparent_for_log(task.payment_id, task.traceparent),
        attempt=task.attempt,
        delay_seconds=round(delay, 1),
        reason=failure.error.reason,
    )
    retry = payment_queue_pb2.RetryTask(
        task=task,
        delay_milliseconds=max(1, round(delay * 1000)),
        last_error=f"{failure.error.reason}: {failure.error.message}",
        first_failure_time=timestamp(failure.tried.first_failure_time or now),
        last_failure_time=timestamp(now),
    )
    retry.task.attempt = task.attempt + 1
    return retry


def _letter(failure: Failure, now: datetime) -> payment_queue_pb2.DeadLetter:
    task, error = failure.tried.task, failure.error
    reason = LetterReason.EXHAUSTED
    if not error.retryable:
        malformed = error.reason in ("INVALID_ARGUMENT", "WALLET_NOT_FOUND")
        reason = LetterReason.MALFORMED if malformed else LetterReason.REFUSED
    _LOG.error(
        "transfer given up",
        payment_id=task.payment_id,
        traceparent=traceparent_for_log(task.payment_id, task.traceparent),
        attempts=task.attempt,
        reason=error.reason,
        message=error.message,
    )
    return payment_letter(
        task,
        reason=reason,
        attempts=task.attempt,
        first_failure_time=failure.tried.first_failure_time or now,
        last_failure_time=now,
        last_error=f"{error.reason}: {error.message}",
        consumer="executor",
    )
