"""OpenTelemetry wiring: spans and metrics once an OTLP endpoint is set; before, they cost nothing.

Everything else asks the OpenTelemetry API for a tracer or a meter; without a provider they do
nothing. Context travels as W3C ``traceparent``, in gRPC metadata and inside queue items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT = "traceparent"
_METRICS_EVERY_SECONDS = 10.0
_PROPAGATOR = TraceContextTextMapPropagator()


@contextmanager
def telemetry(*, service_name: str, endpoint: str, sample_ratio: float) -> Iterator[None]:
    """Send this process's spans and metrics to ``endpoint`` (OTLP/gRPC) for the time of the block.

    An empty endpoint: nothing is imported, made or sent.
    """
    if not endpoint:
        yield
        return
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    resource = Resource.create({"service.name": service_name, "service.namespace": "qrpay"})
    provider = TracerProvider(resource=resource, sampler=ParentBasedTraceIdRatio(sample_ratio))
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(endpoint=endpoint, insecure=endpoint.startswith("http://")),
        export_interval_millis=_METRICS_EVERY_SECONDS * 1000,
    )
    meters = MeterProvider(resource=resource, metric_readers=[reader])
    metrics.set_meter_provider(meters)
    try:
        yield
    finally:
        provider.shutdown()
        meters.shutdown()


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
