"""Counters, gauges and histograms that cost half a microsecond.

The SDK's own take 6 to 12 microseconds for one value, which is more than a payment may cost. These
are kept as plain numbers and handed to the SDK's readers when somebody looks (``metering``), so
they leave the process as any other metric does: scraped, or over OTLP.

    _SENT = Counter("qrpay.letters.sent", unit="{letter}", attributes=("qrpay.letter.kind",), ...)
    _SENT.add(3, "parcel")

Each instrument lists its attributes, and each has a limit of series: what comes beyond it is
counted together in one series with ``otel.metric.overflow``. An attribute whose value is empty is
left out. An instrument belongs to the process, like those of the OpenTelemetry API; values are set
on the event loop and may be read from any thread.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Required, TypedDict, Unpack

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for what takes time: from 1 ms to the 10 s after which no call is worked on."""
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
"""Bounds for how many there were."""

_START_NANOSECONDS = time.time_ns()
_SERIES_MAX = 200
"""As many series as an instrument has, unless it says otherwise."""
_OVERFLOW = {"otel.metric.overflow": "true"}

Values = tuple[str, ...]
"""The values of an instrument's attributes, in their order."""


class Kind(Enum):
    """How the values of an instrument add up."""

    COUNTER = "counter"
    """Only grows."""
    GAUGE = "gauge"
    """A value of this moment; adding it up over processes means nothing."""
    UP_DOWN_COUNTER = "up_down_counter"
    """A value of this moment that may be added up over processes."""
    HISTOGRAM = "histogram"


class Point(NamedTuple):
    """One series of an instrument at one moment."""

    attributes: dict[str, str]
    value: float
    """Of a histogram: the sum of what was recorded."""
    bucket_counts: tuple[int, ...] = ()
    """Of a histogram: one more than it has bounds."""


_BEYOND: Values = ("\0",)
"""In place of the values of a series beyond the limit."""


class Options(TypedDict, total=False):
    """What every instrument is told."""

    unit: Required[str]
    description: Required[str]
    attributes: Sequence[str]
    fixed: Mapping[str, str] | None
    """Attributes that have the same value in every series."""
    series_max: int


class Instrument:
    """What all three have in common: a name, attributes, and a limit of series."""

    kind: Kind
    bounds: tuple[float, ...] = ()
    """Of a histogram: the upper ends of its buckets, without the last one, which is open."""

    def __init__(
        self,
        name: str,
        *,
        unit: str,
        description: str,
        attributes: Sequence[str] = (),
        fixed: Mapping[str, str] | None = None,
        series_max: int = _SERIES_MAX,
    ) -> None:
        """``fixed``: attributes that have the same value in every series."""
        self.name = name
        self.unit = unit
        self.description = description
        self._attributes = tuple(attributes)
        self._fixed = dict(fixed or {})
        self._series_max = series_max
        _INSTRUMENTS.append(self)

    def points(self) -> list[Point]:
        """All its series, as they are now."""
        raise NotImplementedError

    def _named(self, values: Values) -> dict[str, str]:
        if values == _BEYOND:
            return {**self._fixed, **_OVERFLOW}
        pairs = zip(self._attributes, values, strict=True)
        return {**self._fixed, **{name: value for name, value in pairs if value}}

    def _admitted(self, values: Values, series: Mapping[Values, object]) -> Values:
        """These values, if they may have a series; otherwise those of the series for the rest."""
        if len(values) != len(self._attributes):
            raise ValueError(f"{self.name} has the attributes {self._attributes}, not {values}")
        return values if values in series or len(series) < self._series_max else _BEYOND


class Counter(Instrument):
    """Counts what only grows. One without attributes begins at 0."""

    kind = Kind.COUNTER

    def __init__(self, name: str, **options: Unpack[Options]) -> None:
        super().__init__(name, **options)
        self._numbers: dict[Values, float] = {} if self._attributes else {(): 0}

    def add(self, number: float, *values: str) -> None:
        """Count ``number`` more in the series of these attribute values. 0 makes the series appear:
        Prometheus sees no rise in what it did not see at 0."""
        numbers = self._numbers
        if values not in numbers:
            values = self._admitted(values, numbers)
            numbers.setdefault(values, 0)
        numbers[values] += number

    def points(self) -> list[Point]:
        """All its series, as they are now."""
        return [Point(self._named(values), number) for values, number in [*self._numbers.items()]]


class Histogram(Instrument):
    """Counts values by size. ``bounds`` are upper ends of buckets, rising; a value that equals one
    belongs below it."""

    kind = Kind.HISTOGRAM

    def __init__(self, name: str, *, bounds: Sequence[float], **options: Unpack[Options]) -> None:
        super().__init__(name, **options)
        self.bounds = tuple(bounds)
        self._series: dict[Values, _Buckets] = {}

    def record(self, value: float, *values: str) -> None:
        """Count a value in the series of these attribute values."""
        buckets = self._series.get(values)
        if buckets is None:
            admitted = self._admitted(values, self._series)
            buckets = self._series.setdefault(admitted, _Buckets(len(self.bounds) + 1))
        buckets.counts[bisect_left(self.bounds, value)] += 1
        buckets.total += value

    def points(self) -> list[Point]:
        """All its series, as they are now."""
        return [
            Point(self._named(values), buckets.total, tuple(buckets.counts))
            for values, buckets in [*self._series.items()]
        ]


class _Buckets:
    __slots__ = ("counts", "total")

    def __init__(self, number: int) -> None:
        self.counts = [0] * number
        self.total = 0.0


Watch = Callable[[], Mapping[Values, float]]
"""Tells values of this moment, by attribute values. Fast, and from any thread."""


class Gauge(Instrument):
    """Values of this moment: set by somebody who looked, or asked for when they are read.

    ``additive``: whether it makes sense to add them up over processes.
    """

    def __init__(self, name: str, *, additive: bool = False, **options: Unpack[Options]) -> None:
        super().__init__(name, **options)
        self.kind = Kind.UP_DOWN_COUNTER if additive else Kind.GAUGE
        self._numbers: dict[Values, float] = {}
        self._watches: list[Watch] = []

    def set(self, number: float, *values: str) -> None:
        """Set one series."""
        self._numbers[self._admitted(values, self._numbers)] = number

    def replace(self, numbers: Mapping[Values, float]) -> None:
        """Set these series and forget all others; with none, nothing is known any more, which is
        better than what was true some time ago."""
        found: dict[Values, float] = {}
        for values, number in numbers.items():
            found[self._admitted(values, found)] = number
        self._numbers = found

    def watch(self, watch: Watch) -> Callable[[], None]:
        """Ask ``watch`` whenever the gauge is read; answers how to stop that."""
        self._watches.append(watch)
        return lambda: self._watches.remove(watch)

    def points(self) -> list[Point]:
        """All its series, as they are now."""
        found = dict(self._numbers)
        for watch in [*self._watches]:
            for values, number in watch().items():
                found[self._admitted(values, found)] = number
        return [Point(self._named(values), number) for values, number in found.items()]


_INSTRUMENTS: list[Instrument] = []


def instruments() -> list[Instrument]:
    """Every instrument of this process."""
    return [*_INSTRUMENTS]


def start_nanoseconds() -> int:
    """Since when this process has counted, Unix time."""
    return _START_NANOSECONDS
