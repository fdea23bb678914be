"""Statements that add up payments, for whoever compares them with other books.

Ranges are bound as ``start_id`` and ``end_id``, the first id after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import bindparam, case, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import text_array
from chassis.digests import IdRange, all_hashes, is_in_range, row_hash
from payment_svc.model import StoredPayment
from payment_svc.tables import payments
from qrpay.type.v1.failure_code_pb2 import FailureCode
from qrpay.type.v1.transfer_kind_pb2 import TransferKind

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When the sweeper looks at a payment that is a dead letter."""


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

_LIST = (
    select(payments)
    .where(is_in_range(payments.c.id))
    .order_by(payments.c.id)
    .limit(bindparam("count_max"))
)

_TAKE_PENDING = text("""
    UPDATE payments
    SET sweep_time = now() + make_interval(secs => :sweep_after_seconds)
    WHERE id = any(CAST(:payment_ids AS text[])) AND status = 'PENDING' AND sweep_time < :never
    RETURNING *
""").columns(*payments.columns)


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
    return [StoredPayment._make(row) for row in result]


async def take_pending(
    connection: AsyncConnection, payment_ids: Sequence[str], *, sweep_after_seconds: float
) -> list[StoredPayment]:
    """Those that are PENDING and no dead letters; the sweeper leaves them alone for so long."""
    result = await connection.execute(
        _TAKE_PENDING,
        {
            "payment_ids": text_array(payment_ids),
            "sweep_after_seconds": sweep_after_seconds,
            "never": NEVER,
        },
    )
    return [StoredPayment._make(row) for row in result]
