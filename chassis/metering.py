"""The SDK's side of the metrics: whoever reads, reads the SDK's instruments and ours together.

``metering`` sets the process's meter provider up with the readers that are wanted: one that is
asked (the admin port), one that sends (OTLP).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    MetricReader,
    MetricsData,
    NumberDataPoint,
    PeriodicExportingMetricReader,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from chassis.metrics import Instrument, Kind, instruments, start_nanoseconds

_SEND_EVERY_SECONDS = 10.0
_MEMORY = Path("/proc/self/statm")
"""proc_pid_statm(5): the second number is the pages in memory."""
_SCOPE = InstrumentationScope("qrpay")

Collect = Callable[[], MetricsData]
"""Reads every metric of the process now."""


@contextmanager
def metering(*, resource: Resource, endpoint: str, scraped: bool) -> Iterator[Collect | None]:
    """Have metrics read for the time of the block: sent to ``endpoint`` (OTLP/gRPC) unless it is
    empty, and asked for by what this yields if they are to be ``scraped``."""
    readers: list[MetricReader] = []
    asked = InMemoryMetricReader() if scraped else None
    if asked is not None:
        readers.append(asked)
    if endpoint:
        readers.append(_sender(endpoint, resource))
    provider = MeterProvider(resource=resource, metric_readers=readers)
    metrics.set_meter_provider(provider)
    _tell_of_process(provider.get_meter("qrpay.process"))

    def collect() -> MetricsData:
        assert asked is not None, "only what is scraped is asked"
        return with_ours(asked.get_metrics_data(), resource)

    try:
        yield collect if scraped else None
    finally:
        provider.shutdown()


def with_ours(data: MetricsData | None, resource: Resource) -> MetricsData:
    """What the SDK has collected, and the instruments of ``chassis.metrics``."""
    now = time.time_ns()
    found = [_metric(item, now) for item in instruments()]
    ours = ScopeMetrics(_SCOPE, [metric for metric in found if metric.data.data_points], "")
    theirs = data.resource_metrics if data is not None else []
    return MetricsData([*theirs, ResourceMetrics(resource, [ours], "")])


def _tell_of_process(meter: metrics.Meter) -> None:
    """What the process uses of its machine. Never without a value, so that there is always
    something to read: the SDK passes nothing on, ours neither, if it has nothing itself."""
    began = time.monotonic()

    def uptime(_: CallbackOptions) -> list[Observation]:
        return [Observation(time.monotonic() - began)]

    def cpu_time(_: CallbackOptions) -> list[Observation]:
        times = os.times()
        return [
            Observation(times.user, {"cpu.mode": "user"}),
            Observation(times.system, {"cpu.mode": "system"}),
        ]

    def memory(_: CallbackOptions) -> list[Observation]:
        try:
            pages = int(_MEMORY.read_text("ascii").split()[1])
        except OSError:  # not Linux
            return []
        return [Observation(pages * os.sysconf("SC_PAGE_SIZE"))]

    meter.create_observable_gauge(
        "process.uptime", [uptime], unit="s", description="How long the process has run."
    )
    meter.create_observable_counter(
        "process.cpu.time", [cpu_time], unit="s", description="CPU time that it has used."
    )
    meter.create_observable_up_down_counter(
        "process.memory.usage", [memory], unit="By", description="Memory that it occupies."
    )


def _sender(endpoint: str, resource: Resource) -> MetricReader:
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    class Sender(PeriodicExportingMetricReader):
        """Sends ours, too."""

        def _receive_metrics(
            self, metrics_data: MetricsData, timeout_millis: float = 10_000, **named: Any
        ) -> None:
            super()._receive_metrics(
                with_ours(metrics_data, resource), timeout_millis=timeout_millis, **named
            )

    exporter = OTLPMetricExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"))
    return Sender(exporter, export_interval_millis=_SEND_EVERY_SECONDS * 1000)


def _metric(instrument: Instrument, now: int) -> Metric:
    start = start_nanoseconds()
    points = instrument.points()
    data: Sum | Gauge | Histogram
    if instrument.kind is Kind.HISTOGRAM:
        buckets = [
            HistogramDataPoint(
                attributes=point.attributes,
                start_time_unix_nano=start,
                time_unix_nano=now,
                count=sum(point.bucket_counts),
                sum=point.value,
                bucket_counts=point.bucket_counts,
                explicit_bounds=instrument.bounds,
                # Optional in the contract, and of all time they say nothing.
                min=None,  # type: ignore[arg-type]
                max=None,  # type: ignore[arg-type]
            )
            for point in points
        ]
        data = Histogram(buckets, AggregationTemporality.CUMULATIVE)
    else:
        numbers = [NumberDataPoint(point.attributes, start, now, point.value) for point in points]
        if instrument.kind is Kind.GAUGE:
            data = Gauge(numbers)
        else:
            data = Sum(numbers, AggregationTemporality.CUMULATIVE, instrument.kind is Kind.COUNTER)
    return Metric(instrument.name, instrument.description, instrument.unit, data)
