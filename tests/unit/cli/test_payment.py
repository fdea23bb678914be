"""How a payment's steps are drawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cli.payment import Step, bars

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def step(start: float, end: float | None = None) -> Step:
    """A step from one second to another, or a moment."""
    return Step(
        "queued",
        NOW + timedelta(seconds=start),
        None if end is None else NOW + timedelta(seconds=end),
        *(0, "", "", "", ""),
    )


def test_bars_show_when_and_how_long() -> None:
    """Goal: each step at its place of the whole time, a moment as a thin one."""
    assert bars([step(0), step(0, 5), step(5, 10), step(10)], cells=10) == [
        "▏",
        "██████",
        "     █████",
        "         ▏",
    ]


def test_what_took_no_time_is_seen() -> None:
    """Goal: a step of a millisecond in a payment of a day has a cell; clocks that differ break
    nothing, and neither does a payment without steps."""
    assert bars([step(0), step(1, 1.001), step(86_400)], cells=10)[1] == "█"
    assert bars([step(5, 4), step(9)], cells=10)[0] == "█"
    assert bars([step(3)], cells=10) == ["▏"]
    assert bars([], cells=10) == []
