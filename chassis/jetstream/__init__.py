"""The queue: streams and consumers declared, publishes acknowledged, messages handled.

    connection   a connection that never gives up; ``publish`` with an awaited acknowledgement
    session      one uninterrupted stretch of it
    specs        what streams and consumers must look like
    puller       one pull at a time, watched
    message      one delivery: ack, nak, term, in progress
    consumer     merges, handles, retries, pauses, rejects, drains

nats-py serves as the plain NATS client; what it offers for JetStream is not used.

    async with connect(settings.nats_url, name="payment", streams=STREAMS) as jetstream:
        await jetstream.publish("payments.task.new", payload, message_id=batch_id)
"""

from __future__ import annotations

from chassis.jetstream.connection import JetStream, PublishAck, StoredMessage, connect
from chassis.jetstream.consumer import Consumer
from chassis.jetstream.message import Message
from chassis.jetstream.session import settle
from chassis.jetstream.specs import ConsumerSpec, StreamSpec
from chassis.jetstream.watching import QueueWatch

__all__ = [
    "Consumer",
    "ConsumerSpec",
    "JetStream",
    "Message",
    "PublishAck",
    "QueueWatch",
    "StoredMessage",
    "StreamSpec",
    "connect",
    "settle",
]
