"""What the tests of the queue share: a handler that remembers, and questions to the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from chassis.jetstream import Consumer, ConsumerSpec, JetStream, Message, StreamSpec

Handle = Callable[[Sequence[Message[int]]], Awaitable[None]]
_numbers = count(1)


class Handled:
    """A handler that remembers, and that can be held, told to fail, and waited for."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.deliveries: list[tuple[int, int]] = []
        """(value, times delivered), in the order of handling."""
        self.errors: list[BaseException] = []
        """Raised by the next calls, one each."""
        self.open = asyncio.Event()
        self.open.set()
        self._changed = asyncio.Condition()

    async def __call__(self, messages: Sequence[Message[int]]) -> None:
        async with self._changed:
            self.calls.append([message.value for message in messages])
            self.deliveries += [(message.value, message.delivered) for message in messages]
            self._changed.notify_all()
        await self.open.wait()
        if self.errors:
            raise self.errors.pop(0)

    @property
    def values(self) -> list[int]:
        """Everything that was handled, in order."""
        return [value for value, _ in self.deliveries]

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until calls have come that satisfy this."""
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(reached)


@asynccontextmanager
async def consuming(
    jetstream: JetStream, spec: ConsumerSpec, handle: Handle, **options: Any
) -> AsyncIterator[asyncio.Event]:
    """Run a consumer of decimal numbers for as long as the context lives; gives its stop."""
    stop = asyncio.Event()
    consumer = Consumer(
        jetstream,
        spec,
        decode=options.pop("decode", int),
        handle=handle,
        expires_seconds=1.0,
        heartbeat_seconds=0.25,
        **options,
    )
    running = asyncio.create_task(consumer.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await running


async def publish(jetstream: JetStream, stream: StreamSpec, *values: int) -> None:
    """Publish numbers in this order."""
    for value in values:
        await jetstream.publish(
            f"{stream.name}.number", b"%d" % value, message_id=f"{stream.name}-{next(_numbers)}"
        )


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask the server again and again until it is so."""
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110 - the server tells nobody by itself
            await asyncio.sleep(0.02)


async def settled(jetstream: JetStream, spec: ConsumerSpec) -> bool:
    """Whether everything that was published has been acknowledged or terminated."""
    info = await jetstream.consumer_info(spec)
    return info is not None and info["num_pending"] == 0 and info["num_ack_pending"] == 0


async def administer(jetstream: JetStream, verb: str) -> None:
    """Call the JetStream API as an operator would."""
    session = await jetstream.session()
    reply = await session.client.request(f"$JS.API.{verb}", timeout=2)
    assert json.loads(reply.data)["success"]


async def delivered_to(jetstream: JetStream, spec: ConsumerSpec, number: int) -> bool:
    """Whether the server has sent out so many messages."""
    info = await jetstream.consumer_info(spec)
    return info is not None and info["delivered"]["stream_seq"] >= number


async def disconnected(jetstream: JetStream) -> bool:
    """Whether the connection is known to be lost."""
    return not jetstream.is_connected


async def exists(jetstream: JetStream, spec: ConsumerSpec) -> bool:
    """Whether the server has the consumer."""
    return await jetstream.consumer_info(spec) is not None


async def pulling(jetstream: JetStream, spec: ConsumerSpec) -> bool:
    """Whether the server knows of somebody who waits for messages."""
    info = await jetstream.consumer_info(spec)
    return info is not None and info["num_waiting"] > 0
