"""Barcodes in Valkey: issued once, used once, whatever happens at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from barcode_svc.barcodes import Issue, RedeemedBarcode, Redemption
from barcode_svc.codes import CodeSeal
from barcode_svc.errors import BarcodeExpired, BarcodeUnknown, BarcodeUsed
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
    issued = await bench.issue_in_full()
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
    """Goal: sixteen tills of one shop, or sixteen shops, scan one code in the same moment: it pays
    exactly once, and only the shop that used it is told that it is used."""
    for round_ in range(10):
        code = await bench.issue()
        shops = [f"mer_{number if round_ % 2 else 0}_{round_}" for number in range(16)]
        outcomes = await asyncio.gather(
            *(
                bench.redeem(code, token=f"token {number}", merchant_id=shop)
                for number, shop in enumerate(shops)
            )
        )
        kinds = sorted(type(outcome).__name__ for outcome in outcomes)
        refused = "BarcodeUnknown" if round_ % 2 else "BarcodeUsed"
        assert kinds == [refused] * 15 + ["RedeemedBarcode"]


@pytest.mark.parametrize("moved_us", [59_999_000, 60_000_000, 60_001_000])
async def test_fifty_terminals_around_the_end_of_a_code(bench: Bench, moved_us: int) -> None:
    """Goal: at the last millisecond of its life, on it and after it, a race has one winner or
    none, and whoever repeats is told the same."""
    for _ in range(5):
        code = await bench.issue()
        bench.clock.move(microseconds=moved_us)
        outcomes = await asyncio.gather(
            *(bench.redeem(code, token=f"token {number}") for number in range(50))
        )
        winners = [n for n, it in enumerate(outcomes) if isinstance(it, RedeemedBarcode)]
        assert len(winners) == (1 if moved_us <= 60_000_000 else 0)
        bench.clock.move(milliseconds=2)
        for winner in winners:
            assert await bench.redeem(code, token=f"token {winner}") == outcomes[winner]
        assert not isinstance(await bench.redeem(code, token="late"), RedeemedBarcode)


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


async def test_a_second_code_ends_the_first_after_a_grace(bench: Bench) -> None:
    """Goal: the code that is under the scanner while the phone refreshes still pays; a moment later
    the one photographed before is worth nothing, and looks like one that never was."""
    first, second = await bench.issue(), await bench.issue()
    stranger = await bench.issue("usr_stranger")
    bench.clock.move(seconds=5)
    assert isinstance(await bench.redeem(first, token="in time"), RedeemedBarcode)
    third = await bench.issue()
    bench.clock.move(seconds=5, microseconds=1)
    assert isinstance(await bench.redeem(second), BarcodeUnknown)
    assert isinstance(await bench.redeem(third), RedeemedBarcode)
    assert isinstance(await bench.redeem(stranger), RedeemedBarcode)


async def test_a_grace_does_not_lengthen_a_life(bench: Bench) -> None:
    """Goal: a code that is about to expire expires, whatever its device asks for."""
    first = await bench.issue()
    bench.clock.move(seconds=58)
    await bench.issue()
    bench.clock.move(seconds=2, microseconds=1)
    assert isinstance(await bench.redeem(first), BarcodeExpired)


async def test_each_device_has_one_live_code(bench: Bench) -> None:
    """Goal: phone and watch do not take each other's code away; a device's new one ends its own."""
    phone, watch = await bench.issue(device="phone"), await bench.issue(device="watch")
    unnamed, again = await bench.issue(), await bench.issue(device="phone")
    bench.clock.move(seconds=6)
    assert isinstance(await bench.redeem(phone), BarcodeUnknown)
    for code in (watch, unnamed, again):
        assert isinstance(await bench.redeem(code), RedeemedBarcode)


async def test_devices_are_bounded(make_bench: MakeBench, administrator: Redis) -> None:
    """Goal: naming ever new devices gives no more live codes than the limit: the one that asked
    the longest time ago makes room."""
    bench = make_bench(devices_per_owner_max=3)
    codes = []
    for number in range(10):
        codes.append(await bench.issue(device=f"device-{number}"))
        bench.clock.move(seconds=1)
    bench.clock.move(seconds=6)
    kinds = [type(await bench.redeem(code, merchant_id=f"mer_{n}")) for n, code in enumerate(codes)]
    assert kinds == [BarcodeUnknown] * 7 + [RedeemedBarcode] * 3
    assert await administrator.hlen(f"barcode:devices:{bench.owner_id}") == 3


async def test_a_batch_issues_to_many(bench: Bench) -> None:
    """Goal: one call, many customers, one code each in order; two for one device leave one."""
    await bench.pool.refill()
    owners = [f"usr_issue_{number % 50}" for number in range(256)]
    outcomes = await bench.barcodes.issue([Issue(owner_id=owner_id) for owner_id in owners])
    assert len({outcome.code.reveal() for outcome in outcomes}) == 256
    bench.clock.move(seconds=6)
    used = [
        await bench.redeem(outcome.code, merchant_id=f"mer_{number}")
        for number, outcome in enumerate(outcomes)
    ]
    assert [type(outcome) for outcome in used[:-50]] == [BarcodeUnknown] * 206
    assert [outcome.owner_id for outcome in used[-50:]] == owners[-50:]


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


async def test_issues_of_one_device_at_once_leave_one_live_code(bench: Bench) -> None:
    """Goal: an app that refreshes like mad has two live codes for the time of the grace -- the
    newest and the one before --, and then one."""
    for wait_seconds, live in [(0, 2), (6, 1)]:
        codes = await asyncio.gather(*(bench.issue() for _ in range(16)))
        bench.clock.move(seconds=wait_seconds)
        outcomes = [
            await bench.redeem(code, token=f"token {number}", merchant_id=f"mer_{number}")
            for number, code in enumerate(codes)
        ]
        kinds = sorted(type(outcome).__name__ for outcome in outcomes)
        assert kinds == ["BarcodeUnknown"] * (16 - live) + ["RedeemedBarcode"] * live


async def test_a_batch_answers_each_item_in_order(bench: Bench) -> None:
    """Goal: one round trip, many merchants, one outcome each; the first of two equal codes wins."""
    live = [await bench.issue(f"usr_batch_{number}") for number in range(3)]
    used, retired = await bench.issue("usr_used"), await bench.issue("usr_retired")
    await bench.issue("usr_retired")
    await bench.issue("usr_retired")
    await bench.redeem(used, token="earlier", merchant_id="mer_2")
    scans = [
        (live[0], "a"),
        (Secret("4006381333931"), "b"),
        (used, "c"),
        (live[1], "d"),
        (retired, "e"),
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
        BarcodeUnknown,
        BarcodeUnknown,  # used a moment ago, by another merchant
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
    await bench.miss(10, merchant_id="mer_locked")
    keys = {
        f"barcode:code:{bench.seal.digest_of(unused)}": 360,
        f"barcode:code:{bench.seal.digest_of(used)}": 3600,
        "barcode:devices:usr_unused": 360,
        f"barcode:misses:{bench.merchant_id}": 120,
        "barcode:misses:mer_locked": 60 + 4 * 3600 + 120,
        bench.pool.key: 600,
    }
    for key, seconds in keys.items():
        assert seconds * 900 < await administrator.pttl(key) <= seconds * 1000, key
    async for key in administrator.scan_iter():
        assert await administrator.pttl(key) > 0, key


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
