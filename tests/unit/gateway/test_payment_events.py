"""Payment Done inside the process: waiters and subscriptions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence

import pytest

from chassis.errors import Unavailable
from gateway.payment_events import PaymentEvents, Subscription, frame_of
from qrpay.payment.v1 import payment_pb2
from tests.unit.gateway.events import ME, OTHER, STRANGER, batch, event, payment


@pytest.fixture
def events() -> PaymentEvents:
    """Remembers ten payments, lets three wait, and queues two events per stream."""
    return PaymentEvents(recent_max=10, waiters_max=3, queue_max=2)


def current(events: PaymentEvents, owner_id: str) -> Subscription:
    """A subscription that has caught up."""
    subscription = events.subscribe(owner_id)
    subscription.behind = False
    return subscription


def numbers(subscription: Subscription) -> list[int]:
    """What waits for a stream."""
    return [frame.number for frame in subscription.frames]


async def test_a_waiter_is_woken_by_the_event(events: PaymentEvents) -> None:
    """All who wait for a payment get it, terminal, when its event comes."""
    waits = [asyncio.create_task(events.wait("pay_1", 30)) for _ in range(3)]
    await asyncio.sleep(0)
    events.receive(batch(event(1)))
    for found in await asyncio.gather(*waits):
        assert found is not None
        assert found.status == payment_pb2.PAYMENT_STATUS_COMPLETED


async def test_an_event_that_came_first_is_not_missed(events: PaymentEvents) -> None:
    """The event may overtake the answer to the submission: who waits afterwards gets it at once."""
    events.receive(batch(event(1)))
    found = await events.wait("pay_1", 0)
    assert found is not None
    assert found.id == "pay_1"


async def test_time_over(events: PaymentEvents) -> None:
    """Nothing came: None, and nothing is left behind."""
    assert await events.wait("pay_1", 0.001) is None
    assert events._waiters == {}
    assert events._waiting == 0


async def test_waiters_are_bounded(events: PaymentEvents) -> None:
    """One too many does not wait at all."""
    waits = [asyncio.create_task(events.wait(f"pay_{it}", 30)) for it in range(3)]
    await asyncio.sleep(0)
    assert await events.wait("pay_9", 30) is None
    events.close()
    assert await asyncio.gather(*waits) == [None, None, None]
    assert await events.wait("pay_9", 30) is None


async def test_a_lost_event_is_found_by_reading(events: PaymentEvents) -> None:
    """When a number is missing, whoever waits is looked up: those that are done are woken, the
    others go on waiting. A look that fails is repeated."""
    asked: list[Sequence[str]] = []

    async def read(ids: Sequence[str]) -> Iterable[payment_pb2.Payment]:
        asked.append(list(ids))
        if len(asked) == 1:
            raise Unavailable
        pending = payment_pb2.PAYMENT_STATUS_PENDING
        return [payment("pay_2"), payment("pay_9", status=pending)]

    checking = asyncio.create_task(events.recheck_waiters(read))
    events.receive(batch(event(1)))
    done = asyncio.create_task(events.wait("pay_2", 30))
    pending = asyncio.create_task(events.wait("pay_9", 30))
    await asyncio.sleep(0)
    events.receive(batch(event(3)))
    found = await done
    assert found is not None
    assert found.id == "pay_2"
    assert not pending.done()
    assert sorted(asked[-1]) == ["pay_2", "pay_9"]
    checking.cancel()
    pending.cancel()


async def test_consecutive_batches_are_no_gap(events: PaymentEvents) -> None:
    """Numbers in a row, repeats, latecomers and top-ups (without a number) disturb nobody."""
    events.receive(batch(event(1), event(2)))
    mine = current(events, ME)
    events.receive(batch(event(3)))
    events.receive(batch(event(0)))
    events.receive(batch(event(2), event(3)))
    assert not mine.behind
    assert events.head_number == 3


@pytest.mark.parametrize("first", [2, 5])
async def test_the_first_batch_of_a_connection_counts_as_a_gap(
    events: PaymentEvents, first: int
) -> None:
    """What was before it is not known: streams look, whatever number it has."""
    mine = current(events, ME)
    events.receive(batch(event(first)))
    assert mine.behind


async def test_a_gap_sends_streams_looking(events: PaymentEvents) -> None:
    """Their queue is dropped: what was in it will be read again, in order."""
    events.receive(batch(event(1)))
    mine = current(events, ME)
    events.receive(batch(event(2)))
    assert numbers(mine) == [2]
    events.receive(batch(event(4)))
    assert mine.behind
    assert numbers(mine) == []
    assert mine.changed.is_set()


async def test_a_full_queue_sends_its_stream_looking(events: PaymentEvents) -> None:
    """A stream that is too slow falls behind alone."""
    events.receive(batch(event(1)))
    slow, quick = current(events, ME), current(events, OTHER)
    for number in (2, 3, 4):
        events.receive(batch(event(number)))
        quick.frames.clear()
    assert slow.behind
    assert not quick.behind


async def test_an_event_that_never_came(events: PaymentEvents) -> None:
    """payment_svc knows a higher number than ever came here: look. Once is enough."""
    events.receive(batch(event(1)))
    mine, behind = current(events, ME), []
    for number in (1, 2, 2):
        events.catch_up_to(number)
        behind.append(mine.behind)
        mine.behind = False
    assert behind == [False, True, False]
    events.receive(batch(event(3)))
    assert numbers(mine) == [3]


async def test_events_go_to_payer_and_payee_only(events: PaymentEvents) -> None:
    """Everybody has the number of an own wallet entry; a failure is for the payer alone."""
    events.receive(batch(event(1)))
    payer, payee, stranger = (current(events, owner) for owner in (ME, OTHER, STRANGER))
    events.receive(batch(event(2), event(3, failed=True)))
    assert numbers(payer) == [2, 3]
    assert numbers(payee) == [2]
    assert numbers(stranger) == []
    data = [
        json.loads(line.removeprefix(b"data: "))
        for frame in (payer.frames[0], payee.frames[0], payer.frames[1])
        for line in frame.content.splitlines()
        if line.startswith(b"data: ")
    ]
    assert [it.get("number") for it in data] == [1000, 2000, None]
    assert [it["status"] for it in data] == ["COMPLETED", "COMPLETED", "FAILED"]


def test_a_frame() -> None:
    """An event is one block of lines: id, event, data."""
    frame = frame_of(event(7), ME)
    assert frame is not None
    lines = frame.content.split(b"\n")
    assert lines[:2] == [b"id: 7", b"event: payment.completed"]
    assert lines[2].startswith(b'data: {"id":"pay_7"')
    assert lines[3:] == [b"", b""]


def test_a_note_cannot_forge_an_event() -> None:
    """Line breaks in a text stay inside the JSON: they cannot end the block and begin another."""
    made = event(7)
    made.payment.note = "x\n\nid: 99\r\nevent: payment.completed\u2028"
    frame = frame_of(made, ME)
    assert frame is not None
    assert frame.content.count(b"\n") == 4
    assert b"\r" not in frame.content


def test_a_top_up_is_nobodys_event() -> None:
    """It has no number."""
    assert frame_of(event(0), ME) is None


async def test_closing_ends_every_stream(events: PaymentEvents) -> None:
    """Those that are open, and those that come too late."""
    mine = current(events, ME)
    events.close()
    late = events.subscribe(OTHER)
    assert mine.ended
    assert late.ended


async def test_nothing_is_left_of_a_stream_that_went(events: PaymentEvents) -> None:
    """Its place is given back, and only its own."""
    first, second = current(events, ME), current(events, ME)
    events.unsubscribe(first)
    assert events.any_owner() == ME
    events.unsubscribe(second)
    assert events.any_owner() is None
