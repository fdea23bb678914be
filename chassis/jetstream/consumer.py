"""Takes messages from a durable consumer and has them handled: many at a time, each at least once.

consumer = Consumer(
    jetstream, EXECUTOR, decode=TaskBatch.FromString, handle=execute,
    weight=lambda batch: len(batch.tasks), weight_max=256, concurrency=2,
)
await consumer.run(stop)
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from nats.aio.msg import Msg

from chassis.batching import is_outage
from chassis.errors import Unavailable
from chassis.jetstream.connection import JetStream
from chassis.jetstream.measuring import count_delivered, handling
from chassis.jetstream.message import Lease, Message
from chassis.jetstream.puller import Puller
from chassis.jetstream.specs import ConsumerSpec
from chassis.logs import get_logger

Value = TypeVar("Value")

_LOG = get_logger(__name__)

_PAUSE_SECONDS_MIN = 0.1
_PAUSE_SECONDS_MAX = 5.0
_HANDBACK_SECONDS = 0.2
"""How long a message rests that we hand back because we stop."""


class Consumer(Generic[Value]):
    """Feeds one handler from one durable consumer.

    ``decode`` turns a payload into a value; ``handle`` gets everything that is there, in the order
    of the stream, up to a total ``weight`` of ``weight_max``; at most ``concurrency`` calls run at
    a time. Up to ``buffer_max`` messages wait here; what is held is kept alive in the queue.

    What becomes of the messages when ``handle``
    - returns: acknowledged, except those that it has settled itself;
    - raises an outage (``Unavailable``, ``Overloaded``, ``DeadlineExceeded``): kept, and handled
      again after a growing pause until it works or we stop. No delivery is used up;
    - raises anything else, or runs into ``spec.handler_seconds_max`` and is cancelled: delivered
      again later, each on its own, so that a poisoned message cannot drag others down.

    ``reject`` gets a message that cannot be decoded, or whose last delivery failed, and the reason;
    it puts it where people find it. It is called until it returns; then the message is terminated.
    """

    def __init__(
        self,
        jetstream: JetStream,
        spec: ConsumerSpec,
        *,
        decode: Callable[[bytes], Value],
        handle: Callable[[Sequence[Message[Value]]], Awaitable[None]],
        reject: Callable[[Message[Value], str], Awaitable[None]] | None = None,
        weight: Callable[[Value], int] = lambda _value: 1,
        weight_max: int = 256,
        concurrency: int = 1,
        buffer_max: int = 64,
        expires_seconds: float = 30.0,
        heartbeat_seconds: float = 5.0,
    ) -> None:
        if min(weight_max, concurrency, buffer_max) < 1:
            raise ValueError("weight_max, concurrency and buffer_max are at least 1")
        self._spec = spec
        self._decode = decode
        self._handle = handle
        self._reject = reject
        self._weight = weight
        self._weight_max = weight_max
        self._concurrency = concurrency
        self._buffer_max = buffer_max
        self._buffer: deque[tuple[int, Message[Value]]] = deque()
        """Messages with their weights."""
        self._held: set[Message[Value]] = set()
        """Everything that is ours and not settled: in the buffer or being handled."""
        self._arrived = asyncio.Event()
        self._puller = Puller(
            jetstream=jetstream,
            spec=spec,
            room=self._room,
            deliver=self._deliver,
            expires_seconds=expires_seconds,
            heartbeat_seconds=heartbeat_seconds,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until told to stop; then finish what is being handled, hand back the rest."""
        pulling = asyncio.create_task(self._puller.run(), name=f"pull {self._spec.name}")
        keeping = asyncio.create_task(self._keep_alive(), name=f"keep {self._spec.name}")
        workers = [
            asyncio.create_task(self._work(stop), name=f"handle {self._spec.name}")
            for _ in range(self._concurrency)
        ]
        stopping = asyncio.create_task(stop.wait())
        try:
            # Besides stop, only a defect of ours ends any of them.
            await asyncio.wait(
                [stopping, pulling, keeping, *workers], return_when=asyncio.FIRST_COMPLETED
            )
            await _cancel(pulling)
            self._arrived.set()  # idle workers look up and see stop
            if stop.is_set():
                # At once: others can begin with it while we finish what is being handled.
                await self._hand_back(message for _, message in self._buffer)
                await asyncio.wait(workers)
        finally:
            await _cancel(stopping, pulling, *workers, keeping)
            await self._hand_back(self._held)
        for task in (pulling, keeping, *workers):
            if not task.cancelled() and (defect := task.exception()) is not None:
                raise defect

    def _room(self) -> int:
        # Half empty at least: pulls for single messages cost as much as those for many.
        room = self._buffer_max - len(self._buffer)
        return room if 2 * room >= self._buffer_max else 0

    def _deliver(self, raw: Msg, lease: Lease) -> None:
        weight = 0
        try:
            value = self._decode(raw.data)
            weight = self._weight(value)
            message = Message(raw, lease=lease, value=value)
        except Exception as error:  # noqa: BLE001 - whatever the decoder raises, it cannot be read
            message = Message(raw, lease=lease, fault=f"malformed: {type(error).__name__}")
        count_delivered(self._spec, again=message.delivered > 1)
        self._buffer.append((weight, message))
        self._held.add(message)
        self._arrived.set()

    async def _work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not self._buffer:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            messages = self._take()
            self._puller.look_again()
            if messages[0].fault:
                await self._give_up(messages[0], messages[0].fault, stop)
            else:
                await self._handle_or_hold(messages, stop)
            self._held.difference_update(messages)

    def _take(self) -> list[Message[Value]]:
        """What goes into one call: as much as fits, but what was delivered before goes alone."""
        total, first = self._buffer.popleft()
        messages = [first]
        while self._buffer and _may_share(first):
            weight, message = self._buffer[0]
            total += weight
            if total > self._weight_max or not _may_share(message):
                break
            messages.append(message)
            self._buffer.popleft()
        return messages

    async def _handle_or_hold(self, messages: list[Message[Value]], stop: asyncio.Event) -> None:
        pauses = 0
        while is_outage(error := await self._call(messages)):
            if pauses == 0:
                _LOG.warning("consumer_paused", consumer=self._spec.name, reason=error.reason)
            if await _paused(pauses, stop):
                await _nak(messages, _HANDBACK_SECONDS)
                return
            pauses += 1
        if pauses:
            _LOG.info("consumer_resumed", consumer=self._spec.name, pauses=pauses)
        if error is not None:
            await self._failed(messages, error, stop)
        for message in messages:
            await message.ack()  # unless it is settled by now

    async def _call(self, messages: list[Message[Value]]) -> Exception | None:
        """Call the handler with what is not settled; answers what it raised."""
        if not (unsettled := [message for message in messages if not message.settled]):
            return None
        try:
            async with asyncio.timeout(self._spec.handler_seconds_max) as limit:
                with handling(self._spec):
                    await self._handle(unsettled)
        except Exception as error:  # noqa: BLE001 - no handler may end the consumer
            if limit.expired():
                return TimeoutError(f"ran for more than {self._spec.handler_seconds_max} s")
            return error
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            # Not us: a call below was cancelled, as happens when its channel is closed.
            return Unavailable(str(error) or None)
        return None

    async def _failed(
        self, messages: list[Message[Value]], error: Exception, stop: asyncio.Event
    ) -> None:
        _LOG.error(
            "handler_failed",
            consumer=self._spec.name,
            sequences=[message.sequence for message in messages],
            delivered=messages[0].delivered,
            exc_info=error,
        )
        for message in messages:
            if message.delivered >= self._spec.max_deliver and not message.settled:
                reason = f"failed {message.delivered} times, last: {type(error).__name__}"
                await self._give_up(message, reason, stop)
        await _nak(messages, self._spec.retry_seconds * messages[0].delivered)

    async def _give_up(self, message: Message[Value], reason: str, stop: asyncio.Event) -> None:
        _LOG.error(
            "message_rejected",
            consumer=self._spec.name,
            sequence=message.sequence,
            delivered=message.delivered,
            reason=reason,
        )
        pauses = 0
        while self._reject is not None:
            try:
                async with asyncio.timeout(self._spec.handler_seconds_max):
                    await self._reject(message, reason)
                break
            except Exception as error:  # noqa: BLE001 - a dead letter is not lost for a hiccup
                _LOG.warning("reject_failed", consumer=self._spec.name, error=type(error).__name__)
                if await _paused(pauses, stop):
                    await _nak([message], _HANDBACK_SECONDS)
                    return
                pauses += 1
        await message.term(reason)

    async def _keep_alive(self) -> None:
        """Tell the queue that we still have what we have, so that nobody else gets it.

        A handler cannot use this to live for ever: ``handler_seconds_max`` ends it.
        """
        while True:
            await asyncio.sleep(self._spec.ack_wait_seconds / 3)
            for message in list(self._held):
                await message.in_progress()

    async def _hand_back(self, messages: Iterable[Message[Value]]) -> None:
        chosen = list(messages)
        self._buffer.clear()
        self._held.difference_update(chosen)
        await _nak(chosen, _HANDBACK_SECONDS)


def _may_share(message: Message[Value]) -> bool:
    """Whether it may be handled together with others: what failed before, or killed us, may not."""
    return not message.fault and message.delivered == 1


async def _nak(messages: Sequence[Message[Value]], seconds: float) -> None:
    # Spread out, so that what failed together does not come back together.
    for message in messages:
        await message.nak(delay_seconds=seconds * random.uniform(0.5, 1.5))  # noqa: S311 - jitter


async def _paused(pauses: int, stop: asyncio.Event) -> bool:
    """Wait a little longer each time; answers whether we are to stop."""
    seconds = min(_PAUSE_SECONDS_MIN * 2 ** min(pauses, 10), _PAUSE_SECONDS_MAX)
    try:
        async with asyncio.timeout(seconds * random.uniform(0.5, 1.0)):  # noqa: S311 - jitter
            await stop.wait()
    except TimeoutError:
        return False
    return True


async def _cancel(*tasks: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    # nats-py can swallow a cancellation (Client._flush_pending), so ask until it is heard.
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=1)
