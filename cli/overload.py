"""`qrpay bench --overload`: three times what the system can do, and how it takes that."""

from __future__ import annotations

import tempfile
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench.load import LoadError, Scenario, find_wrk, measure
from bench.overload import Overload, cpus_apart, measure_overload, with_peak_after
from bench.population import CURRENCY
from cli.bench_system import database_url, pids_of, populate_system, write_tokens
from cli.options import echo_json
from embedded.layout import Layout
from embedded.observation import running_state
from embedded.state import State

_WARM_UP_SECONDS = 5.0


def run(
    layout: Layout, seconds: float, connections: int, console: Console, *, as_json: bool
) -> None:
    """Measure and print. Raises ``LoadError``."""
    found = uvloop.run(_measure(layout, seconds, connections, console))
    if as_json:
        echo_json({**found._asdict(), "seconds": [second._asdict() for second in found.seconds]})
    else:
        _print(found, Console())


async def _measure(
    layout: Layout, overload_seconds: float, connections: int, console: Console
) -> Overload:
    find_wrk()
    state = running_state(layout)
    if state.gateway is None:
        raise LoadError("the gateway does not run: see qrpay status")
    population = await populate_system(layout, state, console)
    with tempfile.TemporaryDirectory() as directory, cpus_apart(pids_of(state)) as apart:
        if not apart:
            console.print("One CPU: the load takes from the system what it measures.")
        tokens_file = Path(directory) / "tokens"
        write_tokens(layout, population, tokens_file)
        with console.status("What it can do") as status:
            # As long as the overload: a database that has just begun is faster than one that has
            # written for a minute.
            peaks = [
                await _peak(state, tokens_file, seconds, connections)
                for seconds in (_WARM_UP_SECONDS, overload_seconds)
            ]
            found = await measure_overload(
                gateway_url=state.gateway,
                payment_database_url=database_url(state, "payment"),
                tokens=tokens_file.read_text().split(),
                currency=CURRENCY,
                peak_per_second=peaks[1],
                seconds=overload_seconds,
                told=status.update,
            )
            status.update("What it can do now")
            return with_peak_after(
                found, await _peak(state, tokens_file, overload_seconds, connections)
            )


async def _peak(state: State, tokens_file: Path, seconds: float, connections: int) -> float:
    run = await measure(
        Scenario("/payments/send", f'{{"to":"bench-@","amount":1,"currency":"{CURRENCY}"}}'),
        gateway_url=str(state.gateway),
        payment_database_url=database_url(state, "payment"),
        tokens_file=tokens_file,
        pids=pids_of(state),
        seconds=seconds,
        connections=connections,
    )
    return run.completed_per_second


def _print(found: Overload, console: Console) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    again = found.normal_again_after_seconds
    for label, text in (
        ("completed/s at its peak, before", f"{found.peak_before_per_second:,.0f}"),
        ("completed/s at its peak, after", f"{found.peak_after_per_second:,.0f}"),
        ("completed/s while overloaded", f"{found.goodput_per_second:,.0f}"),
        ("share of their mean", f"{found.goodput_share:.0%}"),
        ("answered 503", f"{found.shed_share:.0%}"),
        ("answer before / while / after, p50 ms", _three(found.answer_ms)),
        ("done before / while / after, p50 ms", _three(found.done_ms)),
        ("normal again after", "not in the time looked" if again is None else f"{again:.0f} s"),
    ):
        table.add_row(label, text)
    console.print(table)


def _three(values: tuple[float, float, float]) -> str:
    return " / ".join(f"{value:.0f}" for value in values)
