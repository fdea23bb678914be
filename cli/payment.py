"""`qrpay payment`: one payment, and where it has been."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import click
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chassis.channel import call
from chassis.errors import ServiceError
from cli.ledger_words import money_text, status_word
from cli.mesh import Mesh, booking_of, run_with_mesh
from cli.options import data_option, echo_json, json_option
from qrpay.payment.v1 import payment_pb2, timeline_pb2
from qrpay.type.v1 import transfer_kind_pb2

_CALL_SECONDS = 5.0
_BAR_CELLS = 40
_PIPED_COLUMNS = 120
_WAITING = {"queued", "rested", "reported"}
_WRONG = {"tried", "dead-lettered", "discard-refused", "discarded"}
_STYLES = {
    **dict.fromkeys(_WAITING, "dim"),
    **dict.fromkeys(_WRONG, "red"),
    **dict.fromkeys(("swept", "redriven", "settled"), "yellow"),
}
_WORKING_STYLE = "green"


class Step(NamedTuple):
    """One step, as it is drawn."""

    name: str
    start: datetime
    end: datetime | None
    """None: a moment."""
    attempt: int
    """0: no try."""
    remark: str
    reason: str
    actor: str
    why: str


class Life(NamedTuple):
    """A payment and its steps."""

    payment: payment_pb2.Payment
    steps: list[Step]
    silent: list[str]
    """Services that could not be asked."""


@click.group()
def command() -> None:
    """Look at a payment."""


@command.command("show")
@click.argument("payment_id")
@data_option
@json_option
def show_command(payment_id: str, data: Path, as_json: bool) -> None:
    """Show a payment and every step that it has taken.

    Times count from its acceptance. They are those of whoever took the step: the clocks of two
    processes may differ.
    """
    life = run_with_mesh(data, lambda mesh: _ask(mesh, payment_id))
    if as_json:
        echo_json(_fields(life))
        return
    console = Console(width=None if sys.stdout.isatty() else _PIPED_COLUMNS)
    for name, value in _headlines(life.payment).items():
        console.print(f"{name:<10} {value}", highlight=False, markup=False)
    console.print()
    console.print(_table(life))
    for name in life.silent:
        click.echo(f"{name} could not be asked: a step of it may be missing.", err=True)


async def _ask(mesh: Mesh, payment_id: str) -> Life:
    found = await call(
        mesh.timeline.GetTimeline,
        timeline_pb2.GetTimelineRequest(payment_id=payment_id),
        timeout_seconds=_CALL_SECONDS,
    )
    steps = [_step(item, found.event_number) for item in found.steps]
    silent = ["wallet"] if found.wallet_silent else []
    try:
        booking = await booking_of(mesh, payment_id, timeout_seconds=_CALL_SECONDS)
    except ServiceError:
        silent.append("ledger")
    else:
        if booking is not None:
            booked = _time(booking.book_time)
            steps.append(Step("posted", booked, None, 0, booking.id, "", "", ""))
    return Life(found.payment, steps, silent)


def _step(item: timeline_pb2.TimelineStep, event_number: int) -> Step:
    name = timeline_pb2.TimelineStepKind.Name(item.kind).removeprefix("TIMELINE_STEP_KIND_")
    step = Step(
        _words(name),
        _time(item.start_time),
        _time(item.end_time) if item.HasField("end_time") else None,
        item.attempt,
        "",
        _words(item.reason),
        item.actor,
        item.why,
    )
    if step.name == "told" and event_number:
        return step._replace(remark=f"event {event_number}")
    if step.name == "swept" and step.attempt > 1:
        return step._replace(remark=f"{step.attempt} times", attempt=0)
    return step


def _headlines(payment: payment_pb2.Payment) -> dict[str, str]:
    kind = transfer_kind_pb2.TransferKind.Name(payment.kind).removeprefix("TRANSFER_KIND_")
    lines = {
        "payment": f"{payment.id}, {status_word(payment.status)}",
        "what": f"{_words(kind)}, {money_text(payment.money)}",
        "from": f"{payment.payer.name} ({payment.payer.id})",
        "to": f"{payment.payee.name} ({payment.payee.id})",
        "accepted": payment.create_time.ToJsonString(),
    }
    if payment.HasField("complete_time"):
        took = _time(payment.complete_time) - _time(payment.create_time)
        lines["ended"] = f"after {_seconds(took)}"
    return lines


def _table(life: Life) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("STEP", no_wrap=True)
    table.add_column("TRY", justify="right")
    table.add_column("AT", justify="right", no_wrap=True)
    table.add_column("TOOK", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, width=_BAR_CELLS)
    table.add_column("", overflow="fold")
    accepted = _time(life.payment.create_time)
    for step, bar in zip(life.steps, bars(life.steps, cells=_BAR_CELLS), strict=True):
        by = f"by {step.actor}" if step.actor else ""
        style = _STYLES.get(step.name, _WORKING_STYLE)
        table.add_row(
            step.name,
            str(step.attempt or ""),
            "+" + _seconds(step.start - accepted),
            "" if step.end is None else _seconds(step.end - step.start),
            Text(bar, style="red" if step.reason else style),
            Text(", ".join(filter(None, [step.remark, step.reason, by, step.why]))),
        )
    return table


def bars(steps: Sequence[Step], *, cells: int) -> list[str]:
    """A bar for each step over the time of all of them; a moment is a thin one."""
    if not steps:
        return []
    begin = min(step.start for step in steps)
    whole = max(step.end or step.start for step in steps) - begin
    drawn = []
    for step in steps:
        first = _cell(step.start - begin, whole, cells)
        last = first if step.end is None else _cell(step.end - begin, whole, cells)
        width = max(0, last - first) + 1
        drawn.append(" " * first + ("▏" if step.end is None else "█" * width))
    return drawn


def _cell(since: timedelta, whole: timedelta, cells: int) -> int:
    return min(cells - 1, int(since / whole * cells)) if whole else 0


def _fields(life: Life) -> dict[str, Any]:
    payment = life.payment
    return {
        "payment_id": payment.id,
        "status": status_word(payment.status),
        "steps": [
            {
                "step": step.name,
                "at": step.start.isoformat(),
                "until": step.end.isoformat() if step.end else None,
                "attempt": step.attempt or None,
                "remark": step.remark or None,
                "reason": step.reason or None,
                "by": step.actor or None,
                "why": step.why or None,
            }
            for step in life.steps
        ],
        "silent": life.silent,
    }


def _seconds(time: timedelta) -> str:
    seconds = time.total_seconds()
    return f"{seconds:.3f} s" if abs(seconds) < 100 else f"{seconds:.0f} s"


def _time(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)


def _words(name: str) -> str:
    return name.lower().replace("_", "-")
