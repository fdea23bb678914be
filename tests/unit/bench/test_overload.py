"""What the overload experiment concludes from what it saw."""

from __future__ import annotations

from bench.overload import Second, summarize, with_peak_after

CALM = Second(
    offered=500,
    accepted=500,
    shed=0,
    other=0,
    answer_p50_ms=40.0,
    answer_p99_ms=60.0,
    completed=500,
    done_p50_ms=30.0,
)
LOADED = CALM._replace(
    offered=3000, accepted=900, shed=2100, answer_p50_ms=600.0, completed=900, done_p50_ms=200.0
)
SLOW = CALM._replace(answer_p50_ms=90.0)


def seconds(*, during: list[Second], after: list[Second]) -> list[Second]:
    """Twenty calm seconds, the overload, and what followed; the last second is never whole."""
    return [CALM] * 20 + during + after + [LOADED]


def test_shares_of_the_peak_and_of_the_refused() -> None:
    """Goal: completed over the mean of the peaks, refused over offered; the first five seconds, in
    which it finds its feet, do not count."""
    found = summarize(seconds(during=[CALM] * 5 + [LOADED] * 55, after=[CALM] * 44), 1000.0, 60.0)
    assert found.goodput_per_second == 900
    assert found.goodput_share == 0.9
    assert found.shed_share == 0.7
    assert with_peak_after(found, 800.0).goodput_share == 1.0
    assert found.answer_ms == (40.0, 600.0, 40.0)
    assert found.done_ms == (30.0, 200.0, 30.0)


def test_normal_again_from_the_last_slow_second_on() -> None:
    """Goal: at once; after some seconds; not while anybody is refused; never."""
    loaded = [LOADED] * 60

    def again(after: list[Second]) -> float | None:
        return summarize(
            seconds(during=loaded, after=after), 1000.0, 60.0
        ).normal_again_after_seconds

    assert again([CALM] * 44) == 0
    assert again([SLOW] * 10 + [CALM] * 34) == 8, "the median of five seconds"
    assert again([CALM] * 10 + [SLOW] + [CALM] * 33) == 0, "a single one is noise"
    assert again([CALM] * 10 + [CALM._replace(shed=1)] + [CALM] * 33) == 11
    assert again([CALM] * 10 + [SLOW] * 34) is None
