"""How Payment Done gets here: the core NATS subject ``payments.event``, and a look now and then
whether something got lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from google.protobuf.message import DecodeError
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from chassis.errors import ServiceError
from chassis.logs import get_logger
from chassis.settings import Secret
from gateway.payment_events import PaymentEvents
from qrpay.payment.v1 import payment_queue_pb2

SUBJECT = "payments.event"
INBOX_PREFIX = "_INBOX_gateway"

_RETRY_SECONDS = 1.0
_RECONNECT_SECONDS = 1
_PING_SECONDS = 5

_LOG = get_logger(__name__)

ReadHead = Callable[[str], Awaitable[int]]
"""Owner id -> the highest event number of all owners."""


class EventFeed:
    """Keeps a subscription alive for as long as the process lives, NATS there or not."""

    def __init__(self, url: Secret, *, events: PaymentEvents) -> None:
        self._url = url
        self._events = events
        self.connected = False
        self.connected_once = False

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until told to stop."""
        listening = asyncio.create_task(self._listen(), name="listen to events")
        await _first_of(stop.wait(), listening)
        await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self) -> None:
        # nats-py reconnects by itself, but gives up for good when its credentials are refused.
        while True:
            closed = asyncio.Event()
            client = Client()
            try:
                await self._connect(client, closed)
                await client.subscribe(SUBJECT, cb=self._receive)
                await client.flush()
                self._now_connected()
                await closed.wait()
            except (NatsError, OSError, TimeoutError) as error:
                _LOG.warning("events_not_connected", error=type(error).__name__)
            finally:
                self.connected = False
                if not client.is_closed:
                    await client.close()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _connect(self, client: Client, closed: asyncio.Event) -> None:
        async def on_disconnected() -> None:
            self.connected = False
            _LOG.warning("events_disconnected")

        async def on_reconnected() -> None:
            self._now_connected()

        async def on_closed() -> None:
            closed.set()

        async def on_error(error: Exception) -> None:
            # A slow consumer's lost messages show as a gap in the numbers.
            _LOG.warning("events_error", error=type(error).__name__)

        await client.connect(
            [part.strip() for part in self._url.reveal().split(",")],
            name="gateway",
            inbox_prefix=INBOX_PREFIX,
            # Also while it connects for the first time: a server that is away is waited for.
            max_reconnect_attempts=-1,
            reconnect_time_wait=_RECONNECT_SECONDS,
            ping_interval=_PING_SECONDS,
            max_outstanding_pings=2,
            disconnected_cb=on_disconnected,
            reconnected_cb=on_reconnected,
            closed_cb=on_closed,
            error_cb=on_error,
        )

    def _now_connected(self) -> None:
        self.connected = self.connected_once = True
        self._events.forget_head()
        _LOG.info("events_connected")

    async def _receive(self, message: Msg) -> None:
        batch = payment_queue_pb2.EventBatch()
        try:
            batch.ParseFromString(message.data)
        except DecodeError:
            _LOG.error("events_malformed")
            self._events.forget_head()
            return
        self._events.receive(batch)


async def watch_for_lost_events(
    events: PaymentEvents, read_head: ReadHead, *, every_seconds: float, stop: asyncio.Event
) -> None:
    """Look whether the newest event came here, as long as anybody streams.

    The numbers show a gap only when a later event comes; the last one before a silence would be
    missed until then. This also keeps streams going, slowly, while NATS is away.
    """
    while not stop.is_set():
        await _first_of(stop.wait(), asyncio.sleep(every_seconds))
        owner_id = events.any_owner()
        if owner_id is None or stop.is_set():
            continue
        try:
            events.catch_up_to(await read_head(owner_id))
        except ServiceError as error:
            _LOG.warning("events_head_not_read", reason=error.reason)


async def _first_of(*waits: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(item) for item in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
