"""What a dead letter is, and the letters that each kind of failure leaves. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, TypeVar

from google.protobuf.message import DecodeError, Message

from chassis import tracing
from payment_svc.messages import timestamp
from payment_svc.traces import late_context
from qrpay.payment.v1 import payment_queue_pb2

PAYMENT_SUBJECT = "payments.task"
"""Letters from here are about payments that were not executed; they settle with their payment."""

Kind = TypeVar("Kind", bound=Message)

_ID_CHARACTERS = 26
_ERROR_CHARACTERS_MAX = 300


class LetterReason(StrEnum):
    """Why something became a dead letter, as stored."""

    MALFORMED = "MALFORMED"
    EXHAUSTED = "EXHAUSTED"
    OVERDUE = "OVERDUE"
    REFUSED = "REFUSED"


class LetterState(StrEnum):
    """Where a dead letter is in its life, as stored."""

    OPEN = "OPEN"
    REDRIVEN = "REDRIVEN"
    DISCARDED = "DISCARDED"
    SETTLED = "SETTLED"


class LetterAct(StrEnum):
    """What was done to a dead letter, as stored."""

    FILED = "FILED"
    REDRIVEN = "REDRIVEN"
    DISCARDED = "DISCARDED"
    DISCARD_REFUSED = "DISCARD_REFUSED"
    SETTLED = "SETTLED"


class Letter(NamedTuple):
    """A dead letter as it arrives."""

    id: str
    reason: LetterReason
    payment_id: str | None
    subject: str
    payload: bytes
    attempts: int
    first_failure_time: datetime
    last_failure_time: datetime
    last_error: str
    consumer: str


def payment_letter_id(payment_id: str) -> str:
    """A payment has one letter, however often it dies."""
    return f"dea_{payment_id.removeprefix('pay_')}"


def message_letter_id(subject: str, payload: bytes) -> str:
    """A message has one letter, whoever notices that it cannot be handled."""
    digest = hashlib.sha256(subject.encode() + b"\0" + payload).hexdigest()
    return f"dea_{digest[:_ID_CHARACTERS]}"


def payment_letter(
    task: payment_queue_pb2.TransferTask,
    *,
    reason: LetterReason,
    attempts: int,
    first_failure_time: datetime,
    last_failure_time: datetime,
    last_error: str,
    consumer: str,
) -> payment_queue_pb2.DeadLetter:
    """The letter about a payment that cannot be executed: what brings it back starts anew."""
    fresh = payment_queue_pb2.TransferTask()
    fresh.CopyFrom(task)
    fresh.attempt = 1
    if tracing.is_on():
        # Whoever looks at the letter shall find its trace.
        fresh.traceparent = late_context(task.payment_id, task.traceparent)
    return payment_queue_pb2.DeadLetter(
        id=payment_letter_id(task.payment_id),
        reason=_wire_reason(reason),
        payment_id=task.payment_id,
        subject=PAYMENT_SUBJECT,
        payload=payment_queue_pb2.TaskBatch(tasks=[fresh]).SerializeToString(),
        attempts=attempts,
        first_failure_time=timestamp(first_failure_time),
        last_failure_time=timestamp(last_failure_time),
        last_error=last_error[:_ERROR_CHARACTERS_MAX],
        consumer=consumer,
    )


def message_letter(
    *,
    subject: str,
    payload: bytes,
    reason: LetterReason,
    attempts: int,
    first_failure_time: datetime,
    last_failure_time: datetime,
    last_error: str,
    consumer: str,
) -> payment_queue_pb2.DeadLetter:
    """The letter about a message that nobody can handle."""
    return payment_queue_pb2.DeadLetter(
        id=message_letter_id(subject, payload),
        reason=_wire_reason(reason),
        subject=subject,
        payload=payload,
        attempts=attempts,
        first_failure_time=timestamp(first_failure_time),
        last_failure_time=timestamp(last_failure_time),
        last_error=last_error[:_ERROR_CHARACTERS_MAX],
        consumer=consumer,
    )


def letter_of(message: payment_queue_pb2.DeadLetter) -> Letter:
    """A letter as it is stored."""
    return Letter(
        id=message.id,
        reason=_REASONS[message.reason],
        payment_id=message.payment_id or None,
        subject=message.subject,
        payload=message.payload,
        attempts=message.attempts,
        first_failure_time=message.first_failure_time.ToDatetime(tzinfo=UTC),
        last_failure_time=message.last_failure_time.ToDatetime(tzinfo=UTC),
        last_error=message.last_error.replace("\0", ""),
        consumer=message.consumer,
    )


def read_letter(data: bytes) -> payment_queue_pb2.DeadLetter:
    """Read a message of payments.dead. Raises ``ValueError`` if it is not a letter."""
    message = _decode(payment_queue_pb2.DeadLetter, data)
    # Almost any bytes are a valid protobuf of something.
    if not message.id.startswith("dea_") or message.reason not in _REASONS or not message.subject:
        raise ValueError("not a DeadLetter")
    return message


def read_tasks(data: bytes) -> payment_queue_pb2.TaskBatch:
    """Read a message of payments.task. Raises ``ValueError`` if it has no tasks in it."""
    batch = _decode(payment_queue_pb2.TaskBatch, data)
    if not batch.tasks or not all(task.payment_id for task in batch.tasks):
        raise ValueError("a TaskBatch without tasks")
    return batch


def read_results(data: bytes) -> payment_queue_pb2.ResultBatch:
    """Read a message of payments.result. Raises ``ValueError`` if it has no results in it."""
    batch = _decode(payment_queue_pb2.ResultBatch, data)
    if not batch.results or not all(result.task.payment_id for result in batch.results):
        raise ValueError("a ResultBatch without results")
    return batch


def read_retry(data: bytes) -> payment_queue_pb2.RetryTask:
    """Read a message of payments.retry. Raises ``ValueError`` if it has no task in it."""
    message = _decode(payment_queue_pb2.RetryTask, data)
    if not message.task.payment_id or message.delay_milliseconds <= 0:
        raise ValueError("a RetryTask without a task")
    return message


def _decode(kind: type[Kind], data: bytes) -> Kind:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise ValueError(f"not a {kind.__name__}") from error


_REASONS = {
    payment_queue_pb2.DeadLetterReason.Value(f"DEAD_LETTER_REASON_{reason}"): reason
    for reason in LetterReason
}


def _wire_reason(reason: LetterReason) -> str:
    return f"DEAD_LETTER_REASON_{reason}"
