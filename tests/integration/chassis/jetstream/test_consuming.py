"""Consuming: every message handled at least once, merged, kept, repeated, rejected, handed back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from chassis.errors import Unavailable
from chassis.jetstream import ConsumerSpec, JetStream, Message, StreamSpec, connect
from embedded.nats import NatsServer
from tests.integration.chassis.jetstream.kit import (
    Handled,
    consuming,
    delivered_to,
    eventually,
    publish,
    settled,
)


async def test_messages_are_handled_and_acknowledged(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: every message once, in order, and none is left unacknowledged."""
    handled = Handled()
    async with consuming(jetstream, spec, handled, buffer_max=8):
        await publish(jetstream, stream, *range(100))
        await handled.until(lambda: len(handled.values) >= 100)
        await eventually(lambda: settled(jetstream, spec))
    assert handled.deliveries == [(value, 1) for value in range(100)]


async def test_what_waits_is_merged_up_to_the_weight(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: one call takes all that is there and fits; one that is too heavy for any goes alone."""
    handled = Handled()
    handled.open.clear()
    async with consuming(jetstream, spec, handled, weight=lambda value: value, weight_max=10):
        await publish(jetstream, stream, 1)
        await handled.until(lambda: handled.calls == [[1]])
        await publish(jetstream, stream, 3, 3, 3, 3, 99, 4, 6)
        await eventually(lambda: delivered_to(jetstream, spec, 8))
        handled.open.set()
        await handled.until(lambda: len(handled.values) == 8)
    assert handled.calls == [[1], [3, 3, 3], [3], [99], [4, 6]]


async def test_calls_run_side_by_side(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: with concurrency 2, two calls run at a time, and not three."""
    handled = Handled()
    handled.open.clear()
    async with consuming(jetstream, spec, handled, weight_max=1, concurrency=2):
        await publish(jetstream, stream, 1, 2, 3)
        await eventually(lambda: delivered_to(jetstream, spec, 3))
        await handled.until(lambda: len(handled.calls) == 2)
        handled.open.set()
        await handled.until(lambda: len(handled.calls) == 3)


async def test_a_failed_call_is_repeated_one_message_at_a_time(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: a poisoned message drags its neighbours down once, and is rejected at the end."""
    rejected: list[tuple[int, str]] = []
    handled = Handled()
    handled.open.clear()

    async def poisoned(messages: Sequence[Message[int]]) -> None:
        await handled(messages)
        if any(message.value == 3 for message in messages):
            raise ZeroDivisionError

    async def reject(message: Message[int], reason: str) -> None:
        rejected.append((message.value, reason))

    async with consuming(jetstream, spec, poisoned, reject=reject):
        await publish(jetstream, stream, 0)
        await handled.until(lambda: len(handled.calls) == 1)
        await publish(jetstream, stream, 1, 2, 3, 4)
        await eventually(lambda: delivered_to(jetstream, spec, 5))
        handled.open.set()
        await eventually(lambda: settled(jetstream, spec))
    assert handled.calls[:2] == [[0], [1, 2, 3, 4]]
    assert sorted(handled.calls[2:]) == [[1], [2], [3], [3], [4]]
    assert rejected == [(3, "failed 3 times, last: ZeroDivisionError")]


async def test_malformed_messages_are_rejected(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: what cannot be read goes to reject, until that succeeds; its neighbours are handled."""
    handled, attempts = Handled(), count(1)
    rejected: list[tuple[bytes, str]] = []

    async def reject(message: Message[int], reason: str) -> None:
        if next(attempts) == 1:
            raise Unavailable
        rejected.append((message.data, reason))

    async with consuming(jetstream, spec, handled, reject=reject):
        await publish(jetstream, stream, 1)
        await jetstream.publish(f"{stream.name}.x", b"not a number", message_id="bad")
        await publish(jetstream, stream, 2)
        await handled.until(lambda: len(handled.values) == 2)
        await eventually(lambda: settled(jetstream, spec))
    assert handled.deliveries == [(1, 1), (2, 1)]
    assert rejected == [(b"not a number", "malformed: ValueError")]


async def test_an_outage_pauses_without_using_up_deliveries(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: the consumer keeps what it has past the ack wait, and goes on when the outage ends."""
    hasty = replace(spec, handler_seconds_max=0.5, backoff_seconds=(0.6,), max_deliver=2)
    handled, rejected = Handled(), Handled()
    handled.errors = [Unavailable() for _ in range(5)]  # pauses of 0.1, 0.2 ... 1.6 s at most

    async def reject(message: Message[int], reason: str) -> None:
        await rejected([message])

    async with consuming(jetstream, hasty, handled, reject=reject, weight_max=1):
        await publish(jetstream, stream, 1, 2)
        await handled.until(lambda: 2 in handled.values)
        await eventually(lambda: settled(jetstream, hasty))
    assert handled.deliveries == [(1, 1)] * 6 + [(2, 1)]
    assert rejected.calls == []


async def test_slow_handlers_keep_what_they_have(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: messages that wait here longer than the ack wait are not delivered again."""
    hasty = replace(spec, handler_seconds_max=0.5, backoff_seconds=(0.6,), max_deliver=2)
    handled = Handled()

    async def slow(messages: Sequence[Message[int]]) -> None:
        await asyncio.sleep(0.3)  # this is the work
        await handled(messages)

    async with consuming(jetstream, hasty, slow, weight_max=1):
        await publish(jetstream, stream, *range(6))
        await handled.until(lambda: len(handled.values) >= 6)
        await eventually(lambda: settled(jetstream, hasty))
    assert handled.deliveries == [(value, 1) for value in range(6)]


async def test_a_handler_that_hangs_is_cancelled(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: the hard limit ends a call, whatever it says then; the message is delivered again."""
    hasty = replace(spec, handler_seconds_max=0.2, backoff_seconds=(5.0,))
    cancelled: list[int] = []
    handled = Handled()

    async def hangs_once(messages: Sequence[Message[int]]) -> None:
        if messages[0].delivered == 1:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(messages[0].value)
                raise Unavailable from None
        await handled(messages)

    async with consuming(jetstream, hasty, hangs_once):
        await publish(jetstream, stream, 1)
        await handled.until(lambda: handled.deliveries == [(1, 2)])
    assert cancelled == [1]


async def test_a_call_below_that_is_cancelled_does_not_end_the_consumer(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: CancelledError out of a handler (a closed channel) is an outage, not the end."""
    handled = Handled()
    handled.errors = [asyncio.CancelledError()]
    async with consuming(jetstream, spec, handled):
        await publish(jetstream, stream, 1)
        await handled.until(lambda: handled.deliveries == [(1, 1), (1, 1)])
        await eventually(lambda: settled(jetstream, spec))


async def test_a_handler_may_settle_messages_itself(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: what the handler says about a message counts; an outage repeats only the rest."""
    handled = Handled()
    handled.open.clear()

    async def settle(messages: Sequence[Message[int]]) -> None:
        await handled(messages)
        for message in messages:
            if message.value == 1:
                await message.ack_sync()
            if message.value == 2:
                await message.term("never again")
            if message.value == 3 and message.delivered == 1:
                await message.nak(delay_seconds=0.05)
        if len(messages) == 4:
            raise Unavailable

    async with consuming(jetstream, spec, settle):
        await publish(jetstream, stream, 0)
        await handled.until(lambda: len(handled.calls) == 1)
        await publish(jetstream, stream, 1, 2, 3, 4)
        await eventually(lambda: delivered_to(jetstream, spec, 5))
        handled.open.set()
        await eventually(lambda: settled(jetstream, spec))
    assert handled.calls[:2] == [[0], [1, 2, 3, 4]]
    assert sorted(handled.calls[2:]) == [[3], [4]]
    assert (3, 2) in handled.deliveries
    assert handled.deliveries.count((4, 1)) == 2


async def test_stop_finishes_what_runs_and_hands_back_the_rest(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: a stopping process costs no message, no ack wait, and starts nothing new."""
    patient = replace(spec, backoff_seconds=(60.0,))
    first, second = Handled(), Handled()
    first.open.clear()
    async with consuming(jetstream, patient, first, weight_max=1) as stop:
        await publish(jetstream, stream, 1, 2, 3)
        await first.until(lambda: first.calls == [[1]])
        await eventually(lambda: delivered_to(jetstream, patient, 3))
        stop.set()
        await asyncio.sleep(0)
        first.open.set()
    assert first.calls == [[1]]
    async with consuming(jetstream, patient, second, weight_max=1):
        await second.until(lambda: len(second.values) == 2)
    assert sorted(second.deliveries) == [(2, 2), (3, 2)]


async def test_stop_ends_a_pause(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: a consumer that waits for a dependency stops at once and hands its messages back."""
    patient = replace(spec, backoff_seconds=(60.0,))
    first, second = Handled(), Handled()
    first.errors = [Unavailable() for _ in range(100)]
    async with consuming(jetstream, patient, first):
        await publish(jetstream, stream, 1)
        await first.until(lambda: len(first.calls) >= 2)
    async with consuming(jetstream, patient, second):
        await second.until(lambda: second.deliveries == [(1, 2)])


async def test_a_changed_spec_is_applied_to_the_consumer(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: a consumer is updated when its spec says something new, and only then."""
    await jetstream.declare()
    created = await jetstream.declare_consumer(spec)
    again = await jetstream.declare_consumer(spec)
    assert created["type"].endswith("consumer_create_response")
    assert again["type"].endswith("consumer_info_response")
    changed = replace(spec, max_ack_pending=7, filter_subject=f"{stream.name}.some.>")
    for wanted in (changed, spec):
        info = await jetstream.declare_consumer(wanted)
        assert info["config"]["max_ack_pending"] == wanted.max_ack_pending
        assert info["config"].get("filter_subject", "") == wanted.filter_subject
        assert info["created"] == created["created"]


async def test_two_consumers_share_the_work(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec, nats_server: NatsServer
) -> None:
    """Goal: two processes on one consumer see every message once between them."""
    first, second = Handled(), Handled()
    async with (
        connect(nats_server.url, name="other", streams=[stream]) as other,
        consuming(jetstream, spec, first, buffer_max=4),
        consuming(other, spec, second, buffer_max=4),
    ):
        await publish(jetstream, stream, *range(60))
        await eventually(lambda: settled(jetstream, spec))
    assert sorted(first.values + second.values) == list(range(60))
