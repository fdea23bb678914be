"""`qrpay drill`: break something on purpose, under load, and see that no payment is lost."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench.outage import came_back_in_time, service
from bench.paying import Paying, PayingError
from cli.cluster import Cluster, Pod
from cli.options import echo_json, json_option
from embedded.errors import StackError

_SETTLE_SECONDS_MAX = 120.0


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """What losing a zone did to those who paid."""

    zone: str
    pods_deleted: int
    acknowledged: int
    wrong: list[str]
    """What was lost, doubled, or failed: one sentence each."""
    accepted_per_second_before: float
    seconds_without_service: float
    """The longest time in which no payment was accepted."""
    seconds_to_normal: float | None
    """From the loss until payments were accepted as fast as before; None: not while it watched."""
    answers: dict[str, int]
    """By HTTP status; "0" is none."""
    not_ready: list[str]
    """Pods that were not ready at the end."""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong and service came back in time."""
        return not self.wrong and came_back_in_time(
            self.seconds_without_service, self.seconds_to_normal
        )


@click.group()
def command() -> None:
    """Break something on purpose, under load, and see that no payment is lost."""


@command.command("zone-loss")
@click.argument("zone")
@click.option("--gateway", required=True, help="URL of the HTTP API, https.")
@click.option(
    "--token-file",
    "token_files",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    required=True,
    help="Two files with the tokens of two test customers who pay each other. Give it twice.",
)
@click.option("--currency", default="USD", show_default=True)
@click.option("--ca-file", type=click.Path(dir_okay=False, exists=True), default=None)
@click.option("--context", default="", help="kubectl's context.  [default: the current one]")
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    default=("qrpay",),
    show_default=True,
    help="Whose pods are ended; may be given several times, for the engines'.",
)
@click.option(
    "--rate", type=click.FloatRange(0.5, 200), default=10, show_default=True, help="Payments/s."
)
@click.option(
    "--seconds",
    type=click.FloatRange(5, 3600),
    default=60,
    show_default=True,
    help="How long the zone is gone.",
)
@click.option(
    "--around",
    type=click.FloatRange(5, 600),
    default=15,
    show_default=True,
    help="Seconds of payments before the loss and after it.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def zone_loss(
    zone: str,
    gateway: str,
    token_files: tuple[Path, ...],
    currency: str,
    ca_file: str | None,
    context: str,
    namespaces: tuple[str, ...],
    rate: float,
    seconds: float,
    around: float,
    yes: bool,
    as_json: bool,
) -> None:
    """Lose ZONE of your cluster while two test customers pay each other.

    Cordons the zone's nodes, ends its pods at once, lets the rest work for a while, and uncordons,
    also after Ctrl-C. Exit status 1 if a payment was lost or doubled, or nothing was accepted for
    more than 30 seconds. Try it on staging first.
    """
    if len(token_files) != 2:
        raise click.UsageError("give --token-file twice, for two different customers")
    cluster = Cluster(context=context)
    console = Console(stderr=True)
    try:
        pods, nodes = asyncio.run(_plan(cluster, zone, namespaces))
        _show_plan(console, zone, pods, nodes)
        if not yes:
            click.confirm("Lose this zone now?", abort=True, err=True)
        paying = Paying(
            gateway,
            [file.read_text(encoding="utf-8").strip() for file in token_files],
            currency=currency,
            ca_file=ca_file or "",
        )
        drill = _Drill(cluster, paying, zone=zone, namespaces=namespaces, console=console)
        outage = asyncio.run(drill.run(rate=rate, seconds=seconds, around=around))
    except PayingError as error:
        raise StackError(str(error)) from error
    if as_json:
        echo_json({"passed": outage.passed, **_as_json(outage)})
    else:
        _show(outage, Console())
    sys.exit(0 if outage.passed else 1)


async def _plan(
    cluster: Cluster, zone: str, namespaces: Sequence[str]
) -> tuple[list[Pod], list[str]]:
    """The pods that will be ended and the nodes that will be cordoned. Raises ``StackError`` if
    that would not be the loss of one zone of several."""
    nodes = await cluster.nodes()
    lost = {node.name for node in nodes if node.zone == zone}
    zones = sorted({node.zone for node in nodes if node.zone})
    if not lost:
        raise StackError(f"no node is in zone {zone}; there are {', '.join(zones) or 'no zones'}")
    if len(zones) < 2:
        raise StackError(f"{zone} is the only zone: losing it loses everything")
    pods = [
        pod for namespace in namespaces for pod in await cluster.pods(namespace) if pod.node in lost
    ]
    if not pods:
        raise StackError(f"no pod of {', '.join(namespaces)} runs in zone {zone}")
    # One that somebody else cordoned is theirs to uncordon.
    return pods, [node.name for node in nodes if node.zone == zone and not node.is_cordoned]


class _Drill:
    """One loss of one zone."""

    def __init__(
        self,
        cluster: Cluster,
        paying: Paying,
        *,
        zone: str,
        namespaces: Sequence[str],
        console: Console,
    ) -> None:
        self._cluster = cluster
        self._paying = paying
        self._zone = zone
        self._namespaces = namespaces
        self._console = console

    async def run(self, *, rate: float, seconds: float, around: float) -> Outage:
        """Do it. Raises ``PayingError``, ``StackError``."""
        paying = self._paying
        try:
            await paying.begin()
            async with self._payments(rate):
                began = time.monotonic()
                await self._pass(around, "Paying")
                lost_at = time.monotonic()
                deleted = await self._lose(seconds)
                back_at = time.monotonic()
                await self._pass(around, f"Zone {self._zone} is back")
                ended = time.monotonic()
            with self._console.status("Checking every payment"):
                wrong = await paying.check(_SETTLE_SECONDS_MAX)
            not_ready = [
                pod.name
                for namespace in self._namespaces
                for pod in await self._cluster.pods(namespace)
                if not pod.is_ready
            ]
        finally:
            paying.close()
        seen = service(paying.accepted, began=began, fault=lost_at, repair=back_at, end=ended)
        return Outage(
            zone=self._zone,
            pods_deleted=deleted,
            acknowledged=sum(1 for attempt in paying.attempts if attempt.payment_id),
            wrong=wrong,
            accepted_per_second_before=seen.accepted_per_second_before,
            seconds_without_service=seen.seconds_without_service,
            seconds_to_normal=seen.seconds_to_normal,
            answers=dict(paying.answers),
            not_ready=not_ready,
        )

    async def _lose(self, seconds: float) -> int:
        # Asked anew: what was shown to the person may have moved since.
        pods, nodes = await _plan(self._cluster, self._zone, self._namespaces)
        try:
            if nodes:
                await self._cluster.cordon(nodes)
            await self._cluster.delete(pods)
            await self._pass(seconds, f"Without zone {self._zone}")
        finally:
            if nodes:
                await self._cluster.uncordon(nodes)
        return len(pods)

    @asynccontextmanager
    async def _payments(self, rate: float) -> AsyncIterator[None]:
        stop = asyncio.Event()
        running = asyncio.create_task(self._paying.run(rate, stop), name="payments")
        try:
            yield
        finally:
            stop.set()
            await running

    async def _pass(self, seconds: float, label: str) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, TextColumn("{task.fields[more]}"), console=self._console) as shown:
            task = shown.add_task(label, total=seconds, more="")
            ends = time.monotonic() + seconds
            while (left := ends - time.monotonic()) > 0:
                await asyncio.sleep(min(0.25, left))
                more = f"{len(self._paying.accepted):,} accepted"
                shown.update(task, completed=min(seconds, seconds - left), more=more)


def _show_plan(console: Console, zone: str, pods: Sequence[Pod], nodes: Sequence[str]) -> None:
    console.print(f"Zone {zone}: cordon {', '.join(nodes) or 'nothing'}; end these pods at once:")
    for pod in pods:
        console.print(f"  {pod.namespace}/{pod.name} on {pod.node}", highlight=False)


def _as_json(outage: Outage) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(outage)
    return found


def _show(outage: Outage, console: Console) -> None:
    normal = outage.seconds_to_normal
    answers = ", ".join(f"{number} x {status}" for status, number in sorted(outage.answers.items()))
    lines = [
        f"zone {outage.zone} lost, {outage.pods_deleted} pods ended",
        f"{outage.acknowledged:,} payments acknowledged, {len(outage.wrong)} things wrong",
        f"without service   {outage.seconds_without_service:.1f} s",
        f"normal after      {'never' if normal is None else f'{normal:.1f} s'}",
        f"accepted before   {outage.accepted_per_second_before:.1f} per second",
        f"answers           {answers}",
        *(f"  {text}" for text in outage.wrong[:20]),
        *(f"  {name} is not ready" for name in outage.not_ready),
        "passed" if outage.passed else "FAILED",
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False)
