"""``GET /events``: an owner's Payment Done events as server-sent events (WHATWG HTML, 9.2).

``id:`` is the number of the event. A stream has a cursor: the last number it wrote. It is *behind*
when it starts and whenever events may have been missed; then it reads ListPaymentEvents from its
cursor until there are no more, while new events already queue up; those it has read are skipped by
their number. So a client that resumes with Last-Event-ID sees every event once, without a gap.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Receive, Send

from chassis import channel
from chassis.errors import ServiceError, Unavailable
from chassis.logs import get_logger
from gateway.operation import Call, Stream
from gateway.payment_events import PaymentEvents, Subscription, frame_of
from gateway.problems import Problem, invalid_request
from gateway.upstream import Upstream
from qrpay.payment.v1 import payment_pb2

RETRY_MILLISECONDS = 2_000
"""After how long a client connects again."""

_PAGE_SIZE = 500
_NUMBER_MAX = 2**63 - 1
_EVENT_ID = re.compile(rb"\d{1,19}")
_HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would collect the events instead of passing them on
)
_CATCH_UP_PAUSE_SECONDS = (0.5, 5.0)

_LOG = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class StreamLimits:
    """What one process and one caller may have, and the clocks of a stream, in seconds."""

    streams_max: int
    streams_per_caller_max: int
    heartbeat_seconds: float
    send_seconds: float


class EventsApi:
    """Handler of /events."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        events: PaymentEvents,
        limits: StreamLimits,
        monotonic: Callable[[], float],
    ) -> None:
        self._upstream = upstream
        self._events = events
        self._limits = limits
        self._monotonic = monotonic
        self._open: Counter[str] = Counter()

    async def stream(self, call: Call) -> Stream:
        """GET /events, from the event after Last-Event-ID or, without one, from now."""
        owner_id = call.user.id
        resume_after = _last_event_id(call)
        self._take_place(owner_id)
        try:
            # Subscribed before the first look: what happens in between waits in the queue.
            subscription = self._events.subscribe(owner_id)
            try:
                cursor = await self._first_cursor(owner_id, resume_after)
            except BaseException:
                self._events.unsubscribe(subscription)
                raise
        except BaseException:
            self._give_place_back(owner_id)
            raise
        stream = _EventStream(
            upstream=self._upstream,
            subscription=subscription,
            cursor=cursor,
            limits=self._limits,
            abort=call.connection.abort,
            ends_at=call.user.token_ends_at - self._monotonic(),
        )

        async def write(receive: Receive, send: Send) -> None:
            try:
                await stream.write(receive, send)
            finally:
                self._events.unsubscribe(subscription)
                self._give_place_back(owner_id)

        return Stream(write)

    def _take_place(self, owner_id: str) -> None:
        if self._open[owner_id] >= self._limits.streams_per_caller_max:
            raise Problem(
                "rate-limited", detail="Too many open event streams.", retry_after_seconds=5
            )
        if self._open.total() >= self._limits.streams_max:
            raise Unavailable
        self._open[owner_id] += 1

    def _give_place_back(self, owner_id: str) -> None:
        self._open[owner_id] -= 1
        if not self._open[owner_id]:
            del self._open[owner_id]

    async def _first_cursor(self, owner_id: str, resume_after: int | None) -> int:
        head = await read_head(self._upstream, owner_id)
        # A number that does not exist yet is nonsense, and would make us skip real events.
        return head if resume_after is None else min(resume_after, head)


async def read_head(upstream: Upstream, owner_id: str) -> int:
    """The highest event number of all owners. Raises ``ServiceError``."""
    page = await upstream.call(
        upstream.payment.ListPaymentEvents,
        payment_pb2.ListPaymentEventsRequest(
            owner_id=owner_id, after_number=_NUMBER_MAX, page_size=1
        ),
    )
    return page.head_number


class _EventStream:
    """One open stream."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        subscription: Subscription,
        cursor: int,
        limits: StreamLimits,
        abort: Callable[[], None],
        ends_at: float,
    ) -> None:
        self._upstream = upstream
        self._subscription = subscription
        self._cursor = cursor
        self._limits = limits
        self._abort = abort
        self._ends_in_seconds = ends_at

    async def write(self, receive: Receive, send: Send) -> None:
        """Write events until the client goes away, the token ends or the process stops."""
        subscription = self._subscription
        loop = asyncio.get_running_loop()
        # The token was good when the stream began; it is not good for ever.
        token_ends = loop.call_later(self._ends_in_seconds, subscription.end)
        watch = asyncio.create_task(_watch_client(receive, subscription), name="watch client")
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
            # An id without data moves the client's Last-Event-ID and shows it nothing: a client
            # that loses the connection before its first event can still resume from here.
            opening = b"retry: %d\nid: %d\n\n" % (RETRY_MILLISECONDS, self._cursor)
            await self._send(send, opening)
            while not subscription.ended:
                if subscription.behind:
                    await self._catch_up(send)
                else:
                    await self._write_queued(send)
                    await self._pause(send)
            # Everybody would come back in the same moment when a process stops: spread them.
            again = random.randint(RETRY_MILLISECONDS // 2, RETRY_MILLISECONDS * 2)  # noqa: S311
            await self._send(send, b"retry: %d\n\n" % again)
            await self._send(send, b"", more=False)
        except TimeoutError:
            # The client takes nothing. What waits for it would keep the connection open for ever.
            self._abort()
            await asyncio.wait([watch], timeout=self._limits.send_seconds)
        finally:
            token_ends.cancel()
            watch.cancel()

    async def _write_queued(self, send: Send) -> None:
        frames = self._subscription.frames
        while frames and not self._subscription.behind:
            contents = []
            while frames:
                frame = frames.popleft()
                if frame.number > self._cursor:
                    contents.append(frame.content)
                    self._cursor = frame.number
            if contents:
                await self._send(send, b"".join(contents))

    async def _catch_up(self, send: Send) -> None:
        subscription = self._subscription
        pause, pause_max = _CATCH_UP_PAUSE_SECONDS
        while subscription.behind and not subscription.ended:
            # From here on new events queue up again; falling behind once more starts all over.
            subscription.behind = False
            try:
                await self._write_missed(send)
            except ServiceError as error:
                _LOG.warning("stream_catch_up_failed", reason=error.reason)
                subscription.fall_behind()
                subscription.changed.clear()
                await self._pause(send, seconds=pause)
                pause = min(pause * 2, pause_max)

    async def _write_missed(self, send: Send) -> None:
        owner_id = self._subscription.owner_id
        more = True
        while more and not self._subscription.ended:
            channel.deadline.set(None)
            page = await self._upstream.call(
                self._upstream.payment.ListPaymentEvents,
                payment_pb2.ListPaymentEventsRequest(
                    owner_id=owner_id, after_number=self._cursor, page_size=_PAGE_SIZE
                ),
            )
            frames = [frame_of(event, owner_id) for event in page.events]
            contents = [frame.content for frame in frames if frame is not None]
            if page.events:
                self._cursor = page.events[-1].number
            if contents:
                await self._send(send, b"".join(contents))
            more = page.more and bool(page.events)

    async def _pause(self, send: Send, *, seconds: float | None = None) -> None:
        """Until something changes; a silence is broken by a heartbeat."""
        subscription = self._subscription
        try:
            async with asyncio.timeout(seconds or self._limits.heartbeat_seconds):
                await subscription.changed.wait()
        except TimeoutError:
            await self._send(send, b": still here\n\n")
        subscription.changed.clear()

    async def _send(self, send: Send, content: bytes, *, more: bool = True) -> None:
        """Raises ``TimeoutError`` if the client takes nothing."""
        async with asyncio.timeout(self._limits.send_seconds):
            await send({"type": "http.response.body", "body": content, "more_body": more})


async def _watch_client(receive: Receive, subscription: Subscription) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    subscription.end()


def _last_event_id(call: Call) -> int | None:
    header = call.headers.get(b"last-event-id")
    if not header:
        return None
    if not _EVENT_ID.fullmatch(header) or int(header) > _NUMBER_MAX:
        raise invalid_request(("Last-Event-ID", "must be the id of an event of this stream"))
    return int(header)
