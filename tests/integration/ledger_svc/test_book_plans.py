"""How PostgreSQL finds what BookService reads: by index, in a book of 20,000 transactions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from ledger_svc.book.rpc import BookServicer
from qrpay.ledger.v1 import book_pb2 as pb

CONTEXT: Any = None
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
# 2,000 batches, one a minute, of ten payments each, between a hundred accounts; half of all is paid
# to one of them. The triggers are for what is posted, and this is not: nothing adds it up.
FILL = b"""
    SET session_replication_role = replica;
    INSERT INTO journal_batches
    SELECT n, 10 * n - 9, 10 * n, TIMESTAMPTZ '2026-01-01 00:00:00+00' + n * INTERVAL '1 minute',
        sha256(n::text::bytea), sha256(n::text::bytea)
    FROM generate_series(1, 2000) AS n;
    INSERT INTO journal_transactions
    SELECT n, 'pay_' || n, 1 + n % 4, TIMESTAMPTZ '2026-01-01 00:00:00+00', (n + 9) / 10, NULL, '',
        sha256(n::text::bytea)
    FROM generate_series(1, 20000) AS n;
    INSERT INTO postings
    SELECT n, line,
        'wal_' || CASE WHEN line = 1 THEN 1 + n % 99 WHEN n % 2 = 0 THEN 0 ELSE 1 + n * 7 % 99 END,
        line, 'USD', 1 + n * 31 % 5000, 0
    FROM generate_series(1, 20000) AS n, generate_series(1, 2) AS line;
    INSERT INTO accounts SELECT DISTINCT account_id, 'USD', 0, 0, 1, 0 FROM postings;
    UPDATE journal_head SET batch_number = 2000, transaction_number = 20000;
"""
HOUR: dict[str, Any] = {
    "start_time": BEGINNING + 999 * MINUTE,
    "end_time": BEGINNING + 1059 * MINUTE,
}
QUESTIONS = {
    "balance now": pb.GetBalanceRequest(account_id="wal_0"),
    "balance then": pb.GetBalanceRequest(account_id="wal_0", as_of_time=HOUR["start_time"]),
    "balance of few": pb.GetBalanceRequest(account_id="wal_7", as_of_time=HOUR["start_time"]),
    "statement": pb.ListPostingsRequest(account_id="wal_0"),
    "statement of an hour": pb.ListPostingsRequest(account_id="wal_0", **HOUR),
    "statement of few": pb.ListPostingsRequest(account_id="wal_7", **HOUR),
}
CONDITIONS: dict[str, Any] = {
    "source": {"source_id": "pay_777"},
    "account": {"account_id": "wal_0"},
    "account of few": {"account_id": "wal_7"},
    "account and time": {"account_id": "wal_0", **HOUR},
    "time": HOUR,
}
SEARCHES = {
    f"search by {name}{', amount' * has_amount}{', kind' * has_kind}": pb.SearchTransactionsRequest(
        **condition,
        min_amount_minor=32 * has_amount,
        max_amount_minor=32 * has_amount,
        kind=2 * has_kind,  # type: ignore[arg-type]
    )
    for name, condition in CONDITIONS.items()
    for has_amount in (False, True)
    for has_kind in (False, True)
}
TABLES_OF_ONE_ROW = {"journal_head"}
"""Reading all of it is reading a row."""


@contextmanager
def watched(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are sent meanwhile, with their values."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        sent.append((statement, values))

    engine = database._reader.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def numbered(statement: str) -> str:
    """The statement as PostgreSQL prepares it: $1 for %(name)s."""
    names = dict.fromkeys(re.findall(r"%\((\w+)\)s", statement))
    for place, name in enumerate(names, 1):
        statement = statement.replace(f"%({name})s", f"${place}")
    return statement


async def plans(database: Database, sent: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    """How each statement is done: with these values, and once it is prepared for any."""

    async def explain(connection: AsyncConnection) -> list[Any]:
        found = []
        for statement, values in sent:
            with_values = f"EXPLAIN (FORMAT JSON) {statement}"
            found.append((await connection.exec_driver_sql(with_values, values)).scalar_one())
            generic = f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {numbered(statement)}"
            raw: Any = (await connection.get_raw_connection()).driver_connection
            cursor = await raw.execute(generic, prepare=False)
            found.append((await cursor.fetchone())[0])
        return found

    return [plan[0]["Plan"] for plan in await database.read(explain)]


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The steps of a plan."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes_of(part)


def faults_of(plan: dict[str, Any], *, may_sort: bool) -> list[str]:
    """Steps that take longer the longer the book is."""
    return [
        f"{node['Node Type']} {node.get('Relation Name', '')}"
        for node in nodes_of(plan)
        if (node["Node Type"] == "Seq Scan" and node["Relation Name"] not in TABLES_OF_ONE_ROW)
        or (not may_sort and "Sort" in node["Node Type"])
    ]


@pytest.fixture
async def servicer(database: Database, auditor: Any) -> BookServicer:
    """The service on that book, which PostgreSQL knows well."""
    await auditor.change(FILL)
    await auditor.change(b"ANALYZE")
    return BookServicer(database=database)


async def test_every_question_is_answered_by_index(
    servicer: BookServicer, database: Database
) -> None:
    """No table is read through for a balance, a statement, or a search by whatever; and for a
    balance or a statement nothing is sorted."""
    told = {}
    for name, request in {**QUESTIONS, **SEARCHES}.items():
        method = type(request).__name__.removesuffix("Request")
        with watched(database) as sent:
            await getattr(servicer, method)(request, CONTEXT)
        assert sent
        # What one look of a search may see is bounded, and may be put into order.
        may_sort = name in SEARCHES
        for plan in await plans(database, sent):
            if faults := faults_of(plan, may_sort=may_sort):
                told[name] = (faults, json.dumps(plan)[:3000])
    assert told == {}


async def test_a_table_that_is_read_through_is_told(
    servicer: BookServicer, database: Database
) -> None:
    """The check above can fail: a question without an index is found out."""
    statement = "SELECT * FROM postings WHERE amount_minor = %(amount)s ORDER BY direction"
    for plan in await plans(database, [(statement, {"amount": 5})]):
        assert "Seq Scan postings" in faults_of(plan, may_sort=True)
        assert "Sort " in faults_of(plan, may_sort=False)
