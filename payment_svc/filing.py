"""Files dead letters: from their stream, and from what the server says it gave up.

The stream brings letters of every process; here they become rows, and their payments are left alone
by the sweeper. A payment in a dead letter stays PENDING for its owner.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from chassis.clock import Clock
from chassis.database import Database
from chassis.jetstream import Message, StoredMessage
from chassis.logs import get_logger
from chassis.metrics import Counter
from payment_svc import desk
from payment_svc.dead_letters import (
    LetterReason,
    letter_of,
    message_letter,
    payment_letter,
    read_retry,
)
from payment_svc.queue import RETRY_SUBJECT, stable_subject
from payment_svc.traces import show_filing, tasks_in, traceparent_for_log
from qrpay.payment.v1 import payment_queue_pb2

_LOG = get_logger(__name__)
_FILED = Counter(
    "qrpay.dead_letters.filed",
    unit="{letter}",
    description="Dead letters that arrived.",
    attributes=("qrpay.dead_letter.reason",),
)
for _reason in LetterReason:
    _FILED.add(0, _reason.lower())

_WATCHED_STREAMS = {"PAYMENT_TASKS", "PAYMENT_RETRIES", "PAYMENT_RESULTS"}


class Advisory(NamedTuple):
    """The server will not deliver a message to a consumer any more."""

    stream: str
    consumer: str
    sequence: int
    deliveries: int
    terminated: bool
    """Whether a consumer gave it up; otherwise it was delivered as often as it may be."""
    why: str


def read_advisory(data: bytes) -> Advisory:
    """Read a message of the advisory stream. Raises ``ValueError`` if it is none."""
    try:
        fields = json.loads(data)
        return Advisory(
            stream=str(fields["stream"]),
            consumer=str(fields["consumer"]),
            sequence=int(fields["stream_seq"]),
            deliveries=int(fields.get("deliveries", 0)),
            terminated="reason" in fields or str(fields.get("type", "")).endswith("terminated"),
            why=str(fields.get("reason") or "delivered as often as it may be"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not an advisory") from error


class Filing:
    """Consumes letters and advisories."""

    def __init__(
        self,
        *,
        database: Database,
        stored_message: Callable[[str, int], Awaitable[StoredMessage | None]],
        publish_dead_letter: Callable[[payment_queue_pb2.DeadLetter], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._database = database
        self._stored_message = stored_message
        self._publish_dead_letter = publish_dead_letter
        self._clock = clock

    async def handle_letters(
        self, messages: Sequence[Message[payment_queue_pb2.DeadLetter]]
    ) -> None:
        """File these letters. Raises ``Unavailable`` while the database is away."""
        letters = [letter_of(message.value) for message in messages]
        arrived = {message.value.id: message.value for message in messages}
        for letter in await desk.file_letters(self._database, letters, clock=self._clock):
            show_filing(arrived[letter.id])
            task = next(iter(tasks_in(arrived[letter.id])), None)
            _FILED.add(1, letter.reason.lower())
            _LOG.error(
                "dead letter filed",
                dead_letter_id=letter.id,
                payment_id=letter.payment_id,
                traceparent=task and traceparent_for_log(task.payment_id, task.traceparent),
                reason=letter.reason,
                attempts=letter.attempts,
                last_error=letter.last_error,
            )

    async def handle_advisories(self, messages: Sequence[Message[Advisory]]) -> None:
        """Make letters of what the server gave up, unless there is one already.

        The last line: it is for messages whose every handler was killed, and for what was
        terminated by somebody who left no letter. Raises ``Unavailable``.
        """
        for message in messages:
            advisory = message.value
            if advisory.stream not in _WATCHED_STREAMS:
                continue
            found = await self._stored_message(advisory.stream, advisory.sequence)
            if found is None:
                # Gone with its stream: whatever payments it was about are PENDING and swept.
                _LOG.warning("given up message is gone", **advisory._asdict())
                continue
            await self._publish_dead_letter(_given_up(advisory, found))

    async def reject(
        self,
        message: Message[payment_queue_pb2.TaskBatch]
        | Message[payment_queue_pb2.ResultBatch]
        | Message[payment_queue_pb2.RetryTask],
        why: str,
        *,
        consumer: str,
    ) -> None:
        """Make a letter of a message that cannot be read, or failed as often as it may. Raises
        ``Unavailable``."""
        advisory = Advisory("", consumer, message.sequence, message.delivered, True, why)
        reason = LetterReason.MALFORMED if message.fault else LetterReason.EXHAUSTED
        await self._publish_dead_letter(
            _letter_about(
                advisory,
                subject=message.subject,
                payload=message.data,
                reason=reason,
                first=message.timestamp,
                last=self._clock.now(),
            )
        )


def _given_up(advisory: Advisory, found: StoredMessage) -> payment_queue_pb2.DeadLetter:
    # Its times are those of the message, so that it is never newer than a letter that the consumer
    # itself has written, or than what a person has done with it since.
    stored = datetime.fromisoformat(found.time[:19]).replace(tzinfo=UTC)
    return _letter_about(
        advisory,
        subject=found.subject,
        payload=found.data,
        reason=LetterReason.REFUSED if advisory.terminated else LetterReason.EXHAUSTED,
        first=stored,
        last=stored,
    )


def _task_of(retry: bytes) -> payment_queue_pb2.TransferTask | None:
    try:
        return read_retry(retry).task
    except ValueError:
        return None


def _letter_about(
    advisory: Advisory,
    *,
    subject: str,
    payload: bytes,
    reason: LetterReason,
    first: datetime,
    last: datetime,
) -> payment_queue_pb2.DeadLetter:
    subject = stable_subject(subject)
    task = _task_of(payload) if subject == RETRY_SUBJECT else None
    if task is not None:
        # One payment's task: the letter is about that payment, like those that the executor writes.
        return payment_letter(
            task,
            reason=reason,
            attempts=advisory.deliveries,
            first_failure_time=first,
            last_failure_time=last,
            last_error=advisory.why,
            consumer=advisory.consumer,
        )
    return message_letter(
        subject=subject,
        payload=payload,
        reason=reason,
        attempts=advisory.deliveries,
        first_failure_time=first,
        last_failure_time=last,
        last_error=advisory.why,
        consumer=advisory.consumer,
    )
