"""A TCP proxy whose network fails on demand: stalls, cuts, half-open connections, slowness.

proxy = await FaultyProxy.start("127.0.0.1", 5432)
...  # the code under test connects to 127.0.0.1:proxy.port
fired = proxy.trigger(lambda data: b"COMMIT" in data, proxy.cut, at="answer")
await fired.wait()
proxy.pass_through()
await proxy.close()
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

Direction = Literal["requests", "answers"]
Predicate = Callable[[bytes], bool]
Action = Callable[[], None]

_BOTH: frozenset[Direction] = frozenset({"requests", "answers"})
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
_CHUNK_BYTES = 65536


@dataclass
class _Trigger:
    predicate: Predicate
    action: Action
    at: Literal["request", "answer"]
    fired: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class _Connection:
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    server: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    pumps: list[asyncio.Task[None]] = field(default_factory=list)
    lost: set[Direction] = field(default_factory=set)
    """Where bytes were swallowed. It stays so: a stream that goes on after a hole is not TCP."""
    ended: set[Direction] = field(default_factory=set)
    """Whose sender has hung up."""
    awaited: list[_Trigger] = field(default_factory=list)
    """Triggers whose request has gone by, and whose answer has not."""
    is_reset: bool = False

    def reset(self) -> None:
        """RST to both sides; what is held back is lost."""
        self.is_reset = True
        for _, writer in (self.client, self.server):
            _reset(writer)
        for pump in self.pumps:
            pump.cancel()


class FaultyProxy:
    """Stands between a client and a server on the loopback, and is told how to behave.

    Starts by passing everything through. A mode holds for connections that are open and for new
    ones, until the next is set.
    """

    def __init__(self, target_host: str, target_port: int) -> None:
        self._target = target_host, target_port
        self._listener: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._accepting: set[asyncio.Task[None]] = set()
        self._triggers: list[_Trigger] = []
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._swallowed: frozenset[Direction] = frozenset()
        self._delay_seconds = 0.0
        self._bytes_per_second: float | None = None
        self._refusing = False
        self.accepted = 0
        """How many connections were ever opened through it."""

    @classmethod
    async def start(cls, target_host: str, target_port: int) -> FaultyProxy:
        """A proxy in front of a server, listening on a free port of 127.0.0.1."""
        proxy = cls(target_host, target_port)
        proxy._listener = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        return proxy

    @classmethod
    async def in_front_of(cls, url: str) -> FaultyProxy:
        """A proxy in front of the server of a URL."""
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        return await cls.start(parts.hostname, parts.port)

    def url(self, url: str) -> str:
        """The same URL, by way of the proxy."""
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{self.port}"))

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._listener is not None
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    @property
    def hung_up(self) -> int:
        """Of how many open connections the client has hung up, while the server does not know."""
        return sum("requests" in connection.ended for connection in self._connections)

    def pass_through(self) -> None:
        """Behave: forward what was held back and all that comes.

        A connection that has lost bytes stays silent. When one of its sides hangs up, or has hung
        up meanwhile, the other hears of it: its keepalive would meet a reset.
        """
        self._set_mode()
        for connection in list(self._connections):
            self._reset_if_heard_of(connection)

    def stall(self) -> None:
        """Accept and keep, forward nothing, lose nothing: a server that is stopped."""
        self._set_mode(flowing=False)

    def half_open(self, direction: Literal["both"] | Direction = "both") -> None:
        """Swallow what is sent that way, hang-ups included; nobody is told anything."""
        self._set_mode(swallowed=_BOTH if direction == "both" else frozenset({direction}))

    def slow(self, delay_seconds: float, bytes_per_second: float | None = None) -> None:
        """Forward each piece late, and only so many bytes a second per connection and direction."""
        self._set_mode(delay_seconds=delay_seconds, bytes_per_second=bytes_per_second)

    def refuse(self) -> None:
        """Reset new connections at once; those that are open go on."""
        self._set_mode(refusing=True)

    def cut(self) -> None:
        """Reset every open connection (RST, not FIN); new ones are treated as before."""
        for connection in list(self._connections):
            connection.reset()

    def trigger(
        self, predicate: Predicate, action: Action, *, at: Literal["request", "answer"] = "request"
    ) -> asyncio.Event:
        """Act once, at the first piece from a client that satisfies ``predicate``.

        ``action`` (such as ``proxy.cut``) is run before that piece is forwarded; ``at="answer"``:
        the piece is forwarded, and the action is run before the next piece that the server sends on
        the same connection. Answers an event that is set after the action.
        """
        trigger = _Trigger(predicate, action, at)
        self._triggers.append(trigger)
        return trigger.fired

    async def close(self) -> None:
        """Stop listening and reset what is open."""
        assert self._listener is not None
        self._listener.close()
        for accepting in list(self._accepting):
            accepting.cancel()
        pumps = [pump for connection in self._connections for pump in connection.pumps]
        self.cut()
        await asyncio.gather(*pumps, *self._accepting, return_exceptions=True)
        await self._listener.wait_closed()

    def _set_mode(
        self,
        *,
        flowing: bool = True,
        swallowed: frozenset[Direction] = frozenset(),
        delay_seconds: float = 0.0,
        bytes_per_second: float | None = None,
        refusing: bool = False,
    ) -> None:
        self._swallowed = swallowed
        self._delay_seconds = delay_seconds
        self._bytes_per_second = bytes_per_second
        self._refusing = refusing
        if flowing:
            self._flowing.set()
        else:
            self._flowing.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._refusing:
            _reset(writer)
            return
        task = asyncio.current_task()
        assert task is not None
        self._accepting.add(task)
        try:
            server = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        except asyncio.CancelledError:  # closed meanwhile
            _reset(writer)
            return
        finally:
            self._accepting.discard(task)
        connection = _Connection((reader, writer), server)
        self._connections.add(connection)
        connection.pumps = [
            asyncio.create_task(self._pump(connection, reader, server[1], "requests")),
            asyncio.create_task(self._pump(connection, server[0], writer, "answers")),
        ]

    async def _pump(
        self,
        connection: _Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        direction: Direction,
    ) -> None:
        try:
            while data := await reader.read(_CHUNK_BYTES):
                self._pull_triggers(connection, direction, data)
                if not await self._may_pass(connection, direction, size=len(data)):
                    continue
                writer.write(data)
                await writer.drain()
            connection.ended.add(direction)
            if await self._may_pass(connection, direction):
                writer.write_eof()
            else:
                self._reset_if_heard_of(connection)
        except OSError:  # a reset goes on as a reset
            connection.ended.add(direction)
            if await self._may_pass(connection, direction):
                connection.reset()
            else:
                self._reset_if_heard_of(connection)
        finally:
            self._forget_if_over(connection, direction)

    async def _may_pass(
        self, connection: _Connection, direction: Direction, *, size: int = 0
    ) -> bool:
        seconds = self._delay_seconds
        if self._bytes_per_second:
            seconds += size / self._bytes_per_second
        if seconds:
            await asyncio.sleep(seconds)
        await self._flowing.wait()
        if direction in self._swallowed:
            connection.lost.add(direction)
        return direction not in connection.lost and not connection.is_reset

    def _reset_if_heard_of(self, connection: _Connection) -> None:
        if connection.lost and connection.ended and not self._swallowed:
            connection.reset()

    def _pull_triggers(self, connection: _Connection, direction: Direction, data: bytes) -> None:
        due: list[_Trigger] = []
        if direction == "answers":
            due, connection.awaited = connection.awaited, []
        else:
            for trigger in [item for item in self._triggers if item.predicate(data)]:
                self._triggers.remove(trigger)
                (due if trigger.at == "request" else connection.awaited).append(trigger)
        for trigger in due:
            trigger.action()
            trigger.fired.set()

    def _forget_if_over(self, connection: _Connection, direction: Direction) -> None:
        """Both sides have hung up and know it, or it is reset."""
        connection.ended.add(direction)
        if connection.is_reset or (connection.ended == _BOTH and not connection.lost):
            self._connections.discard(connection)
            for _, writer in (connection.client, connection.server):
                writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        connected: socket.socket = writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    writer.transport.abort()
