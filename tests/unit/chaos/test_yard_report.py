"""What the yard tells people of its runs."""

from __future__ import annotations

from collections import Counter

from tests.chaos.checks import Violation
from tests.chaos.report import planted_line, seeds_table, verdict_text
from tests.chaos.yard import Verdict


def verdict(*violations: Violation) -> Verdict:
    """A run with some operations and faults."""
    return Verdict(
        seed=7,
        minutes=1.0,
        bug="no_sweeper" if violations else "",
        schedule=[],
        operations=Counter({"same key ok": 5, "same key unknown": 1, "charge refused": 2}),
        faults=Counter({"kill": 3}),
        answers=Counter({"202": 8, "503 temporarily-unavailable": 3}),
        unknown_answers=3,
        violations=list(violations),
    )


def test_a_verdict_has_its_figures() -> None:
    """Goal: operations by kind and outcome, faults by kind, and PASSED."""
    lines = [line.split() for line in verdict_text(verdict()).splitlines()]
    assert ["seed", "7,", "1", "min:", "PASSED"] in lines
    assert ["same", "key", "5", "0", "1"] in lines
    assert ["all", "5", "2", "1"] in lines
    assert ["answers", "11:", "8", "x", "202,", "3", "x", "503", "temporarily-unavailable"] in lines
    assert ["faults", "3:", "3", "x", "kill"] in lines


def test_a_verdict_says_what_is_wrong() -> None:
    """Goal: each violation is told, but not thousands of them."""
    text = verdict_text(verdict(*[Violation("I1 sums", f"USD sums to {n}") for n in range(1, 30)]))
    assert "FAILED" in text
    assert "I1 sums: USD sums to 1\n" in text
    assert "... and 17 more" in text


def test_tables_have_a_line_per_run() -> None:
    """Goal: a run's checks are named once, however often they failed."""
    bad = verdict(
        Violation("I1 sums", "a"), Violation("I1 sums", "b"), Violation("I6 journal", "c")
    )
    good_line, bad_line = seeds_table([verdict(), bad]).splitlines()[1:]
    assert good_line.split() == ["7", "8", "5", "2", "3", "3", "0.0", "s", "passed"]
    assert bad_line.endswith("I1 sums; I6 journal")
    assert planted_line(bad).split(maxsplit=2) == ["no_sweeper", "caught", "I1 sums; I6 journal"]
    assert "NOT CAUGHT" in planted_line(verdict())
