"""`qrpay receipt`: what a payment's receipt proves. Checking one needs no stack."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from chassis.channel import call
from chassis.errors import ServiceError
from chassis.signing import read_key, thumbprint
from cli.mesh import Mesh
from cli.options import data_option, echo_json, json_option
from embedded.errors import StackError
from embedded.layout import Layout
from embedded.state import running_state
from ledger_svc.receipts import Proven, ReceiptInvalid, verify_receipt
from qrpay.ledger.v1 import ledger_pb2

_CALL_SECONDS = 5.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@click.group()
def command() -> None:
    """Get, and check, the proof that a payment is in the book.

    `verify` needs the receipt and the public key, and nothing else: no stack, no network.
    """


@command.command("get")
@data_option
@click.argument("payment_id")
def print_receipt(data: Path, payment_id: str) -> None:
    """Print a payment's receipt. Keep it as it is: every byte counts."""
    request = ledger_pb2.GetReceiptRequest(payment_id=payment_id)
    answer = _ask(data, "GetReceipt", request)
    sys.stdout.buffer.write(answer.receipt)


@command.command("keys")
@data_option
@json_option
def print_keys(data: Path, as_json: bool) -> None:
    """Print the public keys that receipts are checked with, the one that signs now first."""
    answer = _ask(data, "ListReceiptKeys", ledger_pb2.ListReceiptKeysRequest())
    if as_json:
        echo_json([{"id": key.id, "x": key.x} for key in answer.keys])
    else:
        for key in answer.keys:
            click.echo(key.x)


@command.command("verify")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--key",
    "key_texts",
    multiple=True,
    required=True,
    help="A public key that you trust, as `qrpay receipt keys` prints it. May be repeated.",
)
@json_option
def verify(file: Path, key_texts: tuple[str, ...], as_json: bool) -> None:
    """Check a receipt. Exit status 1 if it proves nothing."""
    trusted = {}
    for text in key_texts:
        try:
            content = read_key(text)
        except ValueError as error:
            raise click.BadParameter(f"{text} {error}", param_hint="--key") from error
        trusted[thumbprint(content)] = content
    try:
        proven = verify_receipt(file.read_bytes(), trusted)
    except ReceiptInvalid as error:
        if as_json:
            echo_json({"valid": False, "fault": str(error)})
        else:
            click.echo(f"Not valid. {error}", err=True)
        raise click.exceptions.Exit(1) from error
    if as_json:
        echo_json(_document(proven))
    else:
        _print(proven)


def _document(proven: Proven) -> dict[str, Any]:
    transaction = proven.transaction
    return {
        "valid": True,
        "transaction": transaction.number,
        "source_id": transaction.source_id,
        "effective_time": _moment(transaction.effective_microseconds),
        "book_time": _moment(proven.batch.book_microseconds),
        "head_time": _moment(proven.head.head_microseconds),
        "postings": [
            {
                "account_id": posting.account_id,
                "direction": "debit" if posting.direction == 1 else "credit",
                "currency": posting.currency_code,
                "amount_minor": posting.amount_minor,
            }
            for posting in transaction.postings
        ],
    }


def _print(proven: Proven) -> None:
    document = _document(proven)
    click.echo(f"Valid. {document['source_id']} is transaction {document['transaction']}.")
    click.echo(f"  happened  {document['effective_time']}")
    click.echo(f"  booked    {document['book_time']}")
    click.echo(f"  signed    {document['head_time']}, key {proven.head.key_id}")
    for posting in document["postings"]:
        amount = f"{posting['amount_minor']} {posting['currency']}"
        click.echo(f"  {posting['direction']:<8}  {posting['account_id']}  {amount} (minor units)")


def _moment(microseconds: int) -> str:
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat()


def _ask(data: Path, method: str, request: Any) -> Any:
    layout = Layout(data.resolve())

    async def ask() -> Any:
        async with Mesh(layout, running_state(layout).ports) as mesh:
            return await call(getattr(mesh.ledger, method), request, timeout_seconds=_CALL_SECONDS)

    try:
        return asyncio.run(ask())
    except ServiceError as error:
        if error.reason == "RECEIPT_NOT_READY":
            raise StackError(
                "It is booked and not signed yet. Try again in some seconds."
            ) from error
        raise StackError(f"{error.reason}: {error}") from error
