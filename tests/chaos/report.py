"""How runs are told to people: a line that moves while it runs, one verdict, a table of many."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence

from tests.chaos.history import Outcome
from tests.chaos.yard import Verdict

_VIOLATIONS_SHOWN = 12
_LINE_LENGTH_MAX = 78


class Progress:
    """One line on a terminal, written over and over; one line per fault anywhere else."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._moves = sys.stderr.isatty()

    def __call__(self, text: str) -> None:
        """Tell what happens now."""
        if self._quiet:
            return
        if self._moves:
            sys.stderr.write(f"\r\x1b[K{text[:_LINE_LENGTH_MAX]}")
        else:
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the line clear for what comes."""
        if self._moves and not self._quiet:
            sys.stderr.write("\r\x1b[K")


def verdict_text(verdict: Verdict) -> str:
    """One run with its figures and what was wrong."""
    planted = f", planted {verdict.bug}" if verdict.bug else ""
    passed = "PASSED" if verdict.passed else "FAILED"
    lines = [
        f"seed {verdict.seed}, {verdict.minutes:g} min{planted}: {passed}",
        "",
        f"  {'operations':<14}{''.join(f'{outcome:>10}' for outcome in Outcome)}",
    ]
    lines += [
        f"  {kind:<14}{''.join(f'{counts[outcome]:>10}' for outcome in Outcome)}"
        for kind, counts in operations_by_kind(verdict).items()
    ]
    lines += [
        "",
        f"  faults        {verdict.faults.total()}: {_counts(verdict.faults)}",
        f"  answers       {verdict.answers.total()}: {_counts(verdict.answers)}",
        f"  looks         {verdict.looks} at the books while everything broke",
        f"  at rest       {verdict.rest_seconds:.1f} s after the last fault",
        f"  violations    {len(verdict.violations)}",
    ]
    lines += [f"    {violation}" for violation in verdict.violations[:_VIOLATIONS_SHOWN]]
    if len(verdict.violations) > _VIOLATIONS_SHOWN:
        lines.append(f"    ... and {len(verdict.violations) - _VIOLATIONS_SHOWN} more")
    lines += [f"  not done: {failure}" for failure in verdict.failed_faults[:_VIOLATIONS_SHOWN]]
    return "\n".join(lines)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{n} x {name}" for name, n in counter.most_common()) or "none"


def operations_by_kind(verdict: Verdict) -> dict[str, Counter[str]]:
    """How many operations of each kind had which outcome; "all" comes last."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, n in sorted(verdict.operations.items()):
        kind, _, outcome = name.rpartition(" ")
        found[kind][outcome] += n
    total = sum(found.values(), Counter[str]())
    return {**found, "all": total}


def seeds_table(verdicts: Sequence[Verdict]) -> str:
    """Several runs, one a line. Unknown are answers, all of them repeated until they were known."""
    head = ("seed", "operations", "ok", "refused", "unknown", "faults", "at rest", "verdict")
    rows = []
    for verdict in verdicts:
        total = operations_by_kind(verdict)["all"]
        checks = sorted({violation.check for violation in verdict.violations})
        rows.append(
            (
                verdict.seed,
                total.total(),
                total[Outcome.OK],
                total[Outcome.REFUSED],
                verdict.unknown_answers,
                sum(verdict.faults.values()),
                f"{verdict.rest_seconds:.1f} s",
                "; ".join(checks) or "passed",
            )
        )
    return "\n".join(
        "".join(f"{cell:>11}" for cell in row[:-1]) + f"  {row[-1]}" for row in [head, *rows]
    )


def planted_line(verdict: Verdict) -> str:
    """One planted bug and the checks that noticed it."""
    checks = sorted({violation.check for violation in verdict.violations})
    caught = "caught" if checks else "NOT CAUGHT"
    return f"{verdict.bug:<28}{caught:<12}{'; '.join(checks)}"
