"""OpenTelemetry wiring: spans exist once an OTLP endpoint is set, and cost nothing before.

Everything else asks the OpenTelemetry API for a tracer; without a provider it hands out spans that
do nothing. Context travels as W3C ``traceparent``, in gRPC metadata and inside queue items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT = "traceparent"
_PROPAGATOR = TraceContextTextMapPropagator()


@contextmanager
def telemetry(*, service_name: str, endpoint: str, sample_ratio: float) -> Iterator[None]:
    """Send this process's spans to ``endpoint`` (OTLP/gRPC) for the time of the block.

    An empty endpoint: nothing is imported, made or sent.
    """
    if not endpoint:
        yield
        return
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    provider = TracerProvider(
        resource=Resource.create({"service.name": service_name, "service.namespace": "qrpay"}),
        sampler=ParentBasedTraceIdRatio(sample_ratio),
    )
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


def traceparent_of_current_span() -> str:
    """The W3C context of the span we are in; empty if there is none or it is not sampled."""
    if not trace.get_current_span().get_span_context().trace_flags.sampled:
        return ""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get(TRACEPARENT, "")


def context_of(traceparent: str) -> Context:
    """The context that a W3C ``traceparent`` names; an empty one if it is empty or malformed."""
    return _PROPAGATOR.extract({TRACEPARENT: traceparent}, context=Context())


def traceparent_of_metadata(metadata: Sequence[tuple[str, str | bytes]] | None) -> str:
    """The W3C context in a call's gRPC metadata; empty if there is none."""
    for key, value in metadata or ():
        if key == TRACEPARENT and isinstance(value, str):
            return value
    return ""
