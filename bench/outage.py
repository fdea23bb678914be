"""How an outage looked to those who asked: how long nothing was answered, when it was as before.

Pure: moments in, seconds out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

SECONDS_WITHOUT_SERVICE_MAX = 30.0
"""The longest that the loss of a zone may keep payments from being accepted."""
NORMAL_SHARE = 0.75
"""As fast as before: so much of what was answered per second before the fault."""
WINDOW_SECONDS = 5.0
"""For so long it must be as fast as before to be normal again."""
_WARM_UP_SECONDS = 2.0
"""At the beginning, which does not count as what was before."""


class Service(NamedTuple):
    """What an outage was for those who pay."""

    accepted_per_second_before: float
    seconds_without_service: float
    """The longest time between fault and repair in which no payment was accepted."""
    seconds_to_normal: float | None
    """From the fault until payments were accepted as fast as before; None: not while watched."""


def service(
    accepted: Sequence[float], *, began: float, fault: float, repair: float, end: float
) -> Service:
    """Judge by the (sorted) moments at which payments were accepted; the others are moments too."""
    before = per_second(accepted, began + _WARM_UP_SECONDS, fault)
    return Service(
        accepted_per_second_before=round(before, 1),
        seconds_without_service=round(longest_gap(accepted, fault, repair), 1),
        seconds_to_normal=seconds_to_normal(
            accepted, fault=fault, end=end, wanted_per_second=NORMAL_SHARE * before
        ),
    )


def came_back_in_time(seconds_without_service: float, normal_after: float | None) -> bool:
    """Whether an outage is one that may happen."""
    return seconds_without_service <= SECONDS_WITHOUT_SERVICE_MAX and normal_after is not None


def longest_gap(moments: Sequence[float], start: float, end: float) -> float:
    """The longest time between ``start`` and ``end`` without one of the (sorted) moments."""
    first, last = bisect_left(moments, start), bisect_left(moments, end)
    points = [start, *moments[first:last], end]
    return max(after - before for before, after in pairwise(points))


def per_second(moments: Sequence[float], start: float, end: float) -> float:
    """How many of the (sorted) moments there are in a second between ``start`` and ``end``."""
    return (bisect_left(moments, end) - bisect_left(moments, start)) / (end - start)


def seconds_to_normal(
    moments: Sequence[float], *, fault: float, end: float, wanted_per_second: float
) -> float | None:
    """How long after ``fault`` a window begins in which there is as much as wanted.

    Never, if there is none that ends by ``end``; the step is a tenth of a second.
    """
    step, turn = 0.1, 0
    while fault + turn * step + WINDOW_SECONDS <= end:
        begin = fault + turn * step
        if per_second(moments, begin, begin + WINDOW_SECONDS) >= wanted_per_second:
            return turn * step
        turn += 1
    return None
