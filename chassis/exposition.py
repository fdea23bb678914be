"""Metrics as text, in the format that Prometheus scrapes (version 0.0.4).

Names follow the OpenTelemetry specification "Prometheus and OpenMetrics Compatibility": dots become
underscores, the unit is appended, and ``_total`` to counters. Written here and not taken from
opentelemetry-exporter-prometheus, which needs six times as much CPU for the same text, all at
once: the event loop would stand still for as long as a payment takes. Pieces here are small.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

from opentelemetry.sdk.metrics.export import Gauge, Histogram, Metric, MetricsData, Sum

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9]+")
_ANNOTATION = re.compile(r"\{[^}]*\}")
_UNITS = {"s": "seconds", "ms": "milliseconds", "By": "bytes", "%": "percent", "1": ""}
"""Those that we and our libraries use; others are appended as they are."""
_TRACK, _STABLE = "qrpay.track", "stable"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


def pieces(data: MetricsData) -> Iterator[str]:
    """The text, a family's head or a series at a time. A family that has been written is not
    written again: a scrape with a name in it twice is refused as a whole.

    Every series of a canary has the label ``qrpay_track``: as many series as before, and each can
    be compared with everybody else's without a join. A process of the stable track has it in
    ``target_info`` alone.
    """
    written: set[str] = set()
    resource = data.resource_metrics[0].resource.attributes if data.resource_metrics else {}
    yield "# HELP target_info The process.\n# TYPE target_info gauge\n"
    yield f"target_info{_braces(_labels(resource))} 1\n"
    track = {_TRACK: resource[_TRACK]} if resource.get(_TRACK, _STABLE) != _STABLE else {}
    for of_resource in data.resource_metrics:
        for scope in of_resource.scope_metrics:
            for metric in scope.metrics:
                name = prometheus_name(metric)
                if name not in written:
                    written.add(name)
                    yield from _family(name, metric, track)


def prometheus_name(metric: Metric) -> str:
    """What a metric is called in Prometheus, without the endings of a histogram's series."""
    name = _NOT_IN_NAMES.sub("_", metric.name).strip("_")
    raw = _ANNOTATION.sub("", metric.unit or "")
    unit = _UNITS.get(raw, _NOT_IN_NAMES.sub("_", raw).strip("_"))
    if raw == "1" and isinstance(metric.data, Gauge):
        unit = "ratio"
    if unit and not name.endswith(f"_{unit}"):
        name = f"{name}_{unit}"
    if _grows(metric) and not name.endswith("_total"):
        name = f"{name}_total"
    return name


def _grows(metric: Metric) -> bool:
    return isinstance(metric.data, Sum) and metric.data.is_monotonic


def _family(name: str, metric: Metric, every: Mapping[str, Any]) -> Iterator[str]:
    data = metric.data
    if isinstance(data, Histogram):
        kind = "histogram"
    elif isinstance(data, Sum | Gauge):
        kind = "counter" if _grows(metric) else "gauge"
    else:
        return  # exponential histograms have no form in this format; nobody here makes any
    text = (metric.description or "").translate(_HELP_ESCAPES)
    yield f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
    if isinstance(data, Histogram):
        for buckets in data.data_points:
            yield _buckets(name, buckets, every)
    else:
        for point in data.data_points:
            labels = _labels({**(point.attributes or {}), **every})
            yield f"{name}{_braces(labels)} {_number(point.value)}\n"


def _buckets(name: str, point: Any, every: Mapping[str, Any]) -> str:
    labels = _labels({**point.attributes, **every})
    start = f'{name}_bucket{{{labels}{"," if labels else ""}le="'
    bounds = [*map(_number, point.explicit_bounds), "+Inf"]
    counts = accumulate(point.bucket_counts)
    lines = [f'{start}{bound}"}} {count}\n' for bound, count in zip(bounds, counts, strict=True)]
    braces = _braces(labels)
    lines.append(f"{name}_sum{braces} {_number(point.sum)}\n{name}_count{braces} {point.count}\n")
    return "".join(lines)


def _labels(attributes: Mapping[str, Any]) -> str:
    pairs = ((_NOT_IN_NAMES.sub("_", name), value) for name, value in attributes.items())
    return ",".join(f'{name}="{str(value).translate(_ESCAPES)}"' for name, value in sorted(pairs))


def _braces(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""


def _number(value: float) -> str:
    return repr(value) if isinstance(value, float) else str(value)
