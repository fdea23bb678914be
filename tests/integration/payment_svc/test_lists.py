"""The lists beside the payments: what is pending, what was completed, whose events there are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

import payment_svc
from chassis.database import Database
from chassis.migrate import migrate
from payment_svc import operations
from payment_svc.model import Kind, NewPayment, Result
from payment_svc.store.payments import Completed

MIGRATIONS = Path(payment_svc.__file__).parent / "migrations"
BEGINNING = Completed(datetime(1970, 1, 1, tzinfo=UTC), "")
LATER = datetime(2999, 1, 1, tzinfo=UTC)


async def rows(url: str, statement: str, *parameters: Any) -> list[Any]:
    """What a statement of the superuser answers."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute(statement.encode(), parameters)
        return await cursor.fetchall() if cursor.description else []


async def told(database: Database) -> tuple[list[str], list[str], list[str]]:
    """The ids of alice's events, of bob's, and of what was completed."""
    events = [
        [row.id for row in found]
        for owner_id in ("usr_alice", "usr_bob")
        for found, _ in [
            await operations.list_events(database, owner_id, after_number=0, count_max=99)
        ]
    ]
    completed = await operations.list_completed(
        database, after=BEGINNING, end_time=LATER, count_max=99
    )
    return events[0], events[1], [item.id for item in completed]


async def test_an_end_changes_no_index_of_the_payments(payment_database: Any) -> None:
    """Goal: nothing that a payment's end changes is in an index of the table. Else each end would
    be written into all of them: a third of what a payment costs the database."""
    changed = await rows(
        payment_database.admin_url,
        """
        SELECT column_name FROM information_schema.column_privileges
        WHERE grantee = 'payment_svc' AND table_name = 'payments' AND privilege_type = 'UPDATE'
        """,
    )
    indexes = await rows(
        payment_database.admin_url,
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'payments'::regclass",
    )
    assert len(changed) >= 6
    assert len(indexes) == 5
    assert not [(index, name) for (index,) in indexes for (name,) in changed if name in index]


async def test_payments_of_before_are_listed(
    database: Database, payment_database: Any, make_payment: Callable[..., NewPayment]
) -> None:
    """Goal: the migration that makes the lists fills them with what there is."""
    payments = [make_payment() for _ in range(4)]
    top_up = make_payment(kind=Kind.TOP_UP)
    await operations.accept_payments(database, [*payments, top_up], sweep_after_seconds=-1)
    failed = Result(payments[1].id, "WALLET_CLOSED", 0, 0)
    results = [Result(payments[0].id, None, 1, 1), failed, Result(top_up.id, None, 2, 2)]
    await operations.apply_results(database, results)
    before = await told(database)
    assert before[0] == sorted([payments[0].id, payments[1].id])
    assert before[1] == [payments[0].id]
    assert sorted(before[2]) == sorted([payments[0].id, top_up.id])
    for statement in (
        "DROP TABLE pending_payments, payment_ends",
        "DROP FUNCTION list_new_payments, list_ended_payments CASCADE",
        "DELETE FROM schema_migrations WHERE name = '0005_pre_lists.sql'",
    ):
        await rows(payment_database.admin_url, statement)
    assert await migrate(payment_database.owner_url, MIGRATIONS) == ["0005_pre_lists.sql"]
    assert await told(database) == before
    taken = await operations.take_overdue(database, again_after_seconds=60, count_max=9)
    assert {payment.id for payment in taken} == {payments[2].id, payments[3].id}


async def test_the_release_before_keeps_the_lists_too(
    database: Database, payment_database: Any, make_payment: Callable[..., NewPayment]
) -> None:
    """Goal: while two releases run, payments that the old one postpones or ends are where the new
    one looks for them."""
    payments = [make_payment() for _ in range(2)]
    await operations.accept_payments(database, payments, sweep_after_seconds=-1)
    statements = (
        "UPDATE payments SET sweep_time = now() + interval '1 hour' WHERE id = %s",
        """
        UPDATE payments SET status = 'COMPLETED', complete_time = now(), event_number = 7
        WHERE id = %s
        """,
    )
    for statement, payment in zip(statements, payments, strict=True):
        await rows(payment_database.url, statement, payment.id)
    assert not await operations.take_overdue(database, again_after_seconds=60, count_max=9)
    assert await told(database) == ([payments[1].id],) * 3
    pending = await rows(payment_database.admin_url, "SELECT payment_id FROM pending_payments")
    assert pending == [(payments[0].id,)]


async def test_ends_find_the_pending_by_their_index(
    database: Database, payment_database: Any, make_payment: Callable[..., NewPayment]
) -> None:
    """Goal: a plan that was made for an empty list does not go through a full one for each end."""
    payments = [make_payment() for _ in range(50)]
    end = "UPDATE payments SET status = 'COMPLETED', complete_time = now()"
    await rows(payment_database.admin_url, "VACUUM ANALYZE pending_payments")
    async with await psycopg.AsyncConnection.connect(payment_database.admin_url) as connection:
        for _ in range(10):  # PostgreSQL keeps a plan from the sixth time on
            await connection.execute(end)
        await connection.commit()
        await operations.accept_payments(database, payments, sweep_after_seconds=60)
        await connection.execute(end)
        cursor = await connection.execute(
            "SELECT seq_scan, idx_scan > 0, n_tup_del FROM pg_stat_xact_user_tables"
            " WHERE relname = 'pending_payments'"
        )
        assert await cursor.fetchall() == [(0, True, 50)]
