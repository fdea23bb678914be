"""GET /events over the wire: what a browser or an app gets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from qrpay.type.v1 import failure_code_pb2
from tests.integration.gateway.conftest import Gateway, Mesh, Publish, User, running_gateway

FAILED = failure_code_pb2.FAILURE_CODE_INSUFFICIENT_FUNDS


@dataclass
class Event:
    """One server-sent event, as a browser understands it."""

    id: str = ""
    name: str = ""
    data: dict[str, Any] = field(default_factory=dict)


class Stream:
    """A parser of the event stream format, after the WHATWG standard."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.last_event_id = ""
        self.retries: list[int] = []
        self.comments: list[str] = []
        self._lines = response.aiter_lines()

    async def next(self) -> Event:
        """The next event. Raises ``StopAsyncIteration`` at the end of the stream."""
        event = Event()
        async with asyncio.timeout(20):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if line == "":
                    if event.data:
                        event.id = self.last_event_id
                        return event
                    event = Event()
                elif line.startswith(":"):
                    self.comments.append(line)
                elif name == "id":
                    self.last_event_id = value
                elif name == "retry":
                    self.retries.append(int(value))
                elif name == "event":
                    event.name = value
                elif name == "data":
                    event.data = json.loads(value)
        raise StopAsyncIteration

    async def opened(self) -> None:
        """Return when the first line was read: the stream is open and knows where it is."""
        await anext(self._lines)

    async def ids(self, count: int) -> list[int]:
        """The ids of the next events."""
        return [int((await self.next()).id) for _ in range(count)]


@asynccontextmanager
async def stream(user: User, *, last_event_id: str | int | None = None) -> AsyncIterator[Stream]:
    """An open stream."""
    headers = {} if last_event_id is None else {"last-event-id": str(last_event_id)}
    async with user.http.stream("GET", "/events", headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        opened = Stream(response)
        await opened.opened()
        yield opened


async def test_events_as_they_happen(
    gateway: Gateway, mesh: Mesh, alice: User, publish: Publish
) -> None:
    """Payer and payee hear of a completed payment, each with the number of an own entry; of a
    failed one the payer alone; a stranger of none."""
    payee, stranger = await gateway.user("merchant"), await gateway.user()
    async with stream(alice) as mine, stream(payee) as theirs, stream(stranger) as others:
        events = [mesh.payments.pay(alice.id, payee.id) for _ in range(3)]
        failing = mesh.payments.pay(alice.id, payee.id, FAILED)
        last = mesh.payments.pay(payee.id, stranger.id)
        await publish([*events, failing])
        await publish([last])
        seen = [await mine.next() for _ in range(4)]
        assert [event.name for event in seen] == ["payment.completed"] * 3 + ["payment.failed"]
        assert [event.data.get("number") for event in seen] == [1, 2, 3, None]
        assert seen[3].data["failure"]["code"] == "insufficient-funds"
        assert seen[0].data == {
            **(await alice.get(f"/payments/{seen[0].data['id']}")).json(),
            "number": 1,
        }
        heard = [await theirs.next() for _ in range(4)]
        assert [event.data["number"] for event in heard] == [1, 2, 3, 4]
        assert [int(event.id) for event in heard] == [it.number for it in [*events, last]]
        assert (await others.next()).data["id"] == last.payment.id


async def test_the_form_of_a_stream(alice: User) -> None:
    """Media type, no storing, no buffering in between, and when to come back."""
    async with stream(alice) as opened:
        headers = opened.response.headers
        assert headers["content-type"] == "text/event-stream"
        assert headers["cache-control"] == "no-store"
        assert headers["x-accel-buffering"] == "no"
        assert headers["x-content-type-options"] == "nosniff"


async def test_resuming_without_gap_or_double(
    mesh: Mesh, alice: User, publish: Publish, gateway: Gateway
) -> None:
    """The client loses its connection again and again while payments go on, told or not: with the
    last id it has seen it gets every event once, in order."""
    other = await gateway.user()
    numbers, seen = [], []
    last_event_id: str | int = mesh.payments.head_number
    for round_number in range(6):
        async with stream(alice, last_event_id=last_event_id) as opened:
            for step in range(4):
                mine = mesh.payments.pay(alice.id, other.id)
                numbers.append(mine.number)
                noise = mesh.payments.pay(other.id, "bob")
                if (round_number + step) % 3:
                    await publish([mine, noise])
            if round_number % 2:
                seen += await opened.ids(2)
                last_event_id = opened.last_event_id
    async with stream(alice, last_event_id=last_event_id) as opened:
        seen += await opened.ids(len(numbers) - len(seen))
        final = mesh.payments.pay(alice.id, other.id)
        await publish([final])
        assert await opened.ids(1) == [final.number]
    assert seen == numbers


async def test_resuming_from_before_everything(mesh: Mesh, alice: User) -> None:
    """Last-Event-ID 0 gives the whole history, over as many pages as it takes."""
    numbers = [mesh.payments.pay(alice.id, "bob").number for _ in range(10)]
    async with stream(alice, last_event_id=0) as opened:
        assert await opened.ids(10) == numbers


async def test_a_stream_without_an_id_starts_now(mesh: Mesh, alice: User, publish: Publish) -> None:
    """What happened before is not told."""
    mesh.payments.pay(alice.id, "bob")
    async with stream(alice) as opened:
        event = mesh.payments.pay(alice.id, "bob")
        await publish([event])
        assert await opened.ids(1) == [event.number]


async def test_a_gap_in_the_numbers(mesh: Mesh, alice: User, publish: Publish) -> None:
    """A message is lost on the way; when the next one comes, the stream reads what it missed."""
    async with stream(alice) as opened:
        events = [mesh.payments.pay(alice.id, "bob") for _ in range(4)]
        await publish(events[:1])
        await publish(events[3:])
        assert await opened.ids(4) == [event.number for event in events]


@pytest.mark.parametrize("header", ["-1", "x", "1e3", "9" * 30])
async def test_an_id_that_is_none(alice: User, header: str) -> None:
    """400, and named."""
    answer = await alice.get("/events", headers={"last-event-id": header})
    assert answer.status_code == 400
    assert [it["field"] for it in answer.json()["errors"]] == ["Last-Event-ID"]


async def test_streams_of_one_caller_are_limited(mesh: Mesh) -> None:
    """One too many is refused; when one closes, there is room again."""
    async with running_gateway(mesh, streams_per_caller_max=2) as gateway:
        user = await gateway.user()
        async with stream(user):
            async with stream(user):
                answer = await user.get("/events")
                assert (answer.status_code, answer.json()["code"]) == (429, "rate-limited")
                assert answer.headers["retry-after"]
            await room_for(user)


async def room_for(user: User) -> None:
    """Return when another stream of the user may open."""
    request = user.http.build_request("GET", "/events")
    async with asyncio.timeout(30):
        while (await user.http.send(request, stream=True)).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_silent_stream_and_a_lost_last_event(mesh: Mesh) -> None:
    """A heartbeat is heard in the silence. An event that was lost and followed by nothing is found
    all the same, by asking now and then."""
    async with running_gateway(mesh, heartbeat_seconds=0.2) as gateway:
        user = await gateway.user()
        async with stream(user) as opened:
            event = mesh.payments.pay(user.id, "bob")
            assert await opened.ids(1) == [event.number]
            waiting = asyncio.create_task(opened.next())
            async with asyncio.timeout(10):
                while not opened.comments:  # noqa: ASYNC110 - over the wire
                    await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.wait([waiting])


async def test_a_client_that_does_not_read(mesh: Mesh, publish: Publish) -> None:
    """It does not hold up anybody else, falls behind, and is cut off after a while; its place is
    free again."""
    async with running_gateway(
        mesh, stream_send_seconds=0.5, stream_queue_max=8, streams_per_caller_max=1
    ) as gateway:
        slow, quick = await gateway.user(), await gateway.user()
        sock = socket.create_connection(("127.0.0.1", gateway.port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = f"GET /events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {slow.token}\r\n\r\n"
        sock.sendall(request.encode())
        async with stream(quick) as opened:
            for _ in range(30):
                events = [mesh.payments.pay(slow.id, "bob") for _ in range(25)]
                for event in events:
                    # Far larger than any real one: the buffers on the way hold megabytes.
                    event.payment.note = "x" * 30_000
                events.append(mesh.payments.pay(quick.id, "bob"))
                await publish(events)
                assert await opened.ids(1) == [events[-1].number]
            await room_for(slow)
        sock.close()


async def test_a_stream_ends_when_the_gateway_does(mesh: Mesh) -> None:
    """It ends in order and at once, and says when to come back."""
    async with running_gateway(mesh) as gateway:
        user = await gateway.user()
        async with stream(user) as opened:
            gateway.stopping.set()
            with pytest.raises(StopAsyncIteration):
                await opened.next()
            assert opened.retries
        async with asyncio.timeout(10):
            await asyncio.wait([gateway.ended])
