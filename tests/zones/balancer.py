"""What stands before the gateways: a load balancer that takes them in turn and leaves out those
that do not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from itertools import count

import httpx

_LOOK_EVERY_SECONDS = 1.0
_LOOK_SECONDS_MAX = 1.0
_FAILURES_MAX = 2
"""A gateway that failed so many looks in a row gets no requests until it answers again."""


class Balancer(httpx.AsyncBaseTransport):
    """Sends each request to the next gateway that is in service.

    A request is sent once: only a connection that could not be made is tried with the next one.
    What was sent and not answered is the client's to repeat.
    """

    def __init__(
        self, addresses: Iterable[str], *, on_answer: Callable[[httpx.Request, int], None]
    ) -> None:
        self._failures = dict.fromkeys(addresses, 0)
        self._turns = count()
        self._on_answer = on_answer
        self._transport = httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=50)
        )

    @property
    def in_service(self) -> list[str]:
        """Gateways that get requests; all of them if none answers, as there is nothing to lose."""
        healthy = [item for item, failures in self._failures.items() if failures < _FAILURES_MAX]
        return healthy or list(self._failures)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the gateway whose turn it is."""
        candidates = self.in_service
        first = next(self._turns)
        for turn in range(len(candidates)):
            host, _, port = candidates[(first + turn) % len(candidates)].partition(":")
            request.url = request.url.copy_with(host=host, port=int(port))
            try:
                response = await self._transport.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
            self._on_answer(request, response.status_code)
            return response
        raise httpx.ConnectError("no gateway takes a connection", request=request)

    async def run(self) -> None:
        """Look after the gateways until cancelled."""
        async with httpx.AsyncClient(timeout=_LOOK_SECONDS_MAX) as client:
            while True:
                began = time.monotonic()
                await asyncio.gather(*(self._look(client, item) for item in self._failures))
                await asyncio.sleep(max(0.0, began + _LOOK_EVERY_SECONDS - time.monotonic()))

    async def _look(self, client: httpx.AsyncClient, address: str) -> None:
        try:
            response = await client.get(f"http://{address}/readyz")
            self._failures[address] = 0 if response.is_success else self._failures[address] + 1
        except httpx.HTTPError:
            self._failures[address] += 1

    async def aclose(self) -> None:
        """Hang up."""
        await self._transport.aclose()
