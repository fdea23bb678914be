"""Guessing: misses are counted, too many of them lock, and what is answered gives nothing away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from barcode_svc.barcodes import RedeemedBarcode, Redemption
from barcode_svc.errors import BarcodeUnknown, BarcodeUsed, RateLimited
from chassis.settings import Secret

Bench = Any
MakeBench = Any


def kinds(outcomes: list[Any]) -> list[str]:
    """The names of outcomes."""
    return [type(outcome).__name__ for outcome in outcomes]


async def wait_told(bench: Bench) -> int:
    """For how long the merchant is told to wait; fails if it is not."""
    [outcome] = await bench.miss(1)
    assert isinstance(outcome, RateLimited)
    return int(outcome.metadata["retry_after_seconds"])


async def test_it_is_spent_by_misses_alone(make_bench: MakeBench) -> None:
    """Goal: within it a valid scan is never refused; one's own used codes are no misses."""
    bench = make_bench(misses=3)
    used = await bench.issue("usr_budget_used")
    await bench.redeem(used, token="earlier")
    for number in range(5):
        assert isinstance(await bench.redeem(used, token="later"), BarcodeUsed)
        code = await bench.issue()
        assert isinstance(await bench.redeem(code, token=f"{number}"), RedeemedBarcode)
    assert kinds(await bench.miss(2)) == ["BarcodeUnknown"] * 2
    assert isinstance(await bench.redeem(await bench.issue(), token="x"), RedeemedBarcode)
    assert kinds(await bench.miss(2)) == ["BarcodeUnknown", "RateLimited"]


async def test_a_locked_merchant_learns_nothing(make_bench: MakeBench) -> None:
    """Goal: live, expired, used and unknown codes get one answer, and stay as they are."""
    bench = make_bench(misses=2)
    expired = await bench.issue("usr_limited_expired")
    bench.clock.move(seconds=61)
    live, used = await bench.issue(), await bench.issue("usr_limited_used")
    await bench.redeem(used, token="earlier")
    await bench.miss(2)
    bench.clock.move(seconds=12.5)
    outcomes = [await bench.redeem(code) for code in (live, used, expired, Secret("1" * 18))]
    assert {(type(o), o.message, tuple(o.metadata.items())) for o in outcomes} == {
        (RateLimited, RateLimited.default_message, (("retry_after_seconds", "48"),))
    }
    assert all(outcome.retryable for outcome in outcomes)
    assert isinstance(await bench.redeem(live, merchant_id="mer_other"), RedeemedBarcode)


async def test_foreign_and_retired_codes_are_told_and_counted_as_unknown(
    make_bench: MakeBench, administrator: Redis
) -> None:
    """Goal: whether a number was never a code, was replaced, or was used at another shop is not
    told: neither by the answer nor by what the attempt costs."""
    bench = make_bench(misses=100)
    retired, used = await bench.issue(), await bench.issue("usr_foreign")
    await bench.redeem(used, token="theirs", merchant_id="mer_theirs")
    await bench.issue()
    bench.clock.move(seconds=6)
    never = bench.seal.unseal("never")
    seen = set()
    for number, code in enumerate([retired, used, never]):
        outcome = await bench.redeem(code, token="mine", merchant_id=f"mer_curious_{number}")
        counter = await administrator.hgetall(f"barcode:misses:mer_curious_{number}")
        seen.add((type(outcome), outcome.message, str(outcome.metadata), str(counter)))
    [(kind, *_)] = seen
    assert kind is BarcodeUnknown


async def test_merchants_of_one_batch_have_budgets_of_their_own(make_bench: MakeBench) -> None:
    """Goal: payments of many merchants share a batch; one that guesses stops itself alone."""
    bench = make_bench(misses=2)
    merchants = ["mer_calm", "mer_wild", "mer_wild", "mer_calm", "mer_wild", "mer_calm"]
    outcomes = await bench.barcodes.redeem(
        [
            Redemption(code=Secret(f"miss {number}"), token="one", merchant_id=merchant_id)
            for number, merchant_id in enumerate(merchants)
        ]
    )
    assert kinds(outcomes) == ["BarcodeUnknown"] * 4 + ["RateLimited"] * 2
    for merchant_id, limited in [("mer_calm", True), ("mer_wild", True), ("mer_new", False)]:
        outcome = await bench.redeem(await bench.issue(), merchant_id=merchant_id)
        assert isinstance(outcome, RateLimited) == limited


async def test_the_wait_that_was_told_is_enough(make_bench: MakeBench) -> None:
    """Goal: and not a moment less is; afterwards the whole budget is there again."""
    bench = make_bench(misses=2, ttl_seconds=3600)
    code = await bench.issue()
    await bench.miss(1)
    bench.clock.move(seconds=30)
    await bench.miss(1)
    bench.clock.move(seconds=60, microseconds=-1)
    outcome = await bench.redeem(code)
    assert isinstance(outcome, RateLimited)
    assert outcome.metadata == {"retry_after_seconds": "1"}
    bench.clock.move(microseconds=1)
    assert kinds(await bench.miss(1)) == ["BarcodeUnknown"]
    assert isinstance(await bench.redeem(code), RedeemedBarcode)
    assert kinds(await bench.miss(2)) == ["BarcodeUnknown", "RateLimited"]


async def test_locks_grow_and_are_bounded(make_bench: MakeBench) -> None:
    """Goal: who goes on guessing waits 1, 2, 4 minutes, and never longer than the longest."""
    bench = make_bench(misses=2)
    for minutes in (1, 2, 4, 4, 4):
        assert kinds(await bench.miss(2)) == ["BarcodeUnknown"] * 2
        assert await wait_told(bench) == minutes * 60
        bench.clock.move(minutes=minutes)


async def test_locks_are_forgiven_after_a_quiet_time(make_bench: MakeBench) -> None:
    """Goal: a shop with a broken scanner last week is no suspect today; a moment earlier it is."""
    bench = make_bench(misses=2)
    for minutes in (1, 2):
        await bench.miss(2)
        bench.clock.move(minutes=minutes)
    bench.clock.move(minutes=10, microseconds=-1)
    await bench.miss(2)
    assert await wait_told(bench) == 240
    bench.clock.move(minutes=4 + 10)
    await bench.miss(2)
    assert await wait_told(bench) == 60


async def test_a_miss_now_and_then_never_locks(make_bench: MakeBench) -> None:
    """Goal: the budget is of a window: an honest till that misscans at times works all day."""
    bench = make_bench(misses=2)
    for _ in range(20):
        assert kinds(await bench.miss(1)) == ["BarcodeUnknown"]
        bench.clock.move(seconds=60)


async def test_a_repeat_is_answered_all_the_same(make_bench: MakeBench) -> None:
    """Goal: a till that did not hear its answer gets it, though it is limited by now."""
    bench = make_bench(misses=1)
    code = await bench.issue()
    outcome = await bench.redeem(code, token="one")
    await bench.miss(1)
    assert await bench.redeem(code, token="one") == outcome
    assert isinstance(await bench.redeem(code, token="two"), RateLimited)


async def test_concurrent_misses_are_all_counted(make_bench: MakeBench) -> None:
    """Goal: guessing in parallel buys no guesses."""
    bench = make_bench(misses=10)
    outcomes = [
        outcome
        for batch in await asyncio.gather(*(bench.miss(2) for _ in range(16)))
        for outcome in batch
    ]
    assert sorted(kinds(outcomes)) == ["BarcodeUnknown"] * 10 + ["RateLimited"] * 22


@pytest.mark.parametrize("behind_seconds", [5, 5000])
async def test_a_clock_that_is_behind_neither_ends_nor_extends_a_lock(
    make_bench: MakeBench, behind_seconds: int
) -> None:
    """Goal: two processes whose clocks differ agree that the merchant is locked."""
    bench = make_bench(misses=1)
    await bench.miss(1)
    bench.clock.move(seconds=-behind_seconds)
    assert await wait_told(bench) == 60
