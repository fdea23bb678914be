"""The running system as a measurement needs it: its people, their tokens, its processes."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bench.load import LoadError
from bench.population import PAYERS, Population, Services, populate
from chassis.channel import call
from chassis.clock import SystemClock
from cli.mesh import Mesh
from embedded.layout import Layout
from embedded.state import State
from embedded.tokens import load_issuer
from qrpay.wallet.v1 import wallet_pb2


async def populate_system(layout: Layout, state: State, console: Console) -> Population:
    """The people of a measurement, made the first time, with a progress bar."""
    with _progress(console) as progress:
        task = progress.add_task("10,000 customers with money", total=2 * PAYERS)

        def told(done: int) -> None:
            progress.update(task, completed=done)

        async with Mesh(layout, state.ports) as mesh:
            population = await populate(await services_of(mesh), progress=told)
    await _vacuum(state)
    return population


async def services_of(mesh: Mesh) -> Services:
    """What the people are made through."""
    operator = await call(
        mesh.wallet.GetOwner, wallet_pb2.GetOwnerRequest(handle="ops"), timeout_seconds=5
    )
    return Services(
        wallets=mesh.wallet,
        payments=mesh.payment,
        barcodes=mesh.barcode,
        merchants=mesh.merchants,
        operator_id=operator.owner.id,
    )


async def _vacuum(state: State) -> None:
    """Statistics for the planner, as autovacuum would make them in a system that has lived."""
    for name in ("wallet", "payment", "ledger"):
        url = database_url(state, name)
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


def write_tokens(layout: Layout, population: Population, path: Path) -> None:
    """One token per payer, in a file that nobody else may read."""
    issuer, now = load_issuer(layout.tokens), SystemClock().now()
    lines = (
        issuer.issue(subject=payer_id, role="customer", now=now, life=timedelta(hours=2))
        for payer_id in population.payer_ids
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{line}\n" for line in lines)


def pids_of(state: State) -> dict[str, int]:
    """Process ids by name, of everything that runs."""
    return {member.name: member.identity.pid for member in state.members if member.identity}


def database_url(state: State, database: str) -> str:
    """The administrator's URL of a database. Raises ``LoadError`` if it is not known."""
    member = state.member("postgres")
    if member is None or member.url is None:
        raise LoadError("the administrator's URL of PostgreSQL is not known")
    return f"{member.url.rpartition('/')[0]}/{database}"
