"""The span of a request, with which most traces begin."""

from __future__ import annotations

import time

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from chassis import tracing
from chassis.telemetry import context_of, traceparent_of_current_span
from gateway.meters import known_method

_TRACER = trace.get_tracer("qrpay.http")
_SERVER_FAULT = 500


def context_of_request(header: bytes | None) -> str:
    """The trace context for what this request asks for: of its span, or if it has none, of its
    client; empty if there is no trace."""
    return traceparent_of_current_span() or _context_in(header)


def begin_request(method: str, header: bytes | None) -> trace.Span | None:
    """The span of a request that begins; None if it is not sampled. The client's decision counts,
    and without one we draw."""
    if not tracing.is_on():
        return None
    parent = _context_in(header)
    if not (tracing.is_sampled(parent) if parent else tracing.begins()):
        return None
    return _TRACER.start_span(
        _name(method, ""), context=context_of(parent) if parent else Context(), kind=SpanKind.SERVER
    )


def end_request(span: trace.Span, *, method: str, route: str, status: int, problem: str) -> None:
    """End the span of a request."""
    span.update_name(_name(method, route))
    span.set_attributes(_attributes(method, route, status))
    if status >= _SERVER_FAULT or not status:
        tracing.fail(span, problem or str(status))
    elif problem:
        span.set_attribute("qrpay.problem", problem)
    span.end()


def show_late(
    *, method: str, route: str, status: int, problem: str, header: bytes | None, seconds: float
) -> None:
    """Make a span of a request that was not sampled and should be found: it failed, or was slow."""
    failed = status >= _SERVER_FAULT
    if not (failed or tracing.is_slow(seconds)) or not tracing.may_trace_late():
        return
    parent = _context_in(header)
    end_ns = time.time_ns()
    tracing.record(
        _name(method, route),
        parent[:53] + "01" if parent else "",
        start_ns=end_ns - int(seconds * 1_000_000_000),
        end_ns=end_ns,
        kind=SpanKind.SERVER,
        attributes={**_attributes(method, route, status), "qrpay.late": True},
        error=(problem or str(status)) if failed else "",
    )


def _name(method: str, route: str) -> str:
    method = known_method(method)
    if method == "_OTHER":
        method = "HTTP"
    return f"{method} {route}" if route else method


def _attributes(method: str, route: str, status: int) -> dict[str, str | int]:
    # The route and not the path: nobody knows what people put into a path.
    attributes: dict[str, str | int] = {
        "http.request.method": known_method(method),
        "http.response.status_code": status,
        "url.scheme": "http",
    }
    if route:
        attributes["http.route"] = route
    return attributes


def _context_in(header: bytes | None) -> str:
    return tracing.valid_traceparent(header.decode("latin-1")) if header else ""
