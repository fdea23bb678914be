"""The load balancer of a zones drill: whom it leaves out, and what it repeats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.zones.balancer import Balancer

REFUSING = "127.0.0.1:1"


@asynccontextmanager
async def gateway(answer: bytes, *, asked: list[bytes]) -> AsyncIterator[str]:
    """A server on loopback that answers everything the same, or hangs up without an answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1])
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


GOOD = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"


async def send(*addresses: str, times: int = 1) -> list[int]:
    """What answers are noted for some payments."""
    noted: list[int] = []
    balancer = Balancer(addresses, on_answer=lambda _request, status: noted.append(status))
    async with httpx.AsyncClient(transport=balancer, base_url="http://gateways") as client:
        for _ in range(times):
            await client.post("/payments/send")
    return noted


async def test_gateways_take_turns() -> None:
    """Each gets as many."""
    first: list[bytes] = []
    second: list[bytes] = []
    async with gateway(GOOD, asked=first) as one, gateway(GOOD, asked=second) as two:
        assert await send(one, two, times=6) == [202] * 6
    assert len(first) == len(second) == 3


async def test_a_connection_that_is_refused_goes_to_the_next() -> None:
    """Nothing was sent, so nothing can happen twice."""
    asked: list[bytes] = []
    async with gateway(GOOD, asked=asked) as one:
        assert await send(REFUSING, one, times=2) == [202, 202]
    assert asked == [b"/payments/send"] * 2


async def test_what_was_sent_is_never_sent_again() -> None:
    """A gateway that took a request and fell silent may have done it."""
    asked: list[bytes] = []
    async with gateway(b"", asked=asked) as one, gateway(GOOD, asked=asked) as two:
        with pytest.raises(httpx.RemoteProtocolError):
            await send(one, two)
    assert asked == [b"/payments/send"]


async def test_who_fails_two_looks_gets_nothing_until_it_answers() -> None:
    """One failed look is forgiven; the one after an answer counts as a first one again."""
    asked: list[bytes] = []
    async with gateway(GOOD, asked=asked) as one, httpx.AsyncClient() as client:
        balancer = Balancer([one, REFUSING], on_answer=lambda _request, _status: None)
        await balancer._look(client, REFUSING)
        assert balancer.in_service == [one, REFUSING]
        await balancer._look(client, REFUSING)
        assert balancer.in_service == [one]
        await balancer._look(client, one)
        assert balancer.in_service == [one]
        assert asked == [b"/readyz"]


async def test_with_nobody_in_service_all_are_tried() -> None:
    """Leaving out everybody would help nobody."""
    async with httpx.AsyncClient() as client:
        balancer = Balancer([REFUSING], on_answer=lambda _request, _status: None)
        for _ in range(3):
            await balancer._look(client, REFUSING)
        assert balancer.in_service == [REFUSING]
