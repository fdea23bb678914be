"""`qrpay dead-letters`: what could not be done, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.progress import track
from rich.table import Table

from chassis.channel import call
from cli.ledger_words import status_word
from cli.mesh import Mesh, booking_of, run_with_mesh
from cli.options import actor_option, data_option, echo_json, json_option
from qrpay.payment.v1 import dead_letter_pb2, payment_queue_pb2

_CALL_SECONDS = 5.0
_PAGE_SIZE = 200
_REDRIVE_AT_ONCE = 32
_STATES = ("open", "redriven", "discarded", "settled")
_REASONS = ("malformed", "exhausted", "overdue", "refused")
_PAYMENT_SUBJECT = "payments.task"

_filter_options: Sequence[Callable[[Any], Any]] = (
    click.option("--reason", type=click.Choice(_REASONS), help="Only those with this reason."),
    click.option("--payment", "payment_id", default="", help="Only those of this payment."),
    click.option("--consumer", default="", help="Only those that this consumer gave up."),
)


def _with_filter(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_filter_options):
        function = option(function)
    return function


@click.group()
def command() -> None:
    """See to what could not be done.

    A payment in a dead letter stays PENDING for its owner. `show` one, mend the cause, then
    `redrive` it -- or `discard` it, which ends the payment if no money has moved.
    """


@command.command("list")
@data_option
@click.option(
    "--state",
    type=click.Choice([*_STATES, "all"]),
    default="open",
    show_default=True,
    help="Where it is in its life.",
)
@_with_filter
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def list_command(
    data: Path,
    state: str,
    reason: str | None,
    payment_id: str,
    consumer: str,
    limit: int,
    as_json: bool,
) -> None:
    """List dead letters, newest first."""
    wanted = _filter(state, reason, payment_id, consumer)
    letters = run_with_mesh(data, lambda mesh: _list(mesh, wanted, limit))
    if as_json:
        echo_json([_letter_fields(letter) for letter in letters])
        return
    if not letters:
        click.echo("No dead letters.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("ID", no_wrap=True, min_width=30)
    for heading in ("STATE", "REASON", "TRIES", "LAST FAILURE", "LAST ERROR"):
        table.add_column(heading)
    for filed in letters:
        letter = filed.letter
        table.add_row(
            letter.id,
            _state_of(filed),
            _reason_of(letter),
            str(letter.attempts),
            letter.last_failure_time.ToDatetime().strftime("%Y-%m-%dT%H:%MZ"),
            letter.last_error,
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table, highlight=False)


@command.command("show")
@click.argument("dead_letter_id")
@data_option
@json_option
def show_command(dead_letter_id: str, data: Path, as_json: bool) -> None:
    """Show a dead letter and where its money is, and what a redrive would do."""

    async def look(mesh: Mesh) -> tuple[dead_letter_pb2.GetDeadLetterResponse, str | None]:
        shown = await call(
            mesh.desk.GetDeadLetter,
            dead_letter_pb2.GetDeadLetterRequest(dead_letter_id=dead_letter_id),
            timeout_seconds=_CALL_SECONDS,
        )
        return shown, await _journal_transaction(mesh, shown.letter.letter.payment_id)

    shown, transaction_id = run_with_mesh(data, look)
    truth = _truth(shown, transaction_id)
    if as_json:
        echo_json(
            {
                **_letter_fields(shown.letter),
                "money": truth,
                "records": [MessageToDict(record) for record in shown.records],
            }
        )
        return
    letter = shown.letter.letter
    lines = {
        "letter": f"{letter.id}, {_state_of(shown.letter)}",
        "reason": f"{_reason_of(letter)} after {letter.attempts} tries: {letter.last_error}",
        "given up by": f"{letter.consumer}, from {letter.subject}",
        "failed": f"first {letter.first_failure_time.ToJsonString()}, "
        f"last {letter.last_failure_time.ToJsonString()}",
        **truth,
    }
    for name, value in lines.items():
        click.echo(f"{name:<20} {value}")
    for record in shown.records:
        act = dead_letter_pb2.DeadLetterAct.Name(record.act).removeprefix("DEAD_LETTER_ACT_")
        why = f": {record.why}" if record.why else ""
        click.echo(f"{record.time.ToJsonString():<20} {act.lower()} by {record.actor}{why}")


@command.command("redrive")
@click.argument("dead_letter_ids", nargs=-1)
@data_option
@click.option(
    "--all", "everything", is_flag=True, help="All open ones that the filters let through."
)
@_with_filter
@click.option("--dry-run", is_flag=True, help="Only tell which.")
@actor_option
@click.option("--why", default="", help="Why, for the record.")
@json_option
def redrive_command(
    dead_letter_ids: tuple[str, ...],
    data: Path,
    everything: bool,
    reason: str | None,
    payment_id: str,
    consumer: str,
    dry_run: bool,
    actor: str,
    why: str,
    as_json: bool,
) -> None:
    """Put dead letters back to where they came from. Money moves at most once per payment."""
    filtered = everything or bool(reason or payment_id or consumer)
    if bool(dead_letter_ids) == filtered:
        raise click.UsageError("Name dead letters, or choose them with --all or a filter.")

    async def work(mesh: Mesh) -> tuple[list[str], dict[str, str]]:
        chosen = list(dead_letter_ids)
        if filtered:
            wanted = _filter("open", reason, payment_id, consumer)
            chosen = [item.letter.id for item in await _list(mesh, wanted, 10_000)]
        if dry_run:
            return chosen, {}
        return chosen, await _redrive(mesh, chosen, actor=actor, why=why, quiet=as_json)

    chosen, failures = run_with_mesh(data, work)
    if as_json:
        redriven = [] if dry_run else [item for item in chosen if item not in failures]
        echo_json({"chosen": chosen, "redriven": redriven, "failed": failures, "dry_run": dry_run})
    elif dry_run:
        click.echo("\n".join(["Would redrive:", *chosen]) if chosen else "Nothing to redrive.")
    else:
        for letter_id, failure in failures.items():
            click.echo(f"{letter_id}: {failure}", err=True)
        click.echo(f"Redriven: {len(chosen) - len(failures)} of {len(chosen)}.")
    if failures:
        sys.exit(1)


@command.command("discard")
@click.argument("dead_letter_id")
@data_option
@actor_option
@click.option("--why", required=True, help="Why, for the record.")
@json_option
def discard_command(dead_letter_id: str, data: Path, actor: str, why: str, as_json: bool) -> None:
    """End a dead letter. Its payment becomes FAILED; refused if the money has moved."""
    request = dead_letter_pb2.DiscardDeadLetterRequest(
        dead_letter_id=dead_letter_id, actor=actor, why=why
    )
    answer = run_with_mesh(
        data,
        lambda mesh: call(mesh.desk.DiscardDeadLetter, request, timeout_seconds=_CALL_SECONDS),
    )
    if as_json:
        echo_json(_letter_fields(answer.letter))
    else:
        click.echo(f"Discarded {dead_letter_id}.")


def _filter(
    state: str, reason: str | None, payment_id: str, consumer: str
) -> dead_letter_pb2.DeadLetterFilter:
    return dead_letter_pb2.DeadLetterFilter(
        state=f"DEAD_LETTER_STATE_{'UNSPECIFIED' if state == 'all' else state.upper()}",
        reason=f"DEAD_LETTER_REASON_{reason.upper() if reason else 'UNSPECIFIED'}",
        payment_id=payment_id,
        consumer=consumer,
    )


async def _list(
    mesh: Mesh, wanted: dead_letter_pb2.DeadLetterFilter, limit: int
) -> list[dead_letter_pb2.FiledDeadLetter]:
    letters: list[dead_letter_pb2.FiledDeadLetter] = []
    request = dead_letter_pb2.ListDeadLettersRequest(filter=wanted, page_size=_PAGE_SIZE)
    while len(letters) < limit:
        page = await call(mesh.desk.ListDeadLetters, request, timeout_seconds=_CALL_SECONDS)
        letters += page.letters
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    return letters[:limit]


async def _redrive(
    mesh: Mesh, letter_ids: Sequence[str], *, actor: str, why: str, quiet: bool
) -> dict[str, str]:
    """Redrive letters; answers why not, by id, for those that could not be."""
    failures: dict[str, str] = {}
    for batch in _batches(letter_ids, quiet=quiet):
        answer = await call(
            mesh.desk.RedriveDeadLetters,
            dead_letter_pb2.RedriveDeadLettersRequest(dead_letter_ids=batch, actor=actor, why=why),
            timeout_seconds=2 * _CALL_SECONDS,
        )
        for letter_id, result in zip(batch, answer.results, strict=True):
            if result.HasField("error"):
                failures[letter_id] = result.error.message
    return failures


def _batches(letter_ids: Sequence[str], *, quiet: bool) -> Iterator[Sequence[str]]:
    batches = [
        letter_ids[start : start + _REDRIVE_AT_ONCE]
        for start in range(0, len(letter_ids), _REDRIVE_AT_ONCE)
    ]
    shown = len(batches) > 1 and not quiet and sys.stderr.isatty()
    yield from track(batches, console=Console(stderr=True), disable=not shown)


async def _journal_transaction(mesh: Mesh, payment_id: str) -> str | None:
    """The id of the journal transaction that books a payment; None if there is none."""
    if not payment_id:
        return None
    booking = await booking_of(mesh, payment_id, timeout_seconds=_CALL_SECONDS)
    return booking.id if booking else None


def _truth(
    shown: dead_letter_pb2.GetDeadLetterResponse, transaction_id: str | None
) -> dict[str, str]:
    """Where the money of a letter's payment is, in words."""
    if not shown.letter.letter.payment_id:
        return {"money": "not about one payment", "a redrive would": _redrive_would(shown)}
    money = "no payment of this id"
    if shown.HasField("payment"):
        payment = shown.payment
        amount = f"{payment.money.amount_minor} {payment.money.currency_code} (minor units)"
        sides = f"from {payment.payer.id} to {payment.payee.id}"
        money = f"{amount}, {sides}, {status_word(payment.status)}"
    debit = "not applied"
    if shown.HasField("transfer"):
        moved = not shown.transfer.failure_code
        debit = (
            f"applied, entry {shown.transfer.debit_entry_number}" if moved else "refused for good"
        )
    return {
        "payment": f"{shown.letter.letter.payment_id}: {money}",
        "debit": debit,
        "journal": transaction_id or "no transaction",
        "owner told": f"yes, event {shown.event_number}" if shown.event_number else "no",
        "a redrive would": _redrive_would(shown),
    }


def _redrive_would(shown: dead_letter_pb2.GetDeadLetterResponse) -> str:
    if shown.letter.state != dead_letter_pb2.DEAD_LETTER_STATE_OPEN:
        return f"be refused: it is {_state_of(shown.letter)}"
    if shown.letter.letter.subject != _PAYMENT_SUBJECT:
        return f"publish it again on {shown.letter.letter.subject}, if it can be read now"
    if not shown.letter.letter.payment_id:
        return "have its payments tried again; those that are done stay as they are"
    if not shown.HasField("transfer"):
        return "try to move the money"
    if shown.transfer.failure_code:
        return "end the payment as FAILED, as wallet has decided; no money would move"
    return "complete the payment; the money has moved and would not move again"


def _letter_fields(filed: dead_letter_pb2.FiledDeadLetter) -> dict[str, Any]:
    letter = filed.letter
    return {
        "id": letter.id,
        "state": _state_of(filed),
        "reason": _reason_of(letter),
        "payment_id": letter.payment_id or None,
        "subject": letter.subject,
        "consumer": letter.consumer,
        "attempts": letter.attempts,
        "first_failure_at": letter.first_failure_time.ToJsonString(),
        "last_failure_at": letter.last_failure_time.ToJsonString(),
        "last_error": letter.last_error,
        "filed_at": filed.file_time.ToJsonString(),
    }


def _state_of(filed: dead_letter_pb2.FiledDeadLetter) -> str:
    name = dead_letter_pb2.DeadLetterState.Name(filed.state)
    return name.removeprefix("DEAD_LETTER_STATE_").lower()


def _reason_of(letter: payment_queue_pb2.DeadLetter) -> str:
    name = payment_queue_pb2.DeadLetterReason.Name(letter.reason)
    return name.removeprefix("DEAD_LETTER_REASON_").lower()
