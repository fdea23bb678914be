"""A ledger database, what goes into it, an auditor who reads it, and the queue in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import psycopg
import pytest
from nats.aio.client import Client
from psycopg.rows import TupleRow

from chassis.clock import SystemClock
from chassis.database import Database, open_database
from chassis.ids import IdMaker
from chassis.jetstream import JetStream, connect
from chassis.settings import Secret
from embedded.nats import NatsServer, running_nats
from ledger_svc.model import Booking
from ledger_svc.posting import Posting, posting_consumer
from ledger_svc.settings import LedgerSettings
from qrpay.payment.v1.payment_queue_pb2 import ResultBatch
from qrpay.type.v1.failure_code_pb2 import FAILURE_CODE_WALLET_CLOSED
from tests.integration.ledger_svc.results_queue import RESULTS, Queue

SIGNING_KEY = Secret("A" * 43)
MakeBooking = Callable[..., Booking]


class Auditor:
    """Reads the tables themselves, past the service."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def rows(self, statement: str, *parameters: Any) -> list[TupleRow]:
        """The rows of a statement."""
        async with await psycopg.AsyncConnection.connect(self._url) as connection:
            return await (await connection.execute(statement.encode(), parameters)).fetchall()

    async def change(self, statement: bytes) -> None:
        """Do what the service has no right to do."""
        async with await psycopg.AsyncConnection.connect(self._url) as connection:
            await connection.execute(statement)

    async def booked(self) -> list[str]:
        """The payment ids in the journal, in order."""
        return [
            row[0]
            for row in await self.rows("SELECT source_id FROM journal_transactions ORDER BY 1")
        ]

    async def faults(self) -> list[str]:
        """What is wrong with the book as a whole; empty if nothing is."""
        checks = {
            "totals differ from the sums of the postings": """
                SELECT id FROM accounts FULL JOIN (
                    SELECT account_id AS id,
                        coalesce(sum(amount_minor) FILTER (WHERE direction = 1), 0) AS debits,
                        coalesce(sum(amount_minor) FILTER (WHERE direction = 2), 0) AS credits
                    FROM postings GROUP BY account_id
                ) AS sums USING (id)
                WHERE (debits, credits) IS DISTINCT FROM (debits_posted_minor, credits_posted_minor)
            """,
            "a transaction without both sides, or a payment of more than two postings": """
                SELECT number FROM journal_transactions
                LEFT JOIN postings ON transaction_number = number
                GROUP BY number HAVING count(DISTINCT direction) <> 2
                OR kind <= 100 AND count(*) <> 2
            """,
            "a posting without its transaction": """
                SELECT transaction_number FROM postings
                LEFT JOIN journal_transactions ON number = transaction_number WHERE number IS NULL
            """,
            "a posting without its account, or in another currency": """
                SELECT transaction_number FROM postings AS p LEFT JOIN accounts AS a
                ON a.id = p.account_id AND a.currency_code = p.currency_code WHERE a.id IS NULL
            """,
            "debits differ from credits": """
                SELECT transaction_number FROM postings GROUP BY transaction_number, currency_code
                HAVING sum(CASE direction WHEN 1 THEN amount_minor ELSE -amount_minor END) <> 0
            """,
            "a balance that does not follow from the one before": """
                SELECT 1 FROM (
                    SELECT balance_after_minor,
                        sum(CASE direction WHEN 1 THEN -amount_minor ELSE amount_minor END)
                        OVER (PARTITION BY account_id ORDER BY transaction_number, line) AS sum
                    FROM postings
                ) AS running WHERE balance_after_minor <> sum
            """,
            "numbers with gaps": """
                SELECT 1 FROM journal_head WHERE transaction_number <> (
                    SELECT count(*) FROM journal_transactions
                ) OR transaction_number <> (
                    SELECT coalesce(max(number), 0) FROM journal_transactions
                )
            """,
        }
        return [name for name, statement in checks.items() if await self.rows(statement)]


@pytest.fixture
async def ledger_database(database_for: Callable[[str], Awaitable[Any]]) -> Any:
    """An empty ledger database: its URLs."""
    return await database_for("ledger")


@pytest.fixture
async def database(ledger_database: Any) -> AsyncIterator[Database]:
    """The same, as ledger_svc uses it."""
    async with open_database(ledger_database.url, application_name="test") as database:
        yield database


@pytest.fixture
def auditor(ledger_database: Any) -> Auditor:
    """The same, as a superuser sees it."""
    return Auditor(ledger_database.admin_url)


@pytest.fixture
def auditor_of() -> type[Auditor]:
    """Makes an auditor of another database, from its superuser's URL."""
    return Auditor


@pytest.fixture
def databases_on(template_databases: Any) -> Callable[[Any], Awaitable[Any]]:
    """Makes an empty ledger database on a server of the test's own."""

    async def make(server: Any) -> Any:
        return await type(template_databases)(server).clone("ledger")

    return make


@pytest.fixture
def ids() -> IdMaker:
    """Makes real ids."""
    return IdMaker(clock=SystemClock())


@pytest.fixture
def make_booking(ids: IdMaker) -> MakeBooking:
    """Builds bookings of different payments; keyword arguments replace fields."""

    def make(**changes: Any) -> Booking:
        booking = Booking(
            payment_id=ids.make("pay"),
            kind=1,
            debit_account_id="wal_alice",
            credit_account_id="wal_bob",
            currency_code="USD",
            amount_minor=1000,
            effective_microseconds=1_795_392_000_000_001,
        )
        return booking._replace(**changes)

    return make


@pytest.fixture
def message() -> Callable[..., bytes]:
    """Builds a message of the results queue: what moved money, and ids of payments that failed."""

    def message(bookings: Sequence[Booking], *, failed: Sequence[str] = ()) -> bytes:
        batch = ResultBatch(batch_id="bat_1")
        for booking in bookings:
            result = batch.results.add()
            result.task.payment_id = booking.payment_id
            result.task.debit_wallet_id = booking.debit_account_id
            result.task.credit_wallet_id = booking.credit_account_id
            result.task.money.currency_code = booking.currency_code
            result.task.money.amount_minor = booking.amount_minor
            result.task.kind = booking.kind  # type: ignore[assignment]
            result.execute_time.FromMicroseconds(booking.effective_microseconds)
        for payment_id in failed:
            result = batch.results.add(failure_code=FAILURE_CODE_WALLET_CLOSED)
            result.task.payment_id = payment_id
        return batch.SerializeToString()

    return message


@pytest.fixture(scope="module")
async def queue_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NatsServer]:
    """A NATS of this module's own: its streams come and go."""
    async with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
async def administrator(queue_server: NatsServer) -> AsyncIterator[Client]:
    """A connection that may do everything; leaves no stream behind."""
    client = await nats.connect(queue_server.url)
    yield client
    await client.request("$JS.API.STREAM.DELETE.PAYMENT_RESULTS", b"", timeout=3)
    await client.close()


@pytest.fixture
async def queue(
    queue_server: NatsServer, administrator: Client, ids: IdMaker
) -> AsyncIterator[Queue]:
    """The empty results queue."""
    url = queue_server.url_for("payment")
    async with connect(url, name="payment", streams=[RESULTS]) as payment:
        await payment.session()
        await payment.declare()
        yield Queue(payment=payment, administrator=administrator, ids=ids)


@pytest.fixture
def consume(queue_server: NatsServer, ids: IdMaker) -> Callable[..., Any]:
    """Runs the ledger's consumer on a database, with the rights of its users, for a block."""

    @asynccontextmanager
    async def consume(
        database: Database, *, posting_type: type[Posting] = Posting
    ) -> AsyncIterator[JetStream]:
        settings = LedgerSettings(
            tls_cert_file=Path(),
            tls_key_file=Path(),
            tls_ca_file=Path(),
            database_url=Secret("opened already"),
            nats_url=Secret("opened already"),
            payment_target="not asked",
            wallet_target="not asked",
            journal_signing_key=SIGNING_KEY,
        )
        posting = posting_type(
            database=database,
            results_per_transaction_max=settings.results_per_transaction_max,
        )
        stop = asyncio.Event()
        async with connect(queue_server.url_for("ledger"), name="ledger") as jetstream:
            consumer = posting_consumer(jetstream, posting, settings=settings)
            running = asyncio.create_task(consumer.run(stop))
            try:
                yield jetstream
            finally:
                stop.set()
                await running

    return consume
