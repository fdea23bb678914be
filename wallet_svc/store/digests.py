"""Statements that add up transfers and balances, and look for entries that do not fit.

Ranges are bound as ``start_id`` and ``end_id``, the first id after it.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Select,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
    text,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.digests import IdRange, all_hashes, is_in_range, row_hash
from wallet_svc.model.records import FailureCode, Outcome, Transfer, TransferKind
from wallet_svc.tables import ENTRIES, TRANSFERS, WALLETS


class Sum(NamedTuple):
    """What the transfers of one currency and outcome add up to."""

    is_refused: bool
    currency_code: str
    row_count: int
    amount_minor: int
    hash: int


class EntryFault(NamedTuple):
    """An entry that does not fit, or is missing."""

    payment_id: str
    wallet_id: str
    number: int
    is_chain: bool
    """It contradicts the entry before it; otherwise its transfer."""
    expected: str
    found: str


class BalanceSum(NamedTuple):
    """What the balances of one currency add up to."""

    currency_code: str
    row_count: int
    balance_minor: int
    hash: int
    fault_count: int
    """Of how many wallets the last entry says another balance or number."""


class Balance(NamedTuple):
    """What a wallet had at a moment, and what it and its last entry say now."""

    wallet_id: str
    currency_code: str
    as_of_minor: int
    is_system: bool
    balance_minor: int
    last_entry_number: int
    entry_number: int
    entry_balance_minor: int


class Move(NamedTuple):
    """An entry of a wallet, as far as others have it too."""

    payment_id: str
    amount_minor: int
    balance_after_minor: int


_COUNT_TRANSFERS = select(func.count()).select_from(
    select(TRANSFERS.c.payment_id)
    .where(is_in_range(TRANSFERS.c.payment_id))
    .limit(bindparam("count_max"))
    .subquery()
)

# A literal: the same parameter twice would be two expressions, and grouping needs one.
_IS_REFUSED = TRANSFERS.c.failure_code != literal_column("0")
_SUMS = (
    select(
        _IS_REFUSED,
        TRANSFERS.c.currency_code,
        func.count(),
        func.sum(TRANSFERS.c.amount_minor),
        all_hashes(
            row_hash(
                TRANSFERS.c.payment_id,
                TRANSFERS.c.kind,
                TRANSFERS.c.debit_wallet_id,
                TRANSFERS.c.credit_wallet_id,
                TRANSFERS.c.currency_code,
                TRANSFERS.c.amount_minor,
                TRANSFERS.c.failure_code,
            )
        ),
    )
    .where(is_in_range(TRANSFERS.c.payment_id))
    .group_by(_IS_REFUSED, TRANSFERS.c.currency_code)
)

# Each entry is compared with the side of its transfer that it is, and with the entry before it.
# That one is mostly in the same range; only for the first one of a wallet in it is it looked up. If
# every entry fits the one before, entries have no gaps, and a balance is the sum of the entries up
# to it.
_FAULTS = (
    text("""
    WITH entry AS MATERIALIZED (
        SELECT
            wallet_id, number, payment_id, amount_minor, balance_after_minor,
            counterparty_wallet_id, kind,
            lag(number) OVER neighbours AS before_number,
            lag(balance_after_minor) OVER neighbours AS before_balance_minor
        FROM entries
        WHERE payment_id >= :start_id AND payment_id < :end_id
        WINDOW neighbours AS (PARTITION BY wallet_id ORDER BY number)
    ),
    moved AS MATERIALIZED (
        SELECT
            payment_id, debit_wallet_id, credit_wallet_id, amount_minor, kind,
            debit_entry_number, credit_entry_number
        FROM transfers
        WHERE payment_id >= :start_id AND payment_id < :end_id AND failure_code = 0
    ),
    side AS (
        SELECT
            debit_wallet_id AS wallet_id, debit_entry_number AS number, payment_id,
            -amount_minor AS amount_minor, credit_wallet_id AS counterparty_wallet_id, kind
        FROM moved
        UNION ALL
        SELECT
            credit_wallet_id, credit_entry_number, payment_id,
            amount_minor, debit_wallet_id, kind
        FROM moved
    ),
    unlike AS (
        SELECT
            coalesce(side.payment_id, entry.payment_id) AS payment_id,
            coalesce(side.wallet_id, entry.wallet_id) AS wallet_id,
            coalesce(side.number, entry.number) AS number,
            coalesce('amount ' || side.amount_minor || ' with ' || side.counterparty_wallet_id,
                'no entry') AS expected,
            coalesce('amount ' || entry.amount_minor || ' with ' || entry.counterparty_wallet_id,
                'no entry') AS found
        FROM side FULL JOIN entry ON entry.wallet_id = side.wallet_id
            AND entry.number = side.number AND entry.payment_id = side.payment_id
        WHERE (side.amount_minor, side.counterparty_wallet_id, side.kind)
            IS DISTINCT FROM (entry.amount_minor, entry.counterparty_wallet_id, entry.kind)
    ),
    linked AS (
        SELECT
            payment_id, wallet_id, number, amount_minor, balance_after_minor,
            CASE
                WHEN number = 1 THEN 0
                WHEN before_number = number - 1 THEN before_balance_minor
                ELSE (
                    SELECT before.balance_after_minor FROM entries AS before
                    WHERE before.wallet_id = entry.wallet_id AND before.number = entry.number - 1
                )
            END AS before_balance_minor
        FROM entry
    ),
    broken AS (
        SELECT
            payment_id, wallet_id, number,
            coalesce('balance ' || (before_balance_minor + amount_minor),
                'entry ' || (number - 1)) AS expected,
            CASE WHEN before_balance_minor IS NULL THEN 'no such entry'
                ELSE 'balance ' || balance_after_minor END AS found
        FROM linked
        WHERE before_balance_minor + amount_minor IS DISTINCT FROM balance_after_minor
    )
    SELECT payment_id, wallet_id, number, false AS is_chain, expected, found FROM unlike
    UNION ALL
    SELECT payment_id, wallet_id, number, true, expected, found FROM broken
    """)
    .columns(
        ENTRIES.c.payment_id,
        ENTRIES.c.wallet_id,
        ENTRIES.c.number,
        column("is_chain"),
        column("expected"),
        column("found"),
    )
    .subquery("fault")
)
_COUNT_FAULTS = select(func.count()).select_from(_FAULTS)
_LIST_FAULTS = (
    select(_FAULTS).order_by(_FAULTS.c.wallet_id, _FAULTS.c.number).limit(bindparam("count_max"))
)

_LIST_TRANSFERS = (
    select(
        TRANSFERS.c.payment_id,
        TRANSFERS.c.debit_wallet_id,
        TRANSFERS.c.credit_wallet_id,
        TRANSFERS.c.amount_minor,
        TRANSFERS.c.currency_code,
        TRANSFERS.c.kind,
        TRANSFERS.c.failure_code,
        TRANSFERS.c.debit_entry_number,
        TRANSFERS.c.credit_entry_number,
        TRANSFERS.c.execute_time,
    )
    .where(is_in_range(TRANSFERS.c.payment_id))
    .order_by(TRANSFERS.c.payment_id)
    .limit(bindparam("count_max"))
)

_COUNT_WALLETS = select(func.count()).select_from(
    select(WALLETS.c.id).where(is_in_range(WALLETS.c.id)).limit(bindparam("count_max")).subquery()
)

_RECENT = (
    select(ENTRIES.c.wallet_id, func.sum(ENTRIES.c.amount_minor).label("amount_minor"))
    .where(ENTRIES.c.create_time >= bindparam("as_of_time"), is_in_range(ENTRIES.c.wallet_id))
    .group_by(ENTRIES.c.wallet_id)
    .subquery("recent")
)
_LAST = (
    select(ENTRIES.c.number, ENTRIES.c.balance_after_minor)
    .where(ENTRIES.c.wallet_id == WALLETS.c.id)
    .order_by(ENTRIES.c.number.desc())
    .limit(1)
    .lateral("last")
)
_BALANCES = (
    select(
        WALLETS.c.id,
        WALLETS.c.currency_code,
        cast(WALLETS.c.balance_minor - func.coalesce(_RECENT.c.amount_minor, 0), BigInteger).label(
            "as_of_minor"
        ),
        WALLETS.c.may_be_negative,
        WALLETS.c.balance_minor,
        WALLETS.c.last_entry_number,
        func.coalesce(_LAST.c.number, 0).label("entry_number"),
        func.coalesce(_LAST.c.balance_after_minor, 0).label("entry_balance_minor"),
    )
    .select_from(
        WALLETS.outerjoin(_RECENT, _RECENT.c.wallet_id == WALLETS.c.id).outerjoin(_LAST, true())
    )
    .where(is_in_range(WALLETS.c.id))
)
_LIST_BALANCES = _BALANCES.order_by(WALLETS.c.id).limit(bindparam("count_max"))

_NEWEST_MOVES = (
    select(ENTRIES.c.payment_id, ENTRIES.c.amount_minor, ENTRIES.c.balance_after_minor)
    .where(ENTRIES.c.wallet_id == bindparam("wallet_id"))
    .order_by(ENTRIES.c.number.desc())
    .limit(bindparam("count_max"))
)

_EACH = _BALANCES.subquery("each")
_BALANCE_SUMS = select(
    _EACH.c.currency_code,
    func.count().filter(_EACH.c.as_of_minor != 0),
    func.sum(_EACH.c.as_of_minor),
    # The ledger knows no wallet that never had money, so an empty one must not count.
    all_hashes(
        case(
            (
                _EACH.c.as_of_minor != 0,
                row_hash(_EACH.c.id, _EACH.c.currency_code, _EACH.c.as_of_minor),
            ),
            else_=0,
        )
    ),
    func.count().filter(
        (_EACH.c.entry_number != _EACH.c.last_entry_number)
        | (_EACH.c.entry_balance_minor != _EACH.c.balance_minor)
    ),
).group_by(_EACH.c.currency_code)


async def count_transfers(connection: AsyncConnection, ids: IdRange, *, count_max: int) -> int:
    """How many transfers there are in a range of payment ids; no more than ``count_max`` are
    counted."""
    return await _count(connection, _COUNT_TRANSFERS, ids, count_max)


async def sum_transfers(connection: AsyncConnection, ids: IdRange) -> list[Sum]:
    """What the transfers of a range of payment ids add up to."""
    result = await connection.execute(_SUMS, ids._asdict())
    return [Sum(*row) for row in result]


async def count_faults(connection: AsyncConnection, ids: IdRange) -> int:
    """How often an entry of a range of payment ids does not fit."""
    count: int = (await connection.execute(_COUNT_FAULTS, ids._asdict())).scalar_one()
    return count


async def list_transfers(
    connection: AsyncConnection, ids: IdRange, *, count_max: int
) -> list[Outcome]:
    """The transfers of a range of payment ids, by payment id."""
    result = await connection.execute(_LIST_TRANSFERS, {**ids._asdict(), "count_max": count_max})
    return [
        Outcome(
            Transfer(*row[:5], TransferKind(row[5])), FailureCode(row[6]), row[7], row[8], row[9]
        )
        for row in result
    ]


async def list_faults(
    connection: AsyncConnection, ids: IdRange, *, count_max: int
) -> list[EntryFault]:
    """The entries of a range of payment ids that do not fit, by wallet and number."""
    result = await connection.execute(_LIST_FAULTS, {**ids._asdict(), "count_max": count_max})
    return [EntryFault(*row) for row in result]


async def count_wallets(connection: AsyncConnection, ids: IdRange, *, count_max: int) -> int:
    """How many wallets there are in a range of wallet ids; no more than ``count_max`` are
    counted."""
    return await _count(connection, _COUNT_WALLETS, ids, count_max)


async def sum_balances(
    connection: AsyncConnection, ids: IdRange, *, as_of_time: datetime
) -> list[BalanceSum]:
    """What the balances of a range of wallet ids added up to at a moment."""
    result = await connection.execute(_BALANCE_SUMS, {**ids._asdict(), "as_of_time": as_of_time})
    return [BalanceSum(*row) for row in result]


async def list_balances(
    connection: AsyncConnection, ids: IdRange, *, as_of_time: datetime, count_max: int
) -> list[Balance]:
    """The balances of a range of wallet ids at a moment, by wallet id."""
    parameters = {**ids._asdict(), "as_of_time": as_of_time, "count_max": count_max}
    return [Balance(*row) for row in await connection.execute(_LIST_BALANCES, parameters)]


async def list_newest_moves(
    connection: AsyncConnection, wallet_id: str, *, count_max: int
) -> list[Move]:
    """What moved a wallet last, the newest first."""
    parameters = {"wallet_id": wallet_id, "count_max": count_max}
    return [Move(*row) for row in await connection.execute(_NEWEST_MOVES, parameters)]


async def _count(
    connection: AsyncConnection, statement: Select[int], ids: IdRange, count_max: int
) -> int:
    result = await connection.execute(statement, {**ids._asdict(), "count_max": count_max})
    count: int = result.scalar_one()
    return count
