"""The books of all services at rest, as rows; read past the services, as the superuser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.e2e.oracle import rows_of

Row = dict[str, Any]

_QUERIES = {
    "payments": (
        "payment",
        """
        SELECT id, request_id AS key, status, failure_code, payer_wallet_id, payee_wallet_id,
            amount_minor, currency_code, kind, barcode_issuance_id, event_number,
            payer_entry_number, payee_entry_number
        FROM payments ORDER BY id
        """,
    ),
    "dead_letters": (
        "payment",
        "SELECT id, payment_id, reason, state, subject, last_error FROM dead_letters",
    ),
    "transfers": (
        "wallet",
        """
        SELECT payment_id, debit_wallet_id, credit_wallet_id, amount_minor, currency_code,
            failure_code, debit_entry_number, credit_entry_number
        FROM transfers ORDER BY payment_id
        """,
    ),
    "entries": (
        "wallet",
        """
        SELECT wallet_id, number, payment_id, amount_minor, balance_after_minor
        FROM entries ORDER BY wallet_id, number
        """,
    ),
    "wallets": (
        "wallet",
        """
        SELECT id, currency_code, balance_minor, held_minor, last_entry_number, may_be_negative
        FROM wallets ORDER BY id
        """,
    ),
    "postings": (
        "ledger",
        """
        SELECT number AS transaction_number, source_id AS payment_id, account_id, direction,
            currency_code, amount_minor
        FROM journal_transactions LEFT JOIN postings ON transaction_number = number
        ORDER BY number, line
        """,
    ),
    "accounts": (
        "ledger",
        "SELECT id, credits_posted_minor - debits_posted_minor AS balance_minor FROM accounts",
    ),
    "deadlocks": (
        "postgres",
        "SELECT datname AS database, deadlocks AS n FROM pg_stat_database WHERE deadlocks > 0",
    ),
    "rights": (
        "ledger",
        """
        SELECT grantee AS role, table_name AS table, privilege_type AS right
        FROM information_schema.role_table_grants
        WHERE grantee LIKE '%\\_svc' AND privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE')
        UNION
        SELECT grantee, table_name, privilege_type FROM information_schema.column_privileges
        WHERE grantee LIKE '%\\_svc' AND privilege_type = 'UPDATE'
        """,
    ),
}


@dataclass
class Snapshot:
    """What is in the books."""

    payments: list[Row] = field(default_factory=list)
    dead_letters: list[Row] = field(default_factory=list)
    transfers: list[Row] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)
    wallets: list[Row] = field(default_factory=list)
    postings: list[Row] = field(default_factory=list)
    """Postings with their transaction; a transaction without any is a row of nothing."""
    accounts: list[Row] = field(default_factory=list)
    rights: list[Row] = field(default_factory=list)
    """What services may do to rows that are there: role, table, right."""
    deadlocks: list[Row] = field(default_factory=list)
    """How many the server found, by database, since it was started after a crash."""
    rewritten: list[str] = field(default_factory=list)
    """What was final and is not as it was; an ``Observer`` notes it."""
    statements: list[Row] = field(default_factory=list)
    """What people are shown of their wallets through the gateway."""


async def read_snapshot(admin_url: str) -> Snapshot:
    """Read everything. The system must be at rest: the databases are read one after the other."""
    snapshot = Snapshot()
    for name, (database, statement) in _QUERIES.items():
        setattr(snapshot, name, await query(admin_url, database, statement))
    return snapshot


async def query(admin_url: str, database: str, statement: str) -> list[Row]:
    """The rows of a statement."""
    return await rows_of(
        f"{admin_url.rpartition('/')[0]}/{database}", statement, connect_seconds_max=3
    )


async def execute(admin_url: str, database: str, statement: str) -> None:
    """Execute statements for their effect."""
    url = f"{admin_url.rpartition('/')[0]}/{database}"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(statement.encode())


async def is_at_rest(admin_url: str) -> bool:
    """Whether no payment is under way and the journal has all that moved."""
    pending = await query(
        admin_url, "payment", "SELECT 1 FROM payments WHERE status = 'PENDING' LIMIT 1"
    )
    if pending:
        return False
    moved = await query(
        admin_url, "wallet", "SELECT count(*) AS n FROM transfers WHERE failure_code = 0"
    )
    booked = await query(admin_url, "ledger", "SELECT count(*) AS n FROM journal_transactions")
    return bool(moved[0]["n"] <= booked[0]["n"])
