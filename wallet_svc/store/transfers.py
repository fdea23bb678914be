"""Statements about transfers and the entries they leave."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import any_, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import number_array, text_array, text_array_parameter
from wallet_svc.model.records import (
    Entry,
    FailureCode,
    NewOutcome,
    Outcome,
    Transfer,
    TransferKind,
    Wallet,
)
from wallet_svc.model.transfers import WalletChange
from wallet_svc.tables import ENTRIES, OWNERS, TRANSFERS, WALLETS

_SELECT_OUTCOMES = select(
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
).where(TRANSFERS.c.payment_id == any_(text_array_parameter("payment_ids")))

# Everything a batch leaves, in one statement: it saves a round trip per table, and the two entries
# of a transfer come from one row, so that they cannot disagree.
_WRITE = text("""
    WITH decided AS (
        SELECT * FROM unnest(
            CAST(:payment_ids AS text[]),
            CAST(:debit_wallet_ids AS text[]),
            CAST(:credit_wallet_ids AS text[]),
            CAST(:amounts_minor AS bigint[]),
            CAST(:currency_codes AS text[]),
            CAST(:kinds AS smallint[]),
            CAST(:failure_codes AS smallint[]),
            CAST(:debit_entry_numbers AS bigint[]),
            CAST(:credit_entry_numbers AS bigint[]),
            CAST(:debit_balances_after_minor AS bigint[]),
            CAST(:credit_balances_after_minor AS bigint[])
        ) AS decided (
            payment_id, debit_wallet_id, credit_wallet_id, amount_minor, currency_code, kind,
            failure_code, debit_entry_number, credit_entry_number,
            debit_balance_after_minor, credit_balance_after_minor
        )
    ), written_transfers AS (
        INSERT INTO transfers (
            payment_id, debit_wallet_id, credit_wallet_id, amount_minor, currency_code, kind,
            failure_code, debit_entry_number, credit_entry_number, execute_time
        )
        SELECT
            payment_id, debit_wallet_id, credit_wallet_id, amount_minor, currency_code, kind,
            failure_code, debit_entry_number, credit_entry_number, :execute_time
        FROM decided
    ), written_entries AS (
        INSERT INTO entries (
            wallet_id, number, payment_id, amount_minor, balance_after_minor,
            counterparty_wallet_id, kind, create_time
        )
        SELECT
            debit_wallet_id, debit_entry_number, payment_id, -amount_minor,
            debit_balance_after_minor, credit_wallet_id, kind, :execute_time
        FROM decided WHERE failure_code = 0
        UNION ALL
        SELECT
            credit_wallet_id, credit_entry_number, payment_id, amount_minor,
            credit_balance_after_minor, debit_wallet_id, kind, :execute_time
        FROM decided WHERE failure_code = 0
    )
    UPDATE wallets
    SET balance_minor = changed.balance_minor, last_entry_number = changed.last_entry_number
    FROM unnest(
        CAST(:wallet_ids AS text[]),
        CAST(:balances_minor AS bigint[]),
        CAST(:last_entry_numbers AS bigint[])
    ) AS changed (id, balance_minor, last_entry_number)
    WHERE wallets.id = changed.id
""")

_COUNTERPARTY_WALLETS = WALLETS.alias("counterparty_wallets")
_SELECT_ENTRIES = (
    select(
        ENTRIES.c.number,
        ENTRIES.c.payment_id,
        ENTRIES.c.amount_minor,
        ENTRIES.c.balance_after_minor,
        ENTRIES.c.create_time,
        OWNERS.c.id,
        OWNERS.c.name,
        ENTRIES.c.kind,
    )
    .join_from(
        ENTRIES,
        _COUNTERPARTY_WALLETS,
        _COUNTERPARTY_WALLETS.c.id == ENTRIES.c.counterparty_wallet_id,
    )
    .join(OWNERS, OWNERS.c.id == _COUNTERPARTY_WALLETS.c.owner_id)
    .where(ENTRIES.c.wallet_id == bindparam("wallet_id"))
    .where(ENTRIES.c.number > bindparam("after_number"))
    .order_by(ENTRIES.c.number)
    .limit(bindparam("count_max"))
)


# A search by halves along the primary key, since entries are dated in the order of their numbers:
# some forty looks for a wallet with a trillion of them, and no index by time that every transfer
# would have to keep. The looks are always at the same numbers, however many entries there are by
# now: should a clock have gone back, the same border is found every time.
_SELECT_BORDER = text("""
    WITH RECURSIVE search (number, balance_minor, step) AS (
        SELECT CAST(0 AS bigint), CAST(0 AS bigint), CAST(:first_step AS bigint)
        UNION ALL
        SELECT
            coalesce(earlier.number, search.number),
            coalesce(earlier.balance_after_minor, search.balance_minor),
            search.step / 2
        FROM search
        LEFT JOIN LATERAL (
            SELECT entries.number, entries.balance_after_minor
            FROM entries
            WHERE entries.wallet_id = :wallet_id
                AND entries.number = search.number + search.step
                AND entries.create_time < :border_time
        ) AS earlier ON true
        WHERE search.step > 0
    )
    SELECT number, balance_minor FROM search WHERE step = 0
""")


class Border(NamedTuple):
    """Where the entries before a moment end."""

    number: int
    """Of the last one; 0 if there is none."""
    balance_minor: int
    """After it."""


async def outcomes_by_payment(
    connection: AsyncConnection, payment_ids: Collection[str]
) -> dict[str, Outcome]:
    """The outcomes that are stored of these payments, by payment id.

    Read them after the wallets are locked: a repeat has the same wallets, so whoever executes it
    at the same time has either committed or is waiting for us.
    """
    result = await connection.execute(
        _SELECT_OUTCOMES, {"payment_ids": text_array(list(payment_ids))}
    )
    return {
        row[0]: Outcome(
            Transfer(*row[:5], TransferKind(row[5])), FailureCode(row[6]), row[7], row[8], row[9]
        )
        for row in result
    }


async def write_outcomes(
    connection: AsyncConnection,
    new_outcomes: Sequence[NewOutcome],
    *,
    changes: Sequence[WalletChange],
    execute_time: datetime,
) -> None:
    """Store new outcomes and their entries, and what the wallets are after them.

    All outcomes have this ``execute_time``. The wallets are locked.
    """
    outcomes = [item.outcome for item in new_outcomes]
    transfers = [item.transfer for item in outcomes]
    result = await connection.execute(
        _WRITE,
        {
            "payment_ids": text_array([item.payment_id for item in transfers]),
            "debit_wallet_ids": text_array([item.debit_wallet_id for item in transfers]),
            "credit_wallet_ids": text_array([item.credit_wallet_id for item in transfers]),
            "amounts_minor": number_array([item.amount_minor for item in transfers]),
            "currency_codes": text_array([item.currency_code for item in transfers]),
            "kinds": number_array([item.kind for item in transfers]),
            "failure_codes": number_array([item.failure_code for item in outcomes]),
            "debit_entry_numbers": number_array([item.debit_entry_number for item in outcomes]),
            "credit_entry_numbers": number_array([item.credit_entry_number for item in outcomes]),
            "debit_balances_after_minor": number_array(
                [item.debit_balance_after_minor for item in new_outcomes]
            ),
            "credit_balances_after_minor": number_array(
                [item.credit_balance_after_minor for item in new_outcomes]
            ),
            "execute_time": execute_time,
            "wallet_ids": text_array([item.wallet_id for item in changes]),
            "balances_minor": number_array([item.balance_minor for item in changes]),
            "last_entry_numbers": number_array([item.last_entry_number for item in changes]),
        },
    )
    assert result.rowcount == len(changes), "every changed wallet exists: it was locked"


async def list_entries(
    connection: AsyncConnection, wallet_id: str, *, after_number: int, count_max: int
) -> list[Entry]:
    """The wallet's entries with a higher number than ``after_number``, in order of number."""
    result = await connection.execute(
        _SELECT_ENTRIES,
        {"wallet_id": wallet_id, "after_number": after_number, "count_max": count_max},
    )
    return [Entry(*row[:7], TransferKind(row[7])) for row in result.all()]


async def border(connection: AsyncConnection, wallet: Wallet, border_time: datetime) -> Border:
    """Where the wallet's entries before ``border_time`` end, of those up to its last one."""
    # The largest power of two that is a number of an entry; 0 for none.
    first_step = 1 << wallet.last_entry_number.bit_length() >> 1
    result = await connection.execute(
        _SELECT_BORDER,
        {"wallet_id": wallet.id, "first_step": first_step, "border_time": border_time},
    )
    return Border(*result.one())
