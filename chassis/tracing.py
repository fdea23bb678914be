"""Spans of payments that travel in batches: each sampled payment has its own, and so has the batch.

A payment's trace context is a W3C ``traceparent`` that travels with it, in every message and row.
It is empty for a payment that is not sampled, so that such a payment costs one look at a text.
Spans are made when their work is done, with the times that were taken: a payment's spans have the
real times of its batch, and a link to the batch's span, whose children are what the batch did
(calls, transactions).

Nothing that identifies a person, no code and no token may be an attribute.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

Attributes = Mapping[str, str | int | float | bool]

_TRACER = trace.get_tracer("qrpay")
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)
_LENGTH = 55
_LINKS_MAX = 128
"""Of a batch's span: the SDK keeps no more."""
_BEGUN_PER_SECOND_MAX = 5
"""Traces that a share below 1 begins, per process. A batch is traced as soon as one of its payments
is: one in a hundred, with a hundred in a batch, is every batch, and costs a tenth of everything."""
_LATE_PER_SECOND_MAX = 50
"""Traces that are made afterwards, per process: a flood of failures must not cost as much as a
flood of payments."""

INSIDE = frozenset({"gateway", "gateway-reader", "payment", "wallet", "ledger", "barcode"})
"""The identities of the mesh whose calls continue what came in elsewhere. A trace begins at an
edge: with an HTTP request, or with a call of anybody else."""


class NamedIds:
    """Random ids, unless the next span was told its own. Of one thread: the event loop's."""

    def __init__(self) -> None:
        self.next_span_id = 0
        self.next_trace_id = 0

    def generate_span_id(self) -> int:
        """The id of a span that begins."""
        chosen, self.next_span_id = self.next_span_id, 0
        return chosen or new_span_id()

    def generate_trace_id(self) -> int:
        """The id of a trace that begins."""
        chosen, self.next_trace_id = self.next_trace_id, 0
        return chosen or random.getrandbits(128) or 1


class _PerSecond:
    """So many in each second, and no more."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._second = self._count = 0

    def takes_one(self) -> bool:
        """Whether there is room for one more in this second."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count <= self._count_max


@dataclass
class _State:
    """What this process was told about tracing."""

    is_on: bool = False
    ratio: float = 0.0
    slow_seconds: float = 0.0
    begun: _PerSecond = field(default_factory=lambda: _PerSecond(_BEGUN_PER_SECOND_MAX))
    late: _PerSecond = field(default_factory=lambda: _PerSecond(_LATE_PER_SECOND_MAX))


_STATE = _State()
ids = NamedIds()


@contextmanager
def tracing(*, ratio: float, slow_seconds: float) -> Iterator[None]:
    """Make spans for the time of the block; the provider of the SDK is there already.

    ``ratio``: the share of traces that begin here and are sampled; at most five a second, unless it
    is 1. ``slow_seconds``: what takes longer is traced afterwards.
    """
    before = dict(vars(_STATE))
    _STATE.is_on, _STATE.ratio, _STATE.slow_seconds = True, ratio, slow_seconds
    try:
        yield
    finally:
        vars(_STATE).update(before)


def is_on() -> bool:
    """Whether spans are made at all."""
    return _STATE.is_on


def begins() -> bool:
    """Draw whether a trace that begins here is sampled."""
    if not _STATE.is_on or random.random() >= _STATE.ratio:  # noqa: S311 - no secret
        return False
    return _STATE.ratio >= 1 or _STATE.begun.takes_one()


def is_slow(seconds: float) -> bool:
    """Whether something took so long that it should be found."""
    return _STATE.is_on and seconds >= _STATE.slow_seconds


def may_trace_late() -> bool:
    """Whether something that was not sampled may be traced afterwards; a few per second are."""
    return _STATE.is_on and _STATE.late.takes_one()


def valid_traceparent(text: str) -> str:
    """The W3C trace context in a text from outside, without what later versions may append; empty
    if it is none."""
    return text[:_LENGTH] if _TRACEPARENT.fullmatch(text) else ""


def is_sampled(traceparent: str) -> bool:
    """Whether this valid context, or none, says that its trace is sampled."""
    return traceparent != "" and int(traceparent[53:_LENGTH], 16) & TraceFlags.SAMPLED != 0


def is_traced(traceparent: str) -> bool:
    """Whether spans are to be made for whatever has this context."""
    return _STATE.is_on and traceparent != "" and is_sampled(traceparent)


def traceparent_of(trace_id: int, span_id: int, *, sampled: bool = True) -> str:
    """The W3C text of a context."""
    return f"00-{trace_id:032x}-{span_id:016x}-{sampled:02x}"


def span_context_of(traceparent: str) -> SpanContext:
    """What a valid context names."""
    return SpanContext(
        int(traceparent[3:35], 16),
        int(traceparent[36:52], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(traceparent[53:_LENGTH], 16)),
    )


def new_span_id() -> int:
    """An id for a span that is made when its work is done, and whose children know it before."""
    return random.getrandbits(64) or 1


def hashed_id(text: str, *, bits: int) -> int:
    """An id that every process that knows ``text`` finds alike."""
    digest = hashlib.blake2b(text.encode(), digest_size=bits // 8).digest()
    return int.from_bytes(digest, "big") or 1


def record(
    name: str,
    parent: str,
    *,
    start_ns: int,
    end_ns: int = 0,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
    links: Sequence[Link] = (),
    error: str = "",
    span_id: int = 0,
    trace_id: int = 0,
) -> None:
    """Make a span of work that is done.

    ``parent`` is a sampled context, or empty for the root of the trace ``trace_id``. Times are
    nanoseconds since 1970; no end: now. ``error`` is the reason for which the work failed.
    """
    if not _STATE.is_on:
        return
    context = Context()
    if parent:
        context = trace.set_span_in_context(NonRecordingSpan(span_context_of(parent)), context)
    ids.next_span_id, ids.next_trace_id = span_id, trace_id
    span = _TRACER.start_span(
        name, context=context, kind=kind, attributes=attributes, links=links, start_time=start_ns
    )
    if error:
        fail(span, error)
    span.end(end_ns or time.time_ns())


def fail(span: trace.Span, reason: str) -> None:
    """Mark a span as failed. Its reason is a word of a contract, and never a message: an
    exception's text may have anything in it."""
    span.set_attribute("error.type", reason)
    span.set_status(Status(StatusCode.ERROR))


class Batch:
    """Work that is done for several payments at once."""

    __slots__ = ("_links", "began_ns", "is_traced")

    def __init__(self, links: Sequence[Link], *, is_traced: bool) -> None:
        self._links = links
        self.began_ns = time.time_ns() if is_traced else 0
        self.is_traced = is_traced
        """Whether any payment in it is: if not, nobody needs to look for them. Most of the others
        are not, so ask ``is_traced`` before saying anything of one."""

    def show(
        self,
        name: str,
        parent: str,
        *,
        start_ns: int = 0,
        end_ns: int = 0,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes | None = None,
        error: str = "",
        span_id: int = 0,
    ) -> None:
        """Show this work in the trace of one of its payments, if that is traced; from the batch's
        begin to now, unless told otherwise."""
        if self.is_traced and is_traced(parent):
            record(
                name,
                parent,
                start_ns=start_ns or self.began_ns,
                end_ns=end_ns,
                kind=kind,
                attributes=attributes,
                links=self._links,
                error=error,
                span_id=span_id,
            )


_NO_BATCH = Batch((), is_traced=False)


@contextmanager
def batch(
    name: str,
    traceparents: Iterable[str],
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
) -> Iterator[Batch]:
    """A span for work that is done for payments with these contexts, linked to those of them that
    are traced; no span if none is."""
    traced = [item for item in traceparents if is_traced(item)] if _STATE.is_on else []
    if not traced:
        yield _NO_BATCH
        return
    links = [Link(span_context_of(item)) for item in traced[:_LINKS_MAX]]
    with _TRACER.start_as_current_span(
        name,
        kind=kind,
        attributes={"qrpay.traced.count": len(traced), **(attributes or {})},
        links=links,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield Batch([Link(span.get_span_context())], is_traced=True)
        except BaseException as error:
            fail(span, reason_of(error))
            raise


def reason_of(error: BaseException) -> str:
    """What to call an error in a span: its reason, if it is one of a contract."""
    return str(getattr(error, "reason", "")) or type(error).__name__


def messaging(operation: str, stream: str, *, consumer: str = "", count: int = 0) -> Attributes:
    """The attributes of work with the queue (OpenTelemetry's conventions for messaging)."""
    kinds = {"send": "send", "process": "process", "wait": "receive"}
    attributes: dict[str, str | int] = {
        "messaging.system": "nats",
        "messaging.destination.name": stream,
        "messaging.operation.name": operation,
        "messaging.operation.type": kinds[operation],
    }
    if consumer:
        attributes["messaging.consumer.group.name"] = consumer
    if count:
        attributes["messaging.batch.message_count"] = count
    return attributes
