"""Publishing: stored or an error, never a wait without end."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from chassis.errors import OutcomeUnknown, Unavailable
from chassis.jetstream import JetStream, StreamSpec, connect
from embedded.nats import NatsServer
from tests.integration.chassis.jetstream.kit import (
    administer,
    publish,
)


async def test_publish_answers_where_the_message_is(
    jetstream: JetStream, stream: StreamSpec
) -> None:
    """Goal: an acknowledged message is in the stream; the same id is stored once."""
    first = await jetstream.publish(f"{stream.name}.a", b"1", message_id="one")
    again = await jetstream.publish(f"{stream.name}.a", b"1", message_id="one")
    other = await jetstream.publish(f"{stream.name}.a", b"2", message_id="two")
    assert (first.stream, first.sequence, first.duplicate) == (stream.name, 1, False)
    assert (again.sequence, again.duplicate) == (1, True)
    assert (other.sequence, other.duplicate) == (2, False)


async def test_publish_declares_a_stream_that_is_gone(
    jetstream: JetStream, stream: StreamSpec
) -> None:
    """Goal: many publishers find the stream gone at a time; it is made anew, all are stored."""
    await publish(jetstream, stream, 1)
    await administer(jetstream, f"STREAM.DELETE.{stream.name}")
    acks = await asyncio.gather(
        *(
            jetstream.publish(f"{stream.name}.number", b"%d" % value, message_id=f"{value}")
            for value in range(50)
        )
    )
    assert sorted(ack.sequence for ack in acks) == list(range(1, 51))


async def test_publish_where_no_stream_can_be_declared(jetstream: JetStream) -> None:
    """Goal: a subject that nobody takes is an error, not a wait."""
    with pytest.raises(Unavailable):
        await jetstream.publish("nobody.takes.this", b"", message_id="1")


async def test_publish_without_an_acknowledgement_is_an_unknown_outcome(
    jetstream: JetStream, stream: StreamSpec
) -> None:
    """Goal: the deadline is hard, and says that the message may have been stored."""
    session = await jetstream.session()
    config = stream.config() | {"name": "SILENT", "subjects": ["silent"], "no_ack": True}
    body = json.dumps(config).encode()
    await session.client.request("$JS.API.STREAM.CREATE.SILENT", body, timeout=2)
    with pytest.raises(OutcomeUnknown):
        await jetstream.publish("silent", b"1", message_id="1", timeout_seconds=0.1)


async def test_publish_refused_by_a_full_stream(
    jetstream: JetStream, stream: StreamSpec, nats_server: NatsServer
) -> None:
    """Goal: a full stream refuses the new and keeps the old; and a changed spec gets applied."""
    await publish(jetstream, stream, 1)
    full = replace(stream, max_bytes=1)
    async with connect(nats_server.url, name="test", streams=[full]) as other:
        await other.session()
        await other.declare()
        with pytest.raises(Unavailable):
            await publish(other, stream, 2)


async def test_tell_reaches_who_listens_now(jetstream: JetStream) -> None:
    """Goal: a message without a stream goes to the present subscribers."""
    session = await jetstream.session()
    subscription = await session.client.subscribe("somebody.listens")
    await jetstream.tell("somebody.listens", b"hello")
    assert (await subscription.next_msg(timeout=5)).data == b"hello"
    await subscription.unsubscribe()
