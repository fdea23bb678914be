"""Payment Done, inside this process: who waits for a payment, who streams an owner's events.

Events come over core NATS, which may lose them; they are numbered without gaps. So nothing here is
trusted to arrive: a gap in the numbers, or a connection that was lost, sends every waiter and every
stream to payment_svc for what it missed. A waiter that is never woken reads its payment once when
its time is over.

Everything but ``recheck_waiters`` is synchronous and belongs to one event loop: no event can come
between a look and the registration that follows it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from chassis.errors import ServiceError
from chassis.logs import get_logger
from gateway.payment_view import COMPLETED, event_answer, is_terminal
from gateway.recent import RecentlyUsed
from qrpay.payment.v1 import payment_pb2, payment_queue_pb2

RECHECK_MAX = 512
"""Payments asked for at a time (BatchGetPayments takes no more)."""

_RECHECK_PAUSE_SECONDS = 0.5

_LOG = get_logger(__name__)
_encode = msgspec.json.encode

ReadPayments = Callable[[Sequence[str]], Awaitable[Iterable[payment_pb2.Payment]]]


class Frame(NamedTuple):
    """One event as it goes to a stream."""

    number: int
    content: bytes


class Subscription:
    """One stream's place: the events that wait for it, or the fact that it must catch up."""

    def __init__(self, owner_id: str, *, queue_max: int) -> None:
        self.owner_id = owner_id
        self.frames: deque[Frame] = deque()
        self.behind = True
        self.ended = False
        self.changed = asyncio.Event()
        self._queue_max = queue_max

    def offer(self, frame: Frame) -> None:
        """An event for this stream. One too many, and it has to catch up instead."""
        if self.behind:
            return
        if len(self.frames) >= self._queue_max:
            self.fall_behind()
            return
        self.frames.append(frame)
        self.changed.set()

    def fall_behind(self) -> None:
        """Events were missed: what waits is dropped, it will all be read again."""
        self.behind = True
        self.frames.clear()
        self.changed.set()

    def end(self) -> None:
        """The stream ends: the client went away, or the process stops."""
        self.ended = True
        self.changed.set()


def frame_of(event: payment_pb2.PaymentEvent, owner_id: str) -> Frame | None:
    """The event as ``owner_id`` gets to see it; None if it does not.

    A payment that failed is nobody's business but the payer's. A top-up has no number and is not
    an event of anybody.
    """
    payment = event.payment
    for_payer = payment.payer.id == owner_id
    completed = payment.status == COMPLETED
    if event.number == 0 or not (for_payer or completed):
        return None
    name = b"payment.completed" if completed else b"payment.failed"
    data = _encode(event_answer(event, for_payer=for_payer))
    return Frame(event.number, b"id: %d\nevent: %s\ndata: %s\n\n" % (event.number, name, data))


class PaymentEvents:
    """The fan-out of Payment Done to this process's waiters and streams."""

    def __init__(self, *, recent_max: int, waiters_max: int, queue_max: int) -> None:
        self._recent: RecentlyUsed[str, payment_pb2.Payment] = RecentlyUsed(recent_max)
        self._waiters: dict[str, set[asyncio.Future[payment_pb2.Payment | None]]] = {}
        self._waiters_max = waiters_max
        self._waiting = 0
        self._subscriptions: dict[str, set[Subscription]] = defaultdict(set)
        self._queue_max = queue_max
        self._recheck = asyncio.Event()
        self._closed = False
        self.head_number: int | None = None
        """The highest number seen in a row; None: not known, the next event counts as a gap."""

    @property
    def waiting(self) -> int:
        """Requests that wait for a payment."""
        return self._waiting

    @property
    def streams(self) -> int:
        """Streams that are told."""
        return sum(map(len, [*self._subscriptions.values()]))

    def receive(self, batch: payment_queue_pb2.EventBatch) -> None:
        """Take the events of one message: wake who waits for them."""
        if batch.last_number and not self._continues(batch):
            self.lose_track("a gap in the event numbers")
        head_before = self.head_number or 0
        if batch.last_number > head_before:
            self.head_number = batch.last_number
        for event in batch.events:
            self._done(event.payment)
            # One from the past was streamed before, or read when its gap was seen.
            if self._subscriptions and event.number > head_before:
                self._offer(event)

    def lose_track(self, cause: str) -> None:
        """Events may have been missed: everybody has to look."""
        if self._waiters or self._subscriptions:
            _LOG.info("events_missed", cause=cause)
        self._recheck.set()
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.fall_behind()

    def forget_head(self) -> None:
        """The connection was lost: whatever number comes next, some may be missing before it."""
        self.head_number = None
        self.lose_track("the connection was lost")

    def catch_up_to(self, head_number: int) -> None:
        """payment_svc says that this event exists. If it never came here, events were lost."""
        if self.head_number is None or head_number > self.head_number:
            self.lose_track("the last events never came")
            self.head_number = head_number

    async def wait(self, payment_id: str, seconds: float) -> payment_pb2.Payment | None:
        """The payment as soon as it is terminal; None when time is over, when too many wait
        already, or when the process stops."""
        if (payment := self._recent.get(payment_id)) is not None:
            return payment
        if self._closed or self._waiting >= self._waiters_max:
            return None
        future: asyncio.Future[payment_pb2.Payment | None]
        future = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(payment_id, set()).add(future)
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            self._waiting -= 1
            if waiters := self._waiters.get(payment_id):
                waiters.discard(future)
                if not waiters:
                    del self._waiters[payment_id]

    def subscribe(self, owner_id: str) -> Subscription:
        """A place for one stream of the owner's events; it starts behind."""
        subscription = Subscription(owner_id, queue_max=self._queue_max)
        self._subscriptions[owner_id].add(subscription)
        if self._closed:
            subscription.end()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Give the place back."""
        places = self._subscriptions[subscription.owner_id]
        places.discard(subscription)
        if not places:
            del self._subscriptions[subscription.owner_id]

    def any_owner(self) -> str | None:
        """An owner who has a stream, or None."""
        return next(iter(self._subscriptions), None)

    def close(self) -> None:
        """The process stops: nobody waits any longer, every stream ends."""
        self._closed = True
        for waiters in self._waiters.values():
            for future in waiters:
                if not future.done():
                    future.set_result(None)
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.end()

    async def recheck_waiters(self, read: ReadPayments) -> None:
        """Whenever track was lost, read what is waited for; until cancelled."""
        while True:
            await self._recheck.wait()
            self._recheck.clear()
            ids = list(self._waiters)
            try:
                for start in range(0, len(ids), RECHECK_MAX):
                    for payment in await read(ids[start : start + RECHECK_MAX]):
                        if is_terminal(payment):
                            self._done(payment)
            except ServiceError as error:
                _LOG.warning("recheck_failed", reason=error.reason)
                await asyncio.sleep(_RECHECK_PAUSE_SECONDS)
                self._recheck.set()

    def _continues(self, batch: payment_queue_pb2.EventBatch) -> bool:
        # A batch from the past is no gap: it came late, or twice.
        return self.head_number is not None and batch.first_number <= self.head_number + 1

    def _done(self, payment: payment_pb2.Payment) -> None:
        self._recent.put(payment.id, payment)
        for future in self._waiters.pop(payment.id, ()):
            if not future.done():
                future.set_result(payment)

    def _offer(self, event: payment_pb2.PaymentEvent) -> None:
        for owner_id in {event.payment.payer.id, event.payment.payee.id}:
            subscriptions = self._subscriptions.get(owner_id)
            if not subscriptions or (frame := frame_of(event, owner_id)) is None:
                continue
            for subscription in subscriptions:
                subscription.offer(frame)
