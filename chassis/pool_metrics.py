"""How a pool of database connections is used, and commits whose outcome is unknown. Names and
attributes of the pool are those of the semantic conventions for databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from chassis.errors import OutcomeUnknown
from chassis.metrics import SECONDS, Counter, Gauge, Histogram, Values

_POOL = "db.client.connection.pool.name"
_COUNT = Gauge(
    "db.client.connection.count",
    unit="{connection}",
    description="Connections of the pool, in use and idle.",
    attributes=(_POOL, "db.client.connection.state"),
    additive=True,
)
_MAX = Gauge(
    "db.client.connection.max",
    unit="{connection}",
    description="As many connections may be open.",
    attributes=(_POOL,),
    additive=True,
)
_PENDING = Gauge(
    "db.client.connection.pending_requests",
    unit="{request}",
    description="Those who wait for a connection.",
    attributes=(_POOL,),
    additive=True,
)
_WAIT = Histogram(
    "db.client.connection.wait_time",
    unit="s",
    description="How long it took to get a connection out of the pool.",
    bounds=SECONDS,
    attributes=(_POOL,),
)
_TIMEOUTS = Counter(
    "db.client.connection.timeouts",
    unit="{timeout}",
    description="Those who waited for a connection in vain.",
    attributes=(_POOL,),
)
_UNKNOWN = Counter(
    "qrpay.commit.unknown",
    unit="{commit}",
    description="Commits that were interrupted, so that a repeat has to tell what became of them.",
    attributes=(_POOL,),
)


class PoolUsage:
    """Watches one pool until it is closed. ``name`` is that of its connections."""

    def __init__(self, engine: AsyncEngine, *, name: str) -> None:
        self._engine = engine
        self._name = name
        self._waiting = 0
        _TIMEOUTS.add(0, name)
        _UNKNOWN.add(0, name)
        self._ends = [
            _COUNT.watch(self._count),
            _MAX.watch(lambda: {(name,): self._pool.size()}),
            _PENDING.watch(lambda: {(name,): self._waiting}),
        ]

    def close(self) -> None:
        """There is no such pool any more. May be repeated."""
        while self._ends:
            self._ends.pop()()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around getting a connection."""
        began = time.perf_counter()
        self._waiting += 1
        try:
            yield
        except exc.TimeoutError:
            _TIMEOUTS.add(1, self._name)
            raise
        finally:
            self._waiting -= 1
            _WAIT.record(time.perf_counter() - began, self._name)

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Around a commit."""
        try:
            yield
        except OutcomeUnknown:
            _UNKNOWN.add(1, self._name)
            raise

    @property
    def _pool(self) -> QueuePool:
        pool = self._engine.pool
        assert isinstance(pool, QueuePool), "that is what an engine with a pool_size has"
        return pool

    def _count(self) -> dict[Values, float]:
        pool = self._pool
        return {
            (self._name, "used"): pool.checkedout(),
            (self._name, "idle"): pool.checkedin(),
        }
