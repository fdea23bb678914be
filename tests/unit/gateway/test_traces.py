"""The span of a request: what it is called, and what a client cannot put into it."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.status import StatusCode

from chassis import tracing
from gateway import traces

SAMPLED = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("method", "route", "name", "said"),
    [
        ("GET", "/wallets/me", "GET /wallets/me", "GET"),
        ("GET", "", "GET", "GET"),
        ("SECRET-4711", "", "HTTP", "_OTHER"),
    ],
)
def test_what_a_span_is_called(
    monkeypatch: pytest.MonkeyPatch, method: str, route: str, name: str, said: str
) -> None:
    """Goal: the name is of a known method and a route, whatever the client sends; its decision to
    sample counts, and a failure has its problem's code."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(traces, "_TRACER", provider.get_tracer("test"))
    with tracing.tracing(ratio=0.0, slow_seconds=2.0):
        assert traces.begin_request(method, None) is None
        span = traces.begin_request(method, SAMPLED)
        assert span is not None
        traces.end_request(span, method=method, route=route, status=503, problem="unavailable")
    (made,) = exporter.get_finished_spans()
    assert made.name == name
    assert made.parent is not None
    assert f"{made.parent.trace_id:032x}" == SAMPLED[3:35].decode()
    attributes = dict(made.attributes or {})
    assert attributes["http.request.method"] == said
    assert attributes["error.type"] == "unavailable"
    assert made.status.status_code is StatusCode.ERROR
    assert "4711" not in f"{made.name}{attributes}"
