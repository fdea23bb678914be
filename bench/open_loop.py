"""Open-loop load: requests come at a rate, whether or not the earlier ones were answered.

wrk waits for an answer before it asks again, so a slow system is asked less: it cannot be
overloaded that way. People do not wait for each other.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Sequence
from typing import NamedTuple, cast

_TICK_SECONDS = 0.005
_DRAIN_SECONDS_MAX = 15.0
_HEAD_END = b"\r\n\r\n"


class Answer(NamedTuple):
    """What became of one request."""

    due_at: float
    """When it should have been sent, seconds of the monotonic clock: waiting for a free connection
    counts as waiting."""
    seconds: float
    status: int
    """0: the connection broke, or none could be had."""


class Requests:
    """An endless supply of payments: random payers, each request with a key of its own."""

    def __init__(self, *, host: str, path: str, tokens: Sequence[str], currency: str) -> None:
        self._heads = [
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {token}\r\nIdempotency-Key: ".encode()
            for token in tokens
        ]
        self._run = secrets.token_hex(8)
        self._count = 0
        self._body = '{"to":"bench-%05d","amount":1,"currency":"' + currency + '"}'

    def next(self) -> bytes:
        """One more."""
        self._count += 1
        payers = len(self._heads)
        payer = random.randrange(payers)
        # Somebody else: nobody may pay themselves.
        recipient = (payer + random.randrange(payers - 1) + 1) % payers + 1
        body = self._body % recipient
        rest = f"{self._run}-{self._count}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        return self._heads[payer] + rest.encode()


class _Connection(asyncio.Protocol):
    """One connection with at most one request at a time."""

    def __init__(self, load: OpenLoop) -> None:
        self._load = load
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._due_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes, due_at: float) -> None:
        """Send a request."""
        assert self._transport is not None
        self._due_at = due_at
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        head_end = received.find(_HEAD_END)
        if head_end < 0 or len(received) < head_end + 4 + _content_length(received[:head_end]):
            self._received = received
            return
        self._received = b""
        self._load.answered(self._due_at, int(received[9:12]))
        self._due_at = 0.0
        if b"\r\nconnection: close" in received[:head_end].lower():
            self.close()
        else:
            self._load.free(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it
        if self._due_at:
            self._load.answered(self._due_at, 0)
        self._load.lost(self)

    @property
    def is_open(self) -> bool:
        """Whether a request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


def _content_length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + 15
    end = lower.find(b"\r\n", start)
    return int(lower[start : end if end >= 0 else len(lower)])


class OpenLoop:
    """Sends requests to one address at a rate that the answers do not change."""

    def __init__(
        self, requests: Requests, *, host: str, port: int, connections_max: int = 18_000
    ) -> None:
        self._requests = requests
        self._host, self._port = host, port
        self._connections_max = connections_max
        self._free: list[_Connection] = []
        self._all: set[_Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._open_requests = 0
        self.answers: list[Answer] = []

    async def run(self, *, per_second: float, seconds: float) -> None:
        """Send at this rate for so long. Answers that are still out are not waited for."""
        began = time.monotonic()
        sent = 0
        while (now := time.monotonic()) < began + seconds:
            due = int((now - began) * per_second)
            for number in range(sent, due):
                self._send(began + number / per_second)
            sent = max(sent, due)
            await asyncio.sleep(_TICK_SECONDS)

    async def drain(self) -> None:
        """Wait for the answers that are still out, and hang up."""
        until = time.monotonic() + _DRAIN_SECONDS_MAX
        while self._open_requests and time.monotonic() < until:  # noqa: ASYNC110 - bounded
            await asyncio.sleep(0.1)
        for connection in list(self._all):
            connection.close()

    def answered(self, due_at: float, status: int) -> None:
        """Take an answer down."""
        self._open_requests -= 1
        self.answers.append(Answer(due_at, time.monotonic() - due_at, status))

    def free(self, connection: _Connection) -> None:
        """A connection can be used again."""
        self._free.append(connection)

    def lost(self, connection: _Connection) -> None:
        """A connection is gone."""
        self._all.discard(connection)

    def _send(self, due_at: float) -> None:
        self._open_requests += 1
        while self._free:
            connection = self._free.pop()
            if connection.is_open:
                connection.ask(self._requests.next(), due_at)
                return
        if len(self._all) + len(self._opening) >= self._connections_max:
            self.answered(due_at, 0)
            return
        task = asyncio.create_task(self._send_on_new(due_at))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _send_on_new(self, due_at: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                lambda: _Connection(self), self._host, self._port
            )
        except OSError:
            self.answered(due_at, 0)
            return
        self._all.add(connection)
        connection.ask(self._requests.next(), due_at)
