"""Barcodes in Valkey: issued once, used once, whatever happens at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from barcode_svc.barcodes import RedeemedBarcode, Redemption
from barcode_svc.codes import CodeSeal
from barcode_svc.errors import BarcodeExpired, BarcodeUnknown, BarcodeUsed, RateLimited
from chassis.errors import Unavailable
from chassis.settings import Secret

Bench = Any
MakeBench = Any


async def dump(administrator: Redis) -> str:
    """Every key of Valkey and what is in it, as one text."""
    texts: list[str] = []
    async for key in administrator.scan_iter():
        kind = await administrator.type(key)
        if kind == "hash":
            texts.append(f"{key!r} {await administrator.hgetall(key)}")
        elif kind == "list":
            texts.append(f"{key!r} {await administrator.lrange(key, 0, -1)}")
        else:
            texts.append(f"{key!r} {await administrator.get(key)!r}")
    return "\n".join(texts)


async def test_a_code_is_issued_and_used(bench: Bench) -> None:
    """Goal: the way it goes nearly always: the till learns whose code it was."""
    issued = await bench.barcodes.issue(bench.owner_id)
    assert issued.ttl_seconds == 60
    assert (issued.expire_time - bench.clock.now()).total_seconds() == 60
    outcome = await bench.redeem(issued.code)
    assert isinstance(outcome, RedeemedBarcode)
    assert outcome.owner_id == bench.owner_id
    assert outcome.issuance_id.startswith("iss_")


async def test_no_code_is_ever_in_valkey(bench: Bench, administrator: Redis) -> None:
    """Goal: who reads all of Valkey -- pool, live codes, used ones -- cannot pay with it."""
    await bench.pool.refill()
    codes = [await bench.issue(f"usr_{number}") for number in range(8)]  # of the pool, and spare
    await bench.redeem(codes[0])
    await bench.redeem(Secret("123456789012345678"))
    everything = await dump(administrator)
    assert bench.pool.key not in everything  # drained
    await bench.pool.refill()
    everything += await dump(administrator)
    assert bench.pool.key in everything
    assert bench.seal.digest_of(codes[0]) in everything
    for code in [*codes, Secret("123456789012345678")]:
        assert code.reveal() not in everything
    for entry in await administrator.lrange(bench.pool.key, 0, -1):
        seed = str(entry).split(":")[2]
        assert bench.seal.unseal(seed).reveal() not in everything


async def test_only_one_of_many_wins(bench: Bench) -> None:
    """Goal: sixteen tills scan one code in the same moment: it pays exactly once."""
    for _ in range(10):
        code = await bench.issue()
        outcomes = await asyncio.gather(
            *(
                bench.redeem(code, token=f"token {number}", merchant_id=f"mer_{number}")
                for number in range(16)
            )
        )
        kinds = sorted(type(outcome).__name__ for outcome in outcomes)
        assert kinds == ["BarcodeUsed"] * 15 + ["RedeemedBarcode"]


async def test_the_same_token_gets_the_same_answer(bench: Bench) -> None:
    """Goal: a till that repeats its request, at once, often or after the code's life, is told the
    same; and the code stays used for everybody else."""
    code = await bench.issue()
    outcomes = await asyncio.gather(*(bench.redeem(code, token="one") for _ in range(16)))
    assert len(set(outcomes)) == 1
    assert isinstance(outcomes[0], RedeemedBarcode)
    bench.clock.move(minutes=10)
    assert await bench.redeem(code, token="one") == outcomes[0]
    assert isinstance(await bench.redeem(code, token="two"), BarcodeUsed)


@pytest.mark.parametrize(
    ("moved_ms", "taken"), [(59_999, True), (60_000, True), (60_001, False), (600_000, False)]
)
async def test_a_code_ends_on_the_millisecond(bench: Bench, moved_ms: int, taken: bool) -> None:
    """Goal: it is taken up to its expire_time and never after it."""
    code = await bench.issue()
    bench.clock.move(milliseconds=moved_ms)
    outcome = await bench.redeem(code)
    assert isinstance(outcome, RedeemedBarcode if taken else BarcodeExpired)


async def test_an_expired_code_cannot_be_used_later(bench: Bench) -> None:
    """Goal: a refused attempt leaves nothing behind that a second one could profit from."""
    code = await bench.issue()
    bench.clock.move(seconds=61)
    assert isinstance(await bench.redeem(code, token="one"), BarcodeExpired)
    assert isinstance(await bench.redeem(code, token="one"), BarcodeExpired)


async def test_a_second_code_ends_the_first(bench: Bench) -> None:
    """Goal: a customer has one live code; the one photographed a moment ago is worth nothing."""
    first, second = await bench.issue(), await bench.issue()
    stranger = await bench.issue("usr_stranger")
    assert isinstance(await bench.redeem(first), BarcodeExpired)
    assert isinstance(await bench.redeem(second), RedeemedBarcode)
    assert isinstance(await bench.redeem(stranger), RedeemedBarcode)


async def test_a_second_code_leaves_a_used_one_alone(bench: Bench) -> None:
    """Goal: opening the app again must not take the answer from a till that repeats."""
    first = await bench.issue()
    outcome = await bench.redeem(first, token="one")
    await bench.issue()
    assert await bench.redeem(first, token="one") == outcome
    assert isinstance(await bench.redeem(first, token="two"), BarcodeUsed)


async def test_a_second_code_does_not_bring_the_first_back(
    bench: Bench, administrator: Redis
) -> None:
    """Goal: ending a code that Valkey has just forgotten leaves no record behind, let alone one
    that would stay for ever."""
    first = await bench.issue()
    record = f"barcode:code:{bench.seal.digest_of(first)}"
    assert await administrator.delete(record) == 1
    await bench.issue()
    assert await administrator.exists(record) == 0
    assert isinstance(await bench.redeem(first), BarcodeUnknown)


async def test_issues_of_one_owner_at_once_leave_one_live_code(bench: Bench) -> None:
    """Goal: two phones of one customer, refreshing together, do not get two live codes."""
    codes = await asyncio.gather(*(bench.issue() for _ in range(16)))
    outcomes = [
        await bench.redeem(code, token=f"token {number}") for number, code in enumerate(codes)
    ]
    kinds = sorted(type(outcome).__name__ for outcome in outcomes)
    assert kinds == ["BarcodeExpired"] * 15 + ["RedeemedBarcode"]


async def test_a_batch_answers_each_item_in_order(bench: Bench) -> None:
    """Goal: one round trip, many merchants, one outcome each; the first of two equal codes wins."""
    live = [await bench.issue(f"usr_batch_{number}") for number in range(3)]
    used, expired = await bench.issue("usr_used"), await bench.issue("usr_expired")
    await bench.issue("usr_expired")
    await bench.redeem(used, token="earlier")
    scans = [
        (live[0], "a"),
        (Secret("4006381333931"), "b"),
        (used, "c"),
        (live[1], "d"),
        (expired, "e"),
        (live[1], "f"),
        (live[2], "g"),
        (live[0], "a"),
        (Secret(""), "h"),
    ]
    outcomes = await bench.barcodes.redeem(
        [
            Redemption(code=code, token=token, merchant_id=f"mer_{number % 3}")
            for number, (code, token) in enumerate(scans)
        ]
    )
    expected: list[type] = [
        RedeemedBarcode,
        BarcodeUnknown,
        BarcodeUsed,
        RedeemedBarcode,
        BarcodeExpired,
        BarcodeUsed,
        RedeemedBarcode,
        RedeemedBarcode,
        BarcodeUnknown,
    ]
    assert [type(outcome) for outcome in outcomes] == expected
    assert outcomes[0] == outcomes[7]
    assert [outcomes[place].owner_id for place in (0, 3, 6)] == [
        f"usr_batch_{number}" for number in range(3)
    ]


async def test_the_largest_batch_goes_through(bench: Bench) -> None:
    """Goal: 256 items of 256 merchants are one script call that Valkey takes."""
    codes = [await bench.issue(f"usr_many_{number}") for number in range(256)]
    outcomes = await bench.barcodes.redeem(
        [
            Redemption(code=code, token=f"{number}", merchant_id=f"mer_many_{number}")
            for number, code in enumerate(codes)
        ]
    )
    assert [outcome.owner_id for outcome in outcomes] == [
        f"usr_many_{number}" for number in range(256)
    ]


async def test_issuances_have_ids_of_their_own(bench: Bench) -> None:
    """Goal: payments are unique by issuance id, so no two issues may share one."""
    codes = [await bench.issue(f"usr_own_{number}") for number in range(50)]
    outcomes = [await bench.redeem(code) for code in codes]
    assert len({outcome.issuance_id for outcome in outcomes}) == 50
    assert len({code.reveal() for code in codes}) == 50


async def test_a_flush_costs_a_new_code_and_nothing_else(
    bench: Bench, administrator: Redis
) -> None:
    """Goal: Valkey loses everything between issue and scan: unknown, and the next code works."""
    await bench.pool.refill()
    code = await bench.issue()
    await administrator.flushall()
    assert isinstance(await bench.redeem(code), BarcodeUnknown)
    fresh = await bench.issue()
    assert isinstance(await bench.redeem(fresh), RedeemedBarcode)
    assert await bench.pool.refill() == 5


async def test_a_live_code_is_never_bound_again(make_bench: MakeBench) -> None:
    """Goal: should chance give the same digits twice, the first owner keeps them."""
    same = make_bench(seal=CodeSeal(Secret("k" * 32), random_bytes=lambda count: b"\x01" * count))
    also = make_bench(seal=CodeSeal(Secret("k" * 32), random_bytes=lambda count: b"\x01" * count))
    code = await same.issue()
    with pytest.raises(Unavailable):
        await also.issue()
    assert (await same.redeem(code, token="one")).owner_id == same.owner_id
    with pytest.raises(Unavailable):  # used, and still remembered
        await also.issue()


async def test_records_are_forgotten_in_time(bench: Bench, administrator: Redis) -> None:
    """Goal: nothing stays in Valkey for ever, and a used code stays longer than an unused one."""
    await bench.pool.refill()
    unused, used = await bench.issue("usr_unused"), await bench.issue("usr_used")
    await bench.redeem(used)
    await bench.miss()
    keys = {
        f"barcode:code:{bench.seal.digest_of(unused)}": 360,
        f"barcode:code:{bench.seal.digest_of(used)}": 3600,
        "barcode:owner:usr_unused": 360,
        f"barcode:misses:{bench.merchant_id}": 120,
        bench.pool.key: 600,
    }
    for key, seconds in keys.items():
        assert seconds * 900 < await administrator.pttl(key) <= seconds * 1000, key
    async for key in administrator.scan_iter():
        assert await administrator.pttl(key) > 0, key


class TestMissBudget:
    """Unknown codes are counted per merchant; too many stop that merchant for a while."""

    async def test_it_is_spent_by_misses_alone(self, make_bench: MakeBench) -> None:
        """Goal: within it a valid scan is never refused; used and expired codes are no misses."""
        bench = make_bench(misses_per_window_max=3)
        used = await bench.issue("usr_budget_used")
        await bench.redeem(used, token="earlier")
        for number in range(5):
            assert isinstance(await bench.redeem(used, token="later"), BarcodeUsed)
            code = await bench.issue()
            assert isinstance(await bench.redeem(code, token=f"{number}"), RedeemedBarcode)
        assert [type(outcome) for outcome in await bench.miss(2)] == [BarcodeUnknown] * 2
        assert isinstance(await bench.redeem(await bench.issue(), token="x"), RedeemedBarcode)
        assert [type(outcome) for outcome in await bench.miss(2)] == [BarcodeUnknown, RateLimited]

    async def test_a_limited_merchant_learns_nothing(self, make_bench: MakeBench) -> None:
        """Goal: live, expired, used and unknown codes get one answer, and stay as they are."""
        bench = make_bench(misses_per_window_max=2)
        live, used = await bench.issue(), await bench.issue("usr_limited_used")
        expired = await bench.issue("usr_limited_expired")
        await bench.issue("usr_limited_expired")
        await bench.redeem(used, token="earlier")
        await bench.miss(2)
        bench.clock.move(seconds=12.5)
        outcomes = [await bench.redeem(code) for code in (live, used, expired, Secret("1" * 18))]
        assert {(type(o), o.message, tuple(o.metadata.items())) for o in outcomes} == {
            (RateLimited, RateLimited.default_message, (("retry_after_seconds", "48"),))
        }
        assert all(outcome.retryable for outcome in outcomes)
        assert isinstance(await bench.redeem(live, merchant_id="mer_other"), RedeemedBarcode)

    async def test_merchants_of_one_batch_have_budgets_of_their_own(
        self, make_bench: MakeBench
    ) -> None:
        """Goal: payments of many merchants share a batch; one that guesses stops itself alone."""
        bench = make_bench(misses_per_window_max=2)
        merchants = ["mer_calm", "mer_wild", "mer_wild", "mer_calm", "mer_wild", "mer_calm"]
        outcomes = await bench.barcodes.redeem(
            [
                Redemption(code=Secret(f"miss {number}"), token="one", merchant_id=merchant_id)
                for number, merchant_id in enumerate(merchants)
            ]
        )
        kinds = [type(outcome).__name__ for outcome in outcomes]
        assert kinds == ["BarcodeUnknown"] * 4 + ["RateLimited"] * 2
        for merchant_id, limited in [("mer_calm", True), ("mer_wild", True), ("mer_new", False)]:
            outcome = await bench.redeem(await bench.issue(), merchant_id=merchant_id)
            assert isinstance(outcome, RateLimited) == limited

    async def test_it_is_new_when_the_window_ends(self, make_bench: MakeBench) -> None:
        """Goal: the wait that was told is enough, and not a moment less is."""
        bench = make_bench(misses_per_window_max=2, ttl_seconds=3600)
        code = await bench.issue()
        await bench.miss(1)
        bench.clock.move(seconds=30)
        await bench.miss(1)
        bench.clock.move(seconds=30, microseconds=-1)
        outcome = await bench.redeem(code)
        assert isinstance(outcome, RateLimited)
        assert outcome.metadata == {"retry_after_seconds": "1"}
        bench.clock.move(microseconds=1)
        assert [type(outcome) for outcome in await bench.miss(1)] == [BarcodeUnknown]
        assert isinstance(await bench.redeem(code), RedeemedBarcode)
        assert [type(outcome) for outcome in await bench.miss(2)] == [BarcodeUnknown, RateLimited]

    async def test_a_repeat_is_answered_all_the_same(self, make_bench: MakeBench) -> None:
        """Goal: a till that did not hear its answer gets it, though it is limited by now."""
        bench = make_bench(misses_per_window_max=1)
        code = await bench.issue()
        outcome = await bench.redeem(code, token="one")
        await bench.miss(1)
        assert await bench.redeem(code, token="one") == outcome
        assert isinstance(await bench.redeem(code, token="two"), RateLimited)

    async def test_concurrent_misses_are_all_counted(self, make_bench: MakeBench) -> None:
        """Goal: guessing in parallel buys no guesses."""
        bench = make_bench(misses_per_window_max=10)
        outcomes = [
            outcome
            for batch in await asyncio.gather(*(bench.miss(2) for _ in range(16)))
            for outcome in batch
        ]
        kinds = sorted(type(outcome).__name__ for outcome in outcomes)
        assert kinds == ["BarcodeUnknown"] * 10 + ["RateLimited"] * 22

    async def test_a_clock_that_is_behind_neither_opens_nor_extends_it(
        self, make_bench: MakeBench
    ) -> None:
        """Goal: two processes whose clocks differ agree that the merchant is limited."""
        bench = make_bench(misses_per_window_max=1)
        await bench.miss(1)
        bench.clock.move(seconds=-5)
        [outcome] = await bench.miss(1)
        assert isinstance(outcome, RateLimited)
        assert outcome.metadata == {"retry_after_seconds": "60"}


async def test_cancelled_calls_do_not_mix_up_answers(bench: Bench) -> None:
    """Goal: clients hang up all the time; the connection of a call that was cut off in the middle
    must not hand its answer to the next one."""
    cancelled = 0
    for turns in range(1, 16):  # cut off at every stage: waiting, connecting, sending, reading
        owners = [f"usr_cancel_{turns}_{number}" for number in range(40)]
        tasks = [asyncio.create_task(bench.issue(owner_id)) for owner_id in owners]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        codes = await asyncio.gather(*tasks, return_exceptions=True)
        for owner_id, code in zip(owners, codes, strict=True):
            if isinstance(code, Secret):
                assert (await bench.redeem(code)).owner_id == owner_id
        assert all(isinstance(code, Secret) for code in codes[1::2])
        cancelled += sum(isinstance(code, asyncio.CancelledError) for code in codes)
    assert cancelled > 40
