"""The database itself: what the migrations made, what it refuses, and to whom."""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from chassis.arrays import number_array, text_array
from chassis.database import Database
from wallet_svc.tables import METADATA

COLUMNS = """
    SELECT table_name, ordinal_position, column_name, data_type, collation_name, is_nullable,
        column_default
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""
OPTIONS = "SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL ORDER BY 1"
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"


async def described(url: str) -> dict[str, list[Any]]:
    """The tables of a database as PostgreSQL describes them."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return {
            statement: [
                row
                for row in await (await connection.execute(statement.encode())).fetchall()
                if "schema_migrations" not in str(row)
            ]
            for statement in (COLUMNS, CONSTRAINTS, OPTIONS, INDEXES)
        }


async def test_tables_are_what_the_migrations_make(wallet_database: Any) -> None:
    """Goal: tables.py and the migrations say the same: columns, types, collations, defaults,
    constraints with their names, options, indexes. Method: make the tables both ways, compare."""
    migrated = await described(wallet_database.admin_url)

    url = wallet_database.admin_url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(
            text("DROP TABLE entries, transfers, wallets, owners, audit_records")
        )
        await connection.run_sync(METADATA.create_all)
    await engine.dispose()

    assert await described(wallet_database.admin_url) == migrated
    assert len(migrated[COLUMNS]) > 30


REFUSED_TO_THE_SERVICE = [
    "UPDATE entries SET amount_minor = 1",
    "DELETE FROM entries",
    "TRUNCATE entries",
    "UPDATE transfers SET failure_code = 1",
    "DELETE FROM transfers",
    "TRUNCATE transfers",
    "DELETE FROM wallets",
    "TRUNCATE wallets",
    "UPDATE wallets SET owner_id = 'usr_mallory'",
    "UPDATE wallets SET currency_code = 'KWD'",
    "UPDATE wallets SET may_be_negative = true",
    "UPDATE wallets SET held_minor = 0",
    "UPDATE wallets SET id = 'wal_x'",
    "INSERT INTO wallets (id, owner_id, currency_code, balance_minor) VALUES ('w', 'x', 'USD', 5)",
    "INSERT INTO wallets (id, owner_id, currency_code, held_minor) VALUES ('w', 'x', 'USD', 0)",
    "UPDATE owners SET name = 'x'",
    "DELETE FROM owners",
    "CREATE TABLE mine (id int)",
    "ALTER TABLE entries ADD COLUMN x int",
    "DELETE FROM schema_migrations",
]


async def test_what_the_service_may_not(wallet_database: Any) -> None:
    """Goal: what is written about money stays written, and a wallet starts empty, whatever a
    defect in the service's code would try."""
    allowed = []
    async with await psycopg.AsyncConnection.connect(wallet_database.url) as connection:
        for statement in REFUSED_TO_THE_SERVICE:
            try:
                await connection.execute(statement.encode())
            except psycopg.errors.InsufficientPrivilege:
                await connection.rollback()
            else:
                allowed.append(statement)
    assert allowed == []


USER = (
    "INSERT INTO owners VALUES ('usr_x', 1, 'xavier', 'X', 'k', 'f', now());"
    "INSERT INTO wallets (id, owner_id, currency_code) VALUES ('wal_x', 'usr_x', 'USD');"
)
TRANSFER = (
    "INSERT INTO transfers VALUES ('pay_x', 'wal_x', 'wal_y', {}, 'USD', {}, {}, {}, {}, now())"
)
ENTRY = "INSERT INTO entries VALUES ('wal_x', {}, 'pay_x', {}, 0, '{}', {}, now())"


REFUSED_TO_EVERYBODY = [
    ("UPDATE wallets SET balance_minor = -1 WHERE id = 'wal_x'", "ck_wallets_available"),
    ("UPDATE wallets SET held_minor = 1 WHERE id = 'wal_x'", "ck_wallets_available"),
    ("UPDATE wallets SET held_minor = -1 WHERE id = 'wal_x'", "ck_wallets_held"),
    ("UPDATE wallets SET status = 4", "ck_wallets_status"),
    ("UPDATE wallets SET may_be_negative = true", "ck_wallets_may_be_negative"),
    ("UPDATE wallets SET last_entry_number = -1", "ck_wallets_last_entry_number"),
    (
        "INSERT INTO wallets (id, owner_id, currency_code) VALUES ('wal_y', 'usr_x', 'USD')",
        "uq_wallets_owner_currency",
    ),
    (
        "INSERT INTO wallets (id, owner_id, currency_code) VALUES ('wal_y', 'usr_y', 'USD')",
        "fk_wallets_owner",
    ),
    ("UPDATE owners SET handle = 'bank' WHERE id = 'usr_x'", "uq_owners_handle"),
    ("UPDATE owners SET kind = 4 WHERE id = 'usr_x'", "ck_owners_kind"),
    (
        "INSERT INTO owners VALUES ('sys_me', 4, 'me', 'Me', null, null, now())",
        "ck_owners_kind",
    ),
    ("UPDATE owners SET request_id = null WHERE id = 'usr_x'", "ck_owners_request"),
    (TRANSFER.format(0, 1, 0, 1, 1), "ck_transfers_amount"),
    (TRANSFER.format(1, 0, 0, 1, 1), "ck_transfers_kind"),
    (TRANSFER.format(1, 1, 0, 0, 1), "ck_transfers_outcome"),
    (TRANSFER.format(1, 1, 1, 1, 1), "ck_transfers_outcome"),
    (TRANSFER.format(1, 1, 7, 0, 0), "ck_transfers_outcome"),
    (TRANSFER.format(1, 1, 0, 1, 1).replace("wal_y", "wal_x"), "ck_transfers_wallets"),
    (ENTRY.format(0, 1, "wal_y", 1), "ck_entries_number"),
    (ENTRY.format(1, 0, "wal_y", 1), "ck_entries_amount"),
    (ENTRY.format(1, 1, "wal_x", 1), "ck_entries_wallets"),
    (ENTRY.format(1, 1, "wal_y", 5), "ck_entries_kind"),
    (f"{ENTRY.format(1, 1, 'wal_y', 1)};{ENTRY.format(1, 1, 'wal_y', 1)}", "pk_entries"),
]


async def test_what_the_database_refuses(wallet_database: Any) -> None:
    """Goal: the last line of defence holds even against the owner of the tables: each rule, by the
    name of its constraint."""
    refusals = []
    async with await psycopg.AsyncConnection.connect(wallet_database.owner_url) as connection:
        for statement, _ in REFUSED_TO_EVERYBODY:
            await connection.execute(USER.encode())
            try:
                await connection.execute(statement.encode())
            except psycopg.errors.IntegrityError as error:
                refusals.append((statement, error.diag.constraint_name))
            await connection.rollback()
    assert refusals == REFUSED_TO_EVERYBODY


async def test_arrays_arrive_as_they_were(database: Database) -> None:
    """Goal: the literals are read back by PostgreSQL as the very texts and numbers."""
    texts = [
        "",
        "a",
        'q"uote',
        "back\\slash",
        '\\"',
        "{}",
        "a,b",
        "NULL",
        "null",
        " ",
        "'",
        "李",
        "\n",
    ]
    numbers = [0, -1, 2**63 - 1, -(2**63)]
    statement = text("SELECT CAST(:texts AS text[]), CAST(:numbers AS bigint[])")

    async def work(connection: Any) -> Any:
        answers = []
        for some in (texts, texts[:2], ['"'], []):
            parameters = {"texts": text_array(some), "numbers": number_array(numbers)}
            answers.append((await connection.execute(statement, parameters)).one())
        return answers

    assert [list(row[0]) for row in await database.read(work)] == [texts, texts[:2], ['"'], []]
    assert all(list(row[1]) == numbers for row in await database.read(work))
