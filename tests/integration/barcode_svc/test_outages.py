"""Valkey goes, hangs, fills up and comes back: the service says so and recovers by itself."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from barcode_svc.barcodes import RedeemedBarcode
from barcode_svc.valkey import Valkey, open_valkey
from chassis.errors import Unavailable
from chassis.settings import Secret
from embedded.valkey import ValkeyServer, running_valkey

Bench = Any
MakeBench = Any

HANG_SECONDS = 20.0
"""A call that takes this long has no deadline of its own (it is one second)."""


@pytest.fixture
async def own_server(tmp_path: Path) -> AsyncIterator[ValkeyServer]:
    """A Valkey that the test may kill."""
    async with running_valkey(tmp_path) as server:
        yield server


@pytest.fixture
async def own_valkey(own_server: ValkeyServer) -> AsyncIterator[Valkey]:
    """The same, as the service sees it."""
    async with open_valkey(Secret(own_server.barcode_url), client_name="test") as valkey:
        yield valkey


@pytest.fixture
def own_bench(make_bench: MakeBench, own_valkey: Valkey) -> Bench:
    """A ``Bench`` on that Valkey."""
    return make_bench(valkey=own_valkey)


async def all_unavailable(bench: Bench, code: Secret) -> None:
    """Everything that needs Valkey is refused as unavailable, and not waited for."""
    for attempt in (
        lambda: bench.issue("usr_during_outage"),
        lambda: bench.redeem(code),
        bench.pool.refill,
        bench.valkey.ping,
    ):
        async with asyncio.timeout(HANG_SECONDS):
            with pytest.raises(Unavailable):
                await attempt()


async def test_killed_and_started_again(own_server: ValkeyServer, own_bench: Bench) -> None:
    """Goal: while it is away everything says so; when it is back -- with an empty script cache and
    dead connections in our pool -- the first call works, and so does a code from before."""
    before = await own_bench.issue()
    await asyncio.gather(*(own_bench.issue(f"usr_{number}") for number in range(10)))
    # The append-only file is written once a second; by then a crash does not lose the code.
    async with Redis.from_url(own_server.url) as administrator:
        await administrator.bgrewriteaof()
        async with asyncio.timeout(20):
            # Another process decides when: there is no event to wait for.
            while (await administrator.info("persistence"))["aof_rewrite_in_progress"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    await own_server.process.kill()
    await all_unavailable(own_bench, before)
    await own_server.process.start()
    codes = await asyncio.gather(*(own_bench.issue(f"usr_{number}") for number in range(10)))
    assert isinstance(await own_bench.redeem(codes[0]), RedeemedBarcode)
    assert (await own_bench.redeem(before)).owner_id == own_bench.owner_id


async def test_hanging(own_server: ValkeyServer, own_bench: Bench) -> None:
    """Goal: a Valkey that takes connections and never answers is an outage like any other."""
    code = await own_bench.issue()
    assert own_server.process.pid is not None
    os.kill(own_server.process.pid, signal.SIGSTOP)
    try:
        await all_unavailable(own_bench, code)
        async with asyncio.timeout(HANG_SECONDS):
            answers = await asyncio.gather(
                *(own_bench.issue(f"usr_{number}") for number in range(50)), return_exceptions=True
            )
        assert {type(answer) for answer in answers} == {Unavailable}
    finally:
        os.kill(own_server.process.pid, signal.SIGCONT)
    assert isinstance(await own_bench.redeem(code), RedeemedBarcode)


async def test_full(own_server: ValkeyServer, own_bench: Bench) -> None:
    """Goal: without memory no code is issued and none forgotten: those on screens still pay."""
    code = await own_bench.issue()
    async with Redis.from_url(own_server.url) as administrator:
        await administrator.config_set("maxmemory", 1)
        with pytest.raises(Unavailable):
            await own_bench.issue("usr_other")
        with pytest.raises(Unavailable):
            await own_bench.pool.refill()
        assert isinstance(await own_bench.redeem(code), RedeemedBarcode)
        await administrator.config_set("maxmemory", 0)
    assert isinstance(await own_bench.redeem(await own_bench.issue()), RedeemedBarcode)


async def test_a_redemption_without_an_answer_can_be_repeated(
    own_server: ValkeyServer, own_bench: Bench
) -> None:
    """Goal: Valkey uses the code up and the answer is lost: the repeat with its token gets it."""
    code = await own_bench.issue()
    assert own_server.process.pid is not None
    os.kill(own_server.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable):
            await own_bench.redeem(code, token="one")
    finally:
        os.kill(own_server.process.pid, signal.SIGCONT)
    assert isinstance(await own_bench.redeem(code, token="one"), RedeemedBarcode)


async def test_the_pool_survives_an_outage(own_server: ValkeyServer, make_bench: MakeBench) -> None:
    """Goal: the loop that fills the pool outlives Valkey and fills it again afterwards."""
    async with open_valkey(Secret(own_server.barcode_url), client_name="test") as valkey:
        bench = make_bench(valkey=valkey, low=3, high=6)
        stop = asyncio.Event()
        await own_server.process.kill()
        loop = asyncio.create_task(bench.pool.keep_filled(stop))
        with pytest.raises(Unavailable):
            await bench.issue()
        await own_server.process.start()
        await bench.issue()  # finds the pool low
        async with asyncio.timeout(20), Redis.from_url(own_server.url) as administrator:
            while await administrator.llen(bench.pool.key) != 6:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not loop.done()
        stop.set()
        await loop


async def test_connections_are_bounded(valkey_server: Any, make_bench: MakeBench) -> None:
    """Goal: many calls at once share the few connections that they may have, and all succeed."""
    async with (
        open_valkey(
            Secret(valkey_server.barcode_url), client_name="bounded-test", connections_max=2
        ) as valkey,
        Redis.from_url(valkey_server.url, decode_responses=True) as administrator,
    ):
        bench = make_bench(valkey=valkey)
        codes = await asyncio.gather(*(bench.issue(f"usr_bound_{n}") for n in range(100)))
        outcomes = await asyncio.gather(*(bench.redeem(code) for code in codes))
        assert [outcome.owner_id for outcome in outcomes] == [f"usr_bound_{n}" for n in range(100)]
        clients = await administrator.client_list()
        assert sum(client["name"] == "bounded-test" for client in clients) == 2


async def test_a_wrong_password_is_an_outage_and_not_told(
    valkey_server: Any,
    make_bench: MakeBench,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Goal: a misconfigured process says that Valkey is away; no log or error has the URL."""
    wrong = valkey_server.barcode_url.replace("barcode:", "barcode:wrong-password", 1)
    async with open_valkey(Secret(wrong), client_name="test") as valkey:
        with pytest.raises(Unavailable) as refusal:
            await make_bench(valkey=valkey).issue()
    logged = caplog.text + "".join(capfd.readouterr())
    assert "valkey unavailable" in logged
    assert "wrong-password" not in f"{refusal.value!r} {logged}"
