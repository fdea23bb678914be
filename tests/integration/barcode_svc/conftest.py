"""Barcodes in a real Valkey, merchants in a real PostgreSQL, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from redis.asyncio import Redis

from barcode_svc.barcodes import (
    BarcodeLimits,
    Barcodes,
    Issue,
    IssuedBarcode,
    MissBudget,
    Redemption,
)
from barcode_svc.codes import CodeSeal
from barcode_svc.merchants import Merchants
from barcode_svc.pool import CodePool
from barcode_svc.valkey import Valkey, open_valkey
from chassis.clock import SystemClock
from chassis.database import Database, open_database
from chassis.errors import ServiceError
from chassis.ids import IdMaker
from chassis.settings import Secret
from embedded.valkey import ValkeyServer
from tests.integration.barcode_svc.mesh import Mesh, register, running_mesh

KEY = Secret("a key for tests, 32 characters or more")


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def move(self, **duration: float) -> None:
        """By a timedelta, given as its arguments."""
        self.time += timedelta(**duration)


class Bench:
    """A ``Barcodes`` and what it is made of."""

    def __init__(
        self,
        *,
        valkey: Valkey,
        clock: FakeClock,
        limits: BarcodeLimits,
        seal: CodeSeal,
        low: int,
        high: int,
    ) -> None:
        self.clock = clock
        self.limits = limits
        self.seal = seal
        self.valkey = valkey
        ids = IdMaker(clock=SystemClock())
        self.owner_id = ids.make("usr")
        self.merchant_id = ids.make("mer")
        # Looks only when it is asked to: what a test sees was caused by the test.
        self.pool = CodePool(
            valkey=valkey, seal=seal, name=ids.make("pol"), low=low, high=high, look_seconds=3600
        )
        self.barcodes = Barcodes(
            valkey=valkey, pool=self.pool, seal=seal, clock=clock, ids=ids, limits=limits
        )

    async def issue_in_full(
        self, owner_id: str | None = None, *, device: str = ""
    ) -> IssuedBarcode:
        """Issue a code, to this test's customer if no other is named."""
        item = Issue(owner_id=owner_id or self.owner_id, device=device)
        [outcome] = await self.barcodes.issue([item])
        if isinstance(outcome, ServiceError):
            raise outcome
        return outcome

    async def issue(self, owner_id: str | None = None, *, device: str = "") -> Secret:
        """The same; its digits."""
        return (await self.issue_in_full(owner_id, device=device)).code

    async def redeem(
        self, code: Secret, *, token: str | None = None, merchant_id: str | None = None
    ) -> Any:
        """The outcome of one redemption, by this test's merchant if no other is named."""
        item = Redemption(
            code=code, token=token or "once", merchant_id=merchant_id or self.merchant_id
        )
        [outcome] = await self.barcodes.redeem([item])
        return outcome

    async def miss(self, times: int = 1, *, merchant_id: str | None = None) -> list[Any]:
        """Scan codes that do not exist, in one batch."""
        return await self.barcodes.redeem(
            [
                Redemption(
                    code=self.seal.unseal(f"missed {next(_MISSES)}"),
                    token="token",
                    merchant_id=merchant_id or self.merchant_id,
                )
                for _ in range(times)
            ]
        )


def budget(misses: int) -> MissBudget:
    """So many misses in a minute; locks of 1, 2 and 4 minutes, forgiven after ten."""
    return MissBudget(
        misses_max=misses,
        window_seconds=60,
        lock_seconds=60,
        lock_seconds_max=240,
        quiet_seconds=600,
    )


_MISSES = count()

MakeBench = Callable[..., Bench]


@pytest.fixture
async def valkey(valkey_server: ValkeyServer) -> AsyncIterator[Valkey]:
    """Valkey as the service sees it."""
    async with open_valkey(Secret(valkey_server.barcode_url), client_name="test") as valkey:
        yield valkey


@pytest.fixture
async def administrator(valkey_server: ValkeyServer) -> AsyncIterator[Redis]:
    """Valkey as its administrator sees it: to flush it, and to look for what must not be there."""
    async with Redis.from_url(valkey_server.url, decode_responses=True) as client:
        yield client


@pytest.fixture
def make_bench(valkey: Valkey) -> MakeBench:
    """Makes a ``Bench``; its limits may be given, and its seal and water marks."""

    def make(
        *,
        low: int = 2,
        high: int = 5,
        seal: CodeSeal | None = None,
        valkey: Valkey = valkey,
        misses: int = 0,
        **limits: Any,
    ) -> Bench:
        if misses:
            limits["merchant_misses"] = budget(misses)
        return Bench(
            valkey=valkey,
            clock=FakeClock(),
            limits=BarcodeLimits(**limits),
            seal=seal or CodeSeal(KEY),
            low=low,
            high=high,
        )

    return make


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """A ``Bench`` with the limits of production."""
    return make_bench()


@pytest.fixture
async def barcode_database(database_for: Callable[[str], Awaitable[Any]]) -> Any:
    """An empty barcode database: its URLs."""
    return await database_for("barcode")


@pytest.fixture
async def database(barcode_database: Any) -> AsyncIterator[Database]:
    """The same, as barcode_svc uses it."""
    async with open_database(barcode_database.url, application_name="test") as database:
        yield database


@pytest.fixture
def merchants(database: Database) -> Merchants:
    """The records of merchants, with a clock that stands still."""
    return Merchants(database=database, clock=FakeClock())


@pytest.fixture(scope="session")
async def mesh(
    template_databases: Any, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Mesh]:
    """A process for all tests: whoever stops it or its Valkey starts it again."""
    database = await template_databases.clone("barcode")
    async with running_mesh(
        tmp_path_factory.mktemp("barcode"),
        database_url=database.url,
        migration_database_url=database.owner_url,
    ) as mesh:
        yield mesh
    await template_databases.drop(database)


@pytest.fixture
async def cafe(mesh: Mesh) -> Any:
    """A merchant that is registered."""
    return (await mesh.call("operator", "RegisterMerchant", register())).merchant
