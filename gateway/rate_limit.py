"""How often one caller may ask: the generic cell rate algorithm, in this process's memory.

One number per caller, the *theoretical arrival time* of the next request if requests came exactly
at the allowed rate (ITU-T I.371, GCRA; the leaky bucket as a meter). With n gateways a caller gets
up to n times the rate: this protects the process, it is not a quota that is billed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from gateway.recent import RecentlyUsed


class RateLimiter:
    """Admits each caller ``per_second`` requests in the long run and ``burst`` at once."""

    def __init__(
        self,
        *,
        per_second: float,
        burst: int,
        callers_max: int,
        monotonic: Callable[[], float],
    ) -> None:
        self._interval = 1 / per_second
        # The last of a full burst may be this far ahead of the rate.
        self._tolerance = (burst - 1) * self._interval
        self._arrivals: RecentlyUsed[Hashable, float] = RecentlyUsed(callers_max)
        self._monotonic = monotonic

    def admit(self, caller: Hashable) -> float:
        """0.0 if the request may go on; otherwise in how many seconds one more may.

        A refused request costs the caller nothing.
        """
        now = self._monotonic()
        arrival = self._arrivals.get(caller)
        if arrival is None or arrival < now:
            arrival = now
        if (early := arrival - now - self._tolerance) > 1e-9:
            return early
        self._arrivals.put(caller, arrival + self._interval)
        return 0.0
