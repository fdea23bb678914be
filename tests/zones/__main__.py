"""``python -m tests.zones``: lose a zone in each way, and say what it did to those who pay."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.zones.drill import KINDS, run_drill
from tests.zones.network import NoZones, enter
from tests.zones.report import Report


def main() -> int:
    """Exit status 0: nothing was lost and service came back in time; 1: not so; 2: not run."""
    arguments = _arguments()
    try:
        enter("tests.zones")
    except NoZones as error:
        print(f"zones: {error}", file=sys.stderr)
        return 2
    # Whoever ends us wants the zones to end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began, console = time.monotonic(), Console(stderr=True)

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {text}", highlight=False)

    with _directory(arguments.data) as directory:
        report = asyncio.run(
            run_drill(
                Path(directory),
                seed=arguments.seed,
                kinds=arguments.faults,
                fault_seconds=arguments.seconds,
                synchronous=not arguments.asynchronous,
                say=say,
            )
        )
    if arguments.json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        show(report, Console())
    return 0 if report.passed else 1


def show(report: Report, console: Console) -> None:
    """The report as a table, and what is wrong below it."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in (
        *("ZONE", "BEFORE/S", "WITHOUT SERVICE S", "WITHOUT COMPLETION S", "NORMAL AFTER S"),
        *("ACCEPTED", "ANSWERS"),
    ):
        table.add_column(heading, justify="right" if heading not in ("ZONE", "ANSWERS") else "left")
    for fault in report.faults:
        normal = fault.seconds_to_normal
        table.add_row(
            f"{fault.kind} {fault.zone}",
            f"{fault.accepted_per_second_before:.0f}",
            f"{fault.seconds_without_service:.1f}",
            f"{fault.seconds_without_completion:.1f}",
            "never" if normal is None else f"{normal:.1f}",
            f"{fault.accepted:,}",
            ", ".join(f"{number} x {status}" for status, number in sorted(fault.answers.items())),
        )
    console.print(table)
    console.print(
        f"\n{report.payments:,} payments acknowledged; lost {len(report.acknowledged_but_lost)},"
        f" doubled {len(report.duplicates)}, otherwise wrong {len(report.violations)}"
    )
    for text in (*report.acknowledged_but_lost, *report.duplicates, *report.violations)[:20]:
        console.print(f"  {text}", markup=False)
    console.print("passed" if report.passed else "FAILED")


def _directory(data: Path | None) -> AbstractContextManager[str]:
    if data is None:
        return tempfile.TemporaryDirectory(prefix="qrpay-zones-")
    data.mkdir(parents=True, exist_ok=True)
    return nullcontext(tempfile.mkdtemp(prefix="qrpay-zones-", dir=data))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.zones", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of what people do")
    parser.add_argument(
        "--faults",
        type=lambda text: text.split(","),
        default=list(KINDS),
        help=f"which, separated by commas: {','.join(KINDS)} (all)",
    )
    parser.add_argument("--seconds", type=float, default=45.0, help="how long a zone is lost (45)")
    parser.add_argument(
        "--asynchronous",
        action="store_true",
        help="let PostgreSQL confirm what no standby has: a stall must then lose payments",
    )
    parser.add_argument("--data", type=Path, help="keep everything below this directory")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    arguments = parser.parse_args()
    if unknown := set(arguments.faults) - set(KINDS):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
