"""`qrpay audit`: who did what to which thing, from where, with what result."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from chassis.audit.acts import BEGUN, RESULTS
from chassis.channel import call
from chassis.errors import ServiceError
from cli import ledger_words as words
from cli.mesh import AUDITED, Mesh, run_with_mesh
from cli.options import Moment, data_option, echo_json, json_option
from qrpay.audit.v1 import audit_pb2 as pb

_CALL_SECONDS = 5.0
_PAGE_SIZE = 500
_THINGS_SHOWN = 3


class Line(NamedTuple):
    """A record, and whose it is."""

    service: str
    record: pb.AuditRecord


@click.command()
@data_option
@click.option(
    "--since",
    "start_time",
    type=Moment(),
    default="1h",
    show_default=True,
    help="Recorded then or later: a time, or how long ago (15m, 7d).",
)
@click.option("--until", "end_time", type=Moment(), help="Recorded before.  [default: now]")
@click.option("--actor", default="", help="Only what this person did.")
@click.option("--caller", default="", help="Only calls with this identity's certificate.")
@click.option("--method", default="", help="Only this method: FreezeWallet, or its full name.")
@click.option("--thing", "thing_id", default="", metavar="ID", help="Only what this is about.")
@click.option(
    "--result",
    type=click.Choice(sorted(RESULTS), case_sensitive=False),
    help="Only what ended like this; BEGUN: what has not.",
)
@click.option(
    "--service",
    "services",
    type=click.Choice(AUDITED),
    multiple=True,
    help="Only ask this one; as often as needed.",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def command(
    data: Path,
    start_time: datetime,
    end_time: datetime | None,
    actor: str,
    caller: str,
    method: str,
    thing_id: str,
    result: str | None,
    services: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """Show what operators and partners did, and what was refused to anybody, newest first.

    All services are asked; one that does not answer is named, with exit status 1. An act that was
    begun and has not ended, or whose end could not be recorded, has the result BEGUN: look at the
    thing itself for what became of it. All that is given must hold.
    """
    request = pb.ListAuditRecordsRequest(
        start_time=start_time,
        end_time=end_time,
        actor=actor,
        caller=caller,
        method=method,
        thing_id=thing_id,
        result=result or "",
        page_size=min(limit, _PAGE_SIZE),
    )
    chosen = services or AUDITED
    lines, failures = run_with_mesh(data, lambda mesh: _ask(mesh, chosen, request, limit))
    if as_json:
        echo_json({"records": [_fields(line) for line in lines], "failed": failures})
    elif lines:
        _print(lines)
    else:
        click.echo("No records.")
    for service, failure in failures.items():
        click.echo(f"{service} could not be asked: {failure}", err=True)
    if failures:
        sys.exit(1)


async def _ask(
    mesh: Mesh, services: Sequence[str], request: pb.ListAuditRecordsRequest, limit: int
) -> tuple[list[Line], dict[str, str]]:
    """The newest records of these services together, and why not, by service."""
    answers = await asyncio.gather(
        *(_list(mesh, service, request, limit) for service in services), return_exceptions=True
    )
    lines: list[Line] = []
    failures: dict[str, str] = {}
    for service, answer in zip(services, answers, strict=True):
        if isinstance(answer, ServiceError):
            failures[service] = str(answer.message)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            lines += answer
    return merged(lines, limit), failures


async def _list(
    mesh: Mesh, service: str, wanted: pb.ListAuditRecordsRequest, limit: int
) -> list[Line]:
    request = pb.ListAuditRecordsRequest()
    request.CopyFrom(wanted)
    found: list[Line] = []
    while len(found) < limit:
        page = await call(
            mesh.audit[service].ListAuditRecords, request, timeout_seconds=_CALL_SECONDS
        )
        found += [Line(service, record) for record in page.records]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    return found[:limit]


def merged(lines: Sequence[Line], limit: int) -> list[Line]:
    """The newest of all, newest first; of one moment by id: the same each time."""
    return sorted(
        lines,
        key=lambda line: (line.record.record_time.ToNanoseconds(), line.record.id),
        reverse=True,
    )[:limit]


def _print(lines: Sequence[Line]) -> None:
    table = words.table_of(
        *("RECORDED (UTC)", "SERVICE", "CALLER", "ACTOR", "FROM", "METHOD", "THINGS", "RESULT")
    )
    for service, record in lines:
        table.add_row(
            words.time_text(record.record_time),
            service,
            record.caller or "(none)",
            record.actor,
            record.peer,
            record.method.rpartition("/")[2],
            _things_text(record),
            result_text(record),
        )
    words.print_table(table)


def result_text(record: pb.AuditRecord) -> str:
    """``OK``, ``NOT_FOUND WALLET_NOT_FOUND``, ``OK (2 of 5 refused: ALREADY_DONE)``."""
    if record.item_count and record.refused_count:
        counted = f"{record.refused_count} of {record.item_count} refused: {record.reason}"
        return f"{record.result} ({counted})"
    reason = "" if record.reason == record.result else record.reason
    return f"{record.result} {reason}".strip()


def _things_text(record: pb.AuditRecord) -> str:
    shown = [thing.id for thing in record.things[:_THINGS_SHOWN]]
    more = len(record.things) - len(shown)
    return "\n".join([*shown, f"and {more} more"] if more else shown)


def _fields(line: Line) -> dict[str, Any]:
    record = line.record
    return {
        "id": record.id,
        "service": line.service,
        "recorded_at": record.record_time.ToJsonString(),
        "caller": record.caller or None,
        "actor": record.actor or None,
        "peer": record.peer,
        "method": record.method,
        "things": [{"kind": thing.kind, "id": thing.id} for thing in record.things],
        "result": record.result,
        "reason": record.reason or None,
        "items": record.item_count,
        "refused": record.refused_count,
        "trace_id": record.trace_id or None,
        "duration_ms": None if record.result == BEGUN else record.duration_ms,
        "begun_id": record.begun_id or None,
    }
