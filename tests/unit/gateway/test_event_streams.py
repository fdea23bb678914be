"""A stream of events under everything that can happen to messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Unavailable
from gateway.auth import Caller
from gateway.events_api import EventsApi, StreamLimits
from gateway.operation import Call, Stream
from gateway.payment_events import PaymentEvents
from gateway.problems import Problem
from qrpay.payment.v1 import payment_pb2, payment_queue_pb2
from tests.unit.gateway.events import ME, OTHER, STRANGER, ListingUpstream, batch, event

TURNS = 40
"""Turns of the event loop in which everything that can run has run."""


class Client:
    """The other end of a stream: collects what it is sent."""

    def __init__(self) -> None:
        self.sent = b""
        self.gone = asyncio.Event()
        self.finished = False
        self.stuck = asyncio.Event()
        self.stuck.set()
        self.aborted = False
        self.body_is_complete = True

    async def receive(self) -> dict[str, Any]:
        """What the server hears from it: nothing, until it goes."""
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """What the server tells it."""
        await self.stuck.wait()
        if message["type"] == "http.response.body":
            self.sent += message["body"]
            self.finished = not message.get("more_body", False)

    def abort(self) -> None:
        """The server cuts the connection."""
        self.aborted = True
        self.gone.set()

    def release_intake(self) -> None:
        """The server may take in a payment."""

    def ids(self) -> list[int]:
        """The numbers of the events that it saw."""
        blocks = self.sent.decode().split("\n\n")
        return [
            int(line.removeprefix("id: "))
            for block in blocks
            if "event: " in block
            for line in block.split("\n")
            if line.startswith("id: ")
        ]

    def last_event_id(self) -> int:
        """What a browser would resume with."""
        lines = self.sent.decode().split("\n")
        return [int(line[4:]) for line in lines if line.startswith("id: ")][-1]


class Hub:
    """The gateway's side: the fan-out, the handler, and the list of all events."""

    def __init__(self, **limits: Any) -> None:
        self.upstream = ListingUpstream()
        self.events = PaymentEvents(recent_max=10, waiters_max=10, queue_max=4)
        values = {
            "streams_max": 10,
            "streams_per_caller_max": 3,
            "heartbeat_seconds": 1000,
            "send_seconds": 1000,
        }
        self.api = EventsApi(
            upstream=self.upstream,  # type: ignore[arg-type]
            events=self.events,
            limits=StreamLimits(**{**values, **limits}),
            monotonic=lambda: 0.0,
        )

    def happen(self, *kinds: str) -> payment_queue_pb2.EventBatch:
        """More events exist; their message is not delivered yet."""
        made = [_event_of(kind, self.head + 1 + index) for index, kind in enumerate(kinds)]
        self.upstream.events += made
        return batch(*made)

    @property
    def head(self) -> int:
        """The newest event's number."""
        return self.upstream.events[-1].number if self.upstream.events else 0

    def visible(self, after: int) -> list[int]:
        """What I must see after a number: all but strangers' payments and failures of others."""
        return [
            it.number
            for it in self.upstream.events
            if it.number > after
            and (
                it.payment.payer.id == ME
                or (
                    it.payment.payee.id == ME
                    and it.payment.status == payment_pb2.PAYMENT_STATUS_COMPLETED
                )
            )
        ]

    @asynccontextmanager
    async def client(
        self, last_event_id: int | None = None, *, token_seconds: float = 1000
    ) -> AsyncIterator[Client]:
        """A client with an open stream."""
        client = Client()
        header = {} if last_event_id is None else {b"last-event-id": b"%d" % last_event_id}
        call = Call(
            headers=header,
            path={},
            address="",
            connection=client,
            caller=Caller(ME, "customer", token_seconds),
        )
        stream = await self.api.stream(call)
        assert isinstance(stream, Stream)
        writing = asyncio.ensure_future(stream.write(client.receive, client.send))
        try:
            await settle()
            yield client
        finally:
            client.gone.set()
            client.stuck.set()
            await writing


def _event_of(kind: str, number: int) -> payment_pb2.PaymentEvent:
    return {
        "paid": lambda: event(number, payer=ME, payee=OTHER),
        "got": lambda: event(number, payer=OTHER, payee=ME),
        "failed": lambda: event(number, payer=ME, payee=OTHER, failed=True),
        "others failed": lambda: event(number, payer=OTHER, payee=ME, failed=True),
        "strangers": lambda: event(number, payer=OTHER, payee=STRANGER),
    }[kind]()


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


KINDS = st.lists(
    st.sampled_from(["paid", "got", "failed", "others failed", "strangers"]),
    min_size=1,
    max_size=6,
)
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["deliver", "deliver", "lose", "twice", "late", "reconnect", "fault", "resume"]
        ),
        KINDS,
        st.integers(0, 6) | st.just(TURNS),
    ),
    max_size=25,
)
"""What happens, to which events, and how many turns of the loop pass before the next thing: often
only so few that the stream is in the middle of something."""


@settings(max_examples=300)
@given(before=KINDS, actions=ACTIONS)
async def test_every_event_once_and_in_order(
    before: list[str], actions: list[tuple[str, list[str], int]]
) -> None:
    """Messages are delivered, lost, delivered twice or late; NATS reconnects; payment_svc fails for
    a while; the client loses its connection and resumes with the id it has. At the end it has seen
    every event of its own after its start: each once, in order, and nobody else's."""
    hub = Hub()
    hub.happen(*before)
    start = hub.head
    late: list[payment_queue_pb2.EventBatch] = []
    seen: list[int] = []
    last_id: int | None = None
    pending = list(actions)
    while True:
        async with hub.client(last_id) as client:
            while pending:
                action, kinds, turns = pending.pop(0)
                _act(hub, action, kinds, late)
                for _ in range(turns):
                    await asyncio.sleep(0)
                if action == "resume":
                    break
            hub.upstream.fault = None
            if not pending:
                hub.events.catch_up_to(hub.head)
            await settle()
            await _caught_up(hub, client, after=start if not pending else None)
            seen += client.ids()
            last_id = client.last_event_id()
        if not pending:
            break
    assert seen == hub.visible(after=start)


def _act(hub: Hub, action: str, kinds: list[str], late: list[payment_queue_pb2.EventBatch]) -> None:
    hub.upstream.fault = Unavailable() if action == "fault" else None
    if action == "reconnect":
        hub.events.forget_head()
    if action == "late" and late:
        hub.events.receive(late.pop())
    message = hub.happen(*kinds)
    if action in {"lose", "late"}:
        late.append(message)
    else:
        hub.events.receive(message)
    if action == "twice":
        hub.events.receive(message)


async def _caught_up(hub: Hub, client: Client, *, after: int | None) -> None:
    """Wait until the stream has nothing left to do; a failed look is repeated after a pause."""
    if after is None:
        return
    wanted = hub.visible(after=after)
    async with asyncio.timeout(10):
        while wanted and (not client.ids() or client.ids()[-1] < wanted[-1]):
            if client.last_event_id() >= wanted[-1]:
                return
            await asyncio.sleep(0.01)


async def test_a_stream_without_an_id_starts_now() -> None:
    """Nothing from before is shown, but the client learns where it is: it can resume from there
    although it saw no event."""
    hub = Hub()
    hub.happen("paid", "paid")
    async with hub.client() as client:
        assert client.ids() == []
        assert client.sent == b"retry: 2000\nid: 2\n\n"
    hub.happen("got")
    async with hub.client(client.last_event_id()) as again:
        assert again.ids() == [3]


async def test_an_id_from_the_future() -> None:
    """An id that no event has yet is taken for now: it must not hide the events to come."""
    hub = Hub()
    hub.happen("paid")
    async with hub.client(last_event_id=10**12) as client:
        hub.events.receive(hub.happen("paid"))
        await settle()
        assert client.ids() == [2]


@pytest.mark.parametrize("header", [b"-1", b"abc", b"1.5", b"9" * 19, b"9" * 30, b"1 2", b"\xff"])
async def test_an_id_that_is_none(header: bytes) -> None:
    """It is named as faulty, and the stream does not open."""
    hub = Hub()
    call = Call(
        headers={b"last-event-id": header},
        path={},
        address="",
        connection=Client(),
        caller=Caller(ME, "customer", 1000),
    )
    with pytest.raises(Problem) as caught:
        await hub.api.stream(call)
    assert [field for field, _ in caught.value.errors] == ["Last-Event-ID"]


async def test_streams_per_caller_are_limited_and_given_back() -> None:
    """The fourth is refused with 429; when one ends, another may come. A stream that could not
    open takes no place."""
    hub = Hub()
    hub.upstream.fault = Unavailable()
    for _ in range(10):
        with pytest.raises(Unavailable):
            async with hub.client():
                pass
    hub.upstream.fault = None
    async with hub.client(), hub.client():
        async with hub.client():
            with pytest.raises(Problem) as caught:
                async with hub.client():
                    pass
            assert caught.value.code == "rate-limited"
        async with hub.client():
            pass
    assert hub.events.any_owner() is None


async def test_streams_of_all_callers_are_limited() -> None:
    """A full process says so; the client comes back to another one."""
    hub = Hub(streams_max=1)
    async with hub.client():
        with pytest.raises(Unavailable):
            async with hub.client():
                pass


async def test_a_silent_stream_beats() -> None:
    """A comment tells proxies and clients that the connection lives."""
    hub = Hub(heartbeat_seconds=0.001)
    async with hub.client() as client:
        async with asyncio.timeout(10):
            while client.sent.count(b": still here\n\n") < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.001)


async def test_a_client_that_takes_nothing_is_cut_off() -> None:
    """It does not hold its place and its memory for ever."""
    hub = Hub(send_seconds=0.01)
    async with hub.client() as client:
        client.stuck.clear()
        hub.events.receive(hub.happen("paid"))
        async with asyncio.timeout(10):
            await client.gone.wait()
        assert client.aborted
    assert hub.events.any_owner() is None


async def test_a_stream_ends_with_its_token() -> None:
    """Who is no longer authenticated hears nothing more."""
    hub = Hub()
    async with hub.client(token_seconds=0.01) as client:
        async with asyncio.timeout(10):
            while not client.finished:  # noqa: ASYNC110
                await asyncio.sleep(0.001)


async def test_a_stream_ends_when_the_process_does() -> None:
    """It ends in order, after a wish when to come back that is not the same for all."""
    wishes = set()
    for _ in range(20):
        hub = Hub()
        async with hub.client() as client:
            hub.events.close()
            await settle()
            assert client.finished
            wishes.add(client.sent.rsplit(b"retry: ")[-1])
    assert len(wishes) > 5
