"""`qrpay bench`: how fast the running system is, beside a plain pgbench transfer."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.table import Table

from bench.baseline import Baseline, BaselineError, measure_baseline
from bench.load import LoadError, Run, Scenario, find_wrk, measure
from bench.population import CURRENCY
from chassis.errors import ServiceError
from cli import overload
from cli.bench_system import database_url, pids_of, populate_system, write_tokens
from cli.options import data_option, echo_json, json_option
from embedded.binaries import POSTGRES_DISTRIBUTION, find_binary
from embedded.layout import Layout
from embedded.observation import running_state

_WARM_UP_SECONDS = 5.0
"""Enough for most of the 10,000 tokens to be checked once: a gateway remembers checked tokens."""


class Report(NamedTuple):
    """Everything that was measured."""

    uniform: Run
    hot: Run
    baseline: Baseline

    def ratio(self) -> dict[str, float]:
        """Payments completed per baseline transfer."""
        return {
            "uniform": self.uniform.completed_per_second / self.baseline.uniform_tps,
            "hot": self.hot.completed_per_second / self.baseline.hot_tps,
        }


@click.command()
@data_option
@click.option(
    "--seconds",
    type=click.FloatRange(min=1, max=3600),
    default=15,
    show_default=True,
    help="How long each of the four runs takes.",
)
@click.option(
    "--connections",
    type=click.IntRange(1, 4096),
    default=512,
    show_default=True,
    help="HTTP clients at a time.",
)
@click.option(
    "--overload",
    "overloaded",
    is_flag=True,
    help="Instead: three times what it can do, for --seconds (60 is a fair time).",
)
@json_option
def command(data: Path, seconds: float, connections: int, overloaded: bool, as_json: bool) -> None:
    """Measure the system that runs here (start it with `qrpay up --detach`).

    Payments spread over 10,000 wallets, then all to one merchant; then, on the same PostgreSQL,
    pgbench with one plain double-entry transfer per transaction, uniform and on one hot account.
    The ratios are the figure: a machine's speed cancels out. Makes 10,000 customers the first time.
    Needs wrk. With --overload, requests come whether or not the earlier ones were answered, as
    people do: shown are what is still completed and how soon it is as fast as before.
    """
    console = Console(stderr=True)
    try:
        if overloaded:
            overload.run(Layout(data), seconds, connections, console, as_json=as_json)
            return
        report = asyncio.run(_measure(Layout(data), seconds, connections, console))
    except (LoadError, BaselineError, ServiceError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        echo_json(_as_json(report))
    else:
        _print(report, Console())


async def _measure(layout: Layout, seconds: float, connections: int, console: Console) -> Report:
    find_wrk()  # before anything is made
    state = running_state(layout)
    if state.gateway is None:
        raise LoadError("the gateway does not run: see qrpay status")
    population = await populate_system(layout, state, console)
    with tempfile.TemporaryDirectory() as directory:
        tokens_file = Path(directory) / "tokens"
        write_tokens(layout, population, tokens_file)
        uniform = Scenario(
            "/payments/send", f'{{"to":"bench-@","amount":1,"currency":"{CURRENCY}"}}'
        )
        hot = Scenario(
            "/payments/pay",
            f'{{"qr":"{population.merchant_qr}","amount":1,"currency":"{CURRENCY}"}}',
        )

        async def run(scenario: Scenario, run_seconds: float, label: str) -> Run:
            with console.status(label):
                return await measure(
                    scenario,
                    gateway_url=str(state.gateway),
                    payment_database_url=database_url(state, "payment"),
                    tokens_file=tokens_file,
                    pids=pids_of(state),
                    seconds=run_seconds,
                    connections=connections,
                )

        await run(uniform, _WARM_UP_SECONDS, "Warming up")
        uniform_run = await run(uniform, seconds, "Payments over 10,000 wallets")
        hot_run = await run(hot, seconds, "Payments to one merchant")
    with console.status("pgbench: one plain transfer per transaction"):
        baseline = await measure_baseline(
            admin_url=database_url(state, "postgres"),
            pgbench=find_binary(POSTGRES_DISTRIBUTION, "pgbench"),
            seconds=seconds,
        )
    return Report(uniform_run, hot_run, baseline)


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "uniform": _run_as_json(report.uniform),
        "hot": _run_as_json(report.hot),
        "baseline": {
            "uniform_tps": round(report.baseline.uniform_tps, 1),
            "hot_tps": round(report.baseline.hot_tps, 1),
        },
        "ratio": {name: round(ratio, 3) for name, ratio in report.ratio().items()},
        "cpu_us_per_payment": {
            name: round(spent, 1) for name, spent in report.uniform.cpu_us_per_payment.items()
        },
    }


def _run_as_json(run: Run) -> dict[str, Any]:
    return {
        "accepted_per_second": round(run.accepted_per_second, 1),
        "completed_per_second": round(run.completed_per_second, 1),
        "accept_ms": {"p50": round(run.accept_ms.p50, 2), "p99": round(run.accept_ms.p99, 2)},
        "done_ms": {"p50": round(run.done_ms.p50, 2), "p99": round(run.done_ms.p99, 2)},
    }


def _print(report: Report, console: Console) -> None:
    ratio = report.ratio()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "10,000 WALLETS", "ONE MERCHANT"):
        table.add_column(heading, justify="left" if not heading else "right")
    runs = (report.uniform, report.hot)
    rows: list[tuple[str, Callable[[Run], str]]] = [
        ("accepted/s", lambda run: f"{run.accepted_per_second:,.0f}"),
        ("completed/s", lambda run: f"{run.completed_per_second:,.0f}"),
        ("answer, p50 / p99 ms", lambda run: f"{run.accept_ms.p50:.1f} / {run.accept_ms.p99:.1f}"),
        ("done, p50 / p99 ms", lambda run: f"{run.done_ms.p50:.1f} / {run.done_ms.p99:.1f}"),
        ("refused", lambda run: f"{run.refused:,}"),
    ]
    for label, cell in rows:
        table.add_row(label, *(cell(run) for run in runs))
    table.add_row(
        "pgbench transfers/s",
        f"{report.baseline.uniform_tps:,.0f}",
        f"{report.baseline.hot_tps:,.0f}",
    )
    table.add_row("ratio", f"{ratio['uniform']:.2f}", f"{ratio['hot']:.2f}", style="bold")
    console.print(table)
    cpu = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("\nCPU US PER PAYMENT", "\n10,000 WALLETS", "\nONE MERCHANT"):
        cpu.add_column(heading, justify="left" if "CPU" in heading else "right")
    for name in report.uniform.cpu_us_per_payment:
        cpu.add_row(name, *(f"{run.cpu_us_per_payment[name]:.0f}" for run in runs))
    console.print(cpu)
