"""Every process is stopped in good order and started again while people pay: nobody loses anything,
and nobody who repeats only what the contract lets them repeat ever notices more than a 503."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from itertools import count
from typing import Any
from uuid import uuid4

import httpx
import pytest

from embedded.layout import Layout
from tests.e2e.oracle import Books
from tests.e2e.stack import Stack, User

PROCESSES = ("gateway", "payment", "wallet", "ledger", "barcode")
_BEFORE_AN_ANSWER = (
    httpx.ConnectError,
    httpx.WriteError,
    httpx.ReadError,
    httpx.RemoteProtocolError,
)
"""Refused or reset, while no byte of an answer has come."""


@pytest.fixture(scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A system of its own, to be restarted."""
    stack = Stack(tmp_path_factory.mktemp("fleet") / "data")
    await stack.up()
    yield stack
    await stack.down()


class Customers:
    """People who pay all the time: to each other, waiting for the outcome or not, and by barcode.

    They repeat, with the same key, what was answered 503 or was refused or reset before an answer;
    anything else than that and success is a surprise.
    """

    def __init__(self, stack: Stack, tokens: dict[str, str]) -> None:
        self._users = {
            name: User(gateway=stack.gateway, token=token) for name, token in tokens.items()
        }
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._numbers = count()
        self.paid: dict[str, str] = {}
        """Key -> the payment it was answered with."""
        self.repeats: Counter[str] = Counter()
        self.surprises: list[str] = []

    async def __aenter__(self) -> Customers:
        clients = [self._sender("alice", "bob"), self._sender("bob", "cafe", wait=5)]
        clients += [self._sender("bob", "alice"), self._shop("cafe", customer="alice")]
        clients += [self._sender("alice", "cafe", wait=1), self._shop("cafe", customer="bob")]
        self._tasks = [asyncio.create_task(client) for client in clients]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)
        for user in self._users.values():
            await user.http.aclose()

    async def go_on(self, payments: int = 60) -> None:
        """Wait until so many more payments were answered."""
        goal = len(self.paid) + payments
        async with asyncio.timeout(60):
            while len(self.paid) < goal:  # noqa: ASYNC110 - many clients, no single event
                await asyncio.sleep(0.02)

    async def _sender(self, name: str, to: str, *, wait: int | None = None) -> None:
        while not self._stop.is_set():
            body = {"to": to, "amount": 1 + next(self._numbers) % 9, "currency": "USD"}
            await self._pay(name, "/payments/send", body, wait=wait)

    async def _shop(self, name: str, *, customer: str) -> None:
        while not self._stop.is_set():
            shown = await self._until_answered(self._users[customer], "/barcodes", None, {})
            body = {"barcode": shown["code"], "amount": 1, "currency": "USD"}
            await self._pay(name, "/payments/pay", body)

    async def _pay(self, name: str, path: str, body: Any, *, wait: int | None = None) -> None:
        headers = {"Idempotency-Key": str(uuid4())}
        if wait is not None:
            headers["Prefer"] = f"wait={wait}"
        answer = await self._until_answered(self._users[name], path, body, headers)
        self.paid[headers["Idempotency-Key"]] = answer["id"]

    async def _until_answered(
        self, user: User, path: str, body: Any, headers: dict[str, str]
    ) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while (answer := await self._once(user, path, body, headers)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return answer

    async def _once(
        self, user: User, path: str, body: Any, headers: dict[str, str]
    ) -> dict[str, Any] | None:
        request = user.http.build_request("POST", path, json=body, headers=headers)
        try:
            response = await user.http.send(request, stream=True)
        except _BEFORE_AN_ANSWER as error:
            self.repeats[type(error).__name__] += 1
            return None
        except httpx.HTTPError as error:
            self.surprises.append(f"{path}: no answer and no end: {error!r}")
            return None
        try:
            await response.aread()
        except httpx.HTTPError as error:
            self.surprises.append(f"{path}: cut off in mid-answer: {error!r}")
            return None
        if response.is_success:
            answer: dict[str, Any] = response.json()
            return answer
        self.repeats[str(response.status_code)] += 1
        if response.status_code != 503 or "Retry-After" not in response.headers:
            self.surprises.append(f"{path}: {response.status_code} {response.text}")
        return None


def log_of(stack: Stack, name: str) -> list[dict[str, Any]]:
    """The lines that a process wrote into its log, whichever start it was."""
    lines = Layout(stack.data).log_file(name).read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


async def restart(stack: Stack, name: str) -> None:
    """SIGTERM; return when another process has taken its place and all are healthy."""
    before = await stack.pid(name)
    drains = sum(line["event"] == "stopped" for line in log_of(stack, name))
    await stack.kill(name, signal.SIGTERM)
    async with asyncio.timeout(30):
        while True:
            identity = (await stack.members())[name].member.identity
            if identity is not None and identity.pid != before:
                break
            await asyncio.sleep(0.05)
    await stack.healthy()
    assert sum(line["event"] == "stopped" for line in log_of(stack, name)) == drains + 1, (
        f"{name} was not stopped in good order"
    )


async def test_a_rolling_restart_loses_nothing(fleet: Stack) -> None:
    """Goal: every request ends with its payment, once and completed; no other answer than that or
    503 is ever seen, none is cut off half-way. Method: SIGTERM each process in turn, under load."""
    tokens = {name: await fleet.token(name) for name in ("alice", "bob", "cafe")}
    async with Customers(fleet, tokens) as customers:
        await customers.go_on()
        for name in PROCESSES:
            await restart(fleet, name)
            await customers.go_on()
    assert customers.surprises == []

    books = Books(await fleet.server_url("postgres"))
    await books.check()
    rows = await books.query(
        "payment",
        "SELECT request_id, id, status, failure_code FROM payments WHERE request_id = ANY(%s)",
        list(customers.paid),
    )
    assert {row["request_id"]: row["id"] for row in rows} == customers.paid
    assert len(rows) == len(customers.paid) == len(set(customers.paid.values()))
    assert {(row["status"], row["failure_code"]) for row in rows} == {("COMPLETED", None)}
    faults = [
        (name, line)
        for name in PROCESSES
        for line in log_of(fleet, name)
        if line["level"] in ("error", "critical")
    ]
    assert faults == []
