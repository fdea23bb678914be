"""Batcher and isolate: every item is answered exactly once, whatever its neighbours do."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from chassis.batching import BatchContractError, Batcher, isolate
from chassis.errors import (
    DeadlineExceeded,
    OutcomeUnknown,
    Overloaded,
    ServiceError,
    Unavailable,
    from_item_error,
    to_item_error,
)

Outcomes = Sequence[int | ServiceError]
Process = Callable[[Sequence[int]], Awaitable[Outcomes]]


@pytest.fixture(scope="module", autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged; kept from being rendered, which would take longer than the tests."""
    with capture_logs() as events:
        yield events


class Refused(ServiceError):
    """The item was refused."""

    reason = "REFUSED"


class Gate:
    """A process function that doubles its items, but only once it is let through."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def process(self, items: Sequence[int]) -> list[int]:
        """Tell that a batch came in, wait for the gate, double."""
        self.batches.append(list(items))
        self.entered.set()
        await self.open.wait()
        return [2 * item for item in items]


async def turns(count: int = 5) -> None:
    """Let everything run that is ready to run."""
    for _ in range(count):
        await asyncio.sleep(0)


def process_with(
    *, refused: set[int], poisoned: set[int], away: set[int], calls: list[list[int]]
) -> Process:
    """Doubles an item, refuses it, chokes on the whole batch, or finds its dependency away."""

    async def process(items: Sequence[int]) -> Outcomes:
        calls.append(list(items))
        await asyncio.sleep(0)
        if away.intersection(items):
            raise Unavailable
        if poisoned.intersection(items):
            raise ZeroDivisionError
        return [Refused() if item in refused else 2 * item for item in items]

    return process


kinds = st.lists(st.sampled_from(["fine", "refused", "poisoned"]), max_size=40)


@given(kinds)
async def test_isolate_gives_every_item_its_own_outcome(kinds: list[str]) -> None:
    """Goal: for all mixtures, a poisoned item fails alone, and the work stays bounded."""
    refused = {i for i, kind in enumerate(kinds) if kind == "refused"}
    poisoned = {i for i, kind in enumerate(kinds) if kind == "poisoned"}
    calls: list[list[int]] = []
    process = process_with(refused=refused, poisoned=poisoned, away=set(), calls=calls)

    outcomes = await isolate(range(len(kinds)), process)

    assert len(outcomes) == len(kinds)
    for item, (kind, outcome) in enumerate(zip(kinds, outcomes, strict=True)):
        if kind == "fine":
            assert outcome == 2 * item
        else:
            assert isinstance(outcome, ServiceError)
            assert outcome.reason == ("REFUSED" if kind == "refused" else "INTERNAL")
    assert len(calls) <= max(0, 2 * len(kinds) - 1)
    if not poisoned:
        assert len(calls) == (1 if kinds else 0)


def remote(error: ServiceError) -> ServiceError:
    """The error as it arrives from another process."""
    return from_item_error(to_item_error(error))


@pytest.mark.parametrize(
    "outage",
    [
        Unavailable(),
        OutcomeUnknown(),
        Overloaded(),
        DeadlineExceeded(),
        remote(Unavailable()),
        remote(OutcomeUnknown()),
        remote(Overloaded()),
        remote(DeadlineExceeded()),
    ],
    ids=repr,
)
async def test_isolate_does_not_halve_during_an_outage(outage: ServiceError) -> None:
    """Goal: an outage costs one call, not 2n - 1, and hits every item of the batch alike."""
    calls: list[int] = []

    async def process(items: Sequence[int]) -> Outcomes:
        calls.append(len(items))
        raise outage

    assert await isolate(range(8), process) == [outage] * 8
    assert calls == [8]


async def test_isolate_keeps_the_cause_of_an_unexpected_error(
    logged: list[MutableMapping[str, Any]],
) -> None:
    """Goal: the caller gets INTERNAL without the text; the log gets the cause."""
    logged.clear()
    process = process_with(refused=set(), poisoned={0}, away=set(), calls=[])
    [outcome] = await isolate([0], process)
    assert isinstance(outcome, ServiceError)
    assert isinstance(outcome.__cause__, ZeroDivisionError)
    assert [event["event"] for event in logged] == ["batch_item_failed"]


async def test_isolate_keeps_a_refusal_that_was_raised_for_a_batch() -> None:
    """Goal: a ServiceError raised because of one item ends up at that item, as it was."""

    async def process(items: Sequence[int]) -> Outcomes:
        if 5 in items:
            raise Refused("five", item="5")
        return list(items)

    outcomes = await isolate(range(8), process)
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [0, 1, 2, 3, 4, 6, 7]
    assert isinstance(outcomes[5], Refused)
    assert outcomes[5].metadata == {"item": "5"}


async def test_isolate_refuses_a_process_that_loses_items() -> None:
    """Goal: too few outcomes are never matched to the wrong items, nor halved until they fit."""
    calls: list[list[int]] = []

    async def process(items: Sequence[int]) -> Outcomes:
        calls.append(list(items))
        return list(items)[1:]

    with pytest.raises(BatchContractError):
        await isolate(range(4), process)
    assert len(calls) == 1


@given(
    kinds=kinds,
    size_max=st.integers(1, 8),
    concurrency=st.integers(1, 3),
    pauses=st.sets(st.integers(0, 39)),
)
async def test_every_item_is_answered_exactly_once(
    kinds: list[str], size_max: int, concurrency: int, pauses: set[int]
) -> None:
    """Goal: for all mixtures and arrival patterns: own outcome, bounded batches, bounded flight."""
    refused = {i for i, kind in enumerate(kinds) if kind == "refused"}
    poisoned = {i for i, kind in enumerate(kinds) if kind == "poisoned"}
    sizes: list[int] = []
    inner = process_with(refused=refused, poisoned=poisoned, away=set(), calls=[])
    running = 0

    async def process(items: Sequence[int]) -> Outcomes:
        nonlocal running
        running += 1
        assert running <= concurrency
        try:
            return await inner(items)
        finally:
            running -= 1

    batcher = Batcher(
        process, name="test", size_max=size_max, concurrency=concurrency, on_batch=sizes.append
    )
    submitters = []
    for item in range(len(kinds)):
        submitters.append(asyncio.create_task(batcher.submit(item)))
        if item in pauses:
            await asyncio.sleep(0)
    answers = await asyncio.gather(*submitters, return_exceptions=True)
    await batcher.close()

    for item, (kind, answer) in enumerate(zip(kinds, answers, strict=True)):
        if kind == "fine":
            assert answer == 2 * item
        else:
            assert isinstance(answer, ServiceError)
            assert answer.reason == ("REFUSED" if kind == "refused" else "INTERNAL")
    assert sum(sizes) == len(kinds)
    assert all(1 <= size <= size_max for size in sizes)


@given(st.lists(st.sampled_from(["stay", "leave early", "leave late"]), min_size=1, max_size=30))
async def test_who_leaves_disturbs_nobody(plans: list[str]) -> None:
    """Goal: cancelled submitters cost no neighbour its answer; what still waited is dropped."""
    gate = Gate()
    batcher = Batcher(gate.process, name="test", size_max=4)
    submitters = [asyncio.create_task(batcher.submit(item)) for item in range(len(plans))]
    await gate.entered.wait()
    first = set(gate.batches[0])
    for item, plan in enumerate(plans):
        if plan == "leave early":
            submitters[item].cancel()
    await turns()
    gate.open.set()
    for item, plan in enumerate(plans):
        if plan == "leave late":
            submitters[item].cancel()
    answers = await asyncio.gather(*submitters, return_exceptions=True)
    await batcher.close()

    processed = [item for batch in gate.batches for item in batch]
    assert len(processed) == len(set(processed))
    for item, plan in enumerate(plans):
        if plan == "stay":
            assert answers[item] == 2 * item
        else:
            assert isinstance(answers[item], asyncio.CancelledError)
            assert item in first or item not in processed
    assert [len(batch) for batch in gate.batches[1:-1]] == [4] * len(gate.batches[1:-1])


async def test_one_turn_of_the_loop_is_one_batch_and_what_comes_later_is_the_next() -> None:
    """Goal: natural batching, with nothing but the order of events deciding."""
    gate = Gate()
    batcher = Batcher(gate.process, name="test")
    first = [asyncio.create_task(batcher.submit(item)) for item in range(3)]
    await gate.entered.wait()
    assert gate.batches == [[0, 1, 2]]
    later = []
    for item in range(3, 7):  # in different turns, all while the first batch is in flight
        later.append(asyncio.create_task(batcher.submit(item)))
        await turns()
    gate.open.set()
    assert await asyncio.gather(*first, *later) == [0, 2, 4, 6, 8, 10, 12]
    assert gate.batches == [[0, 1, 2], [3, 4, 5, 6]]


async def test_a_full_queue_refuses_and_recovers() -> None:
    """Goal: the queue is bounded, a refusal is Overloaded, and room comes back."""
    gate = Gate()
    batcher = Batcher(gate.process, name="test", size_max=1, queue_max=2)
    accepted = [asyncio.create_task(batcher.submit(0))]
    await gate.entered.wait()
    accepted += [asyncio.create_task(batcher.submit(item)) for item in (1, 2)]
    await turns()
    with pytest.raises(Overloaded):
        await batcher.submit(3)
    gate.open.set()
    assert await asyncio.gather(*accepted) == [0, 2, 4]
    assert await batcher.submit(4) == 8


async def test_nobody_joins_those_who_wait_too_long() -> None:
    """Goal: the wait is bounded in time too, whatever the speed, and room comes back."""
    gate = Gate()
    batcher = Batcher(gate.process, name="test", size_max=1, wait_seconds_max=0.02)
    accepted = [asyncio.create_task(batcher.submit(0))]
    await gate.entered.wait()
    accepted += [asyncio.create_task(batcher.submit(1)), asyncio.create_task(batcher.submit(2))]
    await asyncio.sleep(0.03)
    with pytest.raises(Overloaded):
        await batcher.submit(3)
    gate.open.set()
    assert await asyncio.gather(*accepted) == [0, 2, 4]
    assert await batcher.submit(4) == 8


async def test_an_outage_fails_the_batch_but_not_the_batcher() -> None:
    """Goal: Unavailable reaches every waiter of the batch; the next batch is served."""
    away = {0}
    process = process_with(refused=set(), poisoned=set(), away=away, calls=[])
    batcher = Batcher(process, name="test")
    answers = await asyncio.gather(*map(batcher.submit, range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable] * 3
    away.clear()
    assert await batcher.submit(0) == 0


async def test_a_broken_process_is_shown_to_all_waiters() -> None:
    """Goal: a programming error neither hangs the waiters nor hands them each other's results."""

    async def process(items: Sequence[int]) -> Outcomes:
        return []

    batcher = Batcher(process, name="test")
    answers = await asyncio.gather(*map(batcher.submit, range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [BatchContractError] * 3


async def test_nobody_hangs_when_a_call_below_is_cancelled() -> None:
    """Goal: a channel closed under a batch (CancelledError in grpc.aio) is an unknown outcome."""

    async def process(items: Sequence[int]) -> Outcomes:
        raise asyncio.CancelledError

    batcher = Batcher(process, name="test")
    answers = await asyncio.gather(*map(batcher.submit, range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [OutcomeUnknown] * 3


async def test_patience_keeps_batches_apart_until_it_is_lost() -> None:
    """Goal: the next batch waits for the one in flight, but not for one that takes too long."""
    gate = Gate()
    batcher = Batcher(gate.process, name="test", concurrency=2, patience_seconds=0.01)
    first = asyncio.create_task(batcher.submit(1))
    await gate.entered.wait()
    others = [asyncio.create_task(batcher.submit(item)) for item in (2, 3)]
    await turns()
    assert gate.batches == [[1]]
    gate.entered.clear()
    async with asyncio.timeout(10):
        await gate.entered.wait()
    assert gate.batches == [[1], [2, 3]]
    gate.open.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6]


async def test_a_full_batch_does_not_wait_for_patience() -> None:
    """Goal: waiting on would not make it larger; what does not fit waits on."""
    gate = Gate()
    batcher = Batcher(gate.process, name="test", size_max=2, concurrency=3, patience_seconds=600)
    submitters = [asyncio.create_task(batcher.submit(item)) for item in range(1)]
    await gate.entered.wait()
    submitters += [asyncio.create_task(batcher.submit(item)) for item in range(1, 4)]
    await turns()
    assert gate.batches == [[0], [1, 2]]
    gate.open.set()
    assert await asyncio.gather(*submitters) == [0, 2, 4, 6]


async def test_close_drains_then_refuses() -> None:
    """Goal: everything accepted before close is answered, everything after it is refused."""
    gate = Gate()
    batcher = Batcher(gate.process, name="test", size_max=2)
    submitters = [asyncio.create_task(batcher.submit(item)) for item in range(5)]
    await gate.entered.wait()
    closing = asyncio.create_task(batcher.close())
    await turns()
    with pytest.raises(Unavailable):
        await batcher.submit(5)
    assert not closing.done()
    gate.open.set()
    await closing
    assert all(submitter.done() for submitter in submitters)
    assert await asyncio.gather(*submitters) == [0, 2, 4, 6, 8]


async def test_close_of_an_idle_batcher_returns() -> None:
    """Goal: close without work does not wait for any."""
    batcher = Batcher(Gate().process, name="test")
    await batcher.close()
    await batcher.close()


async def test_a_batch_does_not_inherit_the_context_of_one_submitter() -> None:
    """Goal: deadlines and traces live in context variables and must not leak into neighbours."""
    deadline: contextvars.ContextVar[float | None] = contextvars.ContextVar("d", default=None)
    seen: list[float | None] = []

    async def process(items: Sequence[int]) -> Outcomes:
        seen.append(deadline.get())
        return list(items)

    async def submit_with_deadline() -> int:
        deadline.set(0.1)
        return await batcher.submit(1)

    batcher = Batcher(process, name="test")
    await asyncio.create_task(submit_with_deadline())
    assert seen == [None]


@pytest.mark.parametrize("limits", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_limits_are_positive(limits: tuple[int, int, int]) -> None:
    """Goal: a batcher that could never work is refused where it is made."""
    size_max, queue_max, concurrency = limits

    async def process(items: Sequence[int]) -> Outcomes:
        return list(items)

    with pytest.raises(ValueError, match="at least 1"):
        Batcher(
            process, name="test", size_max=size_max, queue_max=queue_max, concurrency=concurrency
        )
