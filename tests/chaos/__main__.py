"""``python -m tests.chaos``: run the breaking yard and print its verdict."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.planted import BUGS
from tests.chaos.report import Progress, planted_line, seeds_table, verdict_text
from tests.chaos.schedule import make_schedule
from tests.chaos.yard import Verdict, run_yard


def main() -> int:
    """Exit status 0: nothing was wrong; with --planted: everything planted was noticed."""
    # Whoever ends us wants the system that we broke to end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    arguments = _arguments()
    if arguments.list:
        _print_schedule(arguments.seed, arguments.minutes)
        return 0
    if arguments.planted:
        names = list(BUGS) if arguments.planted == "all" else arguments.planted.split(",")
        return _run_planted(names, arguments)
    return _run_seeds(arguments)


def _run_seeds(arguments: argparse.Namespace) -> int:
    verdicts = []
    for seed in _seeds(arguments.seeds) if arguments.seeds else [arguments.seed]:
        if not arguments.json:
            _print_schedule(seed, arguments.minutes)
        verdict = _run(seed, arguments)
        verdicts.append(verdict)
        print(_json(verdict) if arguments.json else verdict_text(verdict) + "\n", flush=True)
    if len(verdicts) > 1 and not arguments.json:
        print(seeds_table(verdicts))
    return 0 if all(verdict.passed for verdict in verdicts) else 1


def _run_planted(names: list[str], arguments: argparse.Namespace) -> int:
    missed = 0
    for name in names:
        try:
            verdict = _run(arguments.seed, arguments, bug=name)
        except (AssertionError, TimeoutError) as error:  # the others are worth to be tried
            missed += 1
            print(f"{name:<28}NOT RUN     {type(error).__name__}: {str(error)[:200]}", flush=True)
            continue
        missed += verdict.passed
        print(_json(verdict) if arguments.json else planted_line(verdict), flush=True)
    return 1 if missed else 0


def _run(seed: int, arguments: argparse.Namespace, *, bug: str = "") -> Verdict:
    progress = Progress(quiet=arguments.json)
    progress(f"seed {seed}, {arguments.minutes:g} min: starting {bug or 'what will be broken'}")
    with tempfile.TemporaryDirectory(prefix="qrpay-yard-", ignore_cleanup_errors=True) as directory:
        try:
            return asyncio.run(
                run_yard(
                    seed,
                    arguments.minutes,
                    Path(directory),
                    bug=bug,
                    say=progress,
                    logs=arguments.logs,
                )
            )
        finally:
            progress.end()


def _print_schedule(seed: int, minutes: float) -> None:
    print(f"seed {seed}, {minutes:g} min, to be broken:")
    for fault in make_schedule(seed, minutes):
        print(fault)


def _json(verdict: Verdict) -> str:
    return json.dumps(verdict.as_json())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which schedule (default: 1)")
    parser.add_argument("--seeds", help="several, one after the other: 1-20")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (default: 1)")
    parser.add_argument("--planted", metavar="NAME|all", help="plant bugs and see them noticed")
    parser.add_argument("--logs", type=Path, help="keep the logs of runs that failed in there")
    parser.add_argument("--list", action="store_true", help="only print the schedule")
    parser.add_argument("--json", action="store_true", help="one JSON document per run")
    arguments = parser.parse_args()
    planted = set((arguments.planted or "all").split(","))
    if unknown := planted - {"all", *BUGS}:
        parser.error(f"no such bugs: {', '.join(sorted(unknown))}; there are {', '.join(BUGS)}")
    return arguments


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


if __name__ == "__main__":
    sys.exit(main())
