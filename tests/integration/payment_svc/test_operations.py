"""The use cases of payment_svc against a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from chassis.batching import isolate
from chassis.clock import SystemClock
from chassis.database import Database
from chassis.errors import InvalidArgument, ServiceError
from chassis.ids import IdMaker
from payment_svc import operations
from payment_svc.errors import (
    BarcodeUsed,
    PaymentNotFound,
    RequestIdInFlight,
    RequestIdReused,
)
from payment_svc.model import Kind, NewPayment, Result, Status, StoredPayment
from payment_svc.operations import Accepted
from payment_svc.store.payments import Completed, PaymentFilter
from payment_svc.tables import metadata

CLOCK = SystemClock()
MakePayment = Callable[..., NewPayment]


async def accept(database: Database, *new: NewPayment) -> list[Any]:
    """Accept payments that are due for a sweep at once."""
    return await operations.accept_payments(database, new, sweep_after_seconds=0)


async def finish(database: Database, *results: Result) -> list[StoredPayment]:
    """Apply results."""
    return (await operations.apply_results(database, results)).rows


def done(payment: NewPayment, *, failure_code: str | None = None) -> Result:
    """The result of a payment's transfer."""
    return Result(payment.id, failure_code, 0 if failure_code else 1, 0 if failure_code else 1)


async def test_the_tables_are_those_of_the_migrations(payment_database: Any) -> None:
    """Columns, types and nullability in tables.py are what the migrations made."""
    url = payment_database.owner_url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_async_engine(url)

    def type_of(column_type: Any) -> str:
        return str(column_type.compile(engine.dialect)).split(" ")[0]

    async with engine.connect() as connection:
        migrated = await connection.run_sync(
            lambda sync: {
                table: {
                    column["name"]: (type_of(column["type"]), column["nullable"])
                    for column in inspect(sync).get_columns(table)
                }
                for table in inspect(sync).get_table_names()
                if table != "schema_migrations"
            }
        )
    await engine.dispose()
    declared = {
        table.name: {
            column.name: (type_of(column.type), column.nullable) for column in table.columns
        }
        for table in metadata.tables.values()
    }
    assert migrated == declared
    assert list(migrated["payments"]) == list(StoredPayment._fields), "a row is read by position"


async def test_one_key_many_times_at_once_is_one_payment(
    database: Database, make_payment: MakePayment
) -> None:
    """Twenty requests with one key, in transactions of their own: one row, nineteen replays."""
    same = [make_payment(request_id="same") for _ in range(20)]
    answers = [
        answer
        for answers in await asyncio.gather(*(accept(database, payment) for payment in same))
        for answer in answers
    ]
    assert len({answer.payment.id for answer in answers}) == 1
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 19


async def test_one_key_twice_in_a_batch_is_one_payment(
    database: Database, make_payment: MakePayment
) -> None:
    """The gateway may put both tries of one request into the same batch."""
    first, second = make_payment(request_id="same"), make_payment(request_id="same")
    answers = await accept(database, first, second)
    assert [answer.payment.id for answer in answers] == [first.id, first.id]
    assert [answer.replayed for answer in answers] == [False, True]


async def test_a_key_belongs_to_its_caller(database: Database, make_payment: MakePayment) -> None:
    """Two callers may choose the same key."""
    mine = make_payment(request_id="same")
    theirs = make_payment(request_id="same", caller_id="usr_carol")
    assert [answer.payment.id for answer in await accept(database, mine, theirs)] == [
        mine.id,
        theirs.id,
    ]


async def test_a_key_with_other_content_is_refused_alone(
    database: Database, make_payment: MakePayment
) -> None:
    """The same key for another request is an error; its neighbour is accepted."""
    await accept(database, make_payment(request_id="same"))
    other, neighbour = make_payment(request_id="same", fingerprint=b"g" * 32), make_payment()
    refused, accepted = await accept(database, other, neighbour)
    assert isinstance(refused, RequestIdReused)
    assert accepted.payment.id == neighbour.id


async def test_a_barcode_pays_once(database: Database, make_payment: MakePayment) -> None:
    """Sixteen payments by one issue of a barcode, at once, each with its key: one is accepted."""
    payments = [make_payment(barcode_issuance_id="iss_1") for _ in range(16)]
    answers = [
        answer
        for answers in await asyncio.gather(*(accept(database, payment) for payment in payments))
        for answer in answers
    ]
    assert sum(isinstance(answer, Accepted) for answer in answers) == 1
    assert sum(isinstance(answer, BarcodeUsed) for answer in answers) == 15


async def test_a_key_that_is_being_stored_elsewhere_is_in_flight_and_alone(
    database: Database, payment_database: Any, make_payment: MakePayment
) -> None:
    """Another process holds one key of the batch: that item is told so, its neighbours go on."""
    batch = [make_payment() for _ in range(8)]
    held = batch[3]
    async with await psycopg.AsyncConnection.connect(payment_database.owner_url) as other:
        columns = "id, caller_id, request_id, fingerprint, kind, status, payer_id, payer_name, payer_wallet_id, payee_id, payee_name, payee_wallet_id, amount_minor, currency_code, note, order_ref, traceparent, create_time, sweep_time"  # noqa: E501
        await other.execute(
            f"INSERT INTO payments ({columns}) VALUES ('pay_other', %s, %s, '', 'SEND', 'PENDING',"  # noqa: S608
            " 'a', 'a', 'a', 'b', 'b', 'b', 1, 'USD', '', '', '', now(), now())",
            [held.caller_id, held.request_id],
        )

        async def accept_batch(
            new: Sequence[NewPayment],
        ) -> Sequence[Accepted | ServiceError]:
            return await accept(database, *new)

        answers = await isolate(batch, accept_batch)
        await other.rollback()
    assert isinstance(answers.pop(3), RequestIdInFlight)
    assert all(isinstance(answer, Accepted) for answer in answers)
    (again,) = await accept(database, held)
    assert again.payment.id == held.id


async def test_results_make_payments_terminal_and_number_their_events(
    database: Database, make_payment: MakePayment
) -> None:
    """A completed and a failed payment end; a repeated or contradicting result changes nothing."""
    good, bad = make_payment(), make_payment()
    await accept(database, good, bad)
    rows = await finish(database, done(good), done(bad, failure_code="INSUFFICIENT_FUNDS"))
    by_id = {row.id: row for row in rows}
    assert by_id[good.id].status == Status.COMPLETED
    assert (by_id[good.id].complete_time or good.create_time) > good.create_time
    assert (by_id[bad.id].status, by_id[bad.id].failure_code) == (
        Status.FAILED,
        "INSUFFICIENT_FUNDS",
    )
    assert {row.event_number for row in rows} == {1, 2}
    again = await finish(database, done(good, failure_code="WALLET_CLOSED"), done(bad))
    assert {row.id: tuple(row) for row in again} == {row.id: tuple(row) for row in rows}


async def test_event_numbers_have_no_gaps_under_concurrency(
    database: Database, make_payment: MakePayment
) -> None:
    """Eight consumers end overlapping batches at once; an unknown payment harms none of them."""
    payments = [make_payment() for _ in range(120)]
    await accept(database, *payments)
    ghost = make_payment()
    batches = [[*payments[start : start + 40], ghost] for start in range(0, 120, 15)]
    await asyncio.gather(
        *(finish(database, *(done(payment) for payment in batch)) for batch in batches)
    )
    rows, head = await operations.list_events(database, "usr_alice", after_number=0, count_max=500)
    assert [row.event_number for row in rows] == list(range(1, 121))
    assert head == 120


async def test_a_top_up_is_nobodys_event(database: Database, make_payment: MakePayment) -> None:
    """Money from the bank has no event number and is not listed among the payments."""
    top_up = make_payment(kind=Kind.TOP_UP)
    await accept(database, top_up)
    (row,) = await finish(database, done(top_up))
    assert (row.status, row.event_number) == (Status.COMPLETED, None)
    listed = await operations.list_payments(
        database, "usr_bob", wanted=PaymentFilter(), count_max=10
    )
    assert listed == []


async def test_a_failed_payment_is_an_event_of_its_payer_only(
    database: Database, make_payment: MakePayment
) -> None:
    """The payee never knew of it."""
    bad, good = make_payment(), make_payment()
    await accept(database, bad, good)
    await finish(database, done(bad, failure_code="WALLET_FROZEN"), done(good))
    payer, _ = await operations.list_events(database, "usr_alice", after_number=0, count_max=9)
    payee, _ = await operations.list_events(database, "usr_bob", after_number=0, count_max=9)
    assert {row.id for row in payer} == {bad.id, good.id}
    assert {row.id for row in payee} == {good.id}


async def test_events_resume_after_a_number(database: Database, make_payment: MakePayment) -> None:
    """Pages of any size give every event once, in order."""
    payments = [make_payment() for _ in range(7)]
    await accept(database, *payments)
    await finish(database, *(done(payment) for payment in payments))
    seen: list[int] = []
    while True:
        rows, _ = await operations.list_events(
            database, "usr_bob", after_number=seen[-1] if seen else 0, count_max=3
        )
        if not rows:
            break
        seen += [row.event_number or 0 for row in rows]
    assert seen == list(range(1, 8))


async def test_sweepers_share_the_overdue(database: Database, make_payment: MakePayment) -> None:
    """Each overdue payment is taken by one of many sweepers; terminal and fresh ones by none."""
    overdue = [make_payment() for _ in range(60)]
    ended = make_payment()
    await accept(database, *overdue, ended)
    await finish(database, done(ended))
    fresh = make_payment()
    await operations.accept_payments(database, [fresh], sweep_after_seconds=3600)
    taken = await asyncio.gather(
        *(
            operations.take_overdue(database, again_after_seconds=3600, count_max=20)
            for _ in range(6)
        )
    )
    ids = [row.id for rows in taken for row in rows]
    assert sorted(ids) == sorted(payment.id for payment in overdue)


async def test_the_longest_overdue_come_first(
    database: Database, make_payment: MakePayment
) -> None:
    """A sweep that cannot take all takes the oldest."""
    payments = [make_payment() for _ in range(3)]
    for payment, overdue_seconds in zip(payments, (60, 180, 120), strict=True):
        await operations.accept_payments(database, [payment], sweep_after_seconds=-overdue_seconds)
    taken = await operations.take_overdue(database, again_after_seconds=60, count_max=2)
    assert {row.id for row in taken} == {payments[1].id, payments[2].id}


async def test_lists_are_newest_first_and_filtered(
    database: Database, make_payment: MakePayment
) -> None:
    """Both sides see a payment; filters and pages cut the list, never its order."""
    payments = [make_payment() for _ in range(5)]
    paid = make_payment(kind=Kind.PAY, payer_id="usr_bob", payee_id="usr_alice")
    foreign = make_payment(payer_id="usr_carol", payee_id="usr_dave")
    await accept(database, *payments, paid, foreign)
    await finish(database, done(payments[0]))
    # Ids sort by time; those of one millisecond in some order that stays.
    newest_first = sorted((payment.id for payment in [paid, *payments]), reverse=True)

    async def listed(**wanted: Any) -> list[str]:
        rows = await operations.list_payments(
            database, "usr_alice", wanted=PaymentFilter(**wanted), count_max=10
        )
        return [row.id for row in rows]

    assert await listed() == newest_first
    assert await listed(before_id=newest_first[2]) == newest_first[3:]
    assert await listed(kind=Kind.PAY) == [paid.id]
    assert await listed(status=Status.COMPLETED) == [payments[0].id]
    assert await listed(start_time=CLOCK.now() + timedelta(minutes=1)) == []
    assert await listed(end_time=CLOCK.now() + timedelta(minutes=1)) == newest_first


async def test_a_payment_is_shown_to_its_sides(
    database: Database, make_payment: MakePayment
) -> None:
    """Payer, payee and operators see it; anybody else learns that there is no such payment."""
    payment = make_payment()
    await accept(database, payment)
    for viewer in ("usr_alice", "usr_bob", ""):
        row = await operations.get_payment(database, payment.id, viewer_id=viewer)
        assert row.id == payment.id
    with pytest.raises(PaymentNotFound):
        await operations.get_payment(database, payment.id, viewer_id="usr_carol")
    with pytest.raises(PaymentNotFound):
        await operations.get_payment(database, "pay_none", viewer_id="")


async def test_a_bank_account_is_stored_once(database: Database) -> None:
    """The same owner and IBAN is the same account; another owner has an account of its own."""
    ids = IdMaker(clock=CLOCK)

    async def create(owner_id: str, iban: str) -> Any:
        return await operations.create_bank_account(
            database, owner_id=owner_id, holder="Alice", iban=iban, clock=CLOCK, ids=ids
        )

    first = await create("usr_alice", "DE89370400440532013000")
    assert (await create("usr_alice", "DE89370400440532013000")).id == first.id
    other = await create("usr_bob", "DE89370400440532013000")
    assert other.id != first.id
    found = await operations.find_bank_accounts(
        database, [("usr_alice", first.id), ("usr_alice", other.id)]
    )
    assert set(found) == {("usr_alice", first.id)}
    for number in range(99):
        await create("usr_alice", f"IBAN{number}")
    with pytest.raises(InvalidArgument):
        await create("usr_alice", "IBAN-one-too-many")
    assert len(await operations.list_bank_accounts(database, "usr_alice")) == 100


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM payments",
        "UPDATE payments SET amount_minor = 1",
        "UPDATE payments SET payee_wallet_id = 'mine'",
        "TRUNCATE payments",
        "DELETE FROM event_counter",
        "DROP TABLE payments",
    ],
)
async def test_the_service_may_not_rewrite_history(database: Database, statement: str) -> None:
    """What a payment says is fixed by the database's privileges, not by good will."""
    with pytest.raises(Exception, match=r"permission denied|must be owner"):
        await database.transaction(lambda connection: connection.execute(text(statement)))


async def test_completed_payments_are_listed_without_a_gap(
    database: Database, make_payment: MakePayment, payment_database: Any
) -> None:
    """Whoever reads page after page, and round after round from the last end, sees every completed
    payment once; none is listed that is too young for all of its neighbours to be there."""
    payments = [make_payment() for _ in range(7)]
    await accept(database, *payments)
    ended = [Result(payment.id, None, 1, 1) for payment in payments[:5]]
    failed = Result(payments[5].id, "INSUFFICIENT_FUNDS", 0, 0)
    await operations.apply_results(database, [*ended, failed])
    beginning = datetime(1970, 1, 1, tzinfo=UTC)

    async def read(start: datetime, end: datetime) -> list[str]:
        seen: list[str] = []
        after = Completed(start, "")
        while page := await operations.list_completed(
            database, after=after, end_time=end, count_max=2
        ):
            seen += [item.id for item in page]
            after = page[-1]
        return seen

    assert await read(beginning, await operations.settled_until(database)) == []
    async with await psycopg.AsyncConnection.connect(payment_database.admin_url) as connection:
        await connection.execute(
            "UPDATE payment_ends SET complete_time = complete_time - interval '1 hour'"
        )
    end = await operations.settled_until(database)
    assert await read(beginning, end) == sorted(item.payment_id for item in ended)
    assert await read(end, end + timedelta(days=1)) == []
