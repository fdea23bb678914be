"""The pool of inert codes: filled between its marks, and safe when it comes back from the past."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from barcode_svc.barcodes import RedeemedBarcode
from barcode_svc.pool import CodePool

Bench = Any
MakeBench = Any


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return when it holds; fail if it never does."""
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110 - another process decides when
            await asyncio.sleep(0.005)


@asynccontextmanager
async def filling(pool: CodePool) -> AsyncIterator[asyncio.Task[None]]:
    """The background loop, running."""
    stop = asyncio.Event()
    task = asyncio.create_task(pool.keep_filled(stop))
    try:
        yield task
    finally:
        stop.set()
        async with asyncio.timeout(5):
            await task


async def test_it_is_filled_below_the_low_mark_only(
    make_bench: MakeBench, administrator: Redis
) -> None:
    """Goal: up to the high mark exactly, and not at all while the low mark is reached."""
    bench = make_bench(low=3, high=600)
    assert await bench.pool.refill() == 600
    assert await bench.pool.refill() == 0
    assert await administrator.llen(bench.pool.key) == 600
    await administrator.ltrim(bench.pool.key, 0, 2)
    assert await bench.pool.refill() == 0
    await administrator.ltrim(bench.pool.key, 0, 1)
    assert await bench.pool.refill() == 598
    assert await administrator.llen(bench.pool.key) == 600


async def test_it_is_kept_while_its_process_looks(
    make_bench: MakeBench, administrator: Redis
) -> None:
    """Goal: a pool that nobody takes from lives as long as its process, and not much longer."""
    bench = make_bench(low=3, high=5)
    await bench.pool.refill()
    await administrator.pexpire(bench.pool.key, 60_000)
    assert await bench.pool.refill() == 0
    assert 540_000 < await administrator.pttl(bench.pool.key) <= 600_000


async def test_issuing_takes_from_it(make_bench: MakeBench, administrator: Redis) -> None:
    """Goal: codes come from the pool as long as it has any, and each leaves it."""
    bench = make_bench(low=3, high=5)
    await bench.pool.refill()
    seeds = [
        str(entry).split(":")[2] for entry in await administrator.lrange(bench.pool.key, 0, -1)
    ]
    codes = [await bench.issue() for _ in range(7)]
    assert codes[:5] == [bench.seal.unseal(seed) for seed in seeds]
    assert await administrator.llen(bench.pool.key) == 0
    assert isinstance(await bench.redeem(codes[-1]), RedeemedBarcode)


async def test_the_loop_fills_it_when_issuing_finds_it_low(
    make_bench: MakeBench, administrator: Redis
) -> None:
    """Goal: it is filled at the start; then nothing happens above the low mark, and it is filled at
    once below it, though the next regular look is an hour away."""
    bench = make_bench(low=3, high=6)

    async def level_is_high() -> bool:
        return bool(await administrator.llen(bench.pool.key) == 6)

    async with filling(bench.pool) as loop:
        await until(level_is_high)
        for left in (5, 4, 3):
            await bench.issue()
            assert await administrator.llen(bench.pool.key) == left
        await bench.issue()
        await until(level_is_high)
        assert not loop.done()
    assert loop.done()


async def test_the_loop_looks_by_itself(make_bench: MakeBench, administrator: Redis) -> None:
    """Goal: a pool that was flushed is filled again without any customer."""
    bench = make_bench(low=3, high=6)
    pool = CodePool(
        valkey=bench.valkey, seal=bench.seal, name="looks", low=3, high=6, look_seconds=0.01
    )

    async def level_is_high() -> bool:
        return bool(await administrator.llen(pool.key) == 6)

    async with filling(pool):
        await until(level_is_high)
        await administrator.flushall()
        await until(level_is_high)


async def test_a_pool_from_the_past_gives_no_code_twice(
    make_bench: MakeBench, administrator: Redis
) -> None:
    """Goal: Valkey comes back without its last second: codes that are on screens already are in the
    pool again, without their records. None of them may be issued a second time."""
    bench = make_bench(low=3, high=300)
    await bench.pool.refill()
    past = await administrator.lrange(bench.pool.key, 0, -1)
    shown = [await bench.issue(f"usr_past_{number}") for number in range(250)]
    await administrator.flushall()
    await administrator.rpush(bench.pool.key, *past)
    fresh = [await bench.issue(f"usr_fresh_{number}") for number in range(100)]
    assert len({code.reveal() for code in shown + fresh}) == 350
    outcomes = [await bench.redeem(code) for code in fresh]
    assert [outcome.owner_id for outcome in outcomes] == [
        f"usr_fresh_{number}" for number in range(100)
    ]
    # Not thrown away with the rest: what had not been issued before.
    unissued = {bench.seal.unseal(str(entry).split(":")[2]) for entry in past[250:]}
    assert unissued & set(fresh)


async def test_a_code_of_the_pool_that_is_live_is_passed_over(
    make_bench: MakeBench, administrator: Redis
) -> None:
    """Goal: chance made a code that another process has issued: its owner keeps it."""
    bench, other = make_bench(low=3, high=5), make_bench()
    await bench.pool.refill()
    [entry] = await administrator.lrange(bench.pool.key, 0, 0)
    _, digest, seed = str(entry).split(":")
    await administrator.hset(
        f"barcode:code:{digest}",
        mapping={"issuance_id": "iss_live", "owner_id": "usr_live", "expire_us": "9" * 15},
    )
    code = await bench.issue()
    assert code != bench.seal.unseal(seed)
    assert (await other.redeem(code)).owner_id == bench.owner_id
    assert await administrator.llen(bench.pool.key) == 3


async def test_rubbish_in_the_pool_is_thrown_away(
    make_bench: MakeBench, administrator: Redis
) -> None:
    """Goal: an entry that this version did not write neither fails an issue nor becomes a code."""
    bench = make_bench(low=3, high=5)
    await administrator.rpush(bench.pool.key, "", "x", "1:2", "1:zz:zz", "123456789012345678")
    await bench.pool.refill()
    code = await bench.issue()
    assert (await bench.redeem(code)).owner_id == bench.owner_id
    assert await administrator.llen(bench.pool.key) == 0


async def test_processes_have_pools_of_their_own(
    make_bench: MakeBench, administrator: Redis
) -> None:
    """Goal: the numbers of one process mean nothing to another, so their codes never meet."""
    one, two = make_bench(low=3, high=5), make_bench(low=3, high=5)
    assert one.pool.key != two.pool.key
    await one.pool.refill()
    await two.pool.refill()
    for _ in range(4):
        await one.issue()
    await two.issue()
    assert await administrator.llen(one.pool.key) == 1
    assert await administrator.llen(two.pool.key) == 4
