"""`qrpay reconcile`: whether all books agree, and what to do about what does not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from chassis.channel import call
from chassis.errors import ServiceError
from cli.mesh import Mesh
from cli.options import Moment, actor_option, data_option, echo_json, json_option
from embedded.errors import StackError
from embedded.layout import Layout
from embedded.state import running_state
from qrpay.ledger.v1 import reconciliation_pb2 as pb

Answer = TypeVar("Answer")

_CALL_SECONDS = 9.0
_WAIT_SECONDS = 1.0
_PAGE_SIZE = 200
_STATES = ("open", "healed", "resolved")
_CLOSED = {pb.DIFFERENCE_ACTION_POSTED, pb.DIFFERENCE_ACTION_RESOLVED}
"""What needs nobody any more."""


@click.group(invoke_without_command=True)
@data_option
@click.option(
    "--since",
    type=Moment(),
    help="Only payments accepted from then on: a time, or how long ago (15m, 1h, 7d). "
    "Balances are compared in any case.",
)
@click.option("--heal", is_flag=True, help="Repair what follows, freeze and file what does not.")
@json_option
@click.pass_context
def command(
    context: click.Context, data: Path, since: datetime | None, heal: bool, as_json: bool
) -> None:
    """Compare payments, wallets and the journal; exit status 1 while differences are open.

    Without --heal it only looks. Cases that wait for a person: `list`, `show`, `resolve`.
    """
    if context.invoked_subcommand is not None:
        return
    answer = _run(data, lambda mesh: _reconcile(mesh, since=since, heal=heal, quiet=as_json))
    differences = list(answer.report.differences)
    if as_json:
        echo_json(_report_fields(answer.report))
    else:
        _print_report(answer.report)
    if answer.open_case_count:
        click.echo(
            f"Cases that wait for a person: {answer.open_case_count}. qrpay reconcile list",
            err=True,
        )
    if answer.open_case_count or any(item.action not in _CLOSED for item in differences):
        sys.exit(1)


@command.command("list")
@data_option
@click.option(
    "--state",
    type=click.Choice([*_STATES, "all"]),
    default="open",
    show_default=True,
    help="Where it is in its life.",
)
@click.option("--subject", default="", help="Only those of this payment or wallet.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def list_command(data: Path, state: str, subject: str, limit: int, as_json: bool) -> None:
    """List cases, newest first."""
    request = pb.ListCasesRequest(
        state=f"CASE_STATE_{'UNSPECIFIED' if state == 'all' else state.upper()}",
        subject_id=subject,
        page_size=_PAGE_SIZE,
    )
    cases = _run(data, lambda mesh: _list(mesh, request, limit))
    if as_json:
        echo_json([_case_fields(case) for case in cases])
        return
    if not cases:
        click.echo("No cases.")
        return
    table = _table("ID", "STATE", "WHAT", "PAYMENT OR WALLET", "EXPECTED", "FOUND", "DONE")
    for case in cases:
        fields = _case_fields(case)
        subject_id = fields["payment_id"] or fields["wallet_id"]
        row = [fields[name] for name in ("id", "state", "kind")]
        table.add_row(*row, subject_id, *[fields[name] for name in ("expected", "found", "action")])
    _console().print(table, highlight=False)


@command.command("show")
@click.argument("case_id")
@data_option
@json_option
def show_command(case_id: str, data: Path, as_json: bool) -> None:
    """Show a case: what differs, what that means, what was done."""
    request = pb.GetCaseRequest(case_id=case_id)
    shown = _run(
        data,
        lambda mesh: call(mesh.reconciliation.GetCase, request, timeout_seconds=_CALL_SECONDS),
    )
    fields = _case_fields(shown.case)
    if as_json:
        echo_json({**fields, "records": [MessageToDict(record) for record in shown.records]})
        return
    for name, value in fields.items():
        if value:
            click.echo(f"{name.replace('_', ' '):<12} {value}")
    for record in shown.records:
        act = pb.CaseAct.Name(record.act).removeprefix("CASE_ACT_").lower()
        why = f": {record.why}" if record.why else ""
        click.echo(f"{record.time.ToJsonString():<12} {act} by {record.actor}{why}")


@command.command("resolve")
@click.argument("case_id")
@data_option
@actor_option
@click.option("--why", required=True, help="Why, for the record.")
@click.option("--unfreeze", is_flag=True, help="Let the wallet take part in transfers again.")
@json_option
def resolve_command(
    case_id: str, data: Path, actor: str, why: str, unfreeze: bool, as_json: bool
) -> None:
    """Close a case that you have seen to. It stays closed while the difference is the same."""
    request = pb.ResolveCaseRequest(case_id=case_id, actor=actor, why=why, unfreeze=unfreeze)
    answer = _run(
        data,
        lambda mesh: call(mesh.reconciliation.ResolveCase, request, timeout_seconds=_CALL_SECONDS),
    )
    if as_json:
        echo_json(_case_fields(answer.case))
    else:
        click.echo(f"Resolved {case_id}.")


def _run(data: Path, work: Callable[[Mesh], Awaitable[Answer]]) -> Answer:
    """Do something with the services of a running stack; what they refuse is told in a sentence."""

    async def run() -> Answer:
        state = running_state(Layout(data))
        async with Mesh(Layout(data), state.ports) as mesh:
            try:
                return await work(mesh)
            except ServiceError as error:
                raise StackError(error.message) from error

    return asyncio.run(run())


async def _reconcile(
    mesh: Mesh, *, since: datetime | None, heal: bool, quiet: bool
) -> pb.ReconcileResponse:
    request = pb.ReconcileRequest(heal=heal, wait_seconds=_WAIT_SECONDS)
    if since is not None:
        request.since_time.FromDatetime(since)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]:>12,} payments"),
        TimeElapsedColumn(),
    )
    shown = sys.stderr.isatty() and not quiet
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task("Comparing", total=1.0, rows=0)
        while True:
            answer = await call(
                mesh.reconciliation.Reconcile, request, timeout_seconds=_CALL_SECONDS
            )
            bar.update(task, completed=answer.progress, rows=answer.report.checked.payments)
            if answer.done:
                return answer
            request.pass_id = answer.pass_id


async def _list(mesh: Mesh, request: pb.ListCasesRequest, limit: int) -> list[pb.Case]:
    cases: list[pb.Case] = []
    while len(cases) < limit:
        page = await call(mesh.reconciliation.ListCases, request, timeout_seconds=_CALL_SECONDS)
        cases += page.cases
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    return cases[:limit]


def _print_report(report: pb.ReconciliationReport) -> None:
    checked, buckets = report.checked, report.buckets
    click.echo(
        f"Compared {checked.payments:,} payments, {checked.transfers:,} transfers, "
        f"{checked.transactions:,} transactions in {buckets.compared:,} ranges "
        f"({buckets.differing:,} differed), {report.seconds:.1f} s."
    )
    if not report.differences:
        click.echo("No differences.")
        return
    table = _table("WHAT", "PAYMENT", "WALLET", "EXPECTED", "FOUND", "DONE")
    for difference in report.differences:
        table.add_row(*_difference_fields(difference).values())
    _console().print(table, highlight=False)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 200)


def _report_fields(report: pb.ReconciliationReport) -> dict[str, Any]:
    checked, buckets = report.checked, report.buckets
    return {
        "checked": {
            "payments": checked.payments,
            "transfers": checked.transfers,
            "transactions": checked.transactions,
        },
        "buckets": {"compared": buckets.compared, "differing": buckets.differing},
        "differences": [_difference_fields(item) for item in report.differences],
        "seconds": round(report.seconds, 3),
    }


def _difference_fields(difference: pb.Difference) -> dict[str, str]:
    action = pb.DifferenceAction.Name(difference.action).removeprefix("DIFFERENCE_ACTION_").lower()
    return {
        "kind": pb.DifferenceKind.Name(difference.kind).removeprefix("DIFFERENCE_KIND_").lower(),
        "payment_id": difference.payment_id,
        "wallet_id": difference.wallet_id,
        "expected": difference.expected,
        "found": difference.found,
        "action": "none" if action == "unspecified" else action,
    }


def _case_fields(case: pb.Case) -> dict[str, str]:
    return {
        "id": case.id,
        "state": pb.CaseState.Name(case.state).removeprefix("CASE_STATE_").lower(),
        **_difference_fields(case.difference),
        "explanation": case.explanation,
        "first_seen": case.first_seen_time.ToJsonString(),
        "last_seen": case.last_seen_time.ToJsonString(),
        "resolved_by": case.resolved_by,
        "reason": case.reason,
    }
