"""The HTTP server: uvicorn inside our own event loop, with the limits that it lacks.

uvicorn's httptools protocol is the fast one, but it waits for ever for a request's head, takes a
head of any size, and reads on for ever what nobody wants to know after an answer was given. And it
answers in plain text where everything else here answers with a problem.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import socket
from collections.abc import Iterator
from typing import Any, ClassVar

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.problems import Problem
from gateway.settings import GatewaySettings

_UNREAD_BYTES_MAX = 1024 * 1024
"""What a client may still send after its request was answered, before the connection is cut."""

_STATUS_LINES = {
    400: b"HTTP/1.1 400 Bad Request\r\n",
    503: b"HTTP/1.1 503 Service Unavailable\r\n",
}


class _Reading(enum.Enum):
    """Which part of a request comes in at the moment."""

    NOTHING = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()


class GuardedProtocol(HttpToolsProtocol):
    """One connection. ``limits`` is set on a subclass per server: see ``HttpServer``."""

    limits: ClassVar[GatewaySettings]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._reading = _Reading.NOTHING
        self._head_bytes = 0
        self._unread_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connects; one too many is told so."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._start_head_timer()
        if len(self.connections) > self.limits.connections_max:
            self._refuse(Problem("temporarily-unavailable"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came in. A request's head must be complete within its size and its time."""
        before = self._reading
        super().data_received(data)
        if self._reading is _Reading.BODY or self.transport.is_closing():
            return
        if self._reading is _Reading.HEAD and before is not _Reading.BODY:
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.head_bytes_max:
                self._refuse(Problem("invalid-request", detail="The request's head is too large."))
                return
        # A request that is being answered has its own clocks, and keep-alive begins after it.
        if self._head_timer is None and (self.cycle is None or self.cycle.response_complete):
            self._start_head_timer()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._reading = _Reading.HEAD
        self._head_bytes = 0
        self._unread_bytes = 0
        # ASGI's place for what a server can do beyond the standard.
        self.scope["extensions"] = {"qrpay.abort": self.transport.abort}  # type: ignore[dict-item]

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._reading = _Reading.BODY
        self._stop_head_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body; after the answer nobody reads it."""
        super().on_body(body)
        if self.cycle.response_complete:
            self._unread_bytes += len(body)
            if self._unread_bytes > _UNREAD_BYTES_MAX:
                self.transport.abort()

    def on_message_complete(self) -> None:
        """The request is complete."""
        super().on_message_complete()
        self._reading = _Reading.NOTHING

    def send_400_response(self, _message: str) -> None:
        """What came in is not HTTP."""
        self._refuse(Problem("invalid-request", detail="This is not a valid HTTP request."))

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.body_seconds, self._head_too_late)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_too_late(self) -> None:
        self._head_timer = None
        self.transport.abort()

    def _refuse(self, problem: Problem) -> None:
        """Answer without any request having reached the application, and close."""
        if self.cycle is not None and not self.cycle.response_complete:
            # An answer to an earlier request is under way: a second one would mix with it.
            self.transport.abort()
            return
        body, headers = problem.render()
        head = [_STATUS_LINES[problem.type.status]]
        head += [b"%s: %s\r\n" % header for header in headers]
        head += [b"connection: close\r\ncache-control: no-store\r\n\r\n"]
        self.transport.write(b"".join([*head, body]))
        self.transport.close()


class HttpServer(uvicorn.Server):
    """uvicorn, told to leave signals, logging and its own command line's habits to us."""

    def __init__(self, app: ASGIApp, *, settings: GatewaySettings) -> None:
        protocol = type("Protocol", (GuardedProtocol,), {"limits": settings})
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(settings.trusted_proxies),
                forwarded_allow_ips=settings.trusted_proxies or None,
                timeout_keep_alive=settings.keep_alive_seconds,
                timeout_graceful_shutdown=max(1, int(settings.drain_seconds)),
            )
        )
        logging.getLogger("uvicorn").setLevel(logging.WARNING)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's business: it drains first."""
        yield


def listen(address: str) -> socket.socket:
    """A listening socket at ``host:port`` (``[host]:port`` for IPv6); port 0 takes a free one.

    Raises ``OSError``.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only a socket that says that it is TCP gets TCP_NODELAY from asyncio; without it every answer
    # waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener
