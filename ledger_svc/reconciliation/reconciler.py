"""Runs passes: again and again by itself, and when an operator asks for one.

By itself it compares what was accepted since everything was last known to agree, and each time a
slice of the history before, so that all of it is looked at again within a set time.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from opentelemetry import metrics
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from chassis.database import Database
from chassis.digests import IdRange
from chassis.errors import Overloaded, ServiceError
from chassis.ids import IdMaker, is_id, milliseconds_of
from chassis.repeating import repeat
from ledger_svc.errors import PassNotFound
from ledger_svc.reconciliation.books import Books
from ledger_svc.reconciliation.healing import Action, Healing, Treated
from ledger_svc.reconciliation.looking import Looking
from ledger_svc.reconciliation.model import Limits
from ledger_svc.reconciliation.ranges import Span
from ledger_svc.reconciliation.report import Report
from ledger_svc.store import cases as case_store
from ledger_svc.store.cases import Progress

_METER = metrics.get_meter("qrpay.ledger")
_DIFFERENCES = _METER.create_gauge(
    "qrpay.reconciliation.differences",
    unit="{difference}",
    description="Differences that the last pass found and no person has seen to.",
)
_OPEN_CASES = _METER.create_gauge(
    "qrpay.reconciliation.cases.open",
    unit="{case}",
    description="Cases of reconciliation that wait for a person.",
)
_BEHIND = _METER.create_gauge(
    "qrpay.reconciliation.behind",
    unit="s",
    description="Age of the oldest payment that is not known to agree in all books.",
)

PAYMENT_PREFIX = "pay"
_PARTS = 64
"""Into how many ranges the interval of a pass is cut at first."""
_OVERLAP_MILLISECONDS = 120_000
"""Looked at again, for payments whose process had a clock that was behind."""
_OPEN_WALLETS_MAX = 100_000
_PASSES_WAITING_MAX = 4
_PASSES_KEPT = 16


class Policy(NamedTuple):
    """When to look, and what to take for a difference; seconds."""

    every_seconds: float
    settle_seconds: float
    """What happened since then may not have reached every book."""
    stuck_seconds: float
    """A payment should have ended after so long."""
    history_seconds: float
    """How long a round through history takes."""
    second_look_seconds: float
    heals: bool
    """Whether the passes that run by themselves repair and freeze."""


@dataclass
class Pass:
    """One pass, asked for by an operator."""

    id: str
    report: Report = field(default_factory=Report)
    treated: list[Treated] = field(default_factory=list)
    error: ServiceError | None = field(default_factory=ServiceError)
    """Why it came to nothing, once it is done; None if it did not."""
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Reconciler:
    """One at a time. Several processes may: all that they do is idempotent."""

    def __init__(
        self,
        *,
        database: Database,
        books: Books,
        healing: Healing,
        policy: Policy,
        ids: IdMaker,
        clock: Clock,
    ) -> None:
        self._database = database
        self._books = books
        self._healing = healing
        self._policy = policy
        self._ids = ids
        self._clock = clock
        self._turn = asyncio.Lock()
        self._passes: OrderedDict[str, Pass] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Reconcile until told to stop. A pass that is cut off is begun again by whoever comes."""
        looping = asyncio.create_task(
            repeat(
                self.take_turn,
                name="reconciliation",
                every_seconds=self._policy.every_seconds,
                stop=stop,
            )
        )
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([looping, stopping], return_when=asyncio.FIRST_COMPLETED)
        if looping.done():
            looping.result()
        for task in (looping, stopping, *self._tasks):
            task.cancel()
        await asyncio.gather(looping, stopping, *self._tasks, return_exceptions=True)

    async def take_turn(self) -> Report:
        """A pass over what is new and a slice of history; remembers how far it came."""
        async with self._turn:
            before = await self._database.read(case_store.read_progress)
            horizon = await self._horizon()
            first = min(await self._first(), horizon)
            verified = min(before.verified_milliseconds, horizon)
            start = max(0, verified - _OVERLAP_MILLISECONDS) if verified > first else 0
            spans = _cut(start, first, horizon)
            history_end, history = _next_slice(
                before.history_milliseconds, first, start, self._policy
            )
            spans += history.cut()
            report = Report()
            treated = await self._run(report, spans, heal=self._policy.heals)
            unsettled = [
                milliseconds_of(item)
                for item in report.under_way_ids
                if is_id(item, PAYMENT_PREFIX)
            ]
            after = Progress(
                verified_milliseconds=min([horizon, *filter(start.__le__, unsettled)]),
                history_milliseconds=history_end,
            )
            await self._database.transaction(
                lambda connection: case_store.write_progress(connection, after)
            )
            await self._tell(treated, after)
            return report

    def begin(self, *, since: datetime | None, heal: bool) -> Pass:
        """Begin a pass in the background; it waits for its turn. Raises ``Overloaded``."""
        if len(self._tasks) >= _PASSES_WAITING_MAX:
            raise Overloaded
        item = Pass(self._ids.make("rec"))
        self._passes[item.id] = item
        while len(self._passes) > _PASSES_KEPT:
            self._passes.popitem(last=False)
        # In a context of its own: whoever asked has a deadline, and the pass has none.
        task = asyncio.create_task(
            self._work(item, since=since, heal=heal), name="pass", context=contextvars.Context()
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return item

    def find(self, pass_id: str) -> Pass:
        """A pass that was begun here. Raises ``PassNotFound``."""
        if pass_id not in self._passes:
            raise PassNotFound(pass_id=pass_id)
        return self._passes[pass_id]

    async def open_case_count(self) -> int:
        """How many cases wait for a person."""
        return await self._database.read(case_store.count_open)

    async def _work(self, item: Pass, *, since: datetime | None, heal: bool) -> None:
        try:
            async with self._turn:
                horizon = await self._horizon()
                first = min(await self._first(), horizon)
                start = min(_milliseconds(since), horizon) if since else 0
                item.treated = await self._run(item.report, _cut(start, first, horizon), heal=heal)
            item.error = None
        except ServiceError as error:
            item.error = error
        finally:
            item.done.set()

    async def _run(self, report: Report, spans: Sequence[Span], *, heal: bool) -> list[Treated]:
        began = self._clock.monotonic()
        now = await self._now()
        limits = Limits(
            settled_before=now - timedelta(seconds=self._policy.settle_seconds),
            stuck_before=now - timedelta(seconds=self._policy.stuck_seconds),
        )

        async def open_wallets(connection: AsyncConnection) -> list[str]:
            return await case_store.open_wallets(connection, count_max=_OPEN_WALLETS_MAX)

        looking = Looking(
            books=self._books,
            limits=limits,
            report=report,
            second_look_seconds=self._policy.second_look_seconds,
        )
        try:
            await looking.look(
                spans, now=now, known_wallets=await self._database.read(open_wallets)
            )
            act = self._healing.heal if heal else self._healing.only_look
            return await act(report.differences)
        finally:
            report.seconds = self._clock.monotonic() - began

    async def _tell(self, treated: Sequence[Treated], progress: Progress) -> None:
        _DIFFERENCES.set(sum(item.action != Action.RESOLVED for item in treated))
        _OPEN_CASES.set(await self.open_case_count())
        behind = _milliseconds(await self._now()) - progress.verified_milliseconds
        _BEHIND.set(max(0, behind) / 1000)

    async def _now(self) -> datetime:
        """The database's time: a process may have a wrong clock."""
        return await self._database.read(case_store.now)

    async def _horizon(self) -> int:
        return _milliseconds(await self._now()) - int(self._policy.settle_seconds * 1000)

    async def _first(self) -> int:
        """When the oldest payment in the journal was accepted; 0 if there is none."""
        found = await self._books.first_payment(
            IdRange(f"{PAYMENT_PREFIX}_0", f"{PAYMENT_PREFIX}_8")
        )
        return milliseconds_of(found) if found and is_id(found, PAYMENT_PREFIX) else 0


def _cut(start: int, first: int, horizon: int) -> list[Span]:
    """The interval from ``start`` on in spans: what lies before the first payment is one of them,
    and most likely empty."""
    edge = max(start, first)
    before = Span.of_times(PAYMENT_PREFIX, start, edge)
    rest = Span.of_times(PAYMENT_PREFIX, edge, horizon)
    return [*before.cut(1), *rest.cut(_PARTS)]


def _next_slice(position: int, first: int, end: int, policy: Policy) -> tuple[int, Span]:
    """The next slice of the history from ``first`` to ``end``, and where it ends.

    A round ends where what is new begins, and the next one starts at the first payment. As long as
    everything is new there is no history, and the slice is empty.
    """
    end = max(first, end)
    start = position if first < position < end else first
    share = min(1.0, policy.every_seconds / policy.history_seconds)
    stop = min(end, start + max(1, int((end - first) * share)))
    return stop, Span.of_times(PAYMENT_PREFIX, start, stop)


def _milliseconds(moment: datetime) -> int:
    with suppress(OverflowError):
        return max(0, int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1)))
    return 0
