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
from typing import Any, ClassVar, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.intake import Intake, is_whole_payment
from gateway.meters import count_request, count_shed
from gateway.operation import CONNECTION
from gateway.problems import Problem
from gateway.settings import GatewaySettings

_UNREAD_BYTES_MAX = 16 * 1024 * 1024
"""What a client may still send after its request was answered, before the connection is cut. As
much as a photo: most clients read the answer after they have sent all, and whoever takes a photo
for a logo shall read that it is too large."""

_BACKLOG = 4096
"""Connections that wait to be accepted. The kernel drops what comes beyond, and clients knock again
only after a second, then three, then seven."""

_HEAD_START = b"HTTP/1.1 "
_INTERIM_HEAD_START = b"HTTP/1.1 1"
_STATUS_LINES = {
    400: b"HTTP/1.1 400 Bad Request\r\n",
    503: b"HTTP/1.1 503 Service Unavailable\r\n",
}

_PAYMENTS = b"/payments/"
"""What is posted below this moves money."""


class _Reading(enum.Enum):
    """Which part of a request comes in at the moment."""

    NOTHING = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()


class _JoiningTransport:
    """The transport as uvicorn sees it: the head of an answer is held back until the first piece of
    its body comes, and both go out in one system call instead of two."""

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, content: bytes) -> None:
        if self._head:
            content, self._head = self._head + content, b""
        elif content.startswith(_HEAD_START) and not content.startswith(_INTERIM_HEAD_START):
            self._head = content
            return
        self._transport.write(content)

    def write_whole(self, content: bytes) -> None:
        """Write an answer that is complete."""
        self._transport.write(content)

    def flush(self) -> None:
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)


class GuardedProtocol(HttpToolsProtocol):
    """One connection. What is common to all is set on a subclass per server: see ``HttpServer``."""

    limits: ClassVar[GatewaySettings]
    intake: ClassVar[Intake]
    last_answers: ClassVar[bool] = False
    """Whether each answer is the last one on its connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._reading = _Reading.NOTHING
        self._head_bytes = 0
        self._unread_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._is_counted = False
        """Whether the request that is being served counts in the intake."""
        self._is_shed = False
        """Whether the request that comes in is refused as soon as it is complete."""
        self._was_shed = False
        """Whether that has just happened."""
        self._shed_at = 0.0
        """When a request was last refused unparsed, seconds of the loop's clock."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connects; one too many is told so."""
        joining = _JoiningTransport(cast("asyncio.Transport", transport))
        super().connection_made(cast("asyncio.Transport", joining))
        self._start_head_timer()
        if len(self.connections) > self.limits.connections_max:
            self._refuse(Problem("temporarily-unavailable"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self._stop_head_timer()
        self.release_intake()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came in. A request's head must be complete within its size and its time."""
        if self.intake.is_full and self._is_idle and is_whole_payment(data):
            self._shed_unparsed()
            return
        before = self._reading
        super().data_received(data)
        if self._reading is _Reading.BODY or self.transport.is_closing():
            return
        if self._reading is _Reading.HEAD and before is not _Reading.BODY:
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.head_bytes_max:
                self._refuse(Problem("invalid-request", detail="The request's head is too large."))
                return
        if self._was_shed:
            self._was_shed = False  # keep-alive has begun
            return
        # A request that is being answered has its own clocks, and keep-alive begins after it.
        if self._head_timer is None and (self.cycle is None or self.cycle.response_complete):
            self._start_head_timer()

    @property
    def _is_idle(self) -> bool:
        """Whether no request is under way here."""
        return (
            self._reading is _Reading.NOTHING
            and not self.pipeline
            and (self.cycle is None or self.cycle.response_complete)
        )

    def _shed_unparsed(self) -> None:
        """Refuse a payment in its usual form, at half of what it costs to parse it first. The timer
        of the keep-alive is left alone, since winding up thousands is half of the rest."""
        self.intake.admit()
        if self.timeout_keep_alive_task is None or self.last_answers or self.flow.write_paused:
            self._stop_head_timer()
            self._shed(stays=not self.last_answers)
            self._was_shed = False
            return
        self._shed_at = self.loop.time()
        count_shed()
        cast("_JoiningTransport", self.transport).write_whole(_TOO_MANY)

    def timeout_keep_alive_handler(self) -> None:
        """Nothing has come for a while, unless it was shed."""
        left = self._shed_at + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            super().timeout_keep_alive_handler()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(
                left, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._reading = _Reading.HEAD
        self._head_bytes = 0
        self._unread_bytes = 0
        self.scope["extensions"] = {CONNECTION: self}  # type: ignore[dict-item]

    @property
    def body_is_complete(self) -> bool:
        """Whether the whole body of the newest request is there already."""
        return self._reading is not _Reading.BODY

    def abort(self) -> None:
        """Cut the connection off, whatever still waits to be sent."""
        self.transport.abort()

    def release_intake(self) -> None:
        """The payment that is being served is payment_svc's now, or over."""
        if self._is_counted:
            self._is_counted = False
            self.intake.release()

    def on_headers_complete(self) -> None:
        """The head is complete. A payment too many goes no further."""
        self._reading = _Reading.BODY
        self._stop_head_timer()
        is_first = self.cycle is None or self.cycle.response_complete
        if is_first and self.parser.get_method() == b"POST" and self.url.startswith(_PAYMENTS):
            self._is_counted = self.intake.admit()
            # Who waits for "100 Continue" gets the ordinary answers.
            self._is_shed = not self._is_counted and not self.expect_100_continue
            if self._is_shed:
                return
        super().on_headers_complete()
        if self.last_answers and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A piece of a body; after the answer nobody reads it."""
        if not self._is_shed:
            super().on_body(body)
        if self._is_shed or self.cycle.response_complete:
            self._unread_bytes += len(body)
            if self._unread_bytes > _UNREAD_BYTES_MAX:
                self.transport.abort()

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._reading = _Reading.NOTHING
        if self._is_shed:
            self._is_shed = False
            self._shed(stays=self.parser.should_keep_alive() and not self.last_answers)
        else:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is complete; one without a body is still held back."""
        cast("_JoiningTransport", self.transport).flush()
        self.release_intake()
        super().on_response_complete()

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

    def _shed(self, *, stays: bool) -> None:
        """Answer that there are too many, in one piece. ``stays``: the connection can be used
        again."""
        if self.flow.write_paused or self.transport.is_closing():
            self.transport.abort()  # somebody asks on and on, and reads no answers
            return
        count_shed()
        transport = cast("_JoiningTransport", self.transport)
        transport.write_whole(_TOO_MANY if stays else _TOO_MANY_AND_CLOSE)
        if stays:
            self._was_shed = True
            super().on_response_complete()
        else:
            transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Answer without any request having reached the application, and close."""
        if self.cycle is not None and not self.cycle.response_complete:
            # An answer to an earlier request is under way: a second one would mix with it.
            self.transport.abort()
            return
        count_request("", "", problem.type.status, 0.0)
        cast("_JoiningTransport", self.transport).write_whole(_rendered(problem, closes=True))
        self.transport.close()


def _rendered(problem: Problem, *, closes: bool) -> bytes:
    """A whole answer."""
    body, headers = problem.render()
    head = [_STATUS_LINES[problem.type.status]]
    head += [b"%s: %s\r\n" % header for header in headers]
    head += [b"connection: close\r\n"] if closes else []
    return b"".join([*head, b"cache-control: no-store\r\n\r\n", body])


_TOO_MANY = _rendered(Problem("temporarily-unavailable"), closes=False)
_TOO_MANY_AND_CLOSE = _rendered(Problem("temporarily-unavailable"), closes=True)


class HttpServer(uvicorn.Server):
    """uvicorn, told to leave signals, logging and its own command line's habits to us."""

    def __init__(self, app: ASGIApp, *, settings: GatewaySettings, intake: Intake) -> None:
        # A class body does not see the arguments of the same name.
        of_server = {"limits": settings, "intake": intake}

        self._protocol: type[GuardedProtocol] = type("Protocol", (GuardedProtocol,), of_server)
        super().__init__(
            uvicorn.Config(
                app,
                http=self._protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                backlog=_BACKLOG,
                server_header=False,
                proxy_headers=bool(settings.trusted_proxies),
                forwarded_allow_ips=settings.trusted_proxies or None,
                timeout_keep_alive=settings.keep_alive_seconds,
                timeout_graceful_shutdown=max(1, int(settings.drain_seconds)),
            )
        )
        logging.getLogger("uvicorn").setLevel(logging.WARNING)

    def drain(self) -> None:
        """Serve on, but tell every client not to come again by the same connection: one that is in
        use when it is closed costs a request."""
        self._protocol.last_answers = True

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
