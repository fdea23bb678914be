"""``python -m tests.chaos``: run the breaking yard and print its verdict."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from tests.chaos.planted import BUGS
from tests.chaos.schedule import make_schedule
from tests.chaos.yard import Verdict, run_yard

_VIOLATIONS_SHOWN = 12


def main() -> int:
    """Exit status 0: nothing was wrong; with --planted: everything planted was noticed."""
    arguments = _arguments()
    if arguments.list:
        for fault in make_schedule(arguments.seed, arguments.minutes):
            print(fault)
        return 0
    if arguments.planted:
        names = list(BUGS) if arguments.planted == "all" else arguments.planted.split(",")
        return _run_planted(names, arguments)
    seeds = _seeds(arguments.seeds) if arguments.seeds else [arguments.seed]
    verdicts = []
    for seed in seeds:
        verdicts.append(_run(seed, arguments))
        _tell(verdicts[-1], as_json=arguments.json)
    return 0 if all(verdict.passed for verdict in verdicts) else 1


def _run_planted(names: list[str], arguments: argparse.Namespace) -> int:
    missed = []
    for name in names:
        verdict = _run(arguments.seed, arguments, bug=name)
        checks = sorted({violation.check for violation in verdict.violations})
        if verdict.passed:
            missed.append(name)
        if arguments.json:
            _tell(verdict, as_json=True)
        else:
            print(f"{name:<28} {'; '.join(checks) or 'NOT CAUGHT'}", flush=True)
    return 1 if missed else 0


def _run(seed: int, arguments: argparse.Namespace, *, bug: str = "") -> Verdict:
    def say(text: str) -> None:
        if not arguments.json:
            print(text, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="qrpay-yard-") as directory:
        return asyncio.run(run_yard(seed, arguments.minutes, Path(directory), bug=bug, say=say))


def _tell(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(verdict.as_json()), flush=True)
        return
    by_outcome = {
        outcome: sum(n for name, n in verdict.operations.items() if name.endswith(outcome))
        for outcome in ("ok", "refused", "unknown")
    }
    print(
        f"seed {verdict.seed}, {verdict.minutes:g} min: "
        f"{sum(verdict.operations.values())} operations "
        f"({', '.join(f'{n} {name}' for name, n in by_outcome.items())}), "
        f"{sum(verdict.faults.values())} faults, at rest after {verdict.rest_seconds:.1f} s: "
        f"{'PASSED' if verdict.passed else 'FAILED'}",
        flush=True,
    )
    for violation in verdict.violations[:_VIOLATIONS_SHOWN]:
        print(f"  {violation}")
    if len(verdict.violations) > _VIOLATIONS_SHOWN:
        print(f"  ... and {len(verdict.violations) - _VIOLATIONS_SHOWN} more")
    for failure in verdict.failed_faults[:_VIOLATIONS_SHOWN]:
        print(f"  not done: {failure}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which schedule (default: 1)")
    parser.add_argument("--seeds", help="several, one after the other: 1-20")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (default: 1)")
    parser.add_argument("--planted", metavar="NAME|all", help="plant bugs and see them noticed")
    parser.add_argument("--list", action="store_true", help="only print the schedule")
    parser.add_argument("--json", action="store_true", help="one JSON document per run")
    return parser.parse_args()


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


if __name__ == "__main__":
    sys.exit(main())
