"""A ledger database, bookings to put into it, and an auditor who reads it as a superuser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import psycopg
import pytest
from psycopg.rows import TupleRow

from chassis.clock import SystemClock
from chassis.database import Database, open_database
from chassis.ids import IdMaker
from ledger_svc.model import Booking
from qrpay.payment.v1.payment_queue_pb2 import ResultBatch
from qrpay.type.v1.failure_code_pb2 import FAILURE_CODE_WALLET_CLOSED

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
            for row in await self.rows("SELECT payment_id FROM journal_transactions ORDER BY 1")
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
            "a transaction without its two postings": """
                SELECT id FROM journal_transactions LEFT JOIN postings ON transaction_id = id
                GROUP BY id HAVING count(*) FILTER (WHERE direction = 1) <> 1
                OR count(*) FILTER (WHERE direction = 2) <> 1
            """,
            "a posting without its transaction": """
                SELECT transaction_id FROM postings
                LEFT JOIN journal_transactions ON id = transaction_id WHERE id IS NULL
            """,
            "a posting without its account, or in another currency": """
                SELECT transaction_id FROM postings AS p LEFT JOIN accounts AS a
                ON a.id = p.account_id AND a.currency_code = p.currency_code WHERE a.id IS NULL
            """,
            "debits differ from credits": """
                SELECT transaction_id FROM postings GROUP BY transaction_id, currency_code
                HAVING sum(CASE direction WHEN 1 THEN amount_minor ELSE -amount_minor END) <> 0
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
