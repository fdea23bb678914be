"""Our own instruments, and how they are written for Prometheus."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.resources import Resource
from prometheus_client.parser import text_string_to_metric_families

from chassis import metrics
from chassis.exposition import pieces, prometheus_name
from chassis.metering import with_ours
from chassis.metrics import Counter, Gauge, Histogram, Instrument, Kind, Point

RESOURCE = Resource({"service.name": "test"})


@pytest.fixture(autouse=True)
def own_instruments(monkeypatch: pytest.MonkeyPatch) -> None:
    """No instruments but those of the test."""
    monkeypatch.setattr(metrics, "_INSTRUMENTS", [])


def families() -> dict[str, Any]:
    """What Prometheus' own parser makes of the text, by name."""
    text = "".join(pieces(with_ours(None, RESOURCE)))
    return {family.name: family for family in text_string_to_metric_families(text)}


def metric(name: str) -> Metric:
    """A metric as the SDK's readers get it."""
    data = with_ours(None, RESOURCE)
    found = [item for scope in data.resource_metrics[-1].scope_metrics for item in scope.metrics]
    return next(item for item in found if item.name == name)


def counter(*attributes: str, series_max: int = 100) -> Counter:
    """A counter of things."""
    return Counter(
        "qrpay.things",
        unit="{thing}",
        description="Things.",
        attributes=attributes,
        series_max=series_max,
    )


def test_a_counter_counts_by_its_attributes() -> None:
    """Goal: one without attributes is 0 before anything happened; 0 makes others appear."""
    assert counter().points() == [Point({}, 0)]
    things = counter("kind", "place")
    assert things.points() == []
    things.add(0, "red", "here")
    things.add(2, "blue", "")
    things.add(3, "blue", "")
    assert things.points() == [
        Point({"kind": "red", "place": "here"}, 0),
        Point({"kind": "blue"}, 5),
    ]


def test_every_series_of_a_canary_says_so() -> None:
    """Goal: a canary's numbers can be told from everybody's, with as many series as before; a
    process of the stable track has its label in ``target_info`` alone."""
    counter("kind").add(1, "red")
    Histogram("qrpay.size", unit="1", description="Sizes.", bounds=[1]).record(2)
    Gauge("qrpay.level", unit="1", description="Level.").set(3)

    def series(track: str) -> list[str]:
        resource = Resource({"service.name": "test", "qrpay.track": track})
        text = "".join(pieces(with_ours(None, resource)))
        return [line for line in text.splitlines() if not line.startswith("#")]

    stable, canary = series("stable"), series("canary")
    assert [line for line in stable if "qrpay_track" in line] == [
        'target_info{qrpay_track="stable",service_name="test"} 1'
    ]
    assert len(canary) == len(stable)
    assert all('qrpay_track="canary"' in line for line in canary)
    assert 'qrpay_things_total{kind="red",qrpay_track="canary"} 1' in canary
    assert 'qrpay_size_bucket{qrpay_track="canary",le="+Inf"} 1' in canary


def test_attributes_are_given_in_full() -> None:
    """Goal: a value too many or too few is a defect that shows at once."""
    with pytest.raises(ValueError, match="has the attributes"):
        counter("kind").add(1)
    with pytest.raises(ValueError, match="has the attributes"):
        Gauge("g", unit="1", description="", attributes=("a",)).set(1, "x", "y")


def instruments_of_each_kind(series_max: int) -> list[tuple[Instrument, Any]]:
    """Instruments with one attribute, and how a value gets in."""
    common: dict[str, Any] = {"unit": "1", "description": "", "attributes": ["a"]}
    common["series_max"] = series_max
    number, level = Counter("c", **common), Gauge("g", **common)
    size = Histogram("h", bounds=[1], **common)
    return [
        (number, lambda value: number.add(1, value)),
        (level, lambda value: level.set(1, value)),
        (size, lambda value: size.record(1, value)),
    ]


def test_series_are_bounded() -> None:
    """Goal: whatever values come, there are so many series and one for the rest; known ones go on,
    and nothing that was counted is lost."""
    for instrument, put in instruments_of_each_kind(series_max=3):
        for number in range(50):
            put(f"value {number}")
        put("value 0")
        points = instrument.points()
        assert len(points) == 4, instrument.name
        assert points[-1].attributes == {"otel.metric.overflow": "true"}
        if instrument.kind is not Kind.GAUGE:
            assert sum(sum(item.bucket_counts) or item.value for item in points) == 51


def test_a_gauge_forgets_what_is_not_known_any_more() -> None:
    """Goal: no value is better than an old one; who watches is asked when it is read."""
    level = Gauge("qrpay.level", unit="m", description="", attributes=("place",))
    level.set(1, "here")
    level.replace({("there",): 2})
    assert level.points() == [Point({"place": "there"}, 2)]
    level.replace({})
    assert level.points() == []
    stop = level.watch(lambda: {("deep",): 7})
    assert level.points() == [Point({"place": "deep"}, 7)]
    stop()
    assert level.points() == []


@given(st.lists(st.floats(min_value=0, max_value=20)))
def test_a_histogram_is_that_of_the_sdk(values: list[float]) -> None:
    """Goal: for all values, the same buckets, count and sum as the SDK's own makes of them."""
    bounds = [0.001, 0.5, 1.0, 10.0]
    ours = Histogram("h", unit="s", description="", bounds=bounds)
    reader = InMemoryMetricReader()
    theirs = (
        MeterProvider(metric_readers=[reader])
        .get_meter("test")
        .create_histogram("h", unit="s", explicit_bucket_boundaries_advisory=bounds)
    )
    for value in values:
        ours.record(value)
        theirs.record(value)
    data = reader.get_metrics_data()
    if not values:
        assert ours.points() == []
        return
    assert data is not None
    (wanted,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    (found,) = ours.points()
    assert list(found.bucket_counts) == list(wanted.bucket_counts)  # type: ignore[union-attr]
    assert found.value == pytest.approx(wanted.sum)  # type: ignore[union-attr]


def test_a_histogram_is_written_cumulatively() -> None:
    """Goal: as Prometheus wants it: each bucket counts all below it, the last one everything; a
    value that equals a bound is below it."""
    Histogram("qrpay.size", unit="{thing}", description="Sizes.", bounds=[1, 4]).record(9)
    found = Histogram("qrpay.wait", unit="s", description="Waits.", bounds=[0.5, 1.0])
    for value in (0.5, 0.75, 3.0):
        found.record(value)
    family = families()["qrpay_wait_seconds"]
    assert (family.type, family.documentation) == ("histogram", "Waits.")
    assert {(item.name, item.labels.get("le")): item.value for item in family.samples} == {
        ("qrpay_wait_seconds_bucket", "0.5"): 1,
        ("qrpay_wait_seconds_bucket", "1.0"): 2,
        ("qrpay_wait_seconds_bucket", "+Inf"): 3,
        ("qrpay_wait_seconds_sum", None): 4.25,
        ("qrpay_wait_seconds_count", None): 3,
    }


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_text_is_a_label(text: str) -> None:
    """Goal: no value of an attribute can break the text or pretend to be another line."""
    metrics._INSTRUMENTS.clear()
    counter("kind").add(1, text)
    (sample,) = families()["qrpay_things"].samples
    assert sample.labels == {"kind": text}


@pytest.mark.parametrize(
    ("name", "unit", "kind", "wanted"),
    [
        ("http.server.request.duration", "s", Histogram, "http_server_request_duration_seconds"),
        ("qrpay.payment.accepted", "{payment}", Counter, "qrpay_payment_accepted_total"),
        ("process.cpu.time", "s", Counter, "process_cpu_time_seconds_total"),
        ("qrpay.barcodes.miss_ratio", "1", Gauge, "qrpay_barcodes_miss_ratio"),
        ("qrpay.share", "1", Gauge, "qrpay_share_ratio"),
        ("qrpay.share", "1", Counter, "qrpay_share_total"),
        ("process.memory.usage", "By", Gauge, "process_memory_usage_bytes"),
        ("qrpay.wait_seconds", "s", Gauge, "qrpay_wait_seconds"),
        ("a--b..c", "", Gauge, "a_b_c"),
    ],
)
def test_names_are_those_of_the_compatibility_specification(
    name: str, unit: str, kind: Any, wanted: str
) -> None:
    """Goal: a collector between us and Prometheus would make the same name."""
    if kind is Histogram:
        Histogram(name, unit=unit, description="", bounds=[1]).record(1)
    elif kind is Counter:
        Counter(name, unit=unit, description="").add(1)
    else:
        Gauge(name, unit=unit, description="").set(1)
    assert prometheus_name(metric(name)) == wanted


def test_numbers_are_exact() -> None:
    """Goal: a sum of money beyond what a float holds arrives to the last unit."""
    Gauge("qrpay.sum", unit="{minor_unit}", description="").set(-(10**17) - 1)
    text = "".join(pieces(with_ours(None, RESOURCE)))
    assert "qrpay_sum -100000000000000001\n" in text
