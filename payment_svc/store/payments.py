"""Statements about payments and their events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    CollectionAggregate,
    ColumnElement,
    Result,
    Select,
    Text,
    any_,
    cast,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import number_array, text_array
from payment_svc.model import Kind, NewPayment, Status, StoredPayment
from payment_svc.tables import event_counter, payment_ends, payments


class LockedPayment(NamedTuple):
    """What must be known of a payment to end it."""

    id: str
    status: str
    kind: str


class Ending(NamedTuple):
    """How a payment ends."""

    payment_id: str
    status: Status
    failure_code: str
    """Empty if the money moved."""
    payer_entry_number: int
    payee_entry_number: int
    event_number: int
    """0 for a payment that is nobody's event."""
    attempt: int
    """The try that led to it; 0 if none did."""
    queue_us: int
    """When the queue stored the task for that try, when the try began and when the queue stored its
    result: microseconds since 1970, 0 if unknown."""
    try_us: int
    result_us: int


class Completed(NamedTuple):
    """A place in the order of completion. An empty id: before all of its time."""

    time: datetime
    id: str


# unnest turns one array per column into rows: the statement is the same for 1 and for 256 payments,
# so it is planned once, and no parameter is sent twice.
_INSERT_PAYMENTS = text("""
    INSERT INTO payments (
        id, caller_id, request_id, fingerprint, kind, status, payer_id, payer_name, payer_wallet_id,
        payee_id, payee_name, payee_wallet_id, amount_minor, currency_code, note, order_ref,
        barcode_issuance_id, traceparent, create_time, sweep_time
    )
    SELECT
        id, caller_id, request_id, decode(fingerprint, 'hex'), kind, 'PENDING', payer_id,
        payer_name, payer_wallet_id, payee_id, payee_name, payee_wallet_id, amount_minor,
        currency_code, note, order_ref, nullif(barcode_issuance_id, ''), traceparent, create_time,
        now() + make_interval(secs => :sweep_after_seconds)
    FROM unnest(
        CAST(:id AS text[]), CAST(:caller_id AS text[]), CAST(:request_id AS text[]),
        CAST(:fingerprint AS text[]), CAST(:kind AS text[]), CAST(:payer_id AS text[]),
        CAST(:payer_name AS text[]), CAST(:payer_wallet_id AS text[]), CAST(:payee_id AS text[]),
        CAST(:payee_name AS text[]), CAST(:payee_wallet_id AS text[]),
        CAST(:amount_minor AS bigint[]), CAST(:currency_code AS text[]), CAST(:note AS text[]),
        CAST(:order_ref AS text[]), CAST(:barcode_issuance_id AS text[]),
        CAST(:traceparent AS text[]), CAST(:create_time AS timestamptz[])
    ) AS new (
        id, caller_id, request_id, fingerprint, kind, payer_id, payer_name, payer_wallet_id,
        payee_id, payee_name, payee_wallet_id, amount_minor, currency_code, note, order_ref,
        barcode_issuance_id, traceparent, create_time
    )
    -- Two requests with crossing keys must wait for each other in one order, not in a circle.
    ORDER BY caller_id, request_id
    ON CONFLICT DO NOTHING
    RETURNING id
""")

_PAYMENTS_BY_KEY = text(""" SELECT payments.* FROM unnest(CAST(:caller_id AS text[]),
CAST(:request_id AS text[])) AS key (caller_id, request_id) JOIN payments USING (caller_id,
request_id) """).columns(*payments.columns)

_END_PAYMENTS = text("""
    UPDATE payments
    SET status = ending.status,
        failure_code = nullif(ending.failure_code, ''),
        payer_entry_number = ending.payer_entry_number,
        payee_entry_number = ending.payee_entry_number,
        event_number = nullif(ending.event_number, 0),
        complete_time = now(),
        attempt = nullif(ending.attempt, 0),
        queue_time = timestamptz 'epoch' + nullif(ending.queue_us, 0) * interval '1 microsecond',
        try_time = timestamptz 'epoch' + nullif(ending.try_us, 0) * interval '1 microsecond',
        result_time = timestamptz 'epoch' + nullif(ending.result_us, 0) * interval '1 microsecond'
    FROM unnest(
        CAST(:payment_id AS text[]), CAST(:status AS text[]), CAST(:failure_code AS text[]),
        CAST(:payer_entry_number AS bigint[]), CAST(:payee_entry_number AS bigint[]),
        CAST(:event_number AS bigint[]), CAST(:attempt AS bigint[]), CAST(:queue_us AS bigint[]),
        CAST(:try_us AS bigint[]), CAST(:result_us AS bigint[])
    ) AS ending (
        payment_id, status, failure_code, payer_entry_number, payee_entry_number, event_number,
        attempt, queue_us, try_us, result_us
    )
    WHERE payments.id = ending.payment_id AND payments.status = 'PENDING'
    RETURNING payments.*
""").columns(*payments.columns)

# Times are the database's own, so that no process with a wrong clock can end a payment in the past.
_SETTLED_UNTIL = text("SELECT date_trunc('milliseconds', now()) - make_interval(secs => :seconds)")

_COMPLETED = text("""
    SELECT complete_time, payment_id FROM payment_ends
    WHERE status = 'COMPLETED' AND complete_time < :end_time
        AND (complete_time, payment_id) > (:after_time, :after_id)
    ORDER BY complete_time, payment_id
    LIMIT :count_max
""")


async def insert_payments(
    connection: AsyncConnection, new: Sequence[NewPayment], *, sweep_after_seconds: float
) -> set[str]:
    """Store payments as PENDING; answer the ids of those stored.

    The others collide with a payment that is there, by caller and request id or by barcode.
    """
    result = await connection.execute(
        _INSERT_PAYMENTS, {**_columns(new), "sweep_after_seconds": sweep_after_seconds}
    )
    return set(result.scalars())


async def payments_by_key(
    connection: AsyncConnection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], StoredPayment]:
    """The payments that exist for pairs of caller and request id."""
    result = await connection.execute(
        _PAYMENTS_BY_KEY,
        {
            "caller_id": text_array([key[0] for key in keys]),
            "request_id": text_array([key[1] for key in keys]),
        },
    )
    return {(row.caller_id, row.request_id): row for row in stored(result)}


async def payments_by_id(
    connection: AsyncConnection, payment_ids: Sequence[str]
) -> dict[str, StoredPayment]:
    """The payments that exist, by id."""
    result = await connection.execute(select(payments).where(payments.c.id == _any(payment_ids)))
    return {row.id: row for row in stored(result)}


async def lock_payments(
    connection: AsyncConnection, payment_ids: Sequence[str]
) -> list[LockedPayment]:
    """The payments that exist, locked until the end of the transaction."""
    result = await connection.execute(
        select(payments.c.id, payments.c.status, payments.c.kind)
        .where(payments.c.id == _any(payment_ids))
        # In id order, so that two consumers of the same results wait for each other, not in a
        # circle.
        .order_by(payments.c.id)
        .with_for_update(key_share=True)
    )
    return [LockedPayment._make(row) for row in result]


async def take_event_numbers(connection: AsyncConnection, count: int) -> int:
    """Reserve ``count`` event numbers; answer the first. Serialises enders until their commit."""
    result = await connection.execute(
        event_counter.update()
        .values(last_number=event_counter.c.last_number + count)
        .returning(event_counter.c.last_number)
    )
    last: int = result.scalar_one()
    return last - count + 1


async def last_event_number(connection: AsyncConnection) -> int:
    """The highest event number in use."""
    number: int = (await connection.execute(select(event_counter.c.last_number))).scalar_one()
    return number


async def end_payments(
    connection: AsyncConnection, endings: Sequence[Ending]
) -> list[StoredPayment]:
    """Make PENDING payments terminal; answer those that were."""
    columns = zip(Ending._fields, zip(*endings, strict=True), strict=True)
    parameters: dict[str, Any] = {name: list(column) for name, column in columns}
    result = await connection.execute(_END_PAYMENTS, parameters)
    return stored(result)


async def settled_until(connection: AsyncConnection, *, seconds: float) -> datetime:
    """The moment that many seconds ago, by the database's clock."""
    moment: datetime = (await connection.execute(_SETTLED_UNTIL, {"seconds": seconds})).scalar_one()
    return moment


async def list_completed(
    connection: AsyncConnection,
    *,
    after: Completed,
    end_time: datetime,
    count_max: int,
) -> list[Completed]:
    """The payments that were completed after one and before a time, in that order."""
    result = await connection.execute(
        _COMPLETED,
        {
            "after_time": after.time,
            "after_id": after.id,
            "end_time": end_time,
            "count_max": count_max,
        },
    )
    return [Completed._make(row) for row in result]


class PaymentFilter(NamedTuple):
    """Which of an owner's payments to list."""

    status: Status | None = None
    kind: Kind | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    before_id: str | None = None


async def list_payments(
    connection: AsyncConnection, owner_id: str, *, wanted: PaymentFilter, count_max: int
) -> list[StoredPayment]:
    """An owner's payments, newest first, without top-ups."""
    conditions: list[ColumnElement[bool]] = [payments.c.kind != Kind.TOP_UP]
    if wanted.status:
        conditions.append(payments.c.status == wanted.status)
    if wanted.kind:
        conditions.append(payments.c.kind == wanted.kind)
    if wanted.start_time:
        conditions.append(payments.c.create_time >= wanted.start_time)
    if wanted.end_time:
        conditions.append(payments.c.create_time < wanted.end_time)
    if wanted.before_id:
        conditions.append(payments.c.id < wanted.before_id)
    # Two index walks that each stop after a page, merged: an OR would read all of one side first.
    sides = [
        _page(side == owner_id, conditions, count_max)
        for side in (payments.c.payer_id, payments.c.payee_id)
    ]
    both = union_all(*sides).subquery()
    result = await connection.execute(select(both).order_by(both.c.id.desc()).limit(count_max))
    return stored(result)


async def list_events(
    connection: AsyncConnection, owner_id: str, *, after_number: int, count_max: int
) -> list[StoredPayment]:
    """An owner's terminal payments with a higher event number, in its order.

    A failed payment is an event of its payer only: the payee never knew of it.
    """
    later = payment_ends.c.event_number > after_number
    numbers = select(payment_ends.c.payment_id, payment_ends.c.event_number)
    sides = [
        numbers.where(payment_ends.c.payer_id == owner_id, later),
        numbers.where(
            payment_ends.c.payee_id == owner_id, later, payment_ends.c.status == Status.COMPLETED
        ),
    ]
    limited = [
        select(side.order_by(payment_ends.c.event_number).limit(count_max).subquery())
        for side in sides
    ]
    both = union_all(*limited).subquery()
    first = select(both).order_by(both.c.event_number).limit(count_max).subquery()
    result = await connection.execute(
        select(payments)
        .join(first, first.c.payment_id == payments.c.id)
        .order_by(first.c.event_number)
    )
    return stored(result)


def _columns(rows: Sequence[NewPayment] | Sequence[Ending]) -> dict[str, str]:
    """An array per field of some rows, as a literal."""
    # The rows become columns in one pass of C.
    columns = zip(rows[0]._fields, zip(*rows, strict=True), strict=True)
    return {name: _array(column) for name, column in columns}


def _array(column: tuple[Any, ...]) -> str:
    if isinstance(column[0], int):
        return number_array(column)
    if isinstance(column[0], str):
        return text_array(column)
    if isinstance(column[0], bytes):
        return text_array([value.hex() for value in column])
    return text_array([value.isoformat() for value in column])


def stored(result: Result[Any]) -> list[StoredPayment]:
    """Rows of the table ``payments``, all columns in their order."""
    # Tuples of a known shape: a field is several times cheaper to read than of a SQLAlchemy row,
    # and each is read many times.
    return [StoredPayment._make(row) for row in result]


def _page(
    side: ColumnElement[bool], conditions: Sequence[ColumnElement[bool]], count_max: int
) -> Select[Any]:
    page = select(payments).where(side, *conditions).order_by(payments.c.id.desc()).limit(count_max)
    return select(page.subquery())


def _any(values: Sequence[str]) -> CollectionAggregate[Any]:
    return any_(cast(literal(text_array(values), Text), ARRAY(Text)))
