"""The outermost layer: every request gets an id, every error an answer, every answer its safety
headers; and what is worth a log line gets one."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from opentelemetry.trace import Span, use_span
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.errors import ServiceError
from chassis.logs import get_logger
from gateway.endpoint import HEADERS, ClientGone
from gateway.meters import count_request
from gateway.operation import CONNECTION, Connection
from gateway.problems import Problem, to_problem
from gateway.traces import begin_request, end_request, show_late

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_NO_STORE = (b"cache-control", b"no-store")
_CLIENT_GONE = 499
"""Nobody reads this status; nginx writes it for a client that did not wait for its answer."""

_LOG = get_logger(__name__)


class Edge:
    """ASGI middleware around everything else."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        log_requests: bool,
        slow_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._log_requests = log_requests
        self._slow_seconds = slow_seconds
        self._monotonic = monotonic
        # Unique by the process's own part and a counter: cheaper than asking for randomness.
        self._process_part = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = scope[HEADERS] = dict(scope["headers"])
        request_id = self._request_id(headers.get(b"x-request-id"))
        exchange = _Exchange(scope, send, request_id, monotonic=self._monotonic)
        began = self._monotonic()
        span = begin_request(scope["method"], headers.get(b"traceparent"))
        try:
            with nullcontext() if span is None else use_span(span):
                await self._serve(scope, receive, exchange)
        finally:
            # Also for a request that was cut off.
            ended = self._monotonic()
            _count(scope, exchange, (exchange.stream_began or ended) - began)
            self._trace(scope, exchange, ended - began, span)
        self._log(scope, exchange, ended - began)

    async def _serve(self, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        try:
            await self._app(scope, receive, exchange.send)
        except Problem as problem:
            await exchange.answer(problem)
        except ServiceError as error:
            await exchange.answer(to_problem(error))
        except ClientGone:
            exchange.status = _CLIENT_GONE
        except Exception as error:  # noqa: BLE001 - the last line of defence of every request
            _LOG.error("request_failed", request_id=exchange.id_text, exc_info=error)
            await exchange.answer(Problem("internal-error"))

    def _request_id(self, given: bytes | None) -> bytes:
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given
        return f"req-{self._process_part}-{next(self._numbers):x}".encode()

    def _log(self, scope: Scope, exchange: _Exchange, seconds: float) -> None:
        seconds -= scope.get("qrpay.waited_seconds", 0.0)
        unremarkable = exchange.status < 500 and seconds < self._slow_seconds
        if unremarkable and scope.get("qrpay.quiet", False) and not self._log_requests:
            return
        # The route and not the path: nobody knows what people put into a path.
        _LOG.info(
            "request",
            request_id=exchange.id_text,
            method=scope["method"],
            route=scope.get("qrpay.route", "-"),
            status=exchange.status,
            problem=exchange.problem,
            milliseconds=round(seconds * 1000, 1),
        )

    def _trace(self, scope: Scope, exchange: _Exchange, seconds: float, span: Span | None) -> None:
        seconds -= scope.get("qrpay.waited_seconds", 0.0)
        told: dict[str, Any] = {
            "method": scope["method"],
            "route": scope.get("qrpay.route", ""),
            "status": exchange.status or _CLIENT_GONE,
            "problem": exchange.problem,
        }
        if span is not None:
            end_request(span, **told)
        elif exchange.status >= 500 or seconds >= self._slow_seconds:
            header = scope[HEADERS].get(b"traceparent")
            show_late(**told, header=header, seconds=seconds)


def _count(scope: Scope, exchange: _Exchange, seconds: float) -> None:
    seconds -= scope.get("qrpay.waited_seconds", 0.0)
    status = exchange.status or _CLIENT_GONE
    count_request(scope["method"], scope.get("qrpay.route", ""), status, max(0.0, seconds))


class _Exchange:
    """One request and what becomes of it."""

    def __init__(
        self, scope: Scope, send: Send, request_id: bytes, *, monotonic: Callable[[], float]
    ) -> None:
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._monotonic = monotonic
        self.stream_began = 0.0
        """When a stream's head was sent; 0 for an ordinary answer."""
        self.status = 0
        self.problem = ""

    @property
    def id_text(self) -> str:
        """The request's id, for logs."""
        return self._request_id.decode("ascii")

    async def send(self, message: Message) -> None:
        """Pass a message on; the start of an answer gets the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self._scope.get("qrpay.streams", False):
                self.stream_began = self._monotonic()
            headers = message["headers"]
            # Private unless the handler says otherwise (static QR codes, the documentation).
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append(_NO_STORE)
            headers.append(_NOSNIFF)
            headers.append((b"x-request-id", self._request_id))
        await self._send(message)

    async def answer(self, problem: Problem) -> None:
        """Answer with a problem; if an answer has begun, cut the connection instead, so that
        nobody takes half of it for the whole."""
        self.problem = problem.code
        if self.status:
            connection: Connection = self._scope["extensions"][CONNECTION]
            connection.abort()
            return
        body, headers = problem.render()
        await self.send(
            {"type": "http.response.start", "status": problem.type.status, "headers": headers}
        )
        await self._send({"type": "http.response.body", "body": body})
