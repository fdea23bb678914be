"""The queue's own rules, without a server: what a status means, what a spec must keep."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.aio.msg import Msg

from chassis.jetstream import Consumer, ConsumerSpec, JetStream, Message, connect
from chassis.jetstream.message import Lease
from chassis.jetstream.puller import Puller
from chassis.jetstream.session import Session
from chassis.settings import Secret

SPEC = ConsumerSpec(stream="S", name="c")


@dataclass
class Pull:
    """One request for messages, as the server sees it."""

    inbox: str
    number: int
    batch: int


class FakeServer:
    """A JetStream of one consumer that does what the test says."""

    def __init__(self) -> None:
        self.info: dict[str, Any] | None = {"created": "today", "num_pending": 0}
        self.declared = 0
        self.last_words: list[Msg] = []
        """Messages that are on their way when the subscription is drained."""
        self.pulls: asyncio.Queue[Pull] = asyncio.Queue()
        self._receive: Callable[[Msg], Awaitable[None]]
        self._inboxes = 0
        self._session = Session(cast("Client", self))

    # what the puller sees as JetStream

    async def session(self) -> Session:
        return self._session

    async def declare_consumer(self, spec: ConsumerSpec) -> dict[str, Any]:
        self.declared += 1
        return {"created": "today"}

    async def consumer_info(self, spec: ConsumerSpec) -> dict[str, Any] | None:
        return self.info

    # what it sees as the client and its subscription

    def new_inbox(self) -> str:
        self._inboxes += 1
        return f"_INBOX.{self._inboxes}"

    async def subscribe(self, subject: str, *, cb: Callable[[Msg], Awaitable[None]]) -> FakeServer:
        assert subject == f"_INBOX.{self._inboxes}.*"
        self._receive = cb
        return self

    async def publish(self, subject: str, payload: bytes, *, reply: str) -> None:
        assert subject == "$JS.API.CONSUMER.MSG.NEXT.S.c"
        inbox, _, number = reply.rpartition(".")
        request = json.loads(payload)
        assert request["expires"] >= 2 * request["idle_heartbeat"] > 0
        await self.pulls.put(Pull(inbox, int(number), request["batch"]))

    async def drain(self) -> None:
        for message in self.last_words:
            await self._receive(message)

    async def unsubscribe(self) -> None:
        pass

    # what the test does

    async def next_pull(self) -> Pull:
        return await asyncio.wait_for(self.pulls.get(), 5)

    async def say(self, pull: Pull, status: str, text: str) -> None:
        """Send a status for a pull."""
        headers = {"Status": status, "Description": text}
        subject = f"{pull.inbox}.{pull.number}"
        await self._receive(Msg(_client=Client(), subject=subject, headers=headers))

    async def send(self, message: Msg) -> None:
        """Deliver a message."""
        await self._receive(message)


def delivery(sequence: int, *, delivered: int = 1) -> Msg:
    """A message of the stream."""
    reply = f"$JS.ACK.S.c.{delivered}.{sequence}.{sequence}.1700000000000000000.0"
    return Msg(_client=Client(), subject="s.x", reply=reply, data=b"%d" % sequence)


@asynccontextmanager
async def pulling(
    server: FakeServer, room: Callable[[], int] = lambda: 10
) -> AsyncIterator[tuple[Puller, list[int]]]:
    """Run a puller against the fake; gives it and the payloads that it delivered."""
    payloads: list[int] = []

    def deliver(message: Msg, _lease: Lease) -> None:
        payloads.append(int(message.data))

    puller = Puller(jetstream=cast("JetStream", server), spec=SPEC, room=room, deliver=deliver)
    running = asyncio.create_task(puller.run())
    try:
        yield puller, payloads
    finally:
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()


@pytest.mark.parametrize(
    ("status", "text"),
    [("408", "Request Timeout"), ("404", "No Messages"), ("409", "Leadership Change")],
)
async def test_the_ordinary_end_of_a_pull_is_followed_by_the_next(status: str, text: str) -> None:
    """Goal: no new subscription for what happens all the time."""
    server = FakeServer()
    async with pulling(server):
        first = await server.next_pull()
        await server.say(first, status, text)
        second = await server.next_pull()
    assert (second.inbox, second.number) == (first.inbox, first.number + 1)
    assert server.declared == 1


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("409", "Consumer Deleted"),
        ("409", "Server Shutdown"),
        ("409", "Exceeded MaxWaiting"),
        ("503", ""),
        ("400", "Bad Request"),
        ("999", "Never heard of"),
    ],
)
async def test_any_other_end_of_a_pull_is_a_new_beginning(status: str, text: str) -> None:
    """Goal: a consumer that vanished is not waited for: declare it, subscribe, pull."""
    server = FakeServer()
    async with pulling(server):
        first = await server.next_pull()
        await server.say(first, status, text)
        second = await server.next_pull()
    assert second.inbox != first.inbox
    assert server.declared == 2


async def test_the_status_of_an_earlier_pull_means_nothing() -> None:
    """Goal: the end of one pull is not taken for the end of the next."""
    server = FakeServer()
    async with pulling(server):
        first = await server.next_pull()
        await server.say(first, "408", "Request Timeout")
        second = await server.next_pull()
        await server.say(first, "409", "Consumer Deleted")
        await server.say(second, "100", "Idle Heartbeat")
        await let_run(lambda: True)
        assert server.pulls.empty()
        await server.say(second, "408", "Request Timeout")
        third = await server.next_pull()
    assert (third.inbox, third.number) == (first.inbox, 3)


async def test_a_pull_that_brought_everything_is_followed_by_the_next() -> None:
    """Goal: the server says nothing at the end of a pull that it filled."""
    server = FakeServer()
    async with pulling(server, lambda: 2) as (_, payloads):
        assert (await server.next_pull()).batch == 2
        await server.send(delivery(1))
        await server.send(delivery(2))
        assert (await server.next_pull()).number == 2
    assert payloads == [1, 2]


async def test_nothing_is_pulled_without_room() -> None:
    """Goal: the buffer is bounded, and is filled again as soon as there is room."""
    server, rooms = FakeServer(), [0]
    async with pulling(server, lambda: rooms[0]) as (puller, _):
        await asyncio.wait_for(let_run(lambda: server.declared == 1), 5)
        assert server.pulls.empty()
        rooms[0] = 3
        puller.look_again()
        assert (await server.next_pull()).batch == 3


async def let_run(reached: Callable[[], bool]) -> None:
    """Let other tasks run until it is so, and a little longer."""
    while not reached():  # noqa: ASYNC110 - the fake has no event for everything
        await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)


async def test_messages_that_wait_and_do_not_come_are_a_reason_to_begin_anew() -> None:
    """Goal: a consumer that stalls in the server is noticed although its heartbeats come."""
    server = FakeServer()
    server.info = {"num_pending": 5, "num_ack_pending": 0}
    async with pulling(server):
        first = await server.next_pull()
        await server.say(first, "408", "Request Timeout")
        second = await server.next_pull()
        assert second.inbox == first.inbox
        await server.say(second, "408", "Request Timeout")
        third = await server.next_pull()
        assert third.inbox != first.inbox


async def test_messages_that_come_late_are_no_stall() -> None:
    """Goal: an empty pull now and then, while others bring messages, is a matter of timing."""
    server = FakeServer()
    server.info = {"num_pending": 5, "num_ack_pending": 0}
    inboxes = set()
    async with pulling(server):
        for sequence in range(6):
            pull = await server.next_pull()
            inboxes.add(pull.inbox)
            if sequence % 2:
                await server.send(delivery(sequence))
            await server.say(pull, "408", "Request Timeout")
    assert len(inboxes) == 1


@pytest.mark.parametrize(
    "info",
    [
        {"num_pending": 0, "num_ack_pending": 0},
        {"num_pending": 5, "num_ack_pending": SPEC.max_ack_pending},
        {"num_pending": 5, "num_ack_pending": 0, "paused": True},
    ],
    ids=["idle", "at the limit", "paused"],
)
async def test_silence_with_a_reason_is_fine(info: dict[str, Any]) -> None:
    """Goal: no new beginnings while there is nothing to deliver, or nothing may be delivered."""
    server = FakeServer()
    server.info = info
    async with pulling(server):
        inboxes = set()
        for _ in range(4):
            pull = await server.next_pull()
            inboxes.add(pull.inbox)
            await server.say(pull, "408", "Request Timeout")
    assert len(inboxes) == 1


async def test_what_is_on_its_way_when_we_stop_is_handed_over() -> None:
    """Goal: such a message can be handed back at once, instead of waiting for its ack wait."""
    server = FakeServer()
    server.last_words = [delivery(7)]
    async with pulling(server) as (_, payloads):
        await server.next_pull()
    assert payloads == [7]


@given(
    delivered=st.integers(1, 2**31),
    sequence=st.integers(1, 2**63),
    prefix=st.sampled_from(["$JS.ACK", "$JS.ACK.hub.AbCdEf"]),
)
def test_a_message_knows_its_facts(delivered: int, sequence: int, prefix: str) -> None:
    """Goal: both forms of the acknowledgement subject (ADR-15) are read."""
    suffix = ".x7Tok3n" if prefix.count(".") > 1 else ""
    reply = f"{prefix}.S.c.{delivered}.{sequence}.9.1700000000500000000.3{suffix}"
    raw = Msg(_client=Client(), subject="s.x", reply=reply, data=b"abc")
    lease = Lease(session=Session(Client()), created="")
    message: Message[int] = Message(raw, lease=lease, value=1)
    assert (message.delivered, message.sequence) == (delivered, sequence)
    assert message.timestamp == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)
    assert (message.subject, message.data, message.value) == ("s.x", b"abc", 1)


def test_a_malformed_message_has_no_value() -> None:
    """Goal: nobody handles what could not be decoded by mistake."""
    lease = Lease(session=Session(Client()), created="")
    message: Message[int] = Message(delivery(3), lease=lease, fault="malformed: ValueError")
    with pytest.raises(ValueError, match="malformed"):
        _ = message.value


@pytest.mark.parametrize(
    ("backoff_seconds", "handler_seconds_max", "max_deliver", "max_ack_pending"),
    [
        ((), 1.0, 5, 1),
        ((10.0,), 10.0, 5, 1),
        ((10.0, 20.0), 1.0, 2, 1),
        ((10.0,), 1.0, 5, 0),
    ],
    ids=["no backoff", "ack wait within the hard limit", "too few deliveries", "nothing pending"],
)
def test_a_consumer_keeps_the_rules(
    backoff_seconds: tuple[float, ...],
    handler_seconds_max: float,
    max_deliver: int,
    max_ack_pending: int,
) -> None:
    """Goal: a consumer that would deliver twice, or never, is refused where it is written down."""
    with pytest.raises(ValueError, match=r"backoff_seconds|max_ack_pending"):
        ConsumerSpec(
            stream="S",
            name="c",
            backoff_seconds=backoff_seconds,
            handler_seconds_max=handler_seconds_max,
            max_deliver=max_deliver,
            max_ack_pending=max_ack_pending,
        )


async def test_limits_of_a_consumer_are_positive() -> None:
    """Goal: a consumer that could never work is refused where it is made."""

    async def handle(_messages: object) -> None:
        raise AssertionError

    with pytest.raises(ValueError, match="at least 1"):
        Consumer(cast("JetStream", FakeServer()), SPEC, decode=int, handle=handle, buffer_max=0)


@pytest.mark.parametrize(
    "url",
    [
        "http://payment:hunter2@localhost",
        "payment:hunter2@localhost",
        "nats://payment:hun/ter2@localhost:x",
        "nats://payment:hunter2@localhost:4222,hunter2",
        "",
    ],
)
async def test_an_url_that_is_none_is_refused_without_quoting_it(url: str) -> None:
    """Goal: a fault in a secret is told without the secret."""
    with pytest.raises(ValueError, match=r"^not a NATS URL$") as caught:
        async with connect(Secret(url), name="test"):
            pass
    assert "hun" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
