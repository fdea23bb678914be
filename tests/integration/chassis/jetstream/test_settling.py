"""When a server is known to have read what it was sent."""

from __future__ import annotations

import asyncio

from nats.aio.client import Client

from chassis.jetstream import settle
from embedded.ports import LOOPBACK


class Listener:
    """Reads as a NATS server does, slowly, and answers pings."""

    def __init__(self) -> None:
        self.read: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        writer.write(b'INFO {"max_payload":1024}\r\n')
        while line := await reader.readline():
            verb = line.split()[0]
            if verb == b"PING":
                writer.write(b"PONG\r\n")
                # Whoever got this answer may act on it before the next line is looked at.
                await asyncio.sleep(0.05)
            self.read.append(verb)
        writer.close()


async def test_settled_is_what_the_server_has_read() -> None:
    """Goal: after `settle` the subscription is there; a ping that overtook it proves nothing."""
    listener = Listener()
    async with await asyncio.start_server(listener.serve, LOOPBACK) as server:
        port = server.sockets[0].getsockname()[1]
        client = Client()
        await client.connect(f"nats://{LOOPBACK}:{port}")
        await client.subscribe("some.subject")
        await settle(client)
        assert b"SUB" in listener.read
        await client.close()
