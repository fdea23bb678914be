"""The consumer on a real queue: whatever happens to either server, each payment is booked once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from chassis.database import Database, open_database
from chassis.errors import Unavailable
from chassis.ids import IdMaker
from chassis.jetstream import Message, connect
from embedded.nats import NatsServer
from embedded.postgres import PostgresServer, running_postgres
from ledger_svc.messages import Reading
from ledger_svc.model import Booking
from ledger_svc.posting import POSTING, Posting, Verdict
from tests.integration.ledger_svc.results_queue import CONSUMER_INFO, RESULTS, Queue, until


async def test_results_are_booked_and_acknowledged(
    queue: Queue,
    consume: Any,
    database: Database,
    make_booking: Any,
    message: Any,
    auditor: Any,
) -> None:
    """What was in the queue before and what comes later is in the journal, and nothing is left."""
    before = [make_booking() for _ in range(300)]
    await queue.publish(message(before[:256]), message(before[256:]))
    later = [make_booking()]
    async with consume(database):
        await until(queue.is_empty)
        assert len(await auditor.booked()) == 300
        await queue.publish(message(later))
        await until(queue.is_empty)
    assert await auditor.booked() == sorted(item.payment_id for item in [*before, *later])
    assert await auditor.faults() == []


async def test_it_waits_for_the_stream(
    queue_server: NatsServer,
    administrator: Client,
    consume: Any,
    database: Database,
    make_booking: Any,
    message: Any,
    ids: IdMaker,
    auditor: Any,
) -> None:
    """Started before payment_svc has declared the stream, it says so, waits, and then books."""
    with capture_logs() as logs:
        async with consume(database):

            async def has_said_so() -> bool:
                return any(log["event"] == "pull_broken" for log in logs)

            await until(has_said_so)
            url = queue_server.url_for("payment")
            async with connect(url, name="payment", streams=[RESULTS]) as payment:
                await payment.session()
                await payment.declare()
                queue = Queue(payment=payment, administrator=administrator, ids=ids)
                await queue.publish(message([make_booking()]))
                await until(queue.is_empty)
    assert len(await auditor.booked()) == 1


async def test_a_lost_stream_is_only_a_pause(
    queue: Queue,
    administrator: Client,
    consume: Any,
    database: Database,
    make_booking: Any,
    message: Any,
    auditor: Any,
) -> None:
    """When the queue loses stream and consumer, both are made again and booking goes on; what is
    put into the new stream a second time is booked once."""
    bookings = [make_booking() for _ in range(3)]
    async with consume(database):
        await queue.publish(message(bookings))
        await until(queue.is_empty)
        await administrator.request("$JS.API.STREAM.DELETE.PAYMENT_RESULTS", b"", timeout=3)
        await queue.payment.declare()
        await queue.publish(message(bookings), message([make_booking()]))
        await until(queue.is_empty)
    assert len(await auditor.booked()) == 4
    assert await auditor.faults() == []


async def test_a_crash_before_the_acknowledgement_doubles_nothing(
    queue: Queue,
    consume: Any,
    database: Database,
    make_booking: Any,
    message: Any,
    auditor: Any,
) -> None:
    """Messages that were booked but not acknowledged come again, and change nothing."""
    calls = []

    class Crashing(Posting):
        """Dies after the first commit, before the acknowledgement."""

        async def handle(self, messages: Sequence[Message[Reading]]) -> None:
            """Book, then crash once."""
            calls.append([item.delivered for item in messages])
            await self.post([item.value for item in messages])
            if len(calls) == 1:
                raise RuntimeError("crash")

    await queue.publish(message([make_booking() for _ in range(10)]))
    async with consume(database, posting_type=Crashing):
        await until(queue.is_empty)
    assert calls == [[1], [2]]
    assert len(await auditor.booked()) == 10
    assert await auditor.faults() == []


async def test_two_replicas_share_the_queue(
    queue: Queue,
    consume: Any,
    ledger_database: Any,
    make_booking: Any,
    message: Any,
    auditor: Any,
) -> None:
    """Two processes, and every payment twice in the queue: booked once, whoever gets it."""
    batches = [[make_booking() for _ in range(50)] for _ in range(20)]
    payloads = [message(batch) for batch in batches]
    await queue.publish(*payloads, *payloads[::-1])
    async with AsyncExitStack() as stack:
        for name in ("one", "other"):
            database = await stack.enter_async_context(
                open_database(ledger_database.url, application_name=name)
            )
            await stack.enter_async_context(consume(database))
        await until(queue.is_empty)
    assert len(await auditor.booked()) == 1000
    assert await auditor.faults() == []


async def test_malformed_messages_do_not_stop_the_queue(
    queue: Queue,
    consume: Any,
    database: Database,
    make_booking: Any,
    message: Any,
    auditor: Any,
) -> None:
    """Garbage between good messages is ended with an advisory that people can find; so is a message
    with one bad result, and everything good is booked."""
    terminated = await queue.advisories("MSG_TERMINATED")
    good = [make_booking() for _ in range(4)]
    await queue.publish(
        message(good[:1]),
        b"\xff garbage",
        message(good[1:2]),
        b"",
        message([good[2], make_booking(amount_minor=-1)]),
        message(good[3:]),
    )
    async with consume(database):
        await until(queue.is_empty)
    assert await auditor.booked() == sorted(item.payment_id for item in good)
    async with asyncio.timeout(10):
        sequences = {(await terminated.get())["stream_seq"] for _ in range(3)}
    first = min(sequences) - 1
    assert sequences == {first + 1, first + 3, first + 4}
    assert (await queue.info(CONSUMER_INFO))["num_redelivered"] == 0


async def test_a_defect_is_delivered_again_alone(
    queue: Queue,
    consume: Any,
    database: Database,
    make_booking: Any,
    message: Any,
    auditor: Any,
) -> None:
    """What a defect kept from being booked comes again, and then is booked; its neighbours do not
    wait for it."""
    poisoned = make_booking()

    class Defective(Posting):
        """Cannot book one payment at first."""

        failures = 2

        async def _book(self, bookings: Sequence[Booking]) -> dict[str, Any]:
            if poisoned not in bookings or not self.failures:
                return await super()._book(bookings)
            self.failures -= 1
            others = [booking for booking in bookings if booking != poisoned]
            return {**await super()._book(others), poisoned.payment_id: Verdict.LATER}

    await queue.publish(message([poisoned]), message([make_booking()]))
    async with consume(database, posting_type=Defective):
        await until(queue.is_empty)
    assert len(await auditor.booked()) == 2
    assert await auditor.faults() == []


@pytest.fixture
async def fragile_postgres(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[PostgresServer]:
    """A PostgreSQL of this test's own, to kill. It keeps what it committed."""
    async with running_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


async def test_an_outage_of_the_database_loses_and_doubles_nothing(
    queue: Queue,
    consume: Any,
    fragile_postgres: PostgresServer,
    databases_on: Any,
    auditor_of: Any,
    make_booking: Any,
    message: Any,
) -> None:
    """PostgreSQL crashes under load, stays away while results keep coming, and returns: every
    payment is in the journal once, and the outage used up nobody's deliveries."""
    ledger = await databases_on(fragile_postgres)
    auditor = auditor_of(ledger.admin_url)
    bookings = [make_booking() for _ in range(4000)]
    payloads = [message(bookings[start : start + 50]) for start in range(0, 4000, 50)]
    async with (
        open_database(ledger.url, application_name="test") as database,
        consume(database),
    ):
        await queue.publish(*payloads[:20])

        async def has_begun() -> bool:
            return len(await auditor.booked()) > 0

        await until(has_begun)
        publishing = asyncio.create_task(queue.publish(*payloads[20:60]))
        await fragile_postgres.process.kill()
        with pytest.raises(Unavailable):
            await database.ping()
        await publishing
        await queue.publish(*payloads[60:])
        await fragile_postgres.process.start()
        await until(queue.is_empty)
    assert await auditor.booked() == sorted(item.payment_id for item in bookings)
    assert await auditor.faults() == []
    info = await queue.info(CONSUMER_INFO)
    assert info["delivered"]["consumer_seq"] == len(payloads), "each message was delivered once"


async def test_an_outage_of_the_queue_is_only_a_pause(
    queue: Queue,
    queue_server: NatsServer,
    consume: Any,
    database: Database,
    make_booking: Any,
    message: Any,
    auditor: Any,
) -> None:
    """NATS crashes and returns: what it kept is booked, and what comes afterwards."""
    first, second = make_booking(), make_booking()
    async with consume(database) as jetstream:
        await queue.publish(message([first]))
        await until(queue.is_empty)
        await queue_server.process.kill()

        async def is_disconnected() -> bool:
            return not jetstream.is_connected

        await until(is_disconnected)
        await queue_server.process.start()
        await queue.payment.session()
        await queue.publish(message([first]), message([second]))

        async def both_are_booked() -> bool:
            return bool(await auditor.booked() == sorted([first.payment_id, second.payment_id]))

        # Not "the queue is empty": a queue that crashed may have forgotten an acknowledgement.
        await until(both_are_booked)
    assert await auditor.faults() == []


def test_the_consumer_is_that_of_the_contract() -> None:
    """Stream and name are part of the rights that the queue gives this service."""
    assert (POSTING.stream, POSTING.name) == ("PAYMENT_RESULTS", "ledger-posting")
