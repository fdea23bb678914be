"""The reconciler by itself: what is new in every pass, all of history again within a set time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.channel import deadline
from chassis.errors import DeadlineExceeded, Overloaded, Unavailable
from chassis.ids import milliseconds_of
from ledger_svc.errors import PassNotFound
from ledger_svc.reconciliation import looking
from ledger_svc.reconciliation.books import Digests
from ledger_svc.reconciliation.reconciler import Reconciler
from ledger_svc.store import cases as case_store
from ledger_svc.store.cases import Progress
from tests.integration.reconciliation.conftest import CLOCK, World
from tests.integration.reconciliation.test_differences import PLANTS, busy_world

HOUR = 3600.0


async def progress(world: World) -> Progress:
    """How far it is."""
    return await world.databases["ledger"].read(case_store.read_progress)


async def set_progress(world: World, verified: int, history: int) -> None:
    """Let it be so far."""

    async def work(connection: AsyncConnection) -> None:
        await case_store.write_progress(connection, Progress(verified, history))

    await world.databases["ledger"].transaction(work)


async def turn(reconciler: Reconciler) -> list[str]:
    """One pass, after everything has settled; the kinds of what it found."""
    await asyncio.sleep(0.4)
    return [item.kind for item in (await reconciler.take_turn()).differences]


def now_milliseconds() -> int:
    """The time as ids have it."""
    return int(CLOCK.now().timestamp() * 1000)


async def test_it_goes_on_where_it_was(world: World) -> None:
    """Goal: the first pass compares everything, and remembers in the database how far it came; the
    next one, of another process, looks at what is new and at an overlap."""
    await busy_world(world)
    first = world.reconciler()
    assert await turn(first) == []
    was = await progress(world)
    assert 0 < now_milliseconds() - was.verified_milliseconds < 60_000

    payment_id, *_ = await busy_world_again(world)
    await PLANTS["amount in ledger"][1](world, payment_id, "")
    assert await turn(world.reconciler()) == ["AMOUNT"]
    assert (await progress(world)).verified_milliseconds > was.verified_milliseconds


async def busy_world_again(world: World) -> tuple[str, str]:
    """One more payment."""
    alice = await world.wallet("zoe")
    bob = await world.wallet("yan")
    return await world.pay(alice, bob, 77), alice


async def test_what_is_under_way_holds_it_back(world: World) -> None:
    """Goal: a payment that has not ended keeps the place where the next pass begins."""
    alice, bob = await world.wallet("alice"), await world.wallet("bob")
    payment_id = await world.accept(alice, bob, 10)
    await world.pay(alice, bob, 20)
    assert await turn(world.reconciler()) == []
    assert (await progress(world)).verified_milliseconds == milliseconds_of(payment_id)


async def test_history_is_looked_at_again(world: World) -> None:
    """Goal: a cent that goes missing in what was verified long ago is found within a round through
    history, each pass of which looks at its share, and the next round begins at the start."""
    payment_id, alice, _ = await busy_world(world)
    await asyncio.sleep(0.4)
    # So far in the past that the overlap does not reach it.
    await set_progress(world, now_milliseconds() + 125_000, 0)
    reconciler = world.reconciler(every_seconds=1.0, history_seconds=4.0, settle_seconds=-125.0)
    await PLANTS["amount in wallet"][1](world, payment_id, alice)

    found = [await turn(reconciler) for _ in range(5)]
    assert found.count(["AMOUNT"]) >= 1
    assert found.count([]) >= 2, "not every pass looks at everything"


async def test_an_outage_moves_nothing_on(world: World) -> None:
    """Goal: a pass that could not ask everybody is done again from the same place."""
    await busy_world(world)

    class Away:
        async def DigestTransfers(self, *_: object, **__: object) -> None:
            raise Unavailable

    whole = world.books._wallets
    world.books._wallets = Away()  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        await turn(world.reconciler())
    assert await progress(world) == (0, 0)
    world.books._wallets = whole
    assert await turn(world.reconciler()) == []


async def test_it_runs_until_told_to_stop(world: World) -> None:
    """Goal: in the background it heals what it finds, again and again, and stops at once."""
    payment_id, alice, _ = await busy_world(world)
    await PLANTS["missing in ledger"][1](world, payment_id, alice)
    stop = asyncio.Event()
    running = asyncio.create_task(world.reconciler().run(stop))
    async with asyncio.timeout(30):
        while not await world.rows(  # noqa: ASYNC110 - the database is asked
            "ledger", "SELECT FROM journal_transactions WHERE source_id = %s", payment_id
        ):
            await asyncio.sleep(0.1)
    stop.set()
    async with asyncio.timeout(5):
        await running


async def test_a_stop_ends_passes_that_run(world: World) -> None:
    """Goal: whoever waits for a pass that is cut off is told, and not left waiting."""
    reconciler = world.reconciler(second_look_seconds=60)
    payment_id, alice, _ = await busy_world(world)
    await PLANTS["amount in wallet"][1](world, payment_id, alice)
    await asyncio.sleep(0.4)
    stop = asyncio.Event()
    item = reconciler.begin(since=None, heal=False)
    running = asyncio.create_task(reconciler.run(stop))
    await asyncio.sleep(0.3)
    stop.set()
    await running
    async with asyncio.timeout(5):
        await item.done.wait()
    assert item.error is not None


async def test_passes_are_bounded(world: World) -> None:
    """Goal: a few passes may wait for their turn, more are refused; one that nobody began is not
    found."""
    reconciler = world.reconciler()
    begun = [reconciler.begin(since=None, heal=False) for _ in range(4)]
    with pytest.raises(Overloaded):
        reconciler.begin(since=None, heal=False)
    for item in begun:
        await item.done.wait()
        assert item.error is None
        assert reconciler.find(item.id) is item
    with pytest.raises(PassNotFound):
        reconciler.find("rec_unknown")


async def test_the_cost_follows_the_differences(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: of many payments only those are listed whose range differs. Method: small ranges, and
    a look at what was asked for."""
    monkeypatch.setattr(looking, "_LISTED_ROWS", 4)
    alice, bob = await world.wallet("alice"), await world.wallet("bob")
    ids = [await world.accept(alice, bob, 1) for _ in range(120)]
    await world.finish(ids)
    await PLANTS["amount in ledger"][1](world, ids[60], alice)

    listed = 0
    ask = world.books.list_payments

    async def count(ranges: object) -> object:
        nonlocal listed
        rows = await ask(ranges)  # type: ignore[arg-type]
        listed += len(rows.trios)
        return rows

    monkeypatch.setattr(world.books, "list_payments", count)
    assert await world.find() == [("AMOUNT", ids[60], alice)]
    assert listed <= 2 * 4


async def test_large_ranges_are_cut(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal: where a book has more rows than it may read at a time, smaller ranges are asked for,
    and each row is counted once."""
    alice, bob = await world.wallet("alice"), await world.wallet("bob")
    await world.finish([await world.accept(alice, bob, 1) for _ in range(60)])
    ask = world.books.digest_payments

    async def few(ranges: object) -> list[Digests]:
        return await ask(ranges, rows_max=3)  # type: ignore[arg-type]

    monkeypatch.setattr(world.books, "digest_payments", few)
    found = await world.reconcile()
    assert found.treated == []
    assert found.report.checked == (62, 62, 62)
    assert found.report.buckets_compared > 62 / 3


async def test_a_pass_outlives_the_call_that_began_it(world: World) -> None:
    """Goal: whoever asks has seconds, and a pass takes minutes: the caller's deadline, long over,
    is none of the pass's."""
    await busy_world(world)
    reconciler = world.reconciler()
    asked = deadline.set(asyncio.get_running_loop().time() - 60)
    try:
        item = reconciler.begin(since=None, heal=False)
    finally:
        deadline.reset(asked)
    async with asyncio.timeout(30):
        await item.done.wait()
    assert item.error is None


async def test_less_is_asked_for_where_much_takes_too_long(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: a machine that cannot add up two ranges in time is asked for one at a time, and every
    row is counted once; if not even one is answered in time, the pass says so."""
    alice, bob = await world.wallet("alice"), await world.wallet("bob")
    await world.finish([await world.accept(alice, bob, 1) for _ in range(60)])
    ask, at_once = world.books.digest_payments, 1

    async def slow(ranges: Sequence[object]) -> list[Digests]:
        if len(ranges) > at_once:
            raise DeadlineExceeded
        return await ask(ranges, rows_max=3)  # type: ignore[arg-type]

    monkeypatch.setattr(world.books, "digest_payments", slow)
    found = await world.reconcile()
    assert found.report.checked == (62, 62, 62)
    at_once = 0
    item = world.reconciler().begin(since=None, heal=False)
    await item.done.wait()
    assert isinstance(item.error, DeadlineExceeded)


async def test_money_moves_while_it_looks(world: World) -> None:
    """Goal: passes one after the other, while people pay without a pause, find nothing."""
    alice, bob = await world.wallet("alice"), await world.wallet("bob")

    async def pay() -> None:
        while True:
            await world.pay(alice, bob, 1)
            await world.pay(bob, alice, 1)

    paying = asyncio.create_task(pay())
    try:
        for _ in range(5):
            assert await world.find() == []
    finally:
        paying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await paying
