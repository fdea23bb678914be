"""`qrpay ledger correct`, `reverse`, `approve`, `reject`, `corrections`: putting the book right."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from chassis.channel import call
from cli.mesh import Mesh, run_with_mesh
from cli.options import actor_option, data_option, echo_json, json_option
from qrpay.ledger.v1 import correction_pb2 as pb
from qrpay.ledger.v1 import ledger_pb2
from qrpay.type.v1 import money_pb2

_CALL_SECONDS = 5.0
_PAGE_SIZE = 200
_AMOUNT_MINOR_MAX = 10**15
_STATES = ("proposed", "approved", "rejected")

_why_option: Callable[[Any], Any] = click.option(
    "--why", required=True, help="Why, for the record."
)
_at_option = click.option(
    "--at",
    "effective_time",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]),
    help="When it happened; without a zone it is your own time.  [default: now]",
)
_request_option = click.option(
    "--request-id",
    default=lambda: str(uuid.uuid4()),
    show_default="a new one",
    help="The same one again is the same proposal.",
)
_SIDE = (str, click.IntRange(1, _AMOUNT_MINOR_MAX), str)


@click.command()
@data_option
@click.option(
    "--debit",
    "debits",
    type=_SIDE,
    multiple=True,
    metavar="ACCOUNT AMOUNT CURRENCY",
    help="What to debit, in minor units: wal_... 150 EUR. As often as needed.",
)
@click.option(
    "--credit",
    "credits_",
    type=_SIDE,
    multiple=True,
    metavar="ACCOUNT AMOUNT CURRENCY",
    help="What to credit; together as much as is debited.",
)
@_at_option
@actor_option
@_why_option
@_request_option
@json_option
def correct(
    data: Path,
    debits: Sequence[tuple[str, int, str]],
    credits_: Sequence[tuple[str, int, str]],
    effective_time: datetime | None,
    actor: str,
    why: str,
    request_id: str,
    as_json: bool,
) -> None:
    """Propose postings that put something right. Another person has to approve them."""
    request = pb.ProposeCorrectionRequest(
        request_id=request_id,
        actor=actor,
        reason=why,
        postings=[
            *_postings(debits, ledger_pb2.DIRECTION_DEBIT),
            *_postings(credits_, ledger_pb2.DIRECTION_CREDIT),
        ],
    )
    _propose(data, request, effective_time, as_json=as_json)


@click.command()
@click.argument("transaction_id")
@data_option
@_at_option
@actor_option
@_why_option
@_request_option
@json_option
def reverse(
    transaction_id: str,
    data: Path,
    effective_time: datetime | None,
    actor: str,
    why: str,
    request_id: str,
    as_json: bool,
) -> None:
    """Propose to take a transaction (txn_...) back. Another person has to approve it."""
    request = pb.ProposeCorrectionRequest(
        request_id=request_id, actor=actor, reason=why, reverses=transaction_id
    )
    _propose(data, request, effective_time, as_json=as_json)


@click.command()
@click.argument("correction_id")
@data_option
@actor_option
@json_option
def approve(correction_id: str, data: Path, actor: str, as_json: bool) -> None:
    """Approve a correction that somebody else proposed, and book it."""
    request = pb.ApproveCorrectionRequest(correction_id=correction_id, actor=actor)
    answer = run_with_mesh(
        data,
        lambda mesh: call(
            mesh.corrections.ApproveCorrection, request, timeout_seconds=_CALL_SECONDS
        ),
    )
    if as_json:
        echo_json(_fields(answer.correction))
    else:
        click.echo(f"Booked {correction_id} as {answer.correction.transaction_id}.")


@click.command()
@click.argument("correction_id")
@data_option
@actor_option
@_why_option
@json_option
def reject(correction_id: str, data: Path, actor: str, why: str, as_json: bool) -> None:
    """Reject a correction, your own or another's, for ever."""
    request = pb.RejectCorrectionRequest(correction_id=correction_id, actor=actor, reason=why)
    answer = run_with_mesh(
        data,
        lambda mesh: call(
            mesh.corrections.RejectCorrection, request, timeout_seconds=_CALL_SECONDS
        ),
    )
    if as_json:
        echo_json(_fields(answer.correction))
    else:
        click.echo(f"Rejected {correction_id}.")


@click.command()
@click.argument("correction_id", required=False)
@data_option
@click.option(
    "--state",
    type=click.Choice([*_STATES, "all"]),
    default="proposed",
    show_default=True,
    help="Where it is in its life.",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def corrections(
    correction_id: str | None, data: Path, state: str, limit: int, as_json: bool
) -> None:
    """List corrections, newest first; or show one, with what it would change."""
    if correction_id is not None:
        request = pb.GetCorrectionRequest(correction_id=correction_id)
        shown = run_with_mesh(
            data,
            lambda mesh: call(
                mesh.corrections.GetCorrection, request, timeout_seconds=_CALL_SECONDS
            ),
        )
        _print_one(shown.correction, shown.warnings, as_json=as_json)
        return
    found = run_with_mesh(data, lambda mesh: _list(mesh, state, limit))
    if as_json:
        echo_json([_fields(correction) for correction in found])
    elif found:
        _print_list(found)
    else:
        click.echo("No corrections.")


COMMANDS = {
    "correct": correct,
    "reverse": reverse,
    "approve": approve,
    "reject": reject,
    "corrections": corrections,
}
"""What `qrpay ledger` does about corrections, by name."""


def _postings(sides: Iterable[tuple[str, int, str]], direction: int) -> list[ledger_pb2.Posting]:
    return [
        ledger_pb2.Posting(
            account_id=account_id,
            direction=direction,  # type: ignore[arg-type]
            money=money_pb2.Money(currency_code=currency_code, amount_minor=amount_minor),
        )
        for account_id, amount_minor, currency_code in sides
    ]


def _propose(
    data: Path,
    request: pb.ProposeCorrectionRequest,
    effective_time: datetime | None,
    *,
    as_json: bool,
) -> None:
    if effective_time is not None:
        # Without a zone it is the user's own time.
        request.effective_time.FromDatetime(effective_time.astimezone(UTC))
    answer = run_with_mesh(
        data,
        lambda mesh: call(
            mesh.corrections.ProposeCorrection, request, timeout_seconds=_CALL_SECONDS
        ),
    )
    _print_one(answer.correction, answer.warnings, as_json=as_json)


async def _list(mesh: Mesh, state: str, limit: int) -> list[pb.Correction]:
    request = pb.ListCorrectionsRequest(
        state=f"CORRECTION_STATE_{'UNSPECIFIED' if state == 'all' else state.upper()}",
        page_size=min(_PAGE_SIZE, limit),
    )
    found: list[pb.Correction] = []
    while len(found) < limit:
        page = await call(mesh.corrections.ListCorrections, request, timeout_seconds=_CALL_SECONDS)
        found += page.corrections
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    return found[:limit]


def _print_list(found: Sequence[pb.Correction]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("ID", no_wrap=True, min_width=30)
    for heading in ("STATE", "PROPOSED BY", "DECIDED BY", "BOOKED AS", "WHY"):
        table.add_column(heading)
    for correction in found:
        table.add_row(
            correction.id,
            _state(correction),
            correction.proposer,
            correction.decider or "-",
            correction.transaction_id or "-",
            correction.reason,
        )
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table, highlight=False, markup=False)


def _print_one(
    correction: pb.Correction, warnings: Sequence[pb.CorrectionWarning], *, as_json: bool
) -> None:
    fields = _fields(correction)
    if as_json:
        changes = {item.account_id: item.change_minor for item in warnings}
        echo_json({**fields, "warnings": changes})
        return
    for name, value in fields.items():
        if name != "postings" and value:
            click.echo(f"{name.replace('_', ' '):<16} {value}")
    for posting in fields["postings"]:
        click.echo(
            f"{posting['direction']:<16} {posting['account']} {posting['amount']}"
            f" {posting['currency']} (minor units)"
        )
    for item in warnings:
        click.echo(
            f"Warning: the book of {item.account_id} changes by {item.change_minor} (minor units)"
            " and its wallet does not: reconciliation will find that, unless this mends what it"
            " has found.",
            err=True,
        )
    if correction.state == pb.CORRECTION_STATE_PROPOSED:
        click.echo(f"Another person books it with: qrpay ledger approve {correction.id}", err=True)


def _fields(correction: pb.Correction) -> dict[str, Any]:
    decided = correction.HasField("decide_time")
    return {
        "id": correction.id,
        "state": _state(correction),
        "why": correction.reason,
        "reverses": correction.reverses or None,
        "effective_at": correction.effective_time.ToJsonString(),
        "proposed_by": correction.proposer,
        "proposed_at": correction.propose_time.ToJsonString(),
        "decided_by": correction.decider or None,
        "decided_at": correction.decide_time.ToJsonString() if decided else None,
        "decided_why": correction.decision_reason or None,
        "transaction_id": correction.transaction_id or None,
        "postings": [
            {
                "account": posting.account_id,
                "direction": ledger_pb2.Direction.Name(posting.direction)
                .removeprefix("DIRECTION_")
                .lower(),
                "amount": posting.money.amount_minor,
                "currency": posting.money.currency_code,
            }
            for posting in correction.postings
        ],
    }


def _state(correction: pb.Correction) -> str:
    name = pb.CorrectionState.Name(correction.state)
    return name.removeprefix("CORRECTION_STATE_").lower()
