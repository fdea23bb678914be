"""Spans of payments in batches: who is traced, under which ids, with which links."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace.status import StatusCode

from chassis import tracing

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_SAMPLED = SAMPLED[:-1] + "0"


class Ids(IdGenerator):
    """As a process has them."""

    generate_span_id = staticmethod(tracing.ids.generate_span_id)
    generate_trace_id = staticmethod(tracing.ids.generate_trace_id)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What is made while tracing is on."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(id_generator=Ids())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_TRACER", provider.get_tracer("test"))
    with tracing.tracing(ratio=1.0, slow_seconds=2.0):
        yield exporter


def test_a_batch_and_its_payments_link_to_each_other(spans: InMemorySpanExporter) -> None:
    """Goal: one span for the batch, linked to the traced payment; one in that payment's trace,
    linked to the batch; none for those that are not sampled."""
    contexts = [SAMPLED, NOT_SAMPLED, ""]
    with tracing.batch("work", contexts, attributes={"n": 3}) as batch:
        for context in contexts:
            batch.show("step", context, error="" if context else "LOST", span_id=7)
    step, work = spans.get_finished_spans()
    assert (step.name, work.name) == ("step", "work")
    assert step.parent is not None
    assert (step.parent.trace_id, step.parent.span_id) == (
        0x0AF7651916CD43DD8448EB211C80319C,
        0xB7AD6B7169203331,
    )
    assert step.context.span_id == 7
    assert [link.context.span_id for link in step.links] == [work.context.span_id]
    assert [link.context.trace_id for link in work.links] == [step.context.trace_id]
    assert work.context.trace_id != step.context.trace_id
    assert dict(work.attributes or {}) == {"n": 3, "qrpay.traced.count": 1}
    assert step.start_time is not None
    assert work.start_time is not None
    assert step.start_time >= work.start_time


def test_a_batch_that_fails_says_why_without_a_text(spans: InMemorySpanExporter) -> None:
    """Goal: the error's kind, and not a word of its message."""
    with pytest.raises(ValueError, match="Liddell"), tracing.batch("work", [SAMPLED]):
        raise ValueError("alice Liddell")
    (work,) = spans.get_finished_spans()
    assert (work.attributes or {})["error.type"] == "ValueError"
    assert work.status.status_code is StatusCode.ERROR
    assert "Liddell" not in work.to_json()


def test_who_is_not_traced_costs_no_span(spans: InMemorySpanExporter) -> None:
    """Goal: no span for a batch without sampled payments, and none at all while tracing is off."""
    with tracing.batch("work", [NOT_SAMPLED, ""]) as batch:
        batch.show("step", NOT_SAMPLED)
    assert not batch.is_traced
    with tracing.tracing(ratio=0.0, slow_seconds=2.0):
        assert not tracing.begins()
    assert spans.get_finished_spans() == ()


def test_without_telemetry_nothing_is_made() -> None:
    """Goal: a process that was told no endpoint looks at nothing."""
    assert not tracing.is_on()
    assert not tracing.begins()
    assert not tracing.is_slow(1e9)
    assert not tracing.may_trace_late()
    with tracing.batch("work", iter([SAMPLED])) as batch:
        assert not batch.is_traced
    tracing.record("step", SAMPLED, start_ns=1)


@pytest.mark.usefixtures("spans")
def test_late_traces_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal: of a flood of failures only so many per second are traced."""
    monkeypatch.setattr(time, "monotonic", lambda: 100.5)
    assert sum(tracing.may_trace_late() for _ in range(1000)) == 50
    monkeypatch.setattr(time, "monotonic", lambda: 101.5)
    assert tracing.may_trace_late()


def test_traces_that_begin_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal: a share is meant for little traffic and for much: under load it costs what five a
    second cost. Who asks for all gets all."""
    monkeypatch.setattr(random, "random", lambda: 0.001)
    for second in (200.5, 201.5):
        monkeypatch.setattr(time, "monotonic", lambda now=second: now)
        with tracing.tracing(ratio=0.01, slow_seconds=2.0):
            assert sum(tracing.begins() for _ in range(1000)) == 5
        with tracing.tracing(ratio=1.0, slow_seconds=2.0):
            assert sum(tracing.begins() for _ in range(1000)) == 1000


@given(text=st.text(max_size=80))
def test_only_valid_contexts_pass(text: str) -> None:
    """Goal: whatever somebody sends, what is taken over can be read."""
    found = tracing.valid_traceparent(text)
    if found:
        tracing.span_context_of(found)
        tracing.is_sampled(found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (SAMPLED, SAMPLED),
        ("cc" + SAMPLED[2:] + "-later", "cc" + SAMPLED[2:]),
        ("ff" + SAMPLED[2:], ""),
        (SAMPLED.upper(), ""),
        (SAMPLED[:-1], ""),
        ("00-" + "0" * 32 + SAMPLED[35:], ""),
        (SAMPLED[:36] + "0" * 16 + "-01", ""),
        (SAMPLED + " ", ""),
    ],
)
def test_what_is_a_context(text: str, found: str) -> None:
    """Goal: W3C Trace Context, section 3.2: lower case, no zeros, unknown versions by their
    beginning."""
    assert tracing.valid_traceparent(text) == found


@given(
    trace_id=st.integers(1, 2**128 - 1), span_id=st.integers(1, 2**64 - 1), sampled=st.booleans()
)
def test_a_context_survives_its_text(trace_id: int, span_id: int, sampled: bool) -> None:
    """Goal: written and read, it names the same."""
    text = tracing.traceparent_of(trace_id, span_id, sampled=sampled)
    assert tracing.valid_traceparent(text) == text
    found = tracing.span_context_of(text)
    assert (found.trace_id, found.span_id) == (trace_id, span_id)
    assert tracing.is_sampled(text) == found.trace_flags.sampled == sampled
