"""Stands in for what watches the engines on Kubernetes: it finds a dead primary, ends it for good,
promotes a standby, moves the address, and copies the books to a zone that comes back.

The rules are CloudNativePG's. A primary is given up when it has not answered for a while. Before
another is promoted, the old one is fenced: its pod is deleted, or, in a zone that is cut off, it
stops itself, since it sees neither the control plane nor a standby. And a standby is promoted only
if every one that may have the last commit can be asked: with one standby of two confirming each
commit, that is both of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import psycopg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.zones import engines
from tests.zones.engines import Secrets
from tests.zones.network import ADDRESSES, POSTGRES, VALKEY, ZONES, Network
from tests.zones.places import Place, until_ready

Say = Callable[[str], None]

_LOOK_EVERY_SECONDS = 0.5
_LOOK_SECONDS_MAX = 2.0
_GIVEN_UP_SECONDS = 5.0
_WORK_SECONDS_MAX = 30.0


class Operator:
    """Watches the primaries of PostgreSQL and Valkey."""

    def __init__(
        self, places: dict[str, Place], *, network: Network, secrets: Secrets, say: Say
    ) -> None:
        self._places = places
        self._network = network
        self._secrets = secrets
        self._say = say
        self.postgres = ZONES[0]
        """The zone of the primary."""
        self.valkey = ZONES[0]
        self.away: set[str] = set()
        """Zones that are killed or cut off: what Kubernetes would call nodes that are not ready."""
        self.failovers = 0

    async def run(self) -> None:
        """Watch until cancelled."""
        seen = {"postgres": time.monotonic(), "valkey": time.monotonic()}
        while True:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            for name, look, fail_over in (
                ("postgres", self._ask_postgres, self._fail_over_postgres),
                ("valkey", self._ask_valkey, self._fail_over_valkey),
            ):
                if await look():
                    seen[name] = time.monotonic()
                elif time.monotonic() - seen[name] > _GIVEN_UP_SECONDS:
                    async with asyncio.timeout(_WORK_SECONDS_MAX):
                        await fail_over()
                    seen[name] = time.monotonic()

    async def begin(self) -> None:
        """Give both primaries their addresses."""
        await self._network.give(POSTGRES, self.postgres)
        await self._network.give(VALKEY, self.valkey)

    async def forget_standbys(self) -> None:
        """Have PostgreSQL confirm commits that no standby has: what must not be done."""
        for zone in ZONES:
            await self._query(zone, "ALTER SYSTEM SET synchronous_standby_names = ''")
            await self._query(zone, "SELECT pg_reload_conf()")

    async def take_back(self, zone: str) -> None:
        """Have a zone that was away follow the primaries: its own books may end elsewhere."""
        place = self._places[zone]
        if place.runs("postgres"):
            await place.kill("postgres")
        command = await engines.postgres(
            zone, place.directory, self._secrets, follows=self.postgres
        )
        await place.start(command)
        await until_ready(lambda: self._follows(zone), f"PostgreSQL in zone {zone}")
        if not place.runs("valkey"):
            await place.start(
                engines.valkey(zone, place.directory, self._secrets, follows=self.valkey)
            )
        elif zone != self.valkey:
            await self._valkey_command(zone, "REPLICAOF", ADDRESSES[self.valkey], "6379")

    async def _follows(self, zone: str) -> None:
        rows = await self._query(
            self.postgres,
            "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND application_name = %s",
            f"zone_{zone}",
        )
        if not rows:
            raise OSError("does not follow the primary yet")

    async def _ask_postgres(self) -> bool:
        try:
            rows = await self._query(self.postgres, "SELECT NOT pg_is_in_recovery()")
        except (psycopg.Error, OSError, TimeoutError):
            return False
        return bool(rows[0][0])

    async def _fail_over_postgres(self) -> None:
        old, began = self.postgres, time.monotonic()
        others = [zone for zone in ZONES if zone != old]
        try:
            received = {zone: await self._received(zone) for zone in others}
        except (psycopg.Error, OSError, TimeoutError):
            self._say("a standby cannot be asked what it has: nobody is promoted")
            return
        if self._places[old].runs("postgres"):
            await self._places[old].kill("postgres")
        await self._network.take(POSTGRES, old)
        new = max(others, key=lambda zone: received[zone])
        await self._query(new, "SELECT pg_promote(true, 20)", seconds_max=_WORK_SECONDS_MAX)
        self.postgres = new
        await self._network.give(POSTGRES, new)
        for zone in others:
            if zone != new:
                target = engines.conninfo(zone, new, self._secrets)
                await self._query(zone, f"ALTER SYSTEM SET primary_conninfo = '{target}'")
                await self._query(zone, "SELECT pg_reload_conf()")
        self.failovers += 1
        self._say(f"PostgreSQL: zone {new} after {old}, in {time.monotonic() - began:.1f} s")

    async def _received(self, zone: str) -> int:
        rows = await self._query(
            zone, "SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')::bigint"
        )
        return int(rows[0][0])

    async def _query(
        self, zone: str, statement: str, *values: str, seconds_max: float = _LOOK_SECONDS_MAX
    ) -> list[tuple[Any, ...]]:
        url = self._secrets.postgres_url(ADDRESSES[zone])
        async with asyncio.timeout(seconds_max):
            connection = await psycopg.AsyncConnection.connect(
                url, autocommit=True, connect_timeout=2
            )
            try:
                cursor = await connection.execute(statement.encode(), values or None)
                return await cursor.fetchall() if cursor.description else []
            finally:
                connection.pgconn.finish()

    async def _ask_valkey(self) -> bool:
        try:
            async with asyncio.timeout(_LOOK_SECONDS_MAX):
                await self._valkey_command(self.valkey, "PING")
        except (RedisError, OSError, TimeoutError):
            return False
        return True

    async def _fail_over_valkey(self) -> None:
        old = self.valkey
        new = next(zone for zone in ZONES if zone != old and zone not in self.away)
        if self._places[old].runs("valkey"):
            await self._places[old].kill("valkey")
        await self._network.take(VALKEY, old)
        await self._valkey_command(new, "REPLICAOF", "NO", "ONE")
        self.valkey = new
        await self._network.give(VALKEY, new)
        for zone in ZONES:
            if zone not in (old, new):
                await self._valkey_command(zone, "REPLICAOF", ADDRESSES[new], "6379")
        self._say(f"Valkey: zone {new} after {old}")

    async def _valkey_command(self, zone: str, *words: str) -> None:
        client = Redis.from_url(
            self._secrets.valkey_url("admin", ADDRESSES[zone]),
            socket_timeout=2,
            socket_connect_timeout=2,
        )
        try:
            await client.execute_command(*words)  # type: ignore[no-untyped-call]
        finally:
            await client.aclose()
