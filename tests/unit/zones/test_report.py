"""When a zones drill has passed."""

from __future__ import annotations

from tests.zones.report import Fault, Report


def fault(*, without_service: float = 5.0, to_normal: float | None = 6.0) -> Fault:
    """A fault that was survived well."""
    return Fault(
        kind="kill",
        zone="a",
        seconds_without_service=without_service,
        seconds_without_completion=5.0,
        seconds_to_normal=to_normal,
        accepted_per_second_before=10.0,
        accepted=100,
        answers={"200": 100},
    )


def report(*faults: Fault, **changes: list[str]) -> Report:
    """A drill in which nothing was wrong."""
    wrong = {"acknowledged_but_lost": [], "duplicates": [], "violations": [], **changes}
    return Report(faults=list(faults), payments=100, **wrong)


def test_it_passes_only_if_nothing_is_wrong() -> None:
    """Each single thing that may be wrong makes it fail."""
    assert report(fault()).passed
    assert not report(fault(), acknowledged_but_lost=["pay_1"]).passed
    assert not report(fault(), duplicates=["pay_1"]).passed
    assert not report(fault(), violations=["pay_1"]).passed
    assert not report(fault(), fault(without_service=30.1)).passed
    assert not report(fault(), fault(to_normal=None)).passed
