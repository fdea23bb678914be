"""The admin port: what it answers, and whom it does not let get in the way."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import Resource
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from chassis import admin
from chassis.admin import AdminServer, admin_port
from chassis.metering import with_ours
from chassis.metrics import Counter

_SEEN = Counter("qrpay.test.seen", unit="{thing}", description="Things.", attributes=("thing",))


def collect() -> MetricsData:
    """Our own instruments, without the SDK's."""
    return with_ours(None, Resource({"service.name": "test"}))


async def started(server: AdminServer) -> AdminServer:
    """The server, once it listens."""
    async with asyncio.timeout(10):
        while not server.port:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    return server


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """An admin port."""
    async with admin_port("127.0.0.1:0", collect) as server:
        yield (await started(server)).port


async def ask(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes; answer status, headers and body of what comes until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(20):
            answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split(" ")[1]), headers, body


def request(path: str, method: str = "GET") -> bytes:
    """A plain request."""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def test_metrics_are_read_by_prometheus_own_parser(port: int) -> None:
    """Goal: a value is there under its name, and of the type and length that the head says."""
    _SEEN.add(3, 'odd "quoted"\\\n')
    status, headers, body = await ask(port, request("/metrics?x=1"))
    assert status == 200
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert int(headers["content-length"]) == len(body)
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    (sample,) = families["qrpay_test_seen"].samples
    assert (sample.name, sample.labels) == ("qrpay_test_seen_total", {"thing": 'odd "quoted"\\\n'})
    assert sample.value >= 3
    assert families["target_info"].samples[0].labels == {"service_name": "test"}


async def test_head_is_get_without_a_body(port: int) -> None:
    """Goal: RFC 9110, section 9.3.2: the same head, and nothing after it."""
    for path in ("/metrics", "/livez"):
        status, headers, body = await ask(port, request(path, "HEAD"))
        assert (status, body) == (200, b"")
        assert int(headers["content-length"]) > 0


async def test_it_lives(port: int) -> None:
    """Goal: as long as the event loop turns."""
    assert (await ask(port, request("/livez")))[::2] == (200, b"ok\n")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request("/"), 404),
        (request("/metrics/"), 404),
        (request("/metrics", "POST"), 405),
        (request("/livez", "DELETE"), 405),
        (b"GET /metrics HTTP/2.0\r\n\r\n", 505),
        (b"GET /metrics\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02 \xff x\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 10_000 + b"\r\n\r\n", 431),
        (b"x" * 100_000, 431),
    ],
)
async def test_what_it_does_not_serve(port: int, sent: bytes, status: int) -> None:
    """Goal: every other request is answered with what is wrong with it, and nothing is left of it:
    the next one is served."""
    answered, headers, _ = await ask(port, sent)
    assert answered == status
    assert ("allow" in headers) == (status == 405)
    assert (await ask(port, request("/livez")))[0] == 200


async def test_a_client_that_sends_nothing_is_sent_away(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: silence, half a head, and an answer that is not taken keep a place for a short time
    only."""
    monkeypatch.setattr(admin, "_SECONDS_MAX", 0.2)
    for sent in (b"", b"GET /metrics HTTP/1.1\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


async def test_too_many_connections_at_a_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal: who comes on top of those that are served is told so at once; when they go, their
    places are free."""
    monkeypatch.setattr(admin, "_CONNECTIONS_MAX", 2)
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    status, _, _ = await ask(port, request("/livez"))
    assert status == 503
    for _, writer in idle:
        writer.close()
        await writer.wait_closed()
    async with asyncio.timeout(20):
        while (await ask(port, request("/livez")))[0] != 200:  # noqa: ASYNC110 - it is asked
            await asyncio.sleep(0.01)


async def test_scrapes_at_the_same_time_are_each_whole(port: int) -> None:
    """Goal: several readers do not mix up each other's answers."""
    for number in range(150):
        _SEEN.add(1, f"thing {number}")
    answers = await asyncio.gather(*(ask(port, request("/metrics")) for _ in range(8)))
    for status, _, body in answers:
        assert status == 200
        families = {item.name: item for item in text_string_to_metric_families(body.decode())}
        assert len(families["qrpay_test_seen"].samples) >= 150


async def test_a_fault_in_a_metric_ends_nothing() -> None:
    """Goal: metrics that cannot be read cost the scrape and not the process."""

    def fail() -> MetricsData:
        raise RuntimeError("broken")

    async with admin_port("127.0.0.1:0", fail) as server:
        await started(server)
        with capture_logs() as logs:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request("/metrics"))
            assert await reader.read() == b""
            writer.close()
        assert [line["event"] for line in logs] == ["admin request failed"]
        assert (await ask(server.port, request("/livez")))[0] == 200


async def test_an_address_that_is_taken_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal: a process whose admin port is taken works on, and has it as soon as it is free."""
    monkeypatch.setattr(admin, "_AGAIN_SECONDS", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken: int = other.getsockname()[1]
        context = admin_port(f"127.0.0.1:{taken}", collect)
        with capture_logs() as logs:
            server = await context.__aenter__()
            await asyncio.sleep(0.1)
    assert {line["event"] for line in logs} == {"admin port not had"}
    try:
        assert (await ask((await started(server)).port, request("/livez")))[0] == 200
    finally:
        await context.__aexit__(None, None, None)
