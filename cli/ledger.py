"""`qrpay ledger`: reading the book, whether it is what was written, and putting it right."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from chassis.channel import call
from chassis.database import open_database
from chassis.settings import Secret
from chassis.signing import read_key, thumbprint
from cli import book, corrections, statement
from cli.mesh import Mesh
from cli.options import data_option, echo_json, json_option
from embedded.layout import Layout
from embedded.state import running_state
from ledger_svc.verification import Verdict, verify_journal
from qrpay.ledger.v1 import ledger_pb2

_CALL_SECONDS = 5.0


@click.group()
def command() -> None:
    """Read the book, check it, and put it right.

    `correct` and `reverse` propose, `approve` books: that takes another person.
    """


for _name, _command in {
    **book.COMMANDS,
    **statement.COMMANDS,
    **corrections.COMMANDS,
}.items():
    command.add_command(_command, _name)


@command.command("verify")
@data_option
@click.option(
    "--key",
    "key_texts",
    multiple=True,
    help="A public key that you trust; without it, those that the stack itself names.",
)
@json_option
def verify(data: Path, key_texts: tuple[str, ...], as_json: bool) -> None:
    """Walk the whole book and name the first row that is not as it was written.

    Exit status 1 if there is one. Reads the database as the service does; changes nothing.
    """
    verdict = asyncio.run(_verify(Layout(data.resolve()), key_texts))
    if as_json:
        echo_json(verdict._asdict())
    elif verdict.fault is None:
        click.echo(
            f"All is as it was written: {verdict.transactions:,} transactions in"
            f" {verdict.batches:,} batches, {verdict.heads:,} signed heads."
        )
    else:
        click.echo(f"Broken: {verdict.fault}", err=True)
        click.echo(f"Good up to transaction {verdict.transactions:,}.", err=True)
    if verdict.fault is not None:
        raise click.exceptions.Exit(1)


async def _verify(layout: Layout, key_texts: tuple[str, ...]) -> Verdict:
    state = running_state(layout)
    if not key_texts:
        async with Mesh(layout, state.ports) as mesh:
            answer = await call(
                mesh.ledger.ListReceiptKeys,
                ledger_pb2.ListReceiptKeysRequest(),
                timeout_seconds=_CALL_SECONDS,
            )
        key_texts = tuple(key.x for key in answer.keys)
    keys = {thumbprint(key): key for key in map(read_key, key_texts)}
    url = Secret(layout.secret_file("ledger.database-url").read_text().strip())
    with Progress(
        TextColumn("transactions"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task("", total=None)

        def told(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        async with open_database(url, application_name="ledger verify", pool_size=1) as database:
            return await verify_journal(database, keys, told=told)
