"""`qrpay` as a person uses it: start, look, stop, start again, two at a time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from tests.e2e.stack import QRPAY, Stack, User, processes_of


async def until_gone(data: Path) -> None:
    """Wait until no process has to do with a data directory."""
    async with asyncio.timeout(30):
        while processes_of(data):  # noqa: ASYNC110 - nobody tells when a stranger's process ends
            await asyncio.sleep(0.2)


async def test_status_tells_what_runs(stack: Stack) -> None:
    """The shape that programs read: processes, servers with an administrator's URL, the gateway."""
    status = json.loads(await stack.command("status", "--json"))
    assert set(status) == {"processes", "servers", "gateway"}
    assert {item["name"] for item in status["processes"]} == {
        "wallet",
        "barcode",
        "ledger",
        "payment",
        "gateway",
    }
    for item in status["processes"]:
        assert set(item) == {"name", "pid", "healthy", "port", "admin"}
        assert item["healthy"] is True
        assert item["admin"].startswith("http://127.0.0.1:")
        os.kill(item["pid"], 0)
    assert {item["name"] for item in status["servers"]} == {"postgres", "nats", "valkey"}
    for item in status["servers"]:
        assert set(item) == {"name", "pid", "healthy", "url"}
    assert status["gateway"] == stack.gateway


async def test_nothing_runs(tmp_path: Path) -> None:
    """Said plainly, to people and programs, and not with exit status 0."""
    nothing = Stack(tmp_path / "data")
    assert "status" not in await nothing.command("status", expect=1)
    empty = json.loads(await nothing.command("status", "--json", expect=1))
    assert empty == {"processes": [], "servers": [], "gateway": None}


async def test_unknown_users_have_no_token(stack: Stack) -> None:
    """A sentence and exit status 1."""
    assert await stack.command("token", "mallory", expect=1) == ""


async def test_a_second_start_on_the_same_data_is_refused(stack: Stack) -> None:
    """It runs already; the first one is not disturbed."""
    before = await stack.pid("payment")
    await stack.command("up", "--detach", expect=1)
    assert await stack.pid("payment") == before


async def test_two_stacks_side_by_side_and_again_on_old_data(stack: Stack, tmp_path: Path) -> None:
    """Another data directory is another system; stopped and started again it knows its people."""
    other = Stack(tmp_path / "data")
    await other.up()
    try:
        alice = User(gateway=other.gateway, token=await other.token("alice"))
        body = {"to": "bob", "amount": 4321, "currency": "USD"}
        paid = await alice.post("/payments/send", body, key="once", wait=10)
        assert paid.json()["status"] == "COMPLETED"
        balance = await alice.balance()
        here = User(gateway=stack.gateway, token=await other.token("alice"))
        refused = await here.http.get("/wallets/me")
        assert refused.status_code == 401, "the token of one system is nothing in another"
        await other.down()
        assert processes_of(other.data) == []
        await other.up()
        assert await alice.balance() == balance
        again = await alice.post("/payments/send", body, key="once", wait=10)
        assert again.json()["id"] == paid.json()["id"]
        for user in (alice, here):
            await user.http.aclose()
    finally:
        await other.down()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_stop_leaves_no_process_behind(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C in the terminal, or a polite kill, of a stack that runs in the foreground."""
    stack = Stack(tmp_path / "data")
    process = await asyncio.create_subprocess_exec(
        QRPAY,
        *("up", "--data", str(stack.data), "--http-port", str(stack.http_port)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    async with asyncio.timeout(90):
        async for line in process.stdout:
            if b"to try" in line:
                break
        process.send_signal(number)
        rest = await process.stdout.read()
        assert await process.wait() in (0, 128 + number), rest.decode()
    await until_gone(stack.data)


async def test_a_killed_supervisor_is_cleared_up(tmp_path: Path) -> None:
    """kill -9 of the supervisor: `qrpay down`, or the next start, leaves nothing of it."""
    stack = Stack(tmp_path / "data")
    await stack.up()
    supervisor = json.loads((stack.data / "state.json").read_text())["supervisor"]["pid"]
    os.kill(supervisor, signal.SIGKILL)
    await stack.down()
    await until_gone(stack.data)
