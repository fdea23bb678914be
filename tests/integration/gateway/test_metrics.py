"""Rate, errors and duration of every HTTP route."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx

from chassis.metrics import Point
from gateway import meters
from tests.integration.gateway.conftest import Gateway, Mesh, Publish, running_gateway
from tests.integration.gateway.test_event_stream import stream
from tests.integration.gateway.test_waiting import SEND, submitted, wait_for

Ends = dict[tuple[str, str, str, str], int]


def counts() -> Ends:
    """How many requests ended how: method, route, status, error type."""
    names = ("http.request.method", "http.route", "http.response.status_code", "error.type")
    return {
        tuple(point.attributes.get(name, "") for name in names): sum(point.bucket_counts)  # type: ignore[misc]
        for point in meters._REQUESTS.points()
    }


def seconds_of(route: str) -> float:
    """How long all requests of a route took together."""
    points = meters._REQUESTS.points()
    return sum(item.value for item in points if item.attributes.get("http.route") == route)


class Counted:
    """What was counted since it was made, without the probes of whoever starts gateways."""

    def __init__(self) -> None:
        self._before = counts()

    def __call__(self) -> Ends:
        now, before = counts(), self._before
        risen = {key: now[key] - before.get(key, 0) for key in now}
        return {key: number for key, number in risen.items() if number and key[1] != "/readyz"}


async def test_every_request_is_counted_under_its_route(gateway: Gateway) -> None:
    """Goal: answers, refusals and errors, under the template of the path and nothing that anybody
    put into it; a made-up method or path makes no series of its own."""
    user = await gateway.user()
    counted = Counted()
    assert (await user.post("/payments/send", SEND)).status_code == 202
    for number in range(3):
        assert (await user.get(f"/payments/pay_nobodys{number}")).status_code == 404
        assert (await user.get(f"/nowhere/{number}")).status_code == 404
        assert (await user.http.request(f"MADE{number}", "/payments")).status_code >= 400
    assert (await user.http.post("/payments/send", content=b"{")).status_code == 400
    assert (await user.http.head("/healthz")).status_code == 200
    found = counted()
    assert found.pop(("POST", "/payments/send", "202", "")) == 1
    assert found.pop(("POST", "/payments/send", "400", "")) == 1
    assert found.pop(("GET", "/payments/{payment_id}", "404", "")) == 3
    assert found.pop(("GET", "", "404", "")) == 3
    assert found.pop(("HEAD", "/healthz", "200", "")) == 1
    assert {key[:2] for key in found} <= {("_OTHER", ""), ("", "")}, found
    assert sum(found.values()) == 3


async def test_faults_are_errors(gateway: Gateway, mesh: Mesh) -> None:
    """Goal: what is our fault has an error type; a refusal has none."""
    user = await gateway.user()
    counted = Counted()
    mesh.wallets.faults.raises = RuntimeError("broken")
    status = (await user.get("/wallets/me")).status_code
    assert status >= 500
    assert counted() == {("GET", "/wallets/me", str(status), str(status)): 1}


async def test_a_client_that_leaves_is_counted(gateway: Gateway) -> None:
    """Goal: half a request, and then nobody: neither an answer nor an error of ours."""
    counted = Counted()
    user = await gateway.user()
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = (
        "POST /payments/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {user.token}\r\nIdempotency-Key: k1\r\nContent-Length: 99\r\n\r\n"
    )
    writer.write(head.encode() + b'{"to"')
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.close()
    async with asyncio.timeout(20):
        while not (found := counted()):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    assert found == {("POST", "/payments/send", "499", ""): 1}
    assert reader is not None


async def test_what_the_client_waits_for_is_not_our_time(
    gateway: Gateway, mesh: Mesh, publish: Publish
) -> None:
    """Goal: neither the wait for a result that it asked for, nor an open stream, looks like a slow
    answer; and both are seen while they last."""
    user = await gateway.user()
    before = seconds_of("/payments/send"), seconds_of("/events")
    began, waited_seconds = time.monotonic(), 2.0

    def values(gauge: Any) -> float:
        found: list[Point] = gauge.points()
        return sum(point.value for point in found)

    waiting = wait_for(user)
    payment_id = await submitted(mesh, user)
    async with asyncio.timeout(20):
        while not values(meters._WAITERS):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    async with stream(user):
        assert values(meters._STREAMS) == 1
        await asyncio.sleep(waited_seconds)
    await publish([mesh.payments.complete(payment_id)])
    await waiting
    async with asyncio.timeout(20):
        while values(meters._STREAMS):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    # Both spanned all of the wait, so without it no more than the rest of this test is left.
    rest = time.monotonic() - began - waited_seconds
    assert 0 < seconds_of("/payments/send") - before[0] <= rest
    assert 0 < seconds_of("/events") - before[1] <= rest


async def test_shed_payments_are_counted(mesh: Mesh) -> None:
    """Goal: overload is refused before a request is even read, and is seen all the same."""
    async with running_gateway(mesh, intake_payments_max=1) as gateway:
        user = await gateway.user()
        release = asyncio.Event()

        async def hold(_payment: object) -> None:
            await release.wait()

        mesh.payments.before_answer = hold
        before = sum(point.value for point in meters._SHED.points())
        first = asyncio.create_task(user.post("/payments/send", SEND))
        async with asyncio.timeout(20):
            while not mesh.payments.requests:  # noqa: ASYNC110 - the fake tells nobody
                await asyncio.sleep(0.01)
        other: httpx.Response = await user.post("/payments/send", SEND)
        release.set()
        assert other.status_code == 503
        assert (await first).status_code in (200, 202)
        assert sum(point.value for point in meters._SHED.points()) == before + 1
