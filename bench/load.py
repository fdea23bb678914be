"""One measured run: wrk at the gateway, then the truth from the payments table and the CPUs."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg

_DRAIN_SECONDS_MAX = 120.0
_POLL_SECONDS = 0.2


class LoadError(Exception):
    """The run says nothing; the text tells why."""


class Percentiles(NamedTuple):
    """Milliseconds."""

    p50: float
    p99: float


class Run(NamedTuple):
    """What one run showed."""

    accepted_per_second: float
    completed_per_second: float
    accept_ms: Percentiles
    done_ms: Percentiles
    refused: int
    cpu_us_per_payment: dict[str, float]


class Scenario(NamedTuple):
    """What every request of a run does."""

    path: str
    body: str
    """JSON; an @ in it becomes the number of a random other payer, five digits."""


def find_wrk() -> str:
    """Where wrk is. Raises ``LoadError`` with how to get it."""
    path = shutil.which("wrk")
    if path is None:
        raise LoadError("wrk is not installed: apt-get install wrk (Debian, Ubuntu)")
    return path


async def measure(
    scenario: Scenario,
    *,
    gateway_url: str,
    payment_database_url: str,
    tokens_file: Path,
    pids: Mapping[str, int],
    seconds: float,
    connections: int,
) -> Run:
    """Load the system, wait until every accepted payment is done, and read what happened.

    Completed per second counts from the first acceptance to the last completion, so a backlog that
    is worked off after the load ended lowers it. Raises ``LoadError`` if nothing was accepted or
    not all became terminal.
    """
    async with await psycopg.AsyncConnection.connect(
        payment_database_url, autocommit=True
    ) as database:
        start = await _now(database)
        cpu_before = cpu_seconds(pids)
        load = await _run_wrk(
            scenario,
            gateway_url=gateway_url,
            tokens_file=tokens_file,
            seconds=seconds,
            connections=connections,
        )
        await _drain(database, start)
        cpu_after = cpu_seconds(pids)
        done = await _read_done(database, start)
    if load["broken"]:
        raise LoadError(f"{load['broken']} connections broke: see the gateway's log")
    accepted = load["requests"] - load["refused"]
    if not done["completed"]:
        raise LoadError(f"no payment was completed; {load['refused']} requests were refused")
    return Run(
        accepted_per_second=accepted / (load["microseconds"] / 1e6),
        completed_per_second=done["completed"] / done["seconds"],
        accept_ms=Percentiles(load["p50_us"] / 1000, load["p99_us"] / 1000),
        done_ms=Percentiles(done["p50_ms"], done["p99_ms"]),
        refused=load["refused"],
        cpu_us_per_payment={
            name: (cpu_after[name] - cpu_before[name]) * 1e6 / done["completed"] for name in pids
        },
    )


async def _run_wrk(
    scenario: Scenario, *, gateway_url: str, tokens_file: Path, seconds: float, connections: int
) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        find_wrk(),
        "--threads=1",
        f"--connections={connections}",
        f"--duration={max(1, round(seconds))}s",
        "--timeout=10s",
        f"--script={resources.files('bench') / 'payments.lua'}",
        gateway_url,
        "--",
        str(tokens_file),
        scenario.path,
        secrets.token_hex(8),
        scenario.body,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    lines = output.decode().strip().splitlines()
    if process.returncode or not lines:
        raise LoadError(errors.decode().strip() or output.decode().strip())
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU time used so far by each process and its children, seconds."""
    return {name: _cpu_of(psutil.Process(pid)) for name, pid in pids.items()}


def _cpu_of(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)]
    times = []
    for member in family:
        try:
            times.append(member.cpu_times())
        except psutil.NoSuchProcess:
            continue  # ended since it was listed
    own = sum(time.user + time.system for time in times)
    # What children that have ended used; PostgreSQL's come and go.
    return own + times[0].children_user + times[0].children_system if times else 0.0


async def _now(database: psycopg.AsyncConnection) -> datetime:
    row = await (await database.execute("SELECT clock_timestamp()")).fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


async def _drain(database: psycopg.AsyncConnection, start: datetime) -> None:
    """Wait until no payment of this run is pending."""
    try:
        async with asyncio.timeout(_DRAIN_SECONDS_MAX):
            while await _pending(database, start):  # noqa: ASYNC110 - the database cannot call us
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as error:
        raise LoadError("payments of this run are still pending") from error


async def _pending(database: psycopg.AsyncConnection, start: datetime) -> bool:
    cursor = await database.execute(
        """
        SELECT EXISTS (
            SELECT FROM pending_payments JOIN payments ON id = payment_id WHERE create_time >= %s
        )
        """,
        [start],
    )
    row = await cursor.fetchone()
    assert row is not None
    return bool(row[0])


async def _read_done(database: psycopg.AsyncConnection, start: datetime) -> dict[str, Any]:
    cursor = await database.execute(
        """
        SELECT
            count(*),
            extract(epoch FROM max(payments.complete_time) - min(create_time)),
            percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
                ORDER BY extract(epoch FROM payments.complete_time - create_time)
            )
        -- What ended since is found by its index, however many payments there are.
        FROM payment_ends JOIN payments ON id = payment_id
        WHERE payment_ends.complete_time >= %(start)s AND payment_ends.status = 'COMPLETED'
            AND create_time >= %(start)s
        """,
        {"start": start},
    )
    row = await cursor.fetchone()
    assert row is not None
    completed, seconds, percentiles = row
    p50, p99 = percentiles or (0.0, 0.0)
    return {
        "completed": completed,
        "seconds": float(seconds or 0),
        "p50_ms": float(p50) * 1000,
        "p99_ms": float(p99) * 1000,
    }
