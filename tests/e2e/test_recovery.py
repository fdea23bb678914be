"""Processes killed, servers killed, the queue wiped: what was answered 2xx is there and ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from tests.e2e.oracle import Books
from tests.e2e.stack import Stack, User

PROCESSES = ("gateway", "payment", "wallet", "ledger", "barcode")
SERVERS = ("postgres", "nats", "valkey")


@pytest.fixture(scope="module")
async def victim(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A system of its own, to be hurt."""
    stack = Stack(tmp_path_factory.mktemp("victim") / "data")
    await stack.up()
    yield stack
    await stack.down()


@pytest.fixture(scope="module")
async def tokens(victim: Stack) -> dict[str, str]:
    """Tokens of the demo users; they outlive every process."""
    return {name: await victim.token(name) for name in ("alice", "bob", "cafe")}


class Load:
    """Clients that pay all the time and, as they should, repeat with the same key till answered."""

    def __init__(self, stack: Stack, tokens: dict[str, str]) -> None:
        self._users = [
            User(gateway=stack.gateway, token=tokens[name]) for name in ("alice", "bob", "cafe")
        ]
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._numbers = count()
        self.accepted: dict[str, set[str]] = {}
        """Key -> the payment ids that were answered for it."""
        self.surprises: list[str] = []

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._client(user)) for user in self._users * 4]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)
        for user in self._users:
            await user.http.aclose()

    async def progress(self, payments: int = 50) -> None:
        """Wait until so many more payments were accepted."""
        goal = len(self.accepted) + payments
        async with asyncio.timeout(60):
            while len(self.accepted) < goal:  # noqa: ASYNC110 - many clients, no single event
                await asyncio.sleep(0.02)

    async def _client(self, user: User) -> None:
        recipients = ("alice", "bob", "cafe")
        while not self._stop.is_set():
            number = next(self._numbers)
            to = recipients[(self._users.index(user) + 1 + number % 2) % 3]
            key = str(uuid4())
            body = {"to": to, "amount": 1 + number % 9, "currency": "USD"}
            self.accepted.setdefault(key, set())
            response = await self._until_answered(user, key, body)
            self.accepted[key].add(response.json()["id"])
            if number % 10 == 0:
                again = await self._until_answered(user, key, body)
                self.accepted[key].add(again.json()["id"])

    async def _until_answered(self, user: User, key: str, body: dict[str, Any]) -> httpx.Response:
        async with asyncio.timeout(90):
            while True:
                try:
                    response = await user.post("/payments/send", body, key=key)
                except httpx.TransportError:
                    pass  # the gateway is the one that died
                else:
                    if response.status_code == 202:
                        return response
                    if response.status_code != 503:
                        self.surprises.append(f"{response.status_code} {response.text}")
                await asyncio.sleep(0.05)


async def check(stack: Stack, load: Load) -> None:
    """Every key is one payment that is in the books and terminal, and the books are right."""
    assert load.surprises == [], "only 202 and 503 are answers to a good request"
    await stack.healthy()
    books = Books(await stack.server_url("postgres"))
    await books.check()
    assert {len(ids) for ids in load.accepted.values()} == {1}
    answered = {payment_id for ids in load.accepted.values() for payment_id in ids}
    rows = await books.query(
        "payment", "SELECT id, request_id, status FROM payments WHERE kind = 'SEND'"
    )
    stored = {row["id"]: row for row in rows if row["request_id"] in load.accepted}
    assert set(stored) == answered
    assert {row["status"] for row in stored.values()} <= {"COMPLETED", "FAILED"}


@pytest.mark.parametrize("name", PROCESSES)
async def test_a_process_killed_under_load_loses_nothing(
    victim: Stack, tokens: dict[str, str], name: str
) -> None:
    """kill -9; it is started again, clients repeat, every payment happens once."""
    async with Load(victim, tokens) as load:
        await load.progress()
        await victim.kill(name)
        await victim.healthy()
        await load.progress()
    await check(victim, load)


@pytest.mark.parametrize("name", SERVERS)
async def test_a_server_killed_under_load_loses_nothing(
    victim: Stack, tokens: dict[str, str], name: str
) -> None:
    """PostgreSQL, NATS and Valkey come back as they were, and everything finds them again."""
    async with Load(victim, tokens) as load:
        await load.progress()
        await victim.kill(name)
        await victim.healthy()
        await load.progress()
    await check(victim, load)


def _wipe(store: Path) -> None:
    """Take a store away from its running server, all at once: file by file, it makes new ones."""
    gone = store.with_name(f"gone-{uuid4()}")
    store.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


async def test_the_whole_queue_is_lost(victim: Stack, tokens: dict[str, str]) -> None:
    """JetStream's store is wiped while everything runs: streams come back, the sweeper brings the
    payments, and nothing is lost or doubled."""
    async with Load(victim, tokens) as load:
        await load.progress()
        (store,) = [path for path in victim.data.rglob("jetstream") if path.is_dir()]
        _wipe(store)
        await victim.kill("nats")
        await victim.healthy()
        await load.progress()
    await check(victim, load)


async def test_results_that_the_ledger_has_not_seen_are_lost(
    victim: Stack, tokens: dict[str, str]
) -> None:
    """The queue is wiped while it holds results of payments that are completed already and not yet
    booked: the journal finds them by itself."""
    await victim.healthy()
    await victim.kill("ledger", signal.SIGSTOP)
    alice = User(gateway=victim.gateway, token=tokens["alice"])
    body = {"to": "bob", "amount": 1, "currency": "USD"}
    for _ in range(5):
        answer = await alice.post("/payments/send", body, key=str(uuid4()), wait=5)
        assert answer.json()["status"] == "COMPLETED"
    (store,) = [path for path in victim.data.rglob("jetstream") if path.is_dir()]
    _wipe(store)
    await victim.kill("nats")
    # Killed, not continued: what had reached it in its sockets is lost as well.
    await victim.kill("ledger")
    await victim.healthy()
    await Books(await victim.server_url("postgres")).check()
    await alice.http.aclose()


async def test_everything_is_killed_at_once(victim: Stack, tokens: dict[str, str]) -> None:
    """All processes and servers at the same moment, as when a machine fails."""
    async with Load(victim, tokens) as load:
        await load.progress()
        for pid in [await victim.pid(name) for name in (*PROCESSES, *SERVERS)]:
            os.kill(pid, signal.SIGKILL)
        await victim.healthy()
        await load.progress()
    await check(victim, load)


@pytest.mark.parametrize("name", ["payment", "wallet", "barcode", "postgres", "valkey"])
async def test_a_dependency_that_hangs_is_a_503_in_time(
    victim: Stack, tokens: dict[str, str], name: str
) -> None:
    """Stopped, not dead: connections stay open and nobody answers. The client hears within 5 s,
    and the same request succeeds afterwards."""
    await victim.healthy()
    # PostgreSQL is a family: its backends go on when only their parent stops.
    parent = psutil.Process(await victim.pid(name))
    family = [parent, *parent.children(recursive=True)]
    alice = User(gateway=victim.gateway, token=tokens["alice"])
    cafe = User(gateway=victim.gateway, token=tokens["cafe"])
    code = (await alice.http.post("/barcodes")).json()["code"]
    key = str(uuid4())
    body = {"barcode": code, "amount": 1, "currency": "EUR"}
    try:
        for member in family:
            with suppress(psutil.NoSuchProcess):  # a backend whose work was done just now
                member.suspend()
        cafe.http.timeout = httpx.Timeout(5)
        response = await cafe.post("/payments/pay", body, key=key)
        # What it knows by heart it need not ask: wallet is not missed while names are remembered.
        assert response.status_code == 503 or name == "wallet", response.text
        if response.status_code == 503:
            assert response.json()["code"] == "temporarily-unavailable"
            assert int(response.headers["Retry-After"]) >= 1
    finally:
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.resume()
    await victim.healthy()
    async with asyncio.timeout(30):
        while (response := await cafe.post("/payments/pay", body, key=key)).status_code == 503:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    assert response.status_code in (200, 202), response.text
    await alice.http.aclose()
    await cafe.http.aclose()
    await Books(await victim.server_url("postgres")).check()
