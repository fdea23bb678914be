"""When things around the gateway go away and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.aio.client import Client as NatsClient

from chassis.settings import Secret, SettingsError
from embedded.nats import running_nats
from embedded.ports import find_free_port
from embedded.tokens import AUDIENCE, ISSUER, jwks_file
from gateway.http_server import listen
from gateway.keys import KeySetError, UrlKeySource, parse_key_set
from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc
from tests.integration.chassis.test_probes import (
    NOT_SERVING,
    SERVING,
    becomes,
    kubelet,
)
from tests.integration.gateway.conftest import Mesh, event_batch, running_gateway
from tests.integration.gateway.fakes import FakePayments, running_fake
from tests.integration.gateway.test_event_stream import stream
from tests.integration.gateway.test_waiting import SEND, submitted, wait_for
from tests.unit.gateway.conftest import FakeClock, Issuer


async def test_without_nats(mesh: Mesh) -> None:
    """A gateway whose queue was never there is not ready, but serves: payments are accepted, a wait
    ends with the last look, and a stream finds its events by asking."""
    nowhere = Secret(f"nats://gateway:x@127.0.0.1:{find_free_port()}")
    async with running_gateway(
        mesh, nats_url=nowhere, wait_ready=False, heartbeat_seconds=0.3
    ) as gateway:
        user = await gateway.user()
        post = wait_for(user, 1)
        mesh.payments.complete(await submitted(mesh, user))
        answer = await post
        assert (answer.status_code, answer.json()["status"]) == (200, "COMPLETED")
        async with stream(user) as opened:
            event = mesh.payments.pay(user.id, "bob")
            assert await opened.ids(1) == [event.number]
        ready = await user.get("/readyz")
        assert (ready.status_code, ready.json()["waiting_for"]) == (503, ["events"])


async def test_probes_say_what_readyz_says(mesh: Mesh) -> None:
    """Over plain gRPC: it has started and lives, and is not ready as long as payment_svc was never
    there; then it is, and stays so when payment_svc goes. Draining, it is not, and lives."""
    port = find_free_port()
    async with (
        running_gateway(
            mesh,
            payment_target=f"127.0.0.1:{port}",
            probe_listen="127.0.0.1:0",
            drain_delay_seconds=0.5,
            wait_ready=False,
        ) as gateway,
        kubelet(gateway.probe_port) as ask,
    ):
        assert [await ask(name) for name in ("startup", "liveness", "readiness")] == [
            SERVING,
            SERVING,
            NOT_SERVING,
        ]
        async with running_fake(
            FakePayments(),
            module=payment_pb2,
            grpc_module=payment_pb2_grpc,
            service="PaymentService",
            tls=mesh.tls("payment"),
            port=port,
        ):
            await becomes(ask, "readiness", SERVING)
        assert await ask("readiness") == SERVING
        gateway.stopping.set()
        await becomes(ask, "readiness", NOT_SERVING)
        assert await ask("liveness") == SERVING


async def test_nats_restarts(mesh: Mesh, tmp_path: Path) -> None:
    """The server is killed while somebody waits and somebody streams, and their events are lost
    with it. When it is back, both learn what they missed; later events come as usual. The gateway
    stays ready all the time."""
    async with running_nats(tmp_path) as server:
        url = Secret(server.url_for("gateway"))
        # Nothing but the new connection tells them.
        async with running_gateway(mesh, nats_url=url, heartbeat_seconds=1000.0) as gateway:
            waiter, reader = await gateway.user(), await gateway.user()
            async with stream(reader) as opened:
                post = wait_for(waiter)
                payment_id = await submitted(mesh, waiter)
                await server.process.kill()
                mesh.payments.complete(payment_id)
                missed = mesh.payments.pay(reader.id, "bob")
                assert (await reader.get("/readyz")).status_code == 200
                await server.process.start()
                answer = await post
                assert (answer.status_code, answer.json()["status"]) == (200, "COMPLETED")
                assert await opened.ids(1) == [missed.number]
                client = NatsClient()
                await client.connect(server.url_for("payment"), inbox_prefix="_INBOX_payment")
                later = mesh.payments.pay(reader.id, "bob")
                await client.publish("payments.event", event_batch([later]))
                await client.flush()
                assert await opened.ids(1) == [later.number]
                await client.close()


async def test_a_message_that_is_none(mesh: Mesh, publisher: NatsClient) -> None:
    """Rubbish on the subject is survived, and taken for a lost message."""
    async with running_gateway(mesh) as gateway:
        user = await gateway.user()
        async with stream(user) as opened:
            event = mesh.payments.pay(user.id, "bob")
            await publisher.publish("payments.event", b"\xff\xff\xff")
            assert await opened.ids(1) == [event.number]


async def test_a_service_comes_back(mesh: Mesh) -> None:
    """payment_svc is away when the gateway starts: not ready, 503 and no waiting. It comes, on the
    same address: ready, and payments are accepted. It goes again: 503 again, but still ready,
    because no other gateway would fare better."""
    port = find_free_port()
    fake = FakePayments()
    target = f"127.0.0.1:{port}"
    async with running_gateway(mesh, payment_target=target, wait_ready=False) as gateway:
        user = await gateway.user()
        answer = await user.post("/payments/send", SEND)
        assert (answer.status_code, answer.json()["code"]) == (503, "temporarily-unavailable")
        assert (await user.get("/readyz")).json()["waiting_for"] == ["payment"]
        async with running_fake(
            fake,
            module=payment_pb2,
            grpc_module=payment_pb2_grpc,
            service="PaymentService",
            tls=mesh.tls("payment"),
            port=port,
        ):
            await gateway.ready()
            assert (await user.post("/payments/send", SEND)).status_code == 202
        answer = await user.post("/payments/send", SEND)
        assert (answer.status_code, answer.json()["code"]) == (503, "temporarily-unavailable")
        assert (await user.get("/readyz")).status_code == 200


async def test_an_impostor(mesh: Mesh) -> None:
    """A server with a certificate of the mesh, but of another identity, is not payment_svc."""
    async with (
        running_fake(
            FakePayments(),
            module=payment_pb2,
            grpc_module=payment_pb2_grpc,
            service="PaymentService",
            tls=mesh.tls("barcode"),
        ) as port,
        running_gateway(mesh, payment_target=f"127.0.0.1:{port}", wait_ready=False) as gateway,
    ):
        user = await gateway.user()
        answer = await user.post("/payments/send", SEND)
        assert (answer.status_code, answer.json()["code"]) == (503, "temporarily-unavailable")


async def test_drain(mesh: Mesh) -> None:
    """Told to stop, a gateway says that it is not ready, still serves for the delay, finishes what
    it has begun, and then refuses connections."""
    mesh.payments.faults.hangs = asyncio.Event()
    async with running_gateway(mesh, drain_delay_seconds=0.5) as gateway:
        user, other = await gateway.user(), await gateway.user()
        post = asyncio.create_task(user.post("/payments/send", SEND))
        async with asyncio.timeout(10):
            while not mesh.payments.faults.calls:  # noqa: ASYNC110 - over the wire
                await asyncio.sleep(0.01)
        gateway.stopping.set()
        async with asyncio.timeout(10):
            while (await other.get("/readyz")).status_code == 200:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await other.get("/healthz")).status_code == 200
        mesh.payments.faults.hangs.set()
        assert (await post).status_code == 202
        async with asyncio.timeout(10):
            await asyncio.wait([gateway.ended])
        with pytest.raises(OSError, match=r"[Rr]efused|111"):
            await asyncio.open_connection("127.0.0.1", gateway.port)


async def test_nobody_is_cut_off_by_a_drain(mesh: Mesh) -> None:
    """While it says that it is going, every answer tells the client not to come again by the same
    connection. Who then goes elsewhere has no request on its way when connections are closed."""
    async with running_gateway(mesh, drain_delay_seconds=0.5) as gateway:
        user = await gateway.user()

        async def ask_till_told() -> None:
            answer = await user.get("/payments")
            while answer.headers.get("connection") != "close":
                assert answer.status_code == 200
                answer = await user.get("/payments")
            assert answer.status_code == 200

        async with asyncio.timeout(20), asyncio.TaskGroup() as clients:
            for _ in range(8):
                clients.create_task(ask_till_told())
            gateway.stopping.set()
            clients.create_task(asyncio.wait_for(gateway.ended, 20))


async def test_keys_change(mesh: Mesh, tmp_path: Path) -> None:
    """The issuer publishes a new key: its first token finds it. It withdraws the old one: as soon
    as the keys are read again, its tokens end, although they were good a moment ago."""
    issuer = Issuer(FakeClock())
    issuer.clock.seconds = 10.0**9  # its tokens live long
    keys = tmp_path / "keys.json"
    keys.write_bytes(issuer.source.document)
    claims: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE}
    async with running_gateway(
        mesh, jwks_file=str(keys), jwks_refresh_seconds_min=0.0001, jwks_refresh_seconds=1000.0
    ) as gateway:
        client = await gateway.client()

        async def status(token: str) -> int:
            headers = {"authorization": f"Bearer {token}"}
            return (await client.get("/payments", headers=headers)).status_code

        old = issuer.token(**claims)
        assert await status(old) == 200
        issuer.add("new", Ed25519PrivateKey.generate())
        keys.write_bytes(issuer.source.document)
        new = issuer.token(key_id="new", **claims)
        assert await status(new) == 200
        issuer.remove("ed")
        keys.write_bytes(issuer.source.document)
        invented = issuer.token(key=issuer.keys["new"][0], headers={"kid": "invented"}, **claims)
        assert await status(invented) == 401
        assert await status(old) == 401
        assert await status(new) == 200


async def test_no_keys(mesh: Mesh, tmp_path: Path) -> None:
    """Without keys nobody is let in and nobody is accused: 503 and not ready. When they come, it
    goes on by itself."""
    keys = tmp_path / "keys.json"
    async with running_gateway(
        mesh, jwks_file=str(keys), jwks_refresh_seconds_min=0.01, wait_ready=False
    ) as gateway:
        user = await gateway.user()
        answer = await user.get("/payments")
        assert (answer.status_code, answer.json()["code"]) == (503, "temporarily-unavailable")
        assert (await user.get("/readyz")).json()["waiting_for"][0] == "keys"
        keys.write_bytes((mesh.directory / "jwks.json").read_bytes())
        await gateway.ready()
        assert (await user.get("/payments")).status_code == 200


@asynccontextmanager
async def web_server(answer: bytes) -> AsyncIterator[str]:
    """A server that answers every request with these bytes; yields a URL of it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"


async def test_keys_from_a_url(mesh: Mesh) -> None:
    """They are fetched, and tokens pass."""
    keys = jwks_file(mesh.directory).read_bytes()
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + keys
    async with (
        web_server(answer) as url,
        running_gateway(mesh, jwks_file="", jwks_url=url) as gateway,
    ):
        user = await gateway.user()
        assert (await user.get("/payments")).status_code == 200


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n",
        b"HTTP/1.1 500 Internal Server Error\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 300_000 + b'{"keys":[]}',
        b"nonsense",
        b"",
    ],
)
async def test_keys_that_cannot_be_fetched(answer: bytes) -> None:
    """Redirects, errors, far too much, nothing: told as faults that the gateway survives."""
    async with web_server(answer) as url:
        with pytest.raises((KeySetError, OSError)):
            parse_key_set(await UrlKeySource(url).read())


@pytest.mark.parametrize(
    "changed",
    [
        {"jwks_file": "", "jwks_url": ""},
        {"jwks_url": "https://issuer.example/keys"},
        {"jwks_file": "", "jwks_url": "http://issuer.example/keys"},
        {"http_listen": "8080"},
    ],
)
async def test_settings_that_do_not_add_up(mesh: Mesh, changed: dict[str, str]) -> None:
    """They are told as settings faults before anything starts."""
    with pytest.raises(SettingsError):
        async with running_gateway(mesh, **changed):
            pass


async def test_an_address_that_is_taken(mesh: Mesh) -> None:
    """A gateway that cannot listen does not start."""
    taken = listen("127.0.0.1:0")
    taken.listen()
    port = taken.getsockname()[1]
    try:
        with pytest.raises(OSError, match="in use"):
            async with running_gateway(mesh, http_listen=f"127.0.0.1:{port}"):
                pass
    finally:
        taken.close()


async def test_a_token_that_ends_while_streaming(mesh: Mesh) -> None:
    """The stream ends with it."""
    async with running_gateway(mesh, token_leeway_seconds=0.0) as gateway:
        user = await gateway.user()
        user.http.headers["authorization"] = "Bearer " + mesh.token(
            user.id, "customer", life=timedelta(seconds=2)
        )
        async with stream(user) as opened:
            with pytest.raises(StopAsyncIteration):
                await opened.next()
