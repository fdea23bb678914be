"""Statements that add up payments, for whoever compares them with other books.

Ranges are bound as ``start_id`` and ``end_id``, the first id after it.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.digests import IdRange, all_hashes, is_in_range, row_hash
from payment_svc.model import StoredPayment
from payment_svc.store.payments import stored
from payment_svc.tables import payments, pending_payments
from qrpay.type.v1.failure_code_pb2 import FailureCode
from qrpay.type.v1.transfer_kind_pb2 import TransferKind


class Sum(NamedTuple):
    """What the payments of one status and currency add up to."""

    status: str
    currency_code: str
    row_count: int
    amount_minor: int
    hash: int


_COUNT = select(func.count()).select_from(
    select(payments.c.id).where(is_in_range(payments.c.id)).limit(bindparam("count_max")).subquery()
)

# Other books number kinds and failures as the contract does.
_KINDS = {name.removeprefix("TRANSFER_KIND_"): number for name, number in TransferKind.items()}
_FAILURES = {name.removeprefix("FAILURE_CODE_"): number for name, number in FailureCode.items()}
_SUMS = (
    select(
        payments.c.status,
        payments.c.currency_code,
        func.count(),
        func.sum(payments.c.amount_minor),
        all_hashes(
            row_hash(
                payments.c.id,
                case(_KINDS, value=payments.c.kind, else_=0),
                payments.c.payer_wallet_id,
                payments.c.payee_wallet_id,
                payments.c.currency_code,
                payments.c.amount_minor,
                case(_FAILURES, value=payments.c.failure_code, else_=0),
            )
        ),
    )
    .where(is_in_range(payments.c.id))
    .group_by(payments.c.status, payments.c.currency_code)
)

# Whether a person sees to it is known by the list of what is PENDING.
_LIST = (
    select(
        *(
            func.coalesce(pending_payments.c.sweep_time, column)
            if column.key == "sweep_time"
            else column
            for column in payments.columns
        )
    )
    .outerjoin_from(payments, pending_payments, payments.c.id == pending_payments.c.payment_id)
    .where(is_in_range(payments.c.id))
    .order_by(payments.c.id)
    .limit(bindparam("count_max"))
)


async def count_payments(connection: AsyncConnection, ids: IdRange, *, count_max: int) -> int:
    """How many payments there are in a range; no more than ``count_max`` are counted."""
    result = await connection.execute(_COUNT, {**ids._asdict(), "count_max": count_max})
    count: int = result.scalar_one()
    return count


async def sum_payments(connection: AsyncConnection, ids: IdRange) -> list[Sum]:
    """What the payments of a range add up to."""
    return [Sum(*row) for row in await connection.execute(_SUMS, ids._asdict())]


async def list_range(
    connection: AsyncConnection, ids: IdRange, *, count_max: int
) -> list[StoredPayment]:
    """The payments of a range, by id."""
    result = await connection.execute(_LIST, {**ids._asdict(), "count_max": count_max})
    return stored(result)
