"""What payments add up to, for whoever compares them with other books; and putting them back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.digests import IdRange, digest_message
from payment_svc.messages import FAILURE_CODES, KINDS, STATUSES, timestamp
from payment_svc.model import Status, StoredPayment
from payment_svc.store import digests as store
from payment_svc.store import pending as pending_store
from payment_svc.store.digests import Sum
from qrpay.payment.v1 import payment_pb2
from qrpay.type.v1 import digest_pb2, money_pb2


async def digest_payments(
    database: Database, ranges: Sequence[IdRange], *, rows_max: int
) -> list[list[Sum] | None]:
    """What each range of ids adds up to; None where there are more than ``rows_max``."""

    async def work(connection: AsyncConnection) -> list[list[Sum] | None]:
        found: list[list[Sum] | None] = []
        for ids in ranges:
            count = await store.count_payments(connection, ids, count_max=rows_max + 1)
            found.append(None if count > rows_max else await store.sum_payments(connection, ids))
        return found

    return await database.read(work)


async def list_ranges(
    database: Database, ranges: Sequence[IdRange], *, count_max: int
) -> list[StoredPayment]:
    """The payments of ranges of ids; up to one more than ``count_max``."""

    async def work(connection: AsyncConnection) -> list[StoredPayment]:
        found: list[StoredPayment] = []
        for ids in ranges:
            left = count_max + 1 - len(found)
            found += await store.list_range(connection, ids, count_max=left)
        return found

    return await database.read(work)


async def republish(
    database: Database,
    payment_ids: Sequence[str],
    *,
    publish_tasks: Callable[[Sequence[StoredPayment]], Awaitable[None]],
    sweep_after_seconds: float,
) -> list[str]:
    """Put PENDING payments into the queue again, as the sweeper does; answers which.

    Should the queue lose them, the sweeper brings them. Raises ``Unavailable``.
    """

    async def work(connection: AsyncConnection) -> list[StoredPayment]:
        return await pending_store.take_pending_payments(
            connection, payment_ids, sweep_after_seconds=sweep_after_seconds
        )

    rows = await database.transaction(work)
    if rows:
        await publish_tasks(rows)
    return [row.id for row in rows]


def range_message(sums: list[Sum] | None) -> digest_pb2.RangeDigest:
    """What a range adds up to, for the wire; None: too many."""
    if sums is None:
        return digest_pb2.RangeDigest(too_many=True)
    message = digest_pb2.RangeDigest()
    for item in sums:
        if item.status == Status.PENDING:
            message.pending_count += item.row_count
            continue
        (message.moved if item.status == Status.COMPLETED else message.refused).append(
            digest_message(item.currency_code, item.row_count, item.amount_minor, item.hash)
        )
    return message


def record_message(row: StoredPayment) -> payment_pb2.PaymentRecord:
    """A payment as far as other books must agree with it, for the wire."""
    message = payment_pb2.PaymentRecord(
        payment_id=row.id,
        kind=KINDS[row.kind],
        debit_wallet_id=row.payer_wallet_id,
        credit_wallet_id=row.payee_wallet_id,
        money=money_pb2.Money(currency_code=row.currency_code, amount_minor=row.amount_minor),
        status=STATUSES[row.status],
        create_time=timestamp(row.create_time),
        is_set_aside=row.status == Status.PENDING and row.sweep_time >= pending_store.NEVER,
    )
    if row.complete_time is not None:
        message.complete_time.CopyFrom(timestamp(row.complete_time))
    if row.failure_code:
        # A code of a later release passes through as none.
        message.failure_code = FAILURE_CODES.get(row.failure_code, 0)  # type: ignore[assignment]
    return message
