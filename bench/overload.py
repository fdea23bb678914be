"""Three times what the system can do, for a minute: how much it still does, and how soon after it
is as fast as before."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil
import psycopg

from bench.open_loop import Answer, OpenLoop, Requests

CALM_SHARE = 0.5
OVERLOAD_FACTOR = 3.0
_BEFORE_SECONDS = 20.0
_AFTER_SECONDS = 45.0
_WINDOW_SECONDS = 1.0
NORMAL_FACTOR = 1.5
"""As fast as before: at most so much of what it was, of answers and of completions."""
_LOOK_SECONDS = 5
"""The median over so many seconds is looked at: single ones jump on a machine that is shared."""


class Second(NamedTuple):
    """One second of the run."""

    offered: int
    accepted: int
    shed: int
    """503."""
    other: int
    answer_p50_ms: float
    answer_p99_ms: float
    completed: int
    done_p50_ms: float
    """From acceptance to completion, of those that were accepted in this second."""


class Overload(NamedTuple):
    """What the experiment showed."""

    peak_before_per_second: float
    peak_after_per_second: float
    """A system slows down as its tables grow: what it could do lies between the two."""
    goodput_per_second: float
    """Completed while it was overloaded, the first five seconds apart."""
    goodput_share: float
    shed_share: float
    answer_ms: tuple[float, float, float]
    """Medians before, while, and at the end."""
    done_ms: tuple[float, float, float]
    normal_again_after_seconds: float | None
    """After the overload ended; None: not as long as was looked."""
    seconds: list[Second]


@contextlib.contextmanager
def cpus_apart(pids: Mapping[str, int]) -> Iterator[bool]:
    """Give the system all CPUs but the last, and this process the last one, so that the load does
    not take from the system what it measures. Answers False, and does nothing, with one CPU."""
    cpus = psutil.Process().cpu_affinity() or []
    if len(cpus) < 2:
        yield False
        return
    _pin(pids, cpus[:-1])
    psutil.Process().cpu_affinity(cpus[-1:])
    try:
        yield True
    finally:
        _pin(pids, cpus)
        psutil.Process().cpu_affinity(cpus)


def _pin(pids: Mapping[str, int], cpus: list[int]) -> None:
    for pid in pids.values():
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                for thread in member.threads():
                    psutil.Process(thread.id).cpu_affinity(cpus)


async def measure_overload(
    *,
    gateway_url: str,
    payment_database_url: str,
    tokens: list[str],
    currency: str,
    peak_per_second: float,
    seconds: float,
    told: Callable[[str], None],
) -> Overload:
    """Half of the peak, then three times the peak for `seconds`, then half of it again."""
    address = urlsplit(gateway_url)
    assert address.hostname is not None
    assert address.port is not None
    requests = Requests(
        host=address.netloc, path="/payments/send", tokens=tokens, currency=currency
    )
    load = OpenLoop(requests, host=address.hostname, port=address.port)
    loop = asyncio.get_running_loop()
    async with await psycopg.AsyncConnection.connect(
        payment_database_url, autocommit=True
    ) as database:
        row = await (await database.execute("SELECT clock_timestamp()")).fetchone()
        assert row is not None
        start, began = row[0], loop.time()
        calm = CALM_SHARE * peak_per_second
        told("Before: half of what it can do")
        await load.run(per_second=calm, seconds=_BEFORE_SECONDS)
        told("Overload: three times what it can do")
        await load.run(per_second=OVERLOAD_FACTOR * peak_per_second, seconds=seconds)
        told("After: half of what it can do")
        await load.run(per_second=calm, seconds=_AFTER_SECONDS)
        await load.drain()
        rows = await _completions(database, start)
    whole = int(_BEFORE_SECONDS + seconds + _AFTER_SECONDS)
    return summarize(_by_second(load.answers, began, rows, whole), peak_per_second, seconds)


async def _completions(database: psycopg.AsyncConnection, start: datetime) -> list[Any]:
    cursor = await database.execute(
        """
        SELECT extract(epoch FROM create_time - %(start)s)::float8,
               extract(epoch FROM payments.complete_time - %(start)s)::float8
        FROM payment_ends JOIN payments ON id = payment_id
        WHERE payment_ends.complete_time >= %(start)s AND payment_ends.status = 'COMPLETED'
            AND create_time >= %(start)s
        """,
        {"start": start},
    )
    return await cursor.fetchall()


def _by_second(answers: list[Answer], began: float, rows: list[Any], whole: int) -> list[Second]:
    asked: list[list[Answer]] = [[] for _ in range(whole)]
    for answer in answers:
        second = int((answer.due_at - began) / _WINDOW_SECONDS)
        if 0 <= second < whole:
            asked[second].append(answer)
    completed = [0] * whole
    done: list[list[float]] = [[] for _ in range(whole)]
    for created, ended in rows:
        if created < whole:
            done[int(created)].append((ended - created) * 1000)
        if ended < whole:
            completed[int(ended)] += 1
    found = []
    for number in range(whole):
        good = sorted(item.seconds * 1000 for item in asked[number] if item.status in {200, 202})
        shed = sum(item.status == 503 for item in asked[number])
        found.append(
            Second(
                offered=len(asked[number]),
                accepted=len(good),
                shed=shed,
                other=len(asked[number]) - len(good) - shed,
                answer_p50_ms=_percentile(good, 0.5),
                answer_p99_ms=_percentile(good, 0.99),
                completed=completed[number],
                done_p50_ms=_percentile(sorted(done[number]), 0.5),
            )
        )
    return found


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[int(len(ordered) * share)] if ordered else 0.0


def summarize(found: list[Second], peak_per_second: float, overload_seconds: float) -> Overload:
    """What the seconds show: 20 before, ``overload_seconds``, and the rest, whose last is cut
    off."""
    first = int(_BEFORE_SECONDS)
    last = first + int(overload_seconds)
    # What it takes to find its feet belongs to neither.
    before, during, after = found[5:first], found[first + 5 : last], found[last:-1]
    parts = (before, during, after[-10:])
    answer_ms, done_ms = _medians(parts, "answer_p50_ms"), _medians(parts, "done_p50_ms")
    goodput = sum(item.completed for item in during) / len(during)
    return Overload(
        peak_before_per_second=peak_per_second,
        peak_after_per_second=peak_per_second,
        goodput_per_second=goodput,
        goodput_share=goodput / peak_per_second,
        shed_share=sum(item.shed for item in during) / max(1, sum(i.offered for i in during)),
        answer_ms=answer_ms,
        done_ms=done_ms,
        normal_again_after_seconds=_normal_again(after, answer_ms[0], done_ms[0]),
        seconds=found,
    )


def with_peak_after(found: Overload, peak_after_per_second: float) -> Overload:
    """The same with what the system could do afterwards."""
    mean = (found.peak_before_per_second + peak_after_per_second) / 2
    return found._replace(
        peak_after_per_second=peak_after_per_second,
        goodput_share=found.goodput_per_second / mean,
    )


def _medians(parts: tuple[list[Second], ...], field: str) -> tuple[float, float, float]:
    first, second, third = (median(getattr(item, field) for item in part) for part in parts)
    return first, second, third


def _normal_again(after: list[Second], answer_ms: float, done_ms: float) -> float | None:
    """The first second from which on it stays as fast as before, and refuses nobody."""
    starts = range(len(after) - _LOOK_SECONDS + 1)
    slow = [
        start
        for start in starts
        if any(item.shed or item.other for item in after[start : start + _LOOK_SECONDS])
        or _typical(after, start, "answer_p50_ms") > NORMAL_FACTOR * answer_ms
        or _typical(after, start, "done_p50_ms") > NORMAL_FACTOR * done_ms
    ]
    again = max(slow, default=-1) + 1
    return float(again) if again < len(starts) else None


def _typical(seconds: list[Second], start: int, field: str) -> float:
    values: list[float] = [getattr(i, field) for i in seconds[start : start + _LOOK_SECONDS]]
    return median(values)
