"""``python -m bench.history --payments 10000000 --data DIR``: a data directory with that many
payments in its books, over the 30 days before now. Start it with ``qrpay up`` afterwards.

Nothing may run on the directory. The people are made through the services, and the first money
that they got becomes the beginning of the history; everything else is written by PostgreSQL alone.
May be stopped at any time: the same command goes on.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import click
import msgspec
import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.history.books import (
    check_new,
    payment_book,
    read_first,
    read_people,
    read_plan,
    wallet_book,
)
from bench.history.filling import GROUPS_PER_STEP, Connection, Filling, HistoryError, Told
from bench.history.ledger_book import ledger_book
from bench.history.story import Plan, Story
from bench.population import PAYERS, populate
from cli.bench_system import services_of
from cli.mesh import Mesh
from embedded.child import running
from embedded.errors import StackError
from embedded.jobs import run_job
from embedded.layout import Layout
from embedded.passwords import remembered_password
from embedded.ports import find_free_port
from embedded.postgres import ADMINISTRATOR, check_postgres, postgres_command, postgres_url
from embedded.stack import StackOptions, running_stack
from embedded.state import supervisor_lock

_DAYS = 30
_SETTLED_SECONDS = 60
"""The history ends so long ago: what is younger may still be on its way, for those who compare."""
_SEED = 20_240_229
_BULK = {
    # A crash of the machine makes the directory worthless, and it can be made again. To go on, it
    # is enough that what PostgreSQL had written is still with the system.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    "autovacuum": "off",
    "shared_buffers": "512MB",
    "maintenance_work_mem": "768MB",
}


class _Kept(msgspec.Struct):
    """What must be the same when a run goes on."""

    plan: Plan
    merchant_qr: str


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=Path(".qrpay"), show_default=True)
@click.option(
    "--payments", type=click.IntRange(1, 100_000_000), default=10_000_000, show_default=True
)
def main(data: Path, payments: int) -> None:
    """Fill the books of a data directory on which nothing runs."""
    console = Console(stderr=True)
    began = time.monotonic()
    try:
        with _progress(console) as progress:
            task = progress.add_task("people")

            def told(what: str, done: int, of: int) -> None:
                progress.update(task, description=what, completed=done, total=of)

            asyncio.run(make_history(Layout(data), payments=payments, told=told))
    except (StackError, HistoryError) as error:
        raise click.ClickException(str(error)) from error
    console.print(f"{payments:,} payments in {time.monotonic() - began:,.0f} s")


async def make_history(
    layout: Layout,
    *,
    payments: int,
    told: Told,
    customers: int = PAYERS,
    groups_per_step: int = GROUPS_PER_STEP,
) -> None:
    """Make a history, or go on with the one that was begun. Raises HistoryError, StackError."""
    layout.create()
    kept = await _kept(layout)
    if kept is None:
        kept = await _people(layout, payments, customers, told)
    if kept.plan.payments != payments:
        raise HistoryError(f"a history of {kept.plan.payments:,} payments was begun here")
    # What the queue still holds is of payments that are about to be others, and would be booked.
    # Losing the queue loses nothing: it is made again at the next start.
    shutil.rmtree(layout.nats, ignore_errors=True)
    async with _postgres(layout) as url:
        await asyncio.to_thread(_fill, url, kept, told, groups_per_step)
    os.sync()


async def _kept(layout: Layout) -> _Kept | None:
    """What was begun here."""
    if not (layout.postgres / "PG_VERSION").exists():
        return None
    async with _postgres(layout) as url:
        try:
            with psycopg.connect(f"{url}payment") as payment:
                content = read_plan(payment)
        except psycopg.OperationalError:
            return None  # no such database yet
    return None if content is None else msgspec.json.decode(content, type=_Kept)


async def _people(layout: Layout, payments: int, customers: int, told: Told) -> _Kept:
    """Customers with money and a shop, made through the services."""
    options = StackOptions(data=layout.root, http_port=find_free_port())
    async with running_stack(options, announce=lambda _: None) as stack:
        await run_job(layout, "cli.demo")
        async with Mesh(layout, stack.ports) as mesh:
            population = await populate(
                await services_of(mesh),
                progress=lambda done: told("people", done, 2 * customers),
                payers=customers,
            )
    now = time.time_ns() // 1000
    plan = Plan(
        payments=payments,
        start_microseconds=now - _DAYS * 86_400_000_000,
        end_microseconds=now - _SETTLED_SECONDS * 1_000_000,
        seed=_SEED,
    )
    return _Kept(plan, population.merchant_qr)


@asynccontextmanager
async def _postgres(layout: Layout) -> AsyncIterator[str]:
    """PostgreSQL alone, tuned for loading; answers its URL up to the database's name."""
    with supervisor_lock(layout):
        password = remembered_password(layout.secret_file("postgres-admin.password"))
        port = find_free_port()
        command = await postgres_command(
            cluster=layout.postgres,
            port=port,
            admin_password=password,
            log_file=layout.log_file("postgres"),
        )
        options = [text for name, value in _BULK.items() for text in ("-c", f"{name}={value}")]
        command = msgspec.structs.replace(
            command, arguments=(*command.arguments, *options), stop_seconds=300.0
        )
        url = postgres_url(user=ADMINISTRATOR, password=password, port=port, database="")
        async with running(command, lambda: check_postgres(url + "postgres")):
            yield url


def _fill(url: str, kept: _Kept, told: Told, groups_per_step: int) -> None:
    with ExitStack() as stack:
        connections: dict[str, Connection] = {
            name: stack.enter_context(psycopg.connect(url + name, autocommit=True))
            for name in ("payment", "wallet", "ledger")
        }
        if read_plan(connections["payment"]) is None:
            check_new(connections["payment"])
        books = [
            payment_book(msgspec.json.encode(kept).decode()),
            wallet_book(),
            ledger_book(connections["ledger"]),
        ]
        filling = Filling(books, connections, groups_per_step=groups_per_step)
        filling.begin()
        customers, shop = read_people(connections["wallet"], kept.merchant_qr)
        first = read_first(connections["payment"])
        story = Story(kept.plan, first=first, customers=customers, shop=shop)
        filling.write(story, told)
        filling.finish(story, told)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


if __name__ == "__main__":
    main()
