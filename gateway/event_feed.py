"""How Payment Done gets here: the core NATS subject ``payments.event``, and a look now and then
whether something got lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import nats.errors
from google.protobuf.message import DecodeError
from nats.aio.client import Client
from nats.aio.msg import Msg

from chassis.errors import ServiceError
from chassis.jetstream import JetStream, settle
from chassis.logs import get_logger
from gateway.payment_events import PaymentEvents
from qrpay.payment.v1 import payment_queue_pb2

SUBJECT = "payments.event"

_RETRY_SECONDS = 0.5

_LOG = get_logger(__name__)

ReadHead = Callable[[str], Awaitable[int]]
"""Owner id -> the highest event number of all owners."""


class EventFeed:
    """Keeps a subscription alive for as long as the process lives, NATS there or not."""

    def __init__(self, queue: JetStream, *, events: PaymentEvents) -> None:
        self._queue = queue
        self._events = events
        self._subscribed: Client | None = None
        self.connected_once = False

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            session = await self._queue.session()
            lost = asyncio.Event()
            session.when_lost(lost.set)
            try:
                await self._subscribe(session.client)
            except (nats.errors.Error, OSError, TimeoutError) as error:
                _LOG.warning("events_not_subscribed", error=type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self.connected_once = True
            # What came before this moment may have come to nobody.
            self._events.forget_head()
            await lost.wait()

    async def _subscribe(self, client: Client) -> None:
        # A client that lost its connection subscribes again by itself; a new one knows nothing.
        if client is not self._subscribed:
            await client.subscribe(SUBJECT, cb=self._receive)
            self._subscribed = client
        await settle(client)

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
    events: PaymentEvents, read_head: ReadHead, *, every_seconds: float
) -> None:
    """Look whether the newest event came here, as long as anybody streams; until cancelled.

    The numbers show a gap only when a later event comes; the last one before a silence would be
    missed until then. This also keeps streams going, slowly, while NATS is away.
    """
    while True:
        await asyncio.sleep(every_seconds)
        owner_id = events.any_owner()
        if owner_id is None:
            continue
        try:
            events.catch_up_to(await read_head(owner_id))
        except ServiceError as error:
            _LOG.warning("events_head_not_read", reason=error.reason)
