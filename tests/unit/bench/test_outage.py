"""The figures of an outage follow from the moments that were seen."""

from __future__ import annotations

import pytest

from bench.outage import longest_gap, per_second, seconds_to_normal

TENTHS = [number / 10 for number in range(1000)]
"""Ten a second, for a hundred seconds."""


def without(start: float, end: float) -> list[float]:
    """Ten a second, and nothing from ``start`` to ``end``."""
    return [moment for moment in TENTHS if not start <= moment < end]


def test_the_longest_gap_is_between_two_moments() -> None:
    """Silence in the middle is found."""
    assert longest_gap(without(30, 42), 20, 60) == pytest.approx(12.1)


def test_silence_at_the_edges_counts() -> None:
    """Nothing at all is as long as the time that was looked at, and its end is no answer."""
    assert longest_gap([], 20, 60) == 40
    assert longest_gap(without(50, 90), 20, 60) == pytest.approx(10.1)
    assert longest_gap(without(10, 25), 20, 60) == pytest.approx(5)


def test_a_rate_is_of_its_window_alone() -> None:
    """What is before and after does not count."""
    assert per_second(without(0, 20), 10, 30) == pytest.approx(5)


def test_normal_is_when_a_whole_window_is_as_before() -> None:
    """The first answers after an outage are not yet normal service."""
    moments = sorted([*without(30, 42), 33.0, 33.1, 33.2])
    found = seconds_to_normal(moments, fault=30, end=60, wanted_per_second=7.5)
    assert found == pytest.approx(10.8, abs=0.11)


def test_what_never_gets_normal_is_said_to() -> None:
    """A rate that stays at half of what it was is not normal."""
    moments = [moment for moment in TENTHS if moment < 30 or int(moment * 10) % 2]
    assert seconds_to_normal(moments, fault=30, end=60, wanted_per_second=7.5) is None
