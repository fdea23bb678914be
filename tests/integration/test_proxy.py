"""The proxy's faults are those of a network, or the tests that stand on it show nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.proxy import FaultyProxy

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo:
    """A server that answers each piece with itself, and keeps what it got."""

    def __init__(self) -> None:
        self.received = b""
        self.endings: asyncio.Queue[str] = asyncio.Queue()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while data := await reader.read(65536):
                self.received += data
                writer.write(data)
            self.endings.put_nowait("hung up")
        except ConnectionResetError:
            self.endings.put_nowait("reset")
        finally:
            writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, int]]:
    """The server and its port."""
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    async with server:
        yield echo, server.sockets[0].getsockname()[1]


@pytest.fixture
async def proxy(echo: tuple[Echo, int]) -> AsyncIterator[FaultyProxy]:
    """In front of the server."""
    proxy = await FaultyProxy.start("127.0.0.1", echo[1])
    yield proxy
    await proxy.close()


@pytest.fixture
async def client(proxy: FaultyProxy) -> AsyncIterator[Pair]:
    """A connection through the proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    yield reader, writer
    writer.close()


async def exchange(client: Pair, data: bytes) -> bytes:
    """Send, and read as much."""
    client[1].write(data)
    async with asyncio.timeout(10):
        return await client[0].readexactly(len(data))


async def is_silent(reader: asyncio.StreamReader) -> bool:
    """Whether nothing comes, not even an end."""
    try:
        async with asyncio.timeout(0.1):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


async def test_a_hang_up_goes_through(
    echo: tuple[Echo, int], proxy: FaultyProxy, client: Pair
) -> None:
    """Nothing set: bytes and ends arrive, and nothing is left of the connection."""
    assert await exchange(client, b"one") == b"one"
    client[1].write_eof()
    assert await client[0].read() == b""
    assert await echo[0].endings.get() == "hung up"
    async with asyncio.timeout(10):
        while proxy.connections:  # noqa: ASYNC110 - the proxy tells nobody
            await asyncio.sleep(0)


async def test_a_stall_loses_nothing(
    echo: tuple[Echo, int], proxy: FaultyProxy, client: Pair
) -> None:
    """What was sent while stalled arrives afterwards, in order."""
    await exchange(client, b"zero")
    proxy.stall()
    client[1].write(b"one")
    assert await is_silent(client[0])
    assert echo[0].received == b"zero"
    proxy.pass_through()
    assert await exchange(client, b"two") == b"one"
    assert await client[0].readexactly(3) == b"two"


async def test_a_cut_is_a_reset_on_both_sides(
    echo: tuple[Echo, int], proxy: FaultyProxy, client: Pair
) -> None:
    """RST and not FIN."""
    await exchange(client, b"one")
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        await client[0].read()
    assert await echo[0].endings.get() == "reset"
    assert proxy.connections == 0


async def test_half_open_tells_nobody(
    echo: tuple[Echo, int], proxy: FaultyProxy, client: Pair
) -> None:
    """Bytes and hang-ups vanish; after the outage the connection stays silent, and a side whose
    other side is gone is reset."""
    await exchange(client, b"one")
    proxy.half_open()
    client[1].write(b"two")
    assert await is_silent(client[0])
    client[1].close()
    await client[1].wait_closed()
    assert echo[0].endings.empty()
    assert echo[0].received == b"one"
    proxy.pass_through()
    assert await echo[0].endings.get() == "reset"


async def test_half_open_for_answers_only(
    echo: tuple[Echo, int], proxy: FaultyProxy, client: Pair
) -> None:
    """The server gets everything; new connections work again after the outage."""
    proxy.half_open("answers")
    client[1].write(b"one")
    assert await is_silent(client[0])
    assert echo[0].received == b"one"
    proxy.pass_through()
    client[1].write(b"two")
    assert await is_silent(client[0])
    other = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await exchange(other, b"three") == b"three"
    other[1].close()


async def test_slow_forwards_late_and_whole(proxy: FaultyProxy, client: Pair) -> None:
    """Slowness is not loss."""
    proxy.slow(0.01, 1_000_000)
    assert await exchange(client, bytes(20_000)) == bytes(20_000)


async def test_refuse_lets_nobody_in(proxy: FaultyProxy, client: Pair) -> None:
    """New connections are reset; those that are open go on."""
    await exchange(client, b"one")
    proxy.refuse()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    assert await exchange(client, b"two") == b"two"


async def test_a_trigger_acts_before_the_piece_or_before_its_answer(
    echo: tuple[Echo, int], proxy: FaultyProxy, client: Pair
) -> None:
    """Cut at the request: the server never sees it. Cut at the answer: only the client misses."""
    fired = proxy.trigger(lambda data: b"two" in data, proxy.cut, at="answer")
    await exchange(client, b"one")
    assert not fired.is_set()
    client[1].write(b"two")
    with pytest.raises(ConnectionResetError):
        await client[0].read()
    assert fired.is_set()
    assert echo[0].received == b"onetwo"

    proxy.trigger(lambda data: b"four" in data, proxy.cut)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    await exchange((reader, writer), b"three")
    writer.write(b"four")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    assert echo[0].received == b"onetwothree"
