"""How many payments are taken in at a time."""

from __future__ import annotations

from structlog.testing import capture_logs

from gateway.intake import Intake
from tests.unit.gateway.conftest import FakeClock


def test_as_many_as_there_is_room_for(clock: FakeClock) -> None:
    """One more is refused; a place that is released is a place."""
    intake = Intake(payments_max=2, monotonic=clock.monotonic)
    assert [intake.admit() for _ in range(4)] == [True, True, False, False]
    intake.release()
    assert [intake.admit() for _ in range(2)] == [True, False]


def test_refusals_are_counted_and_not_listed(clock: FakeClock) -> None:
    """A flood makes a line a second, which says how many were refused."""
    intake = Intake(payments_max=1, monotonic=clock.monotonic)
    with capture_logs() as lines:
        for _ in range(3):
            clock.seconds += 1.0
            assert intake.admit()
            assert not any(intake.admit() for _ in range(100))
            intake.release()
            assert intake.admit()
            intake.release()
    assert [line["payments"] for line in lines] == [100, 100, 100]
