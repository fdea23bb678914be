"""What a drill showed."""

from __future__ import annotations

from typing import Any

import msgspec

from bench.outage import came_back_in_time


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One zone lost in one way, and what was seen meanwhile."""

    kind: str
    zone: str
    seconds_without_service: float
    """The longest time in which no payment was accepted."""
    seconds_without_completion: float
    """The longest time in which no payment was completed."""
    seconds_to_normal: float | None
    """From the fault until payments are accepted as fast as before, with the zone still away or
    not; None: never."""
    accepted_per_second_before: float
    accepted: int
    """Payments accepted from the fault to the end of it."""
    answers: dict[str, int]
    """By HTTP status, from the fault to the end of it."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole drill."""

    faults: list[Fault]
    payments: int
    acknowledged_but_lost: list[str]
    """Payments that somebody was told of and that are not there, or not as told."""
    duplicates: list[str]
    """Payments or codes that moved money twice."""
    violations: list[str]
    """Whatever else is wrong with the books or the answers."""

    @property
    def passed(self) -> bool:
        """Whether nothing was lost, doubled or wrong, and service was never away for too long."""
        return not (self.acknowledged_but_lost or self.duplicates or self.violations) and all(
            came_back_in_time(fault.seconds_without_service, fault.seconds_to_normal)
            for fault in self.faults
        )

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return {"passed": self.passed, **found}
