"""A collector for tests: takes spans over OTLP/gRPC, as any backend does, and answers questions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import grpc
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2,
    metrics_service_pb2_grpc,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1 import common_pb2


class Span(NamedTuple):
    """A span as it came."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: str
    attributes: dict[str, Any]
    links: frozenset[tuple[str, str]]
    """Trace and span ids."""
    start_ns: int
    end_ns: int
    failed: bool
    text: str
    """Everything in it."""


class Collector:
    """What has arrived."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.port = 0

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of one trace."""
        return [span for span in self.spans if span.trace_id == trace_id]

    def traces_of(self, payment_id: str) -> set[str]:
        """The traces with a step of this payment."""
        return {
            span.trace_id
            for span in self.spans
            if span.attributes.get("qrpay.payment.id") == payment_id
        }

    async def until(self, happened: Callable[[], bool], *, seconds: float = 20.0) -> None:
        """Wait until what is waited for has arrived."""
        async with asyncio.timeout(seconds):
            while not happened():  # noqa: ASYNC110 - what arrives is looked at anew
                await asyncio.sleep(0.05)


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def Export(self, request: Any, _context: Any) -> Any:
        """Take spans."""
        for resource in request.resource_spans:
            service = _values(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self._collector.spans += [_span(service, span) for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    async def Export(self, _request: Any, _context: Any) -> Any:
        """Take metrics, and forget them."""
        return metrics_service_pb2.ExportMetricsServiceResponse()


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector on loopback, for the time of the block."""
    collector = Collector()
    server = grpc.aio.server()
    # Their generated code has no types.
    untyped_traces: Any = trace_service_pb2_grpc
    untyped_metrics: Any = metrics_service_pb2_grpc
    untyped_traces.add_TraceServiceServicer_to_server(_Traces(collector), server)
    untyped_metrics.add_MetricsServiceServicer_to_server(_Metrics(), server)
    collector.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(1)


def _span(service: str, span: Any) -> Span:
    return Span(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=type(span).SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        attributes=_values(span.attributes),
        links=frozenset((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        failed=span.status.code == 2,
        text=str(span),
    )


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: common_pb2.AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")
