"""What must be true of the books of a system at rest, read straight from its databases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

_REST_SECONDS_MAX = 90


async def rows_of(
    url: str,
    statement: str,
    parameters: Sequence[Any] | None = None,
    *,
    connect_seconds_max: int = 130,
) -> list[dict[str, Any]]:
    """The rows of a statement. May be cut off at any moment."""
    connection = await psycopg.AsyncConnection.connect(
        url, row_factory=dict_row, connect_timeout=connect_seconds_max
    )
    try:
        async with connection:
            return await (await connection.execute(statement.encode(), parameters)).fetchall()
    finally:
        # Cut off while it ends its transaction, psycopg would leave it open.
        connection.pgconn.finish()


class Books:
    """The four databases of a system, as an administrator sees them."""

    def __init__(self, admin_url: str) -> None:
        self._base_url = admin_url.rpartition("/")[0]

    def url(self, database: str) -> str:
        """The URL of one of them."""
        return f"{self._base_url}/{database}"

    async def query(self, database: str, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """The rows of a statement."""
        return await rows_of(self.url(database), statement, parameters)

    async def come_to_rest(self) -> None:
        """Wait until no payment is pending and the journal has all of them."""
        async with asyncio.timeout(_REST_SECONDS_MAX):
            while not await self._at_rest():  # noqa: ASYNC110 - a database cannot call us
                await asyncio.sleep(0.2)

    async def check(self) -> None:
        """Assert every invariant that the books of a system at rest must keep."""
        await self.come_to_rest()
        await self._check_wallets()
        await self._check_payments_against_transfers()
        await self._check_journal()

    async def _check_wallets(self) -> None:
        unequal = await self.query(
            "wallet",
            "SELECT currency_code FROM entries JOIN wallets ON wallets.id = wallet_id"
            " GROUP BY currency_code HAVING sum(amount_minor) <> 0",
        )
        assert unequal == [], "entries sum to zero per currency"
        drifted = await self.query(
            "wallet",
            "SELECT id FROM wallets LEFT JOIN entries ON wallet_id = id GROUP BY id"
            " HAVING balance_minor <> coalesce(sum(amount_minor), 0)"
            " OR last_entry_number <> count(number)"
            " OR coalesce(max(number), 0) <> count(number) OR min(number) <> 1",
        )
        assert drifted == [], "a balance is the sum of its entries, numbered 1, 2, 3 ..."
        negative = await self.query(
            "wallet",
            "SELECT id FROM wallets WHERE balance_minor < held_minor AND NOT may_be_negative",
        )
        assert negative == [], "no user's wallet is negative"

    async def _check_payments_against_transfers(self) -> None:
        payments = await self.query(
            "payment",
            "SELECT id, amount_minor, payer_wallet_id AS debit_wallet_id,"
            " payee_wallet_id AS credit_wallet_id, failure_code IS NULL AS moved"
            " FROM payments ORDER BY id",
        )
        transfers = await self.query(
            "wallet",
            "SELECT payment_id AS id, amount_minor, debit_wallet_id, credit_wallet_id,"
            " failure_code = 0 AS moved FROM transfers ORDER BY payment_id",
        )
        assert payments == transfers, "every payment is one transfer with the same outcome"
        entries = await self.query(
            "wallet",
            "SELECT payment_id FROM entries GROUP BY payment_id"
            " HAVING count(*) <> 2 OR sum(amount_minor) <> 0",
        )
        assert entries == [], "a transfer is two entries that cancel out"
        numbers = await self.query(
            "payment",
            "SELECT count(*), max(event_number), count(DISTINCT event_number) AS different"
            " FROM payments WHERE event_number IS NOT NULL",
        )
        assert numbers[0]["count"] == (numbers[0]["max"] or 0) == numbers[0]["different"]

    async def _check_journal(self) -> None:
        wallets = await self.query(
            "wallet",
            "SELECT id, balance_minor FROM wallets WHERE last_entry_number > 0 ORDER BY id",
        )
        accounts = await self.query(
            "ledger",
            "SELECT id, credits_posted_minor - debits_posted_minor AS balance_minor"
            " FROM accounts ORDER BY id",
        )
        assert wallets == accounts, "wallets and journal agree"

    async def _at_rest(self) -> bool:
        return not await self._pending() and await self._posted() == await self._completed()

    async def _pending(self) -> int:
        rows = await self.query("payment", "SELECT count(*) FROM payments WHERE status = 'PENDING'")
        count: int = rows[0]["count"]
        return count

    async def _completed(self) -> int:
        rows = await self.query(
            "payment", "SELECT count(*) FROM payments WHERE status = 'COMPLETED'"
        )
        count: int = rows[0]["count"]
        return count

    async def _posted(self) -> int:
        rows = await self.query("ledger", "SELECT count(*) FROM journal_transactions")
        count: int = rows[0]["count"]
        return count
