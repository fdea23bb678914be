"""The admin port: a few plain HTTP answers about the process, for those who watch it.

``GET /metrics`` is what Prometheus scrapes, ``GET /livez`` says that the event loop turns. There is
no authentication and no TLS: the port listens on loopback unless told otherwise, and elsewhere
belongs behind a network policy. Nothing that is told here is secret or about a person.

It lives on the process's own event loop, so it must never get in the way: a few connections at a
time, a deadline for each, small heads, no bodies, one scrape at a time and that in small pieces.
No fault here takes the process down; an address that cannot be had is tried again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from chassis.logs import get_logger

if TYPE_CHECKING:
    from chassis.metering import Collect

_LOG = get_logger(__name__)

_CONNECTIONS_MAX = 16
"""As many are served at a time; as many more are told that there are too many."""
_HEAD_BYTES_MAX = 8_192
_SECONDS_MAX = 5.0
"""From the connection to the end of the answer. Prometheus waits for 10 s."""
_TURN_SECONDS = 0.001
"""How long a scrape keeps the event loop at a time."""
_AGAIN_SECONDS = 5.0
"""An address that could not be had is tried again so often."""
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


class _Answer(NamedTuple):
    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    allow: str = ""
    is_head_only: bool = False


class AdminServer:
    """Answers what the admin port is asked. ``collect`` reads the process's metrics; None if there
    are none."""

    def __init__(self, collect: Collect | None) -> None:
        self.port = 0
        """Where it listens; 0 as long as it does not."""
        self._collect = collect
        self._scraping = asyncio.Lock()
        self._connections: set[asyncio.Task[None]] = set()

    async def run(self, address: str) -> None:
        """Listen at ``host:port`` until cancelled; what is under way then is cut off."""
        host, _, port = address.rpartition(":")
        server = await self._listen(host.strip("[]"), int(port))
        try:
            await asyncio.Event().wait()
        finally:
            self.port = 0
            server.close()
            for connection in self._connections:
                connection.cancel()

    async def _listen(self, host: str, port: int) -> asyncio.Server:
        while True:
            try:
                server = await asyncio.start_server(
                    self._connected, host, port, limit=_HEAD_BYTES_MAX
                )
            except OSError as error:
                _LOG.error("admin port not had", port=port, error=error.strerror)
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                self.port = server.sockets[0].getsockname()[1]
                _LOG.info("admin port", port=self.port)
                return server

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= 2 * _CONNECTIONS_MAX:
            writer.transport.abort()
            return
        is_welcome = len(self._connections) < _CONNECTIONS_MAX
        # A task of our own: asyncio complains when one that it made is cancelled.
        task = asyncio.create_task(self._serve(reader, writer, is_welcome=is_welcome))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_welcome: bool
    ) -> None:
        try:
            async with asyncio.timeout(_SECONDS_MAX):
                answer = await self._answer_to(reader) if is_welcome else _Answer(503)
                head = _head(answer)
                writer.write(head if answer.is_head_only else head + answer.body)
                writer.write_eof()
                # A connection that is closed with something unread is reset, and the answer lost.
                while await reader.read(_HEAD_BYTES_MAX):
                    pass
        except (OSError, EOFError, TimeoutError):
            pass  # it went away, or takes its time
        except Exception as error:  # noqa: BLE001 - nothing here may end the process
            _LOG.error("admin request failed", exc_info=error)
        finally:
            writer.transport.abort()

    async def _answer_to(self, reader: asyncio.StreamReader) -> _Answer:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _Answer(431)
        method, target, version = _request_line(head)
        if not version.startswith("HTTP/"):
            return _Answer(400)
        if version not in ("HTTP/1.0", "HTTP/1.1"):
            return _Answer(505)
        page = {"/metrics": self._metrics, "/livez": self._livez}.get(target.partition("?")[0])
        if page is None:
            return _Answer(404)
        if method not in ("GET", "HEAD"):
            return _Answer(405, allow="GET, HEAD")
        answer = await page()
        return answer._replace(is_head_only=method == "HEAD")

    async def _livez(self) -> _Answer:
        return _Answer(200, b"ok\n")

    async def _metrics(self) -> _Answer:
        if self._collect is None:
            return _Answer(404)
        # Here, because it brings the SDK with it, which not every process needs.
        from chassis.exposition import CONTENT_TYPE, pieces

        async with self._scraping:
            parts, since = [], time.perf_counter()
            for piece in pieces(self._collect()):
                parts.append(piece)
                if time.perf_counter() - since > _TURN_SECONDS:
                    await asyncio.sleep(0)
                    since = time.perf_counter()
        return _Answer(200, "".join(parts).encode(), CONTENT_TYPE)


def _request_line(head: bytes) -> tuple[str, str, str]:
    """Method, target and version; empty if it is no request."""
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    return (words[0], words[1], words[2]) if len(words) == 3 else ("", "", "")


def _head(answer: _Answer) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    if answer.allow:
        lines.append(f"Allow: {answer.allow}")
    return "\r\n".join([*lines, "", ""]).encode()


@asynccontextmanager
async def admin_port(address: str, collect: Collect | None) -> AsyncIterator[AdminServer]:
    """The admin port at ``address`` for the time of the block."""
    server = AdminServer(collect)
    running = asyncio.create_task(server.run(address), name="admin port")
    try:
        yield server
    finally:
        running.cancel()
        await asyncio.wait([running])
