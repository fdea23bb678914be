"""The rate of one caller."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rate_limit import RateLimiter


class Time:
    """A clock that only moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def limiter(time: Time, *, per_second: float = 10, burst: int = 5) -> RateLimiter:
    """A limiter with this clock."""
    return RateLimiter(per_second=per_second, burst=burst, callers_max=100, monotonic=time)


def test_a_burst_and_not_one_more() -> None:
    """A caller who was quiet may send a whole burst at once; the next one is told when to come."""
    time = Time()
    limit = limiter(time)
    assert [limit.admit("a") for _ in range(5)] == [0.0] * 5
    assert limit.admit("a") == pytest.approx(0.1)


def test_coming_back_when_told_is_enough() -> None:
    """Who waits as long as it was told is admitted, once."""
    time = Time()
    limit = limiter(time)
    while not (seconds := limit.admit("a")):
        pass
    time.now += seconds
    assert limit.admit("a") == 0.0
    assert limit.admit("a") > 0


def test_callers_do_not_pay_for_each_other() -> None:
    """One caller's flood leaves the others alone."""
    limit = limiter(Time())
    while not limit.admit("flood"):
        pass
    assert limit.admit("quiet") == 0.0


def test_being_refused_costs_nothing() -> None:
    """Hammering at the limit does not push the moment away at which one is admitted again."""
    time = Time()
    limit = limiter(time)
    while not limit.admit("a"):
        pass
    before = limit.admit("a")
    for _ in range(1000):
        limit.admit("a")
    assert limit.admit("a") == before


@given(pauses=st.lists(st.floats(0, 0.5), max_size=200))
def test_no_window_sees_more_than_burst_plus_rate(pauses: list[float]) -> None:
    """However the requests are spread, in any stretch of time no more are admitted than the burst
    and what the rate gives for that time."""
    time = Time()
    limit = limiter(time)
    admitted = []
    for pause in pauses:
        time.now += pause
        if not limit.admit("a"):
            admitted.append(time.now)
    for first, start in enumerate(admitted):
        for last in range(first, len(admitted)):
            allowed = 5 + (admitted[last] - start) * 10
            assert last - first + 1 <= allowed + 1e-6
