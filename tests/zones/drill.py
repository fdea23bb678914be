"""The drill: people pay; a zone is killed, cut off, slowed, or stalls; then all is checked."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psycopg

from bench import outage
from tests.chaos.checks import Violation, check_all
from tests.chaos.funds import give_money_by
from tests.chaos.load import Load, Person
from tests.chaos.observer import Observer
from tests.chaos.reconciling import reconcile_by
from tests.chaos.snapshot import query, read_snapshot
from tests.chaos.yard import until_rest
from tests.zones.balancer import Balancer
from tests.zones.network import ADDRESSES, ZONES
from tests.zones.operator import Say
from tests.zones.report import Fault, Report
from tests.zones.system import PORTS, System, running_system

KINDS = ("kill", "cut", "slow", "stall")
"""Stall: the primary takes work and sends no standby anything, and then its zone is killed. What it
has confirmed by itself is lost, so this is what shows whether a commit waits for a standby."""
_STALL_SECONDS = 4.0
"""Less than the standbys wait before they come back by another connection (engines)."""
_CLIENTS = 8
_BEFORE_SECONDS = 15.0
_AFTER_SECONDS = 15.0
_REST_SECONDS_MAX = 60.0
_SETTLE_SECONDS_MAX = 120.0
_LOOK_EVERY_SECONDS = 0.25
_ASKED_AGAIN_SHARE = 0.2
_SETTLED_BEFORE_RECONCILING_SECONDS = 10.0

_LOST = {"I4 ok exists once", "answers hold", "I4 everything ends"}
_DOUBLED = {"I3 money moves once", "I5 issuance pays once", "I5 code pays once", "one body per key"}
"""By the names of the checks in ``tests.chaos``."""


class Meter:
    """When payments were accepted and completed, as seen from outside of all zones."""

    def __init__(self) -> None:
        self.accepted: list[float] = []
        self.completed: list[float] = []
        self.answers: list[tuple[float, str]] = []

    def note(self, request: httpx.Request, status: int) -> None:
        """An answer to somebody who pays."""
        if request.method != "POST" or not request.url.path.startswith("/payments/"):
            return
        now = time.monotonic()
        self.answers.append((now, str(status)))
        # Who wants to wait for the end is answered long after the payment was accepted.
        if status in (200, 202) and "prefer" not in request.headers:
            self.accepted.append(now)

    async def watch(self, admin_url: str) -> None:
        """Look how many payments are done, until cancelled."""
        done = 0
        while True:
            with contextlib.suppress(psycopg.Error, OSError, TimeoutError):
                async with asyncio.timeout(2.0):
                    rows = await query(
                        admin_url, "payment", "SELECT last_number AS n FROM event_counter"
                    )
                if rows[0]["n"] > done:
                    done = rows[0]["n"]
                    self.completed.append(time.monotonic())
            await asyncio.sleep(_LOOK_EVERY_SECONDS)


class Drill:
    """One run."""

    def __init__(self, system: System, *, seed: int, fault_seconds: float, say: Say) -> None:
        self._system = system
        self._seed = seed
        self._fault_seconds = fault_seconds
        self._say = say
        self._meter = Meter()

    async def run(self, kinds: Sequence[str]) -> Report:
        """Do all of it."""
        system = self._system
        async with system.mesh(ZONES[0]) as mesh:
            await give_money_by(mesh, ("alice", "bob"))
        observer = Observer(system.admin_url)
        async with (
            self._paying() as load,
            _running(observer.run(), self._meter.watch(system.admin_url)),
        ):
            running = asyncio.create_task(load.run(_CLIENTS))
            faults = [await self._lose(kind) for kind in kinds]
            load.stop()
            await running
            violations = await self._check(load, observer)
        return _report(faults, load, violations)

    async def _lose(self, kind: str) -> Fault:
        """Lose the zone with both primaries, live on without it, and get it back."""
        system, meter = self._system, self._meter
        began = time.monotonic()
        await asyncio.sleep(_BEFORE_SECONDS)
        zone = system.operator.postgres
        fault = time.monotonic()
        self._say(f"{kind} zone {zone}, which has the primary of PostgreSQL")
        await self._do(kind, zone)
        await asyncio.sleep(max(0.0, fault + self._fault_seconds - time.monotonic()))
        end = time.monotonic()
        self._say(f"zone {zone} comes back")
        await self._undo(zone)
        await asyncio.sleep(_AFTER_SECONDS)
        seen = outage.service(
            meter.accepted, began=began, fault=fault, repair=end, end=time.monotonic()
        )
        return Fault(
            kind=kind,
            zone=zone,
            seconds_without_service=seen.seconds_without_service,
            seconds_without_completion=round(outage.longest_gap(meter.completed, fault, end), 1),
            seconds_to_normal=seen.seconds_to_normal,
            accepted_per_second_before=seen.accepted_per_second_before,
            accepted=sum(fault <= moment < end for moment in meter.accepted),
            answers=dict(Counter(text for at, text in meter.answers if fault <= at < end)),
        )

    async def _do(self, kind: str, zone: str) -> None:
        system = self._system
        if kind == "stall":
            followers = system.places[zone].stop_replication()
            assert followers == len(ZONES) - 1, f"{followers} standbys follow the primary"
            await asyncio.sleep(_STALL_SECONDS)
        if kind in ("kill", "stall"):
            system.operator.away.add(zone)
            await system.places[zone].kill()
        elif kind == "cut":
            system.operator.away.add(zone)
            await system.network.cut(zone)
        else:
            await system.network.slow(zone)

    async def _undo(self, zone: str) -> None:
        system = self._system
        await system.network.heal(zone)
        await system.network.forget_neighbours()
        if not system.places[zone].runs("nats"):
            await system.start_nats(zone)
        if zone != system.operator.postgres:
            await system.operator.take_back(zone)
        system.operator.away.discard(zone)
        if not system.places[zone].runs("gateway"):
            await system.start_processes(zone)

    async def _check(self, load: Load, observer: Observer) -> list[Violation]:
        system, found = self._system, []
        self._say(f"checking {len(load.history)} operations")
        found += [Violation("fell", name) for name in system.fallen()]
        found += [Violation("no 500", text) for text in load.surprises]
        doing = "terminal and booked"
        try:
            await until_rest(system.admin_url, _REST_SECONDS_MAX)
            doing = "every operation answered"
            async with asyncio.timeout(_SETTLE_SECONDS_MAX):
                await load.settle()
                await load.ask_again(_ASKED_AGAIN_SHARE)
            doing = "at rest again"
            await until_rest(system.admin_url, _REST_SECONDS_MAX)
        except TimeoutError:
            found.append(Violation("comes to rest", f"not in time: {doing}"))
        await observer.look()
        snapshot = await read_snapshot(system.admin_url)
        snapshot.rewritten = observer.memory.changes
        snapshot.statements = await load.statements()
        found += check_all(snapshot, load.history)
        await asyncio.sleep(_SETTLED_BEFORE_RECONCILING_SECONDS)
        async with system.mesh(ZONES[0]) as mesh:
            found += await reconcile_by(mesh)
        return found

    @asynccontextmanager
    async def _paying(self) -> AsyncIterator[Load]:
        """People who pay by way of all gateways in turn."""
        addresses = [f"{ADDRESSES[zone]}:{PORTS['gateway']}" for zone in ZONES]
        balancer = Balancer(addresses, on_answer=self._meter.note)
        people = {
            name: Person(
                name,
                gateway="http://gateways",
                token=self._system.token(name),
                transport=balancer,
            )
            for name in ("alice", "bob", "cafe")
        }
        cafe_id = self._system.demo.owner_ids["cafe"]
        async with _running(balancer.run()):
            answer = await people["alice"].http.get(f"/merchants/{cafe_id}/qr?format=text")
            answer.raise_for_status()
            load = Load(people, seed=self._seed, qr=answer.text)
            await load.prepare()
            try:
                yield load
            finally:
                await load.close()


@asynccontextmanager
async def _running(*works: Awaitable[None]) -> AsyncIterator[None]:
    """Do these beside the block, and end them with it."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _report(faults: list[Fault], load: Load, violations: Sequence[Violation]) -> Report:
    def named(choose: Callable[[str], bool]) -> list[str]:
        return [str(item) for item in violations if choose(item.check)]

    return Report(
        faults=faults,
        payments=sum(1 for item in load.history if item.outcome == "ok"),
        acknowledged_but_lost=named(lambda check: check in _LOST),
        duplicates=named(lambda check: check in _DOUBLED),
        violations=named(lambda check: check not in _LOST | _DOUBLED),
    )


async def run_drill(
    directory: Path,
    *,
    seed: int,
    kinds: Sequence[str],
    fault_seconds: float,
    synchronous: bool,
    say: Say,
) -> Report:
    """Run once in an empty directory, inside the namespaces of ``network.enter``. Unless
    ``synchronous``, PostgreSQL confirms what no standby has: then a stall must lose payments."""
    async with running_system(directory, say=say) as system:
        if not synchronous:
            await system.operator.forget_standbys()
        say("three zones are ready")
        return await Drill(system, seed=seed, fault_seconds=fault_seconds, say=say).run(kinds)
