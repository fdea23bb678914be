"""How many one-time barcodes a running barcode process issues and redeems, over real gRPC and mTLS,
with a real Valkey: `make bench-barcodes` beside a system that runs.

"per core" is what the process would do with a whole core: items divided by the CPU seconds that it
took. Latency is of an open loop: 500 customers a second who do not wait for each other, in natural
batches as a gateway makes them; the time counts from when somebody should have asked.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import click
import psutil
from rich.console import Console
from rich.table import Table

from chassis.batching import Batcher
from chassis.channel import call, open_channel
from chassis.errors import ServiceError, from_item_error
from embedded.certificates import tls_files
from embedded.errors import StackError
from embedded.layout import Layout
from embedded.ports import LOOPBACK
from embedded.state import running_state
from qrpay.barcode.v1 import barcode_pb2, barcode_pb2_grpc

_BATCH = 256
_IN_FLIGHT = 2
_CALL_SECONDS = 10.0
_MERCHANTS = 16
_OPEN_LOOP_PER_SECOND = 500

Work = Callable[[], Awaitable[int]]
"""Does a batch, and says how many items it had."""


class Throughput(NamedTuple):
    """What a closed loop did."""

    name: str
    per_second: float
    per_core: float
    call_ms_p50: float


class Latency(NamedTuple):
    """What an open loop saw, milliseconds."""

    name: str
    per_second: int
    p50: float
    p99: float
    worst: float
    failed: int


class Bench:
    """A barcode process under measurement."""

    def __init__(self, *, issuing: Any, redeeming: Any, process: psutil.Process) -> None:
        self._issuing = issuing
        self._redeeming = redeeming
        self._process = process
        self._numbers = itertools.count()
        self._codes: list[str] = []

    async def issue(self, *, without_images: bool) -> int:
        """Issue a batch, each to somebody else."""
        request = barcode_pb2.IssueBarcodesRequest(
            items=[self.customer(without_images=without_images) for _ in range(_BATCH)]
        )
        response = await call(self._issuing.IssueBarcodes, request, timeout_seconds=_CALL_SECONDS)
        self._codes += [result.barcode.code for result in response.results]
        return len(response.results)

    async def redeem(self) -> int:
        """Redeem a batch of codes that were issued before; fewer if they run out."""
        codes = [self._codes.pop() for _ in range(min(_BATCH, len(self._codes)))]
        if not codes:
            return 0
        items = [self._redemption(code) for code in codes]
        request = barcode_pb2.RedeemBarcodesRequest(items=items)
        response = await call(
            self._redeeming.RedeemBarcodes, request, timeout_seconds=_CALL_SECONDS
        )
        refused = sum(result.HasField("error") for result in response.results)
        if refused:
            raise click.ClickException(f"{refused} codes were refused: is the machine so slow?")
        return len(codes)

    async def throughput(self, name: str, work: Work, *, seconds: float) -> Throughput:
        """Batches one after the other, two at a time, until the time is over or nothing is left."""
        durations: list[float] = []
        done = 0
        end = time.perf_counter() + seconds

        async def client() -> None:
            nonlocal done
            while (start := time.perf_counter()) < end:
                items = await work()
                if items == 0:
                    return
                durations.append(time.perf_counter() - start)
                done += items

        cpu, start = self._cpu_seconds(), time.perf_counter()
        await asyncio.gather(*(client() for _ in range(_IN_FLIGHT)))
        spent, took = self._cpu_seconds() - cpu, time.perf_counter() - start
        middle = statistics.median(durations) * 1000
        return Throughput(name, done / took, done / spent, middle)

    async def latency(self, name: str, *, without_images: bool, seconds: float) -> Latency:
        """Issues at a constant rate, however long each takes."""
        batcher = Batcher[barcode_pb2.BarcodeIssue, barcode_pb2.IssuedBarcode](
            self._issue_items, name="issue", concurrency=_IN_FLIGHT
        )
        waits: list[float] = []
        failed = 0

        async def customer(due: float) -> None:
            nonlocal failed
            try:
                await batcher.submit(self.customer(without_images=without_images))
            except ServiceError:
                failed += 1
            waits.append((time.perf_counter() - due) * 1000)

        start = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number in range(int(seconds * _OPEN_LOOP_PER_SECOND)):
                due = start + number / _OPEN_LOOP_PER_SECOND
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tasks.create_task(customer(due))
        await batcher.close()
        cuts = statistics.quantiles(waits, n=100)
        return Latency(name, _OPEN_LOOP_PER_SECOND, cuts[49], cuts[98], max(waits), failed)

    def customer(self, *, without_images: bool) -> barcode_pb2.BarcodeIssue:
        """A new one each time: a second code would end the first, which is still to be redeemed."""
        owner_id = f"usr_bench_{next(self._numbers)}"
        return barcode_pb2.BarcodeIssue(
            owner_id=owner_id, device="bench", without_images=without_images
        )

    def _redemption(self, code: str) -> barcode_pb2.BarcodeRedemption:
        number = next(self._numbers)
        return barcode_pb2.BarcodeRedemption(
            code=code, redemption_token=f"{number}", merchant_id=f"mer_bench_{number % _MERCHANTS}"
        )

    async def _issue_items(
        self, items: Sequence[barcode_pb2.BarcodeIssue]
    ) -> list[barcode_pb2.IssuedBarcode | ServiceError]:
        request = barcode_pb2.IssueBarcodesRequest(items=items)
        response = await call(self._issuing.IssueBarcodes, request, timeout_seconds=_CALL_SECONDS)
        return [
            result.barcode if result.HasField("barcode") else from_item_error(result.error)
            for result in response.results
        ]

    def _cpu_seconds(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system


async def measure(layout: Layout, *, seconds: float) -> tuple[list[Throughput], list[Latency]]:
    """Everything, against the barcode process of a running system."""
    state = running_state(layout)
    member = state.member("barcode") if state else None
    if member is None or member.port is None or member.identity is None:
        raise click.ClickException("no system runs here: start one with `qrpay up --detach`")
    target = f"{LOOPBACK}:{member.port}"
    async with AsyncExitStack() as stack:
        stubs = [
            barcode_pb2_grpc.BarcodeServiceStub(
                await stack.enter_async_context(
                    open_channel(
                        target, identity="barcode", tls=tls_files(layout.certificates, identity)
                    )
                )
            )
            for identity in ("gateway", "payment")
        ]
        bench = Bench(
            issuing=stubs[0], redeeming=stubs[1], process=psutil.Process(member.identity.pid)
        )
        await bench.issue(without_images=False)  # what is made on first use is not measured
        bare = await bench.throughput(
            "issue, no images", lambda: bench.issue(without_images=True), seconds=seconds
        )
        redeemed = await bench.throughput("redeem", bench.redeem, seconds=seconds)
        drawn = await bench.throughput(
            "issue with QR code and Code 128",
            lambda: bench.issue(without_images=False),
            seconds=seconds,
        )
        latencies = [
            await bench.latency("issue, no images", without_images=True, seconds=seconds),
            await bench.latency(
                "issue with QR code and Code 128", without_images=False, seconds=seconds
            ),
        ]
    return [bare, drawn, redeemed], latencies


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=Path(".qrpay"), show_default=True)
@click.option("--seconds", type=click.FloatRange(1, 300), default=10.0, show_default=True)
def main(data: Path, seconds: float) -> None:
    """Measure the barcode process of a running system."""
    try:
        throughputs, latencies = asyncio.run(measure(Layout(data), seconds=seconds))
    except StackError as error:
        raise click.ClickException(str(error)) from error
    console = Console()
    table = Table(title=f"Batches of {_BATCH}, {_IN_FLIGHT} at a time")
    for heading in ("", "per second", "per second and core", "call p50, ms"):
        table.add_column(heading, justify="right" if heading else "left")
    for it in throughputs:
        table.add_row(
            it.name, f"{it.per_second:,.0f}", f"{it.per_core:,.0f}", f"{it.call_ms_p50:.1f}"
        )
    console.print(table)
    table = Table(title="Open loop, milliseconds")
    for heading in ("", "per second", "p50", "p99", "worst", "failed"):
        table.add_column(heading, justify="right" if heading else "left")
    for latency in latencies:
        cells = (f"{it:.1f}" for it in (latency.p50, latency.p99, latency.worst))
        table.add_row(latency.name, f"{latency.per_second}", *cells, f"{latency.failed}")
    console.print(table)


if __name__ == "__main__":
    main()
