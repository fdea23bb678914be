"""What each NATS user of the stack may do, asked of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, StreamConfig

from chassis.jetstream import settle
from embedded.nats import STREAMS, NatsServer, running_nats


@pytest.fixture(scope="module")
async def nats_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NatsServer]:
    """A server of its own: nobody else has made streams of these names on it."""
    async with running_nats(tmp_path_factory.mktemp("nats-permissions")) as server:
        yield server


@asynccontextmanager
async def signed_in(
    server: NatsServer, user: str
) -> AsyncIterator[tuple[Client, asyncio.Queue[str]]]:
    """A connection as a user, and what the server refused it."""
    refusals: asyncio.Queue[str] = asyncio.Queue()

    async def note(error: Exception) -> None:
        refusals.put_nowait(str(error).lower())

    client = await nats.connect(
        server.url_for(user), inbox_prefix=f"_INBOX_{user}".encode(), error_cb=note
    )
    try:
        yield client, refusals
    finally:
        await client.close()


async def test_payment_runs_its_queue(nats_server: NatsServer) -> None:
    """Goal: payment declares its streams and consumers, publishes, pulls and acknowledges."""
    async with signed_in(nats_server, "payment") as (client, refusals):
        stream_context = client.jetstream(timeout=5)
        for stream in STREAMS:
            kind = stream.removeprefix("PAYMENT_").lower().removesuffix("s")
            subject = f"payments.{kind.removesuffix('_letter')}.>"
            await stream_context.add_stream(StreamConfig(name=stream, subjects=[subject]))
        await stream_context.add_consumer(
            "PAYMENT_TASKS",
            ConsumerConfig(durable_name="executor", filter_subject="payments.task.>"),
        )
        await stream_context.publish("payments.task.one", b"1")
        subscription = await stream_context.pull_subscribe_bind("executor", "PAYMENT_TASKS")
        (message,) = await subscription.fetch(1, timeout=5)
        await message.ack_sync(timeout=5)
        info = await stream_context.consumer_info("PAYMENT_TASKS", "executor")
        assert info.num_ack_pending == 0
        assert refusals.empty()


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("payment", "$JS.API.STREAM.DELETE.PAYMENT_TASKS"),
        ("payment", "other.subject"),
        ("ledger", "payments.result.forged"),
        ("ledger", "$JS.API.CONSUMER.MSG.NEXT.PAYMENT_TASKS.executor"),
        ("ledger", "$JS.API.CONSUMER.MSG.NEXT.PAYMENT_RESULTS.payment-results"),
        ("gateway", "payments.event"),
        ("gateway", "$JS.API.INFO"),
    ],
)
async def test_nobody_publishes_elsewhere(nats_server: NatsServer, user: str, subject: str) -> None:
    """Goal: a service that was taken over cannot forge payments, results or events."""
    async with signed_in(nats_server, user) as (client, refusals):
        await client.publish(subject, b"{}")
        await settle(client)
        refusal = await asyncio.wait_for(refusals.get(), timeout=5)
        assert f'permissions violation for publish to "{subject}"'.lower() in refusal


@pytest.mark.parametrize(
    ("user", "subject"),
    [("payment", "payments.>"), ("ledger", "_INBOX_payment.>"), ("gateway", "payments.task.>")],
)
async def test_nobody_listens_elsewhere(nats_server: NatsServer, user: str, subject: str) -> None:
    """Goal: a service hears its own answers only, and the gateway the events too."""
    async with signed_in(nats_server, user) as (client, refusals):
        await client.subscribe(subject)
        await settle(client)
        refusal = await asyncio.wait_for(refusals.get(), timeout=5)
        assert "permissions violation for subscription" in refusal


async def test_the_gateway_hears_events(nats_server: NatsServer) -> None:
    """Goal: payment's events reach the gateway."""
    async with (
        signed_in(nats_server, "gateway") as (gateway, refusals),
        signed_in(nats_server, "payment") as (payment, _),
    ):
        subscription = await gateway.subscribe("payments.event")
        await settle(gateway)
        await payment.publish("payments.event", b"done")
        await settle(payment)
        message = await subscription.next_msg(timeout=30)
        assert message.data == b"done"
        assert refusals.empty()
