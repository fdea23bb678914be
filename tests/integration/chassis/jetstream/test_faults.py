"""Faults of a real server: nothing acknowledged is lost, nothing hangs, all resumes by itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chassis.errors import OutcomeUnknown, Unavailable
from chassis.jetstream import ConsumerSpec, JetStream, Message, StreamSpec, connect
from chassis.settings import Secret
from embedded.nats import NatsServer
from tests.integration.chassis.jetstream.kit import (
    Handled,
    administer,
    consuming,
    delivered_to,
    disconnected,
    eventually,
    exists,
    publish,
    pulling,
    settled,
)


async def test_messages_go_on_after_a_killed_server_comes_back(
    own_server: NatsServer, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: kill -9 and restart: nothing acknowledged is lost, the consumer resumes by itself."""
    handled = Handled()
    hasty = replace(spec, handler_seconds_max=1.0, backoff_seconds=(1.5,))
    async with (
        connect(own_server.url, name="test", streams=[stream]) as jetstream,
        consuming(jetstream, hasty, handled),
    ):
        await jetstream.session()
        await publish(jetstream, stream, 1, 2)
        await handled.until(lambda: len(handled.values) == 2)
        await eventually(lambda: settled(jetstream, hasty))
        handled.open.clear()
        await publish(jetstream, stream, 3)
        await handled.until(lambda: 3 in handled.values)
        await own_server.process.kill()
        await eventually(lambda: disconnected(jetstream))
        with pytest.raises(Unavailable):
            await publish(jetstream, stream, 4)
        handled.open.set()
        await own_server.process.start()
        await jetstream.session()
        await publish(jetstream, stream, 5)
        await handled.until(lambda: 5 in handled.values)
        # 3 was handled while nobody could be told, so it comes again; as may 1 and 2: the server
        # writes down what was delivered and acknowledged a little later.
        await eventually(lambda: settled(jetstream, hasty))
        session = await jetstream.session()
        assert len(session.client._subs) == 2, "replies and one inbox: the old one is not renewed"
    assert set(handled.values) == {1, 2, 3, 5}
    assert handled.values.count(3) >= 2


async def test_a_publish_does_not_wait_for_a_reply_that_cannot_come(
    own_server: NatsServer, stream: StreamSpec
) -> None:
    """Goal: when the connection breaks, what is in flight is an unknown outcome at once."""
    async with connect(own_server.url, name="test", streams=[stream]) as jetstream:
        await jetstream.session()
        with stopped(own_server):
            publishing = asyncio.create_task(
                jetstream.publish(f"{stream.name}.x", b"", message_id="1", timeout_seconds=600)
            )
            await asyncio.sleep(0)
            await own_server.process.kill()
        async with asyncio.timeout(10):
            with pytest.raises(OutcomeUnknown):
                await publishing


async def test_a_wiped_server_gets_its_streams_and_consumers_back(
    own_server: NatsServer, tmp_path: Path, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: the whole store is lost: new messages flow, and an acknowledgement of an old message
    does not hit the new one that has its number."""
    handled, in_vain = Handled(), []
    handled.open.clear()

    async def acknowledge(messages: Sequence[Message[int]]) -> None:
        await handled(messages)
        try:
            await messages[0].ack_sync()
        except Unavailable:
            in_vain.append(messages[0].value)

    async with (
        connect(own_server.url, name="test", streams=[stream]) as jetstream,
        consuming(jetstream, spec, acknowledge, weight_max=1),
    ):
        await jetstream.session()
        await publish(jetstream, stream, 1)
        await handled.until(lambda: handled.values == [1])
        await own_server.process.kill()
        shutil.rmtree(tmp_path / "nats" / "store")
        await own_server.process.start()
        await eventually(lambda: delivered_again(jetstream, stream, spec))
        held = asyncio.Event()
        gate, handled.open = handled.open, held
        gate.set()  # 1 is acknowledged now; its number belongs to 2
        await handled.until(lambda: handled.values == [1, 2])
        assert in_vain == [1]
        info = await jetstream.consumer_info(spec)
        assert info is not None
        assert (info["num_ack_pending"], info["ack_floor"]["stream_seq"]) == (1, 0)
        held.set()
        await eventually(lambda: settled(jetstream, spec))
    assert in_vain == [1]


async def delivered_again(jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec) -> bool:
    """Publish the number 2 once the stream is back, and wait until it is delivered."""
    try:
        ack = await jetstream.publish(f"{stream.name}.number", b"2", message_id="two")
    except Unavailable:
        return False
    assert ack.sequence == 1
    return await delivered_to(jetstream, spec, 1)


@pytest.mark.parametrize("victim", ["CONSUMER", "STREAM"])
async def test_what_was_deleted_under_us_is_declared_again(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec, victim: str
) -> None:
    """Goal: a deleted consumer or stream comes back without anybody's help, and messages flow."""
    handled = Handled()
    async with consuming(jetstream, spec, handled):
        await publish(jetstream, stream, 1)
        await handled.until(lambda: handled.values == [1])
        name = stream.name if victim == "STREAM" else f"{stream.name}.{spec.name}"
        await administer(jetstream, f"{victim}.DELETE.{name}")
        await eventually(lambda: exists(jetstream, spec))
        await publish(jetstream, stream, 2)
        await handled.until(lambda: 2 in handled.values)


@contextmanager
def stopped(server: NatsServer) -> Iterator[None]:
    """The server keeps its connections, and does nothing."""
    pid = server.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if server.process.pid is not None:
            os.kill(pid, signal.SIGCONT)


async def test_a_client_that_closed_for_good_is_replaced(
    jetstream: JetStream, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: nats-py ends itself after some errors of the server; we begin again, and what was in
    the handler's hands meanwhile is acknowledged over the new connection."""
    handled = Handled()
    handled.open.clear()
    async with consuming(jetstream, spec, handled):
        await publish(jetstream, stream, 1)
        await handled.until(lambda: handled.values == [1])
        before = await jetstream.session()
        await before.client.close()
        await eventually(lambda: reconnected(jetstream, before))
        await eventually(lambda: pulling(jetstream, spec))
        handled.open.set()
        await eventually(lambda: settled(jetstream, spec))
        await publish(jetstream, stream, 2)
        await handled.until(lambda: 2 in handled.values)
    assert handled.deliveries == [(1, 1), (2, 1)]


async def reconnected(jetstream: JetStream, before: object) -> bool:
    """Whether there is another connection."""
    return jetstream.is_connected and await jetstream.session() is not before


async def test_a_silent_server_is_noticed(
    own_server: NatsServer,
    stream: StreamSpec,
    spec: ConsumerSpec,
    logged: list[MutableMapping[str, Any]],
) -> None:
    """Goal: no message and no heartbeat means that something is wrong, connection or not."""
    handled = Handled()

    async def noticed() -> bool:
        return any("no heartbeat" in event.get("error", "") for event in logged)

    async with (
        connect(own_server.url, name="test", streams=[stream]) as jetstream,
        consuming(jetstream, spec, handled),
    ):
        await jetstream.session()
        await publish(jetstream, stream, 1)
        await handled.until(lambda: handled.values == [1])
        logged.clear()
        with stopped(own_server):
            await eventually(noticed)
        await publish(jetstream, stream, 2)
        await handled.until(lambda: 2 in handled.values)


async def test_a_server_that_comes_late_is_waited_for(
    own_server: NatsServer, stream: StreamSpec, spec: ConsumerSpec
) -> None:
    """Goal: a process may start before its queue does."""
    handled = Handled()
    await own_server.process.kill()
    async with (
        connect(own_server.url, name="test", streams=[stream]) as jetstream,
        consuming(jetstream, spec, handled),
    ):
        assert await disconnected(jetstream)
        with pytest.raises(Unavailable):
            await publish(jetstream, stream, 0)
        await own_server.process.start()
        await jetstream.session()
        assert jetstream.is_connected
        await publish(jetstream, stream, 1)
        await handled.until(lambda: handled.values == [1])


async def test_refused_credentials_are_not_the_end_and_not_in_the_logs(
    nats_server: NatsServer, logged: list[MutableMapping[str, Any]]
) -> None:
    """Goal: wrong credentials leave the process running and unready; no log line quotes them."""
    logged.clear()
    url = Secret(f"nats://payment:correct-horse@127.0.0.1:{nats_server.port}")

    async def refused() -> bool:
        return any("Authorization Violation" in event.get("error", "") for event in logged)

    async with connect(url, name="test") as jetstream:
        await eventually(refused)
        assert not jetstream.is_connected
    assert "correct-horse" not in repr(logged)


async def test_the_services_get_by_with_their_own_permissions(nats_server: NatsServer) -> None:
    """Goal: payment declares and publishes; ledger consumes, but can neither change nor publish."""
    results = StreamSpec(
        name="PAYMENT_RESULTS", subjects=("payments.result.>",), max_age_seconds=3600
    )
    posting = ConsumerSpec(stream="PAYMENT_RESULTS", name="ledger-posting")
    handled = Handled()
    changed = replace(results, max_age_seconds=60)
    async with connect(
        nats_server.url_for("payment"), name="payment", streams=[results]
    ) as payment:
        await payment.session()
        await payment.publish("payments.result.x", b"1", message_id="permissions-1")
        async with (
            connect(nats_server.url_for("ledger"), name="ledger", streams=[changed]) as ledger,
            consuming(ledger, posting, handled),
        ):
            await handled.until(lambda: handled.values == [1])
            await eventually(lambda: settled(ledger, posting))
            await ledger.declare()
            with pytest.raises(Unavailable):
                await ledger.publish("payments.result.x", b"2", message_id="2", timeout_seconds=0.2)
