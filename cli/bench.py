"""`qrpay bench`: how fast the running system is, beside a plain pgbench transfer."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import click
import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from bench.baseline import Baseline, BaselineError, measure_baseline
from bench.load import LoadError, Run, Scenario, find_wrk, measure
from bench.population import CURRENCY, PAYERS, Population, Services, populate
from chassis.channel import call
from chassis.clock import SystemClock
from chassis.errors import ServiceError
from cli.mesh import Mesh
from cli.options import data_option, echo_json, json_option
from embedded.binaries import POSTGRES_DISTRIBUTION, find_binary
from embedded.layout import Layout
from embedded.observation import running_state
from embedded.state import State
from embedded.tokens import load_issuer
from qrpay.wallet.v1 import wallet_pb2

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
@json_option
def command(data: Path, seconds: float, connections: int, as_json: bool) -> None:
    """Measure the system that runs here (start it with `qrpay up --detach`).

    Payments spread over 10,000 wallets, then all to one merchant; then, on the same PostgreSQL,
    pgbench with one plain double-entry transfer per transaction, uniform and on one hot account.
    The ratios are the figure: a machine's speed cancels out. Makes 10,000 customers the first time.
    Needs wrk.
    """
    console = Console(stderr=True)
    try:
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
    population = await _populate(layout, state, console)
    with tempfile.TemporaryDirectory() as directory:
        tokens_file = Path(directory) / "tokens"
        _write_tokens(layout, population, tokens_file)
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
                    payment_database_url=_database_url(state, "payment"),
                    tokens_file=tokens_file,
                    pids=_pids(state),
                    seconds=run_seconds,
                    connections=connections,
                )

        await run(uniform, _WARM_UP_SECONDS, "Warming up")
        uniform_run = await run(uniform, seconds, "Payments over 10,000 wallets")
        hot_run = await run(hot, seconds, "Payments to one merchant")
    with console.status("pgbench: one plain transfer per transaction"):
        baseline = await measure_baseline(
            admin_url=_database_url(state, "postgres"),
            pgbench=find_binary(POSTGRES_DISTRIBUTION, "pgbench"),
            seconds=seconds,
        )
    return Report(uniform_run, hot_run, baseline)


async def _populate(layout: Layout, state: State, console: Console) -> Population:
    ports = {member.name: member.port for member in state.members if member.port is not None}
    with _progress(console) as progress:
        task = progress.add_task("10,000 customers with money", total=2 * PAYERS)

        def told(done: int) -> None:
            progress.update(task, completed=done)

        async with Mesh(layout, ports) as mesh:
            population = await _populate_through(mesh, told)
    await _vacuum(state)
    return population


async def _populate_through(mesh: Mesh, told: Callable[[int], None]) -> Population:
    operator = await call(
        mesh.wallet.GetOwner, wallet_pb2.GetOwnerRequest(handle="ops"), timeout_seconds=5
    )
    services = Services(
        wallets=mesh.wallet,
        payments=mesh.payment,
        barcodes=mesh.barcode,
        operator_id=operator.owner.id,
    )
    return await populate(services, progress=told)


async def _vacuum(state: State) -> None:
    """Statistics for the planner, as autovacuum would make them in a system that has lived."""
    for name in ("wallet", "payment", "ledger"):
        url = _database_url(state, name)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute("ANALYZE")


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
    )


def _write_tokens(layout: Layout, population: Population, path: Path) -> None:
    """One token per payer, in a file that nobody else may read."""
    issuer, now = load_issuer(layout.tokens), SystemClock().now()
    lines = (
        issuer.issue(subject=payer_id, role="customer", now=now, life=timedelta(hours=2))
        for payer_id in population.payer_ids
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{line}\n" for line in lines)


def _pids(state: State) -> dict[str, int]:
    return {member.name: member.identity.pid for member in state.members if member.identity}


def _database_url(state: State, database: str) -> str:
    member = state.member("postgres")
    if member is None or member.url is None:
        raise LoadError("the administrator's URL of PostgreSQL is not known")
    return f"{member.url.rpartition('/')[0]}/{database}"


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
