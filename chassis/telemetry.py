"""OpenTelemetry wiring: spans once an OTLP endpoint is set, metrics once somebody reads them.

Everything else asks the OpenTelemetry API for a tracer, and the API or ``chassis.metrics`` for
instruments; without a provider the API's do nothing. Context travels as W3C ``traceparent``, in
gRPC metadata and inside queue items.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chassis import tracing

if TYPE_CHECKING:  # the SDK takes time and memory to import, and not every process needs it
    from opentelemetry.sdk.resources import Resource

    from chassis.metering import Collect

TRACEPARENT = "traceparent"
_SPANS_EVERY_SECONDS = 2.0
_SPANS_MAX = 8_192
"""That wait to be sent; what comes when there are as many is dropped, and never waited for."""
_PROPAGATOR = TraceContextTextMapPropagator()


@contextmanager
def telemetry(
    *,
    service_name: str,
    endpoint: str,
    sample_ratio: float,
    slow_seconds: float,
    track: str = "stable",
    scraped: bool = False,
) -> Iterator[Collect | None]:
    """Send this process's spans and metrics to ``endpoint`` (OTLP/gRPC) for the time of the block.

    ``sample_ratio``: the share of the traces that begin here that are sampled; what takes
    ``slow_seconds`` is traced afterwards. An empty endpoint: nothing is sent, and no span is made.
    ``scraped``: metrics are made in any case, and read by what this yields. Neither: nothing is
    imported or made, and None is yielded.
    """
    if not endpoint and not scraped:
        yield None
        return
    from opentelemetry.sdk.resources import Resource

    from chassis.metering import metering

    resource = Resource.create(
        {
            "service.name": service_name,
            "service.namespace": "qrpay",
            "service.instance.id": str(uuid.uuid4()),
            "qrpay.track": track,
        }
    )
    with ExitStack() as stack:
        if endpoint:
            stack.enter_context(
                _tracing(
                    resource,
                    endpoint=endpoint,
                    sample_ratio=sample_ratio,
                    slow_seconds=slow_seconds,
                )
            )
        yield stack.enter_context(metering(resource=resource, endpoint=endpoint, scraped=scraped))


@contextmanager
def _tracing(
    resource: Resource, *, endpoint: str, sample_ratio: float, slow_seconds: float
) -> Iterator[None]:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

    class Ids(IdGenerator):
        """Our ids, as the SDK wants them."""

        generate_span_id = staticmethod(tracing.ids.generate_span_id)
        generate_trace_id = staticmethod(tracing.ids.generate_trace_id)

    # Where a trace begins, we draw before there is a span (``tracing.begins``).
    provider = TracerProvider(
        resource=resource, sampler=ParentBased(root=ALWAYS_ON), id_generator=Ids()
    )
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"))
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter, max_queue_size=_SPANS_MAX, schedule_delay_millis=_SPANS_EVERY_SECONDS * 1000
        )
    )
    trace.set_tracer_provider(provider)
    try:
        with tracing.tracing(ratio=sample_ratio, slow_seconds=slow_seconds):
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
