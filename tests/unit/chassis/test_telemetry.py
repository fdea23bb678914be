"""Trace context in and out, and logs that carry it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from chassis.logs import configure_logs, get_logger
from chassis.telemetry import (
    context_of,
    telemetry,
    traceparent_of_current_span,
    traceparent_of_metadata,
)

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_SAMPLED = TRACEPARENT[:-1] + "0"


@pytest.mark.parametrize("text", [TRACEPARENT, NOT_SAMPLED])
def test_a_context_survives_the_journey(text: str) -> None:
    """Out of one process, into the next; unsampled contexts are not worth carrying."""
    span_context = trace.get_current_span(context_of(text)).get_span_context()
    assert f"{span_context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    with trace.use_span(NonRecordingSpan(span_context)):
        assert traceparent_of_current_span() == (text if text.endswith("1") else "")


@pytest.mark.parametrize(
    "text", ["", "00-x", "nonsense\0", "00-" + "0" * 32 + "-b7ad6b7169203331-01"]
)
def test_a_malformed_context_is_none(text: str) -> None:
    """It comes from outside: it must not disturb the work."""
    assert not trace.get_current_span(context_of(text)).get_span_context().is_valid


def test_without_a_span_there_is_nothing_to_carry() -> None:
    """No text at all, rather than one of zeros."""
    assert traceparent_of_current_span() == ""


def test_metadata_is_searched() -> None:
    """Among other keys, and binary ones."""
    metadata = (("user-agent", "x"), ("traceparent", b"bytes"), ("traceparent", TRACEPARENT))
    assert traceparent_of_metadata(metadata) == TRACEPARENT
    assert traceparent_of_metadata(None) == ""
    assert traceparent_of_metadata(()) == ""


def test_without_an_endpoint_nothing_is_set_up() -> None:
    """Spans cost nothing then: they do not record."""
    before = trace.get_tracer_provider()
    with telemetry(service_name="test", endpoint="", sample_ratio=1.0, slow_seconds=2.0):
        assert trace.get_tracer_provider() is before
        with trace.get_tracer("test").start_as_current_span("nothing") as span:
            assert not span.is_recording()


@pytest.fixture
def restored_logs() -> Iterator[None]:
    """Puts the configuration of the logs back after the test."""
    root, configuration = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**configuration)
    root.handlers[:], root.level = handlers, level


def lines(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """What the process has logged."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.usefixtures("restored_logs")
def test_a_log_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """Facts, time, level, service, and the trace we are in; from libraries, too; nothing below the
    level."""
    configure_logs(service_name="ledger", level="INFO")
    span_context = SpanContext(trace_id=7, span_id=8, is_remote=False, trace_flags=TraceFlags(1))
    with trace.use_span(NonRecordingSpan(span_context)):
        get_logger("test").warning("something happened", payment_id="pay_1")
        get_logger("test").warning("something else", traceparent=f"00-{'9' * 32}-{'8' * 16}-01")
    get_logger("test").debug("not told")
    logging.getLogger("library").error("text with %s", "parts")
    logging.getLogger("library").debug("not told")
    ours, other, theirs = lines(capsys)
    assert ours["event"] == "something happened"
    assert ours["payment_id"] == "pay_1"
    assert ours["level"] == "warning"
    assert ours["service"] == "ledger"
    assert ours["trace_id"] == f"{7:032x}"
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["level"]) == ("text with parts", "error")
    assert "trace_id" not in theirs
    assert other["trace_id"] == "9" * 32, "a line may be about another trace than that of the batch"
    assert "traceparent" not in other


@pytest.mark.usefixtures("restored_logs")
def test_an_exception_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback is a field, not thirty lines of their own."""
    configure_logs(service_name="ledger", level="INFO")
    get_logger("test").error("failed", exc_info=ValueError("broken"))
    (line,) = lines(capsys)
    assert "ValueError: broken" in line["exception"]
