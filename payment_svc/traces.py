"""A payment's own span, from acceptance to its end, and the steps that become visible afterwards.

Every step after acceptance is a child of the payment's span. That one is made when the payment has
ended; its id follows from the payment's, so all processes know it from the start. Of a payment that
was not sampled nothing is kept but the times in its row: if it failed, was slow or became a dead
letter, its trace is made of these, under an id that follows from the payment's too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

from google.protobuf.message import Message
from opentelemetry.trace import SpanKind

from chassis import tracing
from payment_svc.model import Status, StoredPayment
from qrpay.payment.v1 import payment_queue_pb2

TASKS_STREAM = "PAYMENT_TASKS"
RESULTS_STREAM = "PAYMENT_RESULTS"
RETRIES_STREAM = "PAYMENT_RETRIES"
DEAD_LETTERS_STREAM = "PAYMENT_DEAD_LETTERS"


def span_id_of(payment_id: str) -> int:
    """The id of a payment's own span."""
    return tracing.hashed_id(f"span {payment_id}", bits=64)


def context_of_payment(payment_id: str, traceparent: str) -> str:
    """The context in which a payment's steps are traced, given the one that it was asked for in;
    empty if there was none."""
    if not traceparent:
        return ""
    return f"{traceparent[:36]}{span_id_of(payment_id):016x}{traceparent[52:55]}"


def late_context(payment_id: str, context: str) -> str:
    """The context of a payment that is traced after all, given what it had until now."""
    if context:
        return context[:53] + "01"
    return tracing.traceparent_of(
        tracing.hashed_id(f"trace {payment_id}", bits=128), span_id_of(payment_id)
    )


def traceparent_for_log(payment_id: str, context: str) -> str:
    """The trace in which what went wrong with a payment is found; empty if nothing is traced."""
    return late_context(payment_id, context) if tracing.is_on() else ""


def tasks_in(message: Message) -> list[payment_queue_pb2.TransferTask]:
    """The tasks in a message of any of the streams."""
    match message:
        case payment_queue_pb2.TaskBatch():
            return list(message.tasks)
        case payment_queue_pb2.ResultBatch():
            return [result.task for result in message.results]
        case payment_queue_pb2.RetryTask():
            return [message.task]
        case payment_queue_pb2.DeadLetter() if message.payment_id:
            return list(payment_queue_pb2.TaskBatch.FromString(message.payload).tasks)
    return []


def show_filing(letter: payment_queue_pb2.DeadLetter) -> None:
    """Show that a payment has become a dead letter, in its trace: there is one from now on."""
    for task in _traced(tasks_in(letter)):
        reason = payment_queue_pb2.DeadLetterReason.Name(letter.reason)
        tracing.record(
            "dead letter",
            task.traceparent,
            start_ns=letter.first_failure_time.ToNanoseconds(),
            attributes={
                "qrpay.payment.id": task.payment_id,
                "qrpay.dead_letter.id": letter.id,
                "qrpay.attempts": letter.attempts,
            },
            error=reason.removeprefix("DEAD_LETTER_REASON_").lower(),
        )


def _traced(
    tasks: Iterable[payment_queue_pb2.TransferTask],
) -> list[payment_queue_pb2.TransferTask]:
    return [task for task in tasks if tracing.is_traced(task.traceparent)]


def attributes_of(task: payment_queue_pb2.TransferTask) -> tracing.Attributes:
    """What a step says of its payment."""
    return {"qrpay.payment.id": task.payment_id, "qrpay.attempt": task.attempt}


def show_wait(
    batch: tracing.Batch,
    stream: str,
    stored: datetime,
    tasks: Iterable[payment_queue_pb2.TransferTask],
) -> None:
    """Show how long the message of these tasks has been in a stream."""
    if batch.is_traced:
        for task in _traced(tasks):
            batch.show(
                f"wait {stream}",
                task.traceparent,
                start_ns=min(nanoseconds(stored), batch.began_ns),
                end_ns=batch.began_ns,
                attributes={**tracing.messaging("wait", stream), **attributes_of(task)},
            )


def show_end(
    row: StoredPayment, result: payment_queue_pb2.TransferResult, *, handled_ns: int
) -> None:
    """Show a payment that has just ended; all of it, if it should be found and was not sampled."""
    context = result.task.traceparent
    if not tracing.is_traced(context):
        assert row.complete_time is not None, "it has ended"
        seconds = (row.complete_time - row.create_time).total_seconds()
        if row.status != Status.FAILED and not tracing.is_slow(seconds):
            return
        if not tracing.may_trace_late():
            return
        context = late_context(row.id, context)
        _show_late_steps(row, result, context, handled_ns)
    _show_payment(row, context)


def _show_payment(row: StoredPayment, context: str) -> None:
    attributes: dict[str, str | int] = {
        "qrpay.payment.id": row.id,
        "qrpay.payment.kind": row.kind.lower(),
        "qrpay.payment.outcome": row.status.lower(),
    }
    if row.failure_code:
        attributes["qrpay.payment.failure"] = row.failure_code.lower()
    assert row.complete_time is not None, "it has ended"
    tracing.record(
        "payment",
        # Sampled, or traced although it was not.
        row.traceparent and row.traceparent[:53] + "01",
        start_ns=nanoseconds(row.create_time),
        end_ns=max(nanoseconds(row.create_time), nanoseconds(row.complete_time)),
        attributes=attributes,
        span_id=int(context[36:52], 16),
        trace_id=int(context[3:35], 16),
    )


def _show_late_steps(
    row: StoredPayment,
    result: payment_queue_pb2.TransferResult,
    context: str,
    handled_ns: int,
) -> None:
    executed_ns = result.execute_time.ToNanoseconds()
    attributes: dict[str, str | bool] = {"qrpay.payment.id": row.id, "qrpay.late": True}
    for name, start_ns, end_ns in (
        (f"wait {TASKS_STREAM}", nanoseconds(row.create_time), executed_ns),
        ("transfer", executed_ns, executed_ns),
        (f"process {RESULTS_STREAM}", handled_ns, 0),
    ):
        tracing.record(name, context, start_ns=start_ns, end_ns=end_ns, attributes=attributes)


def nanoseconds(moment: datetime) -> int:
    """Since 1970."""
    return int(moment.timestamp() * 1_000_000) * 1000


@contextmanager
def showing(
    name: str,
    tasks: Sequence[payment_queue_pb2.TransferTask],
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: tracing.Attributes | None = None,
) -> Iterator[None]:
    """Show what is done for these tasks at once, in the trace of each, when it was done well."""
    with tracing.batch(
        name, (task.traceparent for task in tasks), kind=kind, attributes=attributes
    ) as batch:
        yield
        for task in _traced(tasks) if batch.is_traced else []:
            batch.show(
                name,
                task.traceparent,
                kind=kind,
                attributes={**(attributes or {}), **attributes_of(task)},
            )


def sending(
    stream: str, tasks: Sequence[payment_queue_pb2.TransferTask]
) -> AbstractContextManager[None]:
    """Show the sending of a message with these tasks in it, in the trace of each."""
    return showing(
        f"send {stream}",
        tasks,
        kind=SpanKind.PRODUCER,
        attributes=tracing.messaging("send", stream),
    )


class Steps:
    """The processing of tasks that came over the queue, in the trace of each of them."""

    def __init__(
        self,
        batch: tracing.Batch,
        stream: str,
        consumer: str,
        tasks: Sequence[payment_queue_pb2.TransferTask],
    ) -> None:
        self._batch = batch
        self._name = f"process {stream}"
        self._attributes = tracing.messaging("process", stream, consumer=consumer)
        self._tasks = _traced(tasks)
        self._span_ids = {task.payment_id: tracing.new_span_id() for task in self._tasks}
        self._errors: dict[str, str] = {}

    def context(self, task: payment_queue_pb2.TransferTask) -> str:
        """The context of this step, for what is done in it elsewhere; empty if it is not traced."""
        span_id = self._span_ids.get(task.payment_id)
        return f"{task.traceparent[:36]}{span_id:016x}-01" if span_id else ""

    def fail(self, task: payment_queue_pb2.TransferTask, reason: str) -> None:
        """This step failed for this task."""
        if self._tasks:
            self._errors[task.payment_id] = reason

    def end(self, error: str = "") -> None:
        """Show the step of each task; ``error`` is why all of them failed."""
        for task in self._tasks:
            self._batch.show(
                self._name,
                task.traceparent,
                kind=SpanKind.CONSUMER,
                attributes={**self._attributes, **attributes_of(task)},
                error=self._errors.get(task.payment_id, error),
                span_id=self._span_ids[task.payment_id],
            )


@contextmanager
def processing(
    stream: str,
    consumer: str,
    messages: Sequence[tuple[datetime, Sequence[payment_queue_pb2.TransferTask]]],
) -> Iterator[Steps]:
    """Show the processing of messages: when each was stored, and the tasks in it."""
    tasks = [task for _, tasks in messages for task in tasks]
    with tracing.batch(
        f"process {stream}",
        (task.traceparent for task in tasks),
        kind=SpanKind.CONSUMER,
        attributes=tracing.messaging("process", stream, consumer=consumer, count=len(tasks)),
    ) as batch:
        if not batch.is_traced:
            yield Steps(batch, stream, consumer, [])
            return
        for stored, in_it in messages:
            show_wait(batch, stream, stored, in_it)
        steps = Steps(batch, stream, consumer, tasks)
        try:
            yield steps
        except BaseException as error:
            steps.end(tracing.reason_of(error))
            raise
        steps.end()
