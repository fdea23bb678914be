"""Load that does not wait for answers, against a server that takes its time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.open_loop import OpenLoop, Requests

ANSWER = b"HTTP/1.1 %d Whatever\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers everything after a while, with statuses in turn; 0 hangs up instead."""

    def __init__(self, *, statuses: list[int], seconds: float) -> None:
        self._statuses = statuses
        self._seconds = seconds
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.rpartition(b"Content-Length: ")[2]))
                status = self._statuses[len(self.requests) % len(self._statuses)]
                self.requests.append(head)
                await asyncio.sleep(self._seconds)
                if not status:
                    break
                answer = ANSWER % status
                writer.write(answer[:20])
                await asyncio.sleep(0)
                writer.write(answer[20:])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[int]:
    """Serve; the port."""
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


def requests() -> Requests:
    """Payments of three payers."""
    return Requests(host="gateway", path="/payments/send", tokens=["a", "b", "c"], currency="USD")


async def test_as_many_requests_however_slow_the_answers() -> None:
    """Goal: the rate is the rate, each request has a key of its own, and every one is accounted
    for by its status, hang-ups too."""
    server = Server(statuses=[202, 503, 0], seconds=0.5)
    async with running(server) as port:
        load = OpenLoop(requests(), host="127.0.0.1", port=port)
        await load.run(per_second=60, seconds=0.5)
        assert 20 <= len(server.requests) + len(load.answers) <= 30, "nobody has waited"
        await load.drain()
    counts = Counter(answer.status for answer in load.answers)
    assert sum(counts.values()) == len(server.requests)
    assert set(counts) == {202, 503, 0}
    assert len({head.partition(b"Idempotency-Key: ")[2] for head in server.requests}) == len(
        server.requests
    )


async def test_connections_are_used_again_and_bounded() -> None:
    """Goal: quick answers need one connection; who finds none free counts as not served."""
    server = Server(statuses=[202], seconds=0.0)
    async with running(server) as port:
        load = OpenLoop(requests(), host="127.0.0.1", port=port)
        await load.run(per_second=50, seconds=0.3)
        await load.drain()
        assert server.connections <= 3
    slow = Server(statuses=[202], seconds=0.5)
    async with running(slow) as port:
        load = OpenLoop(requests(), host="127.0.0.1", port=port, connections_max=2)
        await load.run(per_second=50, seconds=0.3)
        await load.drain()
    counts = Counter(answer.status for answer in load.answers)
    assert counts[202] == slow.connections == 2
    assert counts[0] == len(load.answers) - 2 > 0
