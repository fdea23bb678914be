"""SIGTERM in the middle of everything: what was begun is finished, the rest is left to others."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

import chassis
from chassis.channel import call, open_channel
from chassis.clock import SystemClock
from chassis.errors import DeadlineExceeded, ServiceError
from chassis.jetstream import Consumer, JetStream, Message, connect
from embedded.certificates import ensure_certificates, tls_files
from embedded.nats import NatsServer
from qrpay.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from tests.integration.chassis.counters import Administrator
from tests.integration.chassis.draining import CONSUMER, STREAM

REPOSITORY = Path(chassis.__file__).parents[1]
_WAITING = """SELECT 1 FROM pg_stat_activity
    WHERE application_name = 'draining' AND wait_event_type = 'Lock' HAVING count(*) = %d"""


@pytest.fixture
async def jetstream(nats_server: NatsServer) -> AsyncIterator[JetStream]:
    """The queue, as the administrator; the stream is gone afterwards."""
    async with connect(nats_server.url, name="test", streams=[STREAM]) as jetstream:
        session = await jetstream.session()
        yield jetstream
        await session.client.request(f"$JS.API.STREAM.DELETE.{STREAM.name}", b"")


@pytest.fixture
async def process(
    scene: Any, nats_server: NatsServer, tmp_path: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process, as the stack would start it."""
    ensure_certificates(tmp_path, now=SystemClock().now())
    tls = tls_files(tmp_path, "ledger")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.chassis.draining"),
        cwd=REPOSITORY,
        env={
            **os.environ,
            "TLS_CERT_FILE": str(tls.cert_file),
            "TLS_KEY_FILE": str(tls.key_file),
            "TLS_CA_FILE": str(tls.ca_file),
            "DATABASE_URL": scene.url,
            "NATS_URL": nats_server.url,
            "DRAIN_SECONDS": "15",
        },
        stdout=asyncio.subprocess.PIPE,
    )
    yield process
    if process.returncode is None:
        process.kill()
        await process.wait()


async def line_of(process: asyncio.subprocess.Process, is_wanted: Callable[[bytes], bool]) -> bytes:
    """The first line that it prints and that is wanted."""
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while not is_wanted(line := (await process.stdout.readline()).strip()):
            assert line, "it ended"
    return line


async def give_up_waiting(port: int, directory: Path) -> None:
    """Ask the process to write, and do not wait for its answer."""
    channel = open_channel(
        f"127.0.0.1:{port}", identity="ledger", tls=tls_files(directory, "gateway")
    )
    async with channel:
        stub: Any = ledger_pb2_grpc.LedgerServiceStub(channel)
        with pytest.raises(ServiceError) as caught:
            await call(stub.GetTransaction, ledger_pb2.GetTransactionRequest(), timeout_seconds=1.0)
        assert caught.value.reason == DeadlineExceeded.reason


async def unacknowledged(jetstream: JetStream, count: int) -> None:
    """Return when so many messages are delivered and not acknowledged."""
    async with asyncio.timeout(10):
        while True:
            information = await jetstream.consumer_info(CONSUMER)
            if information and information["num_ack_pending"] == count:
                return


async def test_what_is_begun_is_finished_and_the_rest_is_handed_back(
    jetstream: JetStream,
    process: asyncio.subprocess.Process,
    administrator: Administrator,
    tmp_path: Path,
) -> None:
    """Goal: a stopping process loses nothing and holds nothing up. Method: its batch and a
    transaction that nobody waits for hang on locks when the signal comes; the messages that it has
    not begun with must be handled elsewhere before the batch goes on, and the transaction goes on
    only when the server has stopped. Both must be stored, the batch acknowledged, and the process
    end with status 0 by itself."""
    taken: list[tuple[bytes, int]] = []
    rest_is_taken, stop = asyncio.Event(), asyncio.Event()

    async def handle(messages: Sequence[Message[bytes]]) -> None:
        taken.extend((message.value, message.delivered) for message in messages)
        if len(taken) == 3:
            rest_is_taken.set()

    async with (
        await psycopg.AsyncConnection.connect(administrator.url) as batch,
        await psycopg.AsyncConnection.connect(administrator.url) as transaction,
    ):
        await batch.execute("SELECT * FROM counters WHERE id = 1 FOR UPDATE")
        await transaction.execute("SELECT * FROM counters WHERE id = 2 FOR UPDATE")
        for number in range(4):
            await jetstream.publish(f"{STREAM.subjects[0][:-1]}x", b"%d" % number, message_id="")
        port = int(await line_of(process, bytes.isdigit))
        await administrator.until(_WAITING % 1)
        await unacknowledged(jetstream, 4)
        await give_up_waiting(port, tmp_path)
        await administrator.until(_WAITING % 2)

        process.send_signal(signal.SIGTERM)
        other = Consumer(jetstream, CONSUMER, decode=bytes, handle=handle)
        consuming = asyncio.create_task(other.run(stop))
        async with asyncio.timeout(10):
            await rest_is_taken.wait()
        assert process.returncode is None
        await batch.rollback()
        await line_of(process, lambda line: b"stopped" in line)
        await transaction.rollback()

    async with asyncio.timeout(15):
        assert await process.wait() == 0
    counters: dict[Any, Any] = dict(await administrator.rows("SELECT id, value FROM counters"))
    assert counters == {1: 1, 2: 1, 3: 0}
    await unacknowledged(jetstream, 0)
    stop.set()
    await consuming
    assert sorted(taken) == [(b"%d" % number, 2) for number in range(1, 4)]
