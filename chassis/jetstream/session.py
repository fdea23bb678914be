"""One uninterrupted connection to the queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from nats.aio.client import Client


class Session:
    """One uninterrupted connection. What was learned over it is in doubt once it is lost."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.lost = False
        self._when_lost: list[Callable[[], None]] = []
        self._limits: set[asyncio.Timeout] = set()

    def when_lost(self, callback: Callable[[], None]) -> None:
        """Call this when the connection is lost; at once if it is already."""
        if self.lost:
            callback()
        else:
            self._when_lost.append(callback)

    @asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        """A time limit that also ends with the connection: no reply will come after that.

        Raises TimeoutError.
        """
        async with asyncio.timeout(seconds) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    def end(self) -> None:
        """The connection is lost."""
        self.lost = True
        now = asyncio.get_running_loop().time()
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(now)
        while self._when_lost:
            self._when_lost.pop()()


async def settle(client: Client, *, timeout_seconds: int = 10) -> None:
    """Wait until the server has read all that was given to `client`.

    Raises nats.errors.Error (a time-out, a closed connection).
    """
    # nats-py writes a ping past what it collects, so the first answer only says that the collected
    # is on its way; the second one comes after it.
    for _ in range(2):
        await client.flush(timeout=timeout_seconds)
