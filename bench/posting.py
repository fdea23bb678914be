"""How fast the ledger posts, beside how fast payments are made: ``python -m bench.posting``.

The head of the journal is locked while payments are made, so that their results wait in the queue;
then it is let go, and the time until all of them are in the journal is taken, from the first one
on: a ledger that could not post looks again after a pause of its own. So everything is measured:
the queue, reading, hashing, the database, with the books as large as they are.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

import click
import psycopg
from rich.console import Console

from bench.load import LoadError, Scenario, cpu_seconds, find_wrk, measure
from bench.population import CURRENCY
from chassis.errors import ServiceError
from cli.bench_system import database_url, pids_of, populate_system, write_tokens
from embedded.errors import StackError
from embedded.layout import Layout
from embedded.state import State, running_state
from ledger_svc.model import Booking, draft_of
from ledger_svc.operations import make_batch
from ledger_svc.store.journal import Head

_CONNECTIONS = 512
_WARM_UP_SECONDS = 5.0
_POLL_SECONDS = 0.02
_POSTED_SECONDS_MAX = 120.0
_REST_SECONDS = 1.0
_BATCH_SIZE, _BATCHES = 256, 200


class Posting(NamedTuple):
    """What was measured."""

    payments: int
    completed_per_second: float
    """End to end, without the ledger."""
    posted_per_second: float
    cpu_us_per_payment: dict[str, float]
    """Of the ledger and of PostgreSQL, while posting."""


def chain_us_per_payment() -> float:
    """What a payment costs in a batch of its chain: encoding and hashing it, its share of the tree
    and of the link to the batch before. Median of many batches."""
    drafts = [
        draft_of(
            Booking(
                payment_id=f"pay_{number:026d}",
                kind=1,
                debit_account_id=f"wal_{number:026d}",
                credit_account_id=f"wal_{number + 1:026d}",
                currency_code=CURRENCY,
                amount_minor=number + 1,
                effective_microseconds=1_700_000_000_000_000 + number,
            )
        )
        for number in range(_BATCH_SIZE)
    ]
    head = Head(1, 1, bytes(32), datetime.now(UTC))
    took = []
    for _ in range(_BATCHES):
        began = time.perf_counter()
        make_batch(head, drafts)
        took.append(time.perf_counter() - began)
    return median(took) * 1e6 / _BATCH_SIZE


async def measure_posting(layout: Layout, *, seconds: float, console: Console) -> Posting:
    """Make payments with the ledger held, then let it post them. Raises LoadError, StackError."""
    find_wrk()
    state = running_state(layout)
    if state.gateway is None:
        raise LoadError("the gateway does not run: see qrpay status")
    population = await populate_system(layout, state, console)
    with tempfile.TemporaryDirectory() as directory:
        tokens_file = Path(directory) / "tokens"
        write_tokens(layout, population, tokens_file)
        await _make_payments(state, tokens_file, _WARM_UP_SECONDS)
        async with await psycopg.AsyncConnection.connect(
            database_url(state, "ledger"), autocommit=True
        ) as ledger:
            first = await _at_rest(ledger)
            pids = {name: pid for name, pid in pids_of(state).items() if name in _POSTERS}
            async with ledger.transaction():
                await ledger.execute("SELECT 1 FROM journal_head FOR UPDATE")
                payments, per_second = await _make_payments(state, tokens_file, seconds)
            before = await _wait_for(ledger, first + 1)
            cpu_before, began = cpu_seconds(pids), time.monotonic()
            posted = await _wait_for(ledger, first + payments) - before
            took, cpu_after = time.monotonic() - began, cpu_seconds(pids)
    return Posting(
        payments,
        per_second,
        posted / took,
        {name: (cpu_after[name] - cpu_before[name]) * 1e6 / posted for name in pids},
    )


_POSTERS = ("ledger", "postgres")


async def _make_payments(state: State, tokens_file: Path, seconds: float) -> tuple[int, float]:
    """Payments spread over all customers; answers how many were completed, and how many per
    second."""
    url = database_url(state, "payment")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as payment:
        before = await _last_event(payment)
        run = await measure(
            Scenario("/payments/send", f'{{"to":"bench-@","amount":1,"currency":"{CURRENCY}"}}'),
            gateway_url=str(state.gateway),
            payment_database_url=url,
            tokens_file=tokens_file,
            pids={},
            seconds=seconds,
            connections=_CONNECTIONS,
        )
        return await _last_event(payment) - before, run.completed_per_second


async def _at_rest(ledger: psycopg.AsyncConnection) -> int:
    """The journal's last number, once nothing comes any more."""
    number = -1
    while (last := await _last_number(ledger)) != number:
        number = last
        await asyncio.sleep(_REST_SECONDS)
    return number


async def _wait_for(ledger: psycopg.AsyncConnection, number: int) -> int:
    """Wait until the journal has this number; answers its last one."""
    try:
        async with asyncio.timeout(_POSTED_SECONDS_MAX):
            while (last := await _last_number(ledger)) < number:  # noqa: ASYNC110 - it cannot call
                await asyncio.sleep(_POLL_SECONDS)
            return last
    except TimeoutError as error:
        raise LoadError("the ledger did not post everything in time") from error


async def _last_number(ledger: psycopg.AsyncConnection) -> int:
    return await _number(ledger, b"SELECT transaction_number FROM journal_head")


async def _last_event(payment: psycopg.AsyncConnection) -> int:
    return await _number(payment, b"SELECT last_number FROM event_counter")


async def _number(connection: psycopg.AsyncConnection, statement: bytes) -> int:
    row = await (await connection.execute(statement)).fetchone()
    assert row is not None
    return int(row[0])


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=Path(".qrpay"), show_default=True)
@click.option("--seconds", type=click.FloatRange(1, 60), default=10.0, show_default=True)
def main(data: Path, seconds: float) -> None:
    """Measure posting on a running system."""
    console = Console(stderr=True)
    try:
        found = asyncio.run(measure_posting(Layout(data), seconds=seconds, console=console))
    except (LoadError, ServiceError, StackError) as error:
        raise click.ClickException(str(error)) from error
    ratio = found.posted_per_second / found.completed_per_second
    print(f"payments                 {found.payments:>10,}")
    print(f"completed/s, end to end  {found.completed_per_second:>10,.0f}")
    print(f"posted/s                 {found.posted_per_second:>10,.0f}   {ratio:.1f} times")
    for name, spent in found.cpu_us_per_payment.items():
        print(f"us of {name:<18} {spent:>10,.0f}")
    chain_us = chain_us_per_payment()
    share = chain_us / sum(found.cpu_us_per_payment.values())
    print(f"us of the chain, of these {chain_us:>9,.1f}   {share:.1%}")


if __name__ == "__main__":
    main()
