"""The audit trail in a database: what is written, what nobody can change, how it is read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from chassis.audit import store, trail
from chassis.audit.acts import Call, Outcome, Thing
from chassis.audit.rpc import AuditServicer
from chassis.audit.trail import AuditTrail, open_audit_trail
from chassis.clock import SystemClock
from chassis.database import Database, open_database
from chassis.errors import InvalidArgument, Unavailable
from chassis.ids import IdMaker
from qrpay.audit.v1 import audit_pb2 as pb
from tests.integration.chassis.counters import Administrator

SERVICES = ("wallet", "payment", "ledger", "barcode")
CONTEXT: Any = None
METHOD = "qrpay.wallet.v1.WalletService/FreezeWallet"
REFUSED = [
    "UPDATE audit_records SET actor = 'mallory'",
    "UPDATE audit_records SET actor = 'mallory' WHERE false",
    "DELETE FROM audit_records",
    "TRUNCATE audit_records",
]


def call_by(actor: str, *thing_ids: str, **changes: Any) -> Call:
    """A call of an operator."""
    fields: dict[str, Any] = {
        "caller": "operator",
        "actor": actor,
        "peer": "10.0.0.7",
        "method": METHOD,
        "trace_id": "",
        "things": tuple(Thing("wallet", item) for item in thing_ids),
    }
    return Call(**{**fields, **changes})


@pytest.fixture
async def audited(database_for: Callable[[str], Awaitable[Any]]) -> Any:
    """A wallet database: its URLs."""
    return await database_for("wallet")


@pytest.fixture
async def database(audited: Any) -> AsyncIterator[Database]:
    """The same, as the process sees it."""
    async with open_database(audited.url, application_name="wallet") as database:
        yield database


@pytest.fixture
def auditor(audited: Any) -> Administrator:
    """Looks at the table itself."""
    return Administrator(audited.admin_url)


@pytest.fixture
async def kept(database: Database) -> AsyncIterator[AuditTrail]:
    """A trail into that database."""
    async with open_audit_trail(database=database, ids=IdMaker(clock=SystemClock())) as kept:
        yield kept


def lost() -> float:
    """How many records this process has lost."""
    (point,) = trail._LOST.points()
    return point.value


async def listed(database: Database, **fields: Any) -> list[pb.AuditRecord]:
    """What AuditService answers, all pages of it."""
    servicer = AuditServicer(database=database)
    found: list[pb.AuditRecord] = []
    request = pb.ListAuditRecordsRequest(**fields)
    while True:
        page = await servicer.ListAuditRecords(request, CONTEXT)
        found += page.records
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("statement", REFUSED)
async def test_nobody_changes_what_is_recorded(
    database_for: Callable[[str], Awaitable[Any]], service: str, statement: str
) -> None:
    """Goal: in every service, neither the process nor the owner of the table changes, removes or
    empties it, and what was there still is. Even the superuser has to go out of his way."""
    database = await database_for(service)
    async with open_database(database.url, application_name=service) as opened:
        async with open_audit_trail(database=opened, ids=IdMaker(clock=SystemClock())) as kept:
            kept.note(call_by("ann"), Outcome("OK"), 1)
        for url in (database.url, database.owner_url, database.admin_url):
            async with await psycopg.AsyncConnection.connect(url) as connection:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await connection.execute(statement.encode())
        assert [record.actor for record in await listed(opened)] == ["ann"]


async def test_retention_as_the_documentation_has_it(
    auditor: Administrator, kept: AuditTrail, database: Database
) -> None:
    """Goal: the superuser's way of cutting what is old works, and touches nothing else."""
    kept.note(call_by("ann"), Outcome("OK"), 1)
    await kept.close()
    await auditor.rows("""
        INSERT INTO audit_records
        SELECT 'aud_old', begun_id, now() - interval '13 months', caller, 'old', peer, method,
            thing_kinds, thing_ids, item_count, refused_count, result, reason, trace_id, duration_ms
        FROM audit_records
    """)
    await auditor.rows("""
        BEGIN;
        SET LOCAL session_replication_role = replica;
        DELETE FROM audit_records WHERE record_time < now() - interval '12 months';
        COMMIT;
    """)
    assert [record.actor for record in await listed(database)] == ["ann"]


async def test_an_act_is_one_record_once_it_has_ended(
    kept: AuditTrail, database: Database, auditor: Administrator
) -> None:
    """Goal: begun and not ended, it is listed as BEGUN; ended, the end alone is listed and names
    its begin, and both rows are there."""
    call, begun_id = call_by("ann", "wal_1"), kept.new_id()
    await kept.begin(call, begun_id, seconds_max=5)
    (begun,) = await listed(database)
    assert (begun.id, begun.result, begun.duration_ms) == (begun_id, "BEGUN", 0)
    assert (await listed(database, result="BEGUN")) == [begun]

    made = (Thing("payment", "pay_1"), Thing("wallet", "wal_1"))
    outcome = Outcome("OK", "SOME_REASON", 3, 1, made)
    await kept.end(call, outcome, 12, begun_id=begun_id)
    (ended,) = await listed(database)
    assert (ended.begun_id, ended.result, ended.reason) == (begun_id, "OK", "SOME_REASON")
    assert (ended.duration_ms, ended.item_count, ended.refused_count) == (12, 3, 1)
    assert [(thing.kind, thing.id) for thing in ended.things] == [
        ("wallet", "wal_1"),
        ("payment", "pay_1"),
    ]
    assert ended.record_time.ToDatetime(tzinfo=UTC) >= begun.record_time.ToDatetime(tzinfo=UTC)
    assert (ended.caller, ended.actor, ended.peer) == ("operator", "ann", "10.0.0.7")
    assert ended.method == METHOD
    assert await listed(database, result="BEGUN") == []
    assert len(await auditor.rows("SELECT id FROM audit_records")) == 2


async def test_what_cannot_be_begun_is_refused(
    kept: AuditTrail, auditor: Administrator, database: Database
) -> None:
    """Goal: no record, no act: refused as unavailable when the table takes nothing, when it is
    locked for longer than the caller waits, and not a moment longer than that; then all is well
    again."""
    await auditor.rows("REVOKE INSERT ON audit_records FROM wallet_svc")
    with pytest.raises(Unavailable):
        await kept.begin(call_by("ann"), kept.new_id(), seconds_max=5)
    await auditor.rows("GRANT INSERT ON audit_records TO wallet_svc")
    loop = asyncio.get_running_loop()
    async with await psycopg.AsyncConnection.connect(auditor.url) as connection:
        await connection.execute(b"LOCK TABLE audit_records IN EXCLUSIVE MODE")
        began = loop.time()
        with pytest.raises(Unavailable):
            await kept.begin(call_by("bob"), kept.new_id(), seconds_max=0.2)
        assert loop.time() - began < 1.5
    await kept.begin(call_by("eve"), kept.new_id(), seconds_max=5)
    assert "eve" in [record.actor for record in await listed(database)]


async def test_what_cannot_be_written_is_counted(kept: AuditTrail, auditor: Administrator) -> None:
    """Goal: a record that is lost is counted, each one, and disturbs nobody."""
    await auditor.rows("REVOKE INSERT ON audit_records FROM wallet_svc")
    before = lost()
    for number in range(10):
        kept.note(call_by(f"reader {number}"), Outcome("OK"), 1)
    await kept.close()
    assert lost() - before == 10


async def test_more_than_may_wait_is_counted(kept: AuditTrail, auditor: Administrator) -> None:
    """Goal: while the table takes nothing, memory has a bound: what is beyond it is lost at once,
    and what waits is written when it can be."""
    before, limit = lost(), trail._WAITING_RECORDS_MAX
    async with await psycopg.AsyncConnection.connect(auditor.url) as connection:
        await connection.execute(b"LOCK TABLE audit_records IN EXCLUSIVE MODE")
        for _ in range(limit + 500):
            kept.note(call_by("reader"), Outcome("OK"), 1)
        async with asyncio.timeout(5):
            while lost() - before < 1:  # noqa: ASYNC110 - each is handed over in a task of its own
                await asyncio.sleep(0.01)
    await kept.close()
    ((written,),) = await auditor.rows("SELECT count(*) FROM audit_records")
    assert written + lost() - before == limit + 500
    assert limit <= written <= limit + trail._BATCH_RECORDS_MAX


async def test_records_are_written_in_batches(kept: AuditTrail, auditor: Administrator) -> None:
    """Goal: a thousand readings cost a handful of transactions, and none is left out or doubled."""
    for number in range(1000):
        kept.note(call_by(f"reader {number}"), Outcome("OK"), 1)
    await kept.close()
    ((people, transactions),) = await auditor.rows(
        "SELECT count(DISTINCT actor), count(DISTINCT xmin::text) FROM audit_records"
    )
    assert people == 1000
    assert transactions <= 5


async def test_a_batch_that_is_written_again_changes_nothing(
    database: Database, auditor: Administrator
) -> None:
    """Goal: after an interrupted COMMIT the same records may come again."""
    call = call_by('a "quoted" \\ actor', 'wal_"1"')
    records = [store.NewRecord(f"aud_{number}", call, Outcome("OK"), 1) for number in range(3)]
    for _ in range(2):
        await database.transaction(lambda connection: store.insert(connection, records))
    rows = await auditor.rows("SELECT id, actor, thing_ids FROM audit_records ORDER BY id")
    assert rows == [(f"aud_{number}", 'a "quoted" \\ actor', ['wal_"1"']) for number in range(3)]


async def fill(kept: AuditTrail) -> None:
    """Some acts of different people about different things."""
    for number in range(7):
        kept.note(call_by("ann", "wal_1", f"wal_{number}"), Outcome("OK"), 1)
    kept.note(call_by("bob", "wal_2"), Outcome("NOT_FOUND", "WALLET_NOT_FOUND"), 1)
    kept.note(
        call_by("", caller="acme", method="qrpay.payment.v1.PaymentService/SubmitPayments"),
        Outcome("PERMISSION_DENIED", "PERMISSION_DENIED"),
        1,
    )
    await kept.close()


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({}, 9),
        ({"actor": "ann"}, 7),
        ({"actor": "Ann"}, 0),
        ({"caller": "acme"}, 1),
        ({"method": METHOD}, 8),
        ({"method": "FreezeWallet"}, 8),
        ({"method": "Freeze%"}, 0),
        ({"thing_id": "wal_1"}, 7),
        ({"thing_id": "wal_2"}, 2),
        ({"thing_id": "wal_2", "actor": "bob"}, 1),
        ({"result": "NOT_FOUND"}, 1),
        ({"result": "BEGUN"}, 0),
        ({"caller": "operator", "result": "PERMISSION_DENIED"}, 0),
    ],
)
async def test_what_is_asked_for_is_answered(
    kept: AuditTrail, database: Database, fields: dict[str, Any], count: int
) -> None:
    """Goal: each filter, and that all must hold; pages of 2 and one page tell the same."""
    await fill(kept)
    found = await listed(database, **fields)
    assert len(found) == count
    assert await listed(database, **fields, page_size=2) == found
    order = [(item.record_time.ToNanoseconds(), item.id) for item in found]
    assert order == sorted(order, reverse=True)


async def test_times_are_a_range(kept: AuditTrail, database: Database) -> None:
    """Goal: from the start inclusive, to the end exclusive."""
    await fill(kept)
    moment = (await listed(database))[0].record_time
    at = moment.ToDatetime(tzinfo=UTC)
    later = at + timedelta(microseconds=1)
    assert await listed(database, start_time=later) == []
    assert len(await listed(database, start_time=at, end_time=later)) >= 1
    assert moment not in [item.record_time for item in await listed(database, end_time=at)]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"result": "FINE"}, ["result"]),
        ({"actor": "x" * 201, "thing_id": "a\0"}, ["actor", "thing_id"]),
        ({"page_size": -1}, ["page_size"]),
        ({"page_token": "nonsense"}, ["page_token"]),
        ({"start_time": {"seconds": 2**60}}, ["start_time"]),
    ],
)
async def test_a_bad_question_names_its_fields(
    database: Database, fields: dict[str, Any], names: list[str]
) -> None:
    """Goal: nothing a caller sends reaches PostgreSQL and fails there."""
    with pytest.raises(InvalidArgument) as caught:
        await listed(database, **fields)
    assert [violation.field for violation in caught.value.violations] == names


async def test_a_page_token_is_for_its_list(kept: AuditTrail, database: Database) -> None:
    """Goal: a place in the list of one person is refused in another's."""
    await fill(kept)
    servicer = AuditServicer(database=database)
    request = pb.ListAuditRecordsRequest(actor="ann", page_size=2)
    token = (await servicer.ListAuditRecords(request, CONTEXT)).next_page_token
    assert token
    other = pb.ListAuditRecordsRequest(actor="bob", page_token=token)
    with pytest.raises(InvalidArgument):
        await servicer.ListAuditRecords(other, CONTEXT)


FILL = """
    INSERT INTO audit_records
    SELECT 'aud_' || lpad(n::text, 26, '0'), NULL, now() - n * interval '1 minute', 'operator',
        'actor ' || n % 500, '10.0.0.7', 'qrpay.wallet.v1.WalletService/FreezeWallet',
        ARRAY['wallet', 'payment'], ARRAY['wal_' || n % 2000, 'pay_' || n], 0, 0, 'OK', '', '', 1
    FROM generate_series(1, 40000) AS n
"""


@pytest.mark.parametrize(
    ("fields", "index"),
    [
        ({}, "ix_audit_records_time"),
        ({"caller": "operator", "result": "OK", "method": "FreezeWallet"}, "ix_audit_records_time"),
        ({"actor": "actor 7"}, "ix_audit_records_actor"),
        ({"thing_id": "pay_777"}, "ix_audit_records_things"),
        ({"thing_id": "pay_777", "actor": "actor 277"}, "ix_audit_records_actor"),
    ],
)
@pytest.mark.parametrize("paged", [False, True])
async def test_questions_are_answered_by_index(
    auditor: Administrator, database: Database, fields: dict[str, Any], index: str, paged: bool
) -> None:
    """Goal: in a table of 40,000 records no question reads all of it, on the first page and on a
    later one."""
    await auditor.rows(FILL)
    await auditor.rows("ANALYZE audit_records")
    before = store.Place(SystemClock().now(), "aud_z") if paged else None
    wanted = store.Filter(**fields)
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        sent.append((statement, values))

    engine = database._reader.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    await database.read(lambda it: store.newest(it, wanted, before, count_max=51))
    event.remove(engine, "before_cursor_execute", note)
    ((statement, values),) = sent

    async def explain(connection: Any) -> Any:
        result = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values)
        return result.scalar_one()

    plan = (await database.read(explain))[0]["Plan"]
    nodes = list(nodes_of(plan))
    read = [node for node in nodes if node.get("Relation Name") == "audit_records"]
    assert "Seq Scan" not in [node["Node Type"] for node in nodes], json.dumps(plan)
    assert read
    assert index in [node.get("Index Name") for node in nodes], json.dumps(plan)


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The steps of a plan."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes_of(part)
