"""Writing the journal: one statement for any number of transactions, under the lock of its head."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import number_array, text_array
from ledger_svc.model import Draft


class Head(NamedTuple):
    """The end of the journal."""

    batch_number: int
    transaction_number: int
    hash: bytes
    """Of the last batch."""
    book_time: datetime
    """What the next batch is to be booked at: now, and never before the last one."""


class Batch(NamedTuple):
    """What is posted in one go."""

    number: int
    first_transaction_number: int
    book_time: datetime
    drafts: Sequence[Draft]
    leaf_hashes: Sequence[bytes]
    root_hash: bytes
    hash: bytes


# The clock is read when the row is there, which is after the wait for its lock.
_LOCK_HEAD = text("""
    SELECT batch_number, transaction_number, hash, greatest(clock_timestamp(), book_time)
    FROM journal_head FOR UPDATE
""")

_THERE = text("""
    SELECT source_id FROM journal_transactions WHERE source_id = ANY(CAST(:source_ids AS text[]))
""")

# Each step can only use what the step before has written. Nobody waits in a circle, because whoever
# posts holds the head.
_POST = text("""
    WITH incoming AS (
        SELECT *
        FROM unnest(
            CAST(:source_ids AS text[]), CAST(:kinds AS smallint[]),
            CAST(:effective_microseconds AS bigint[]), CAST(:reverses_numbers AS bigint[]),
            CAST(:descriptions AS text[]), CAST(:leaf_hashes AS text[])
        ) WITH ORDINALITY AS incoming (
            source_id, kind, effective_microseconds, reverses_number, description, leaf_hash, place
        )
    ),
    sides AS MATERIALIZED (
        SELECT
            :first_number - 1 + place AS transaction_number, line, account_id, direction,
            currency_code, amount_minor, is_book_only,
            CASE direction WHEN 1 THEN -amount_minor ELSE amount_minor END AS signed_minor
        FROM unnest(
            CAST(:places AS integer[]), CAST(:lines AS smallint[]), CAST(:account_ids AS text[]),
            CAST(:directions AS smallint[]), CAST(:currency_codes AS text[]),
            CAST(:amounts_minor AS bigint[]), CAST(:book_only AS boolean[])
        ) AS sides (
            place, line, account_id, direction, currency_code, amount_minor, is_book_only
        )
    ),
    changed AS (
        -- A hot merchant's many credits become one change of one row. An account without a wallet
        -- is one of bank charges. What moved no wallet is counted apart on every account: whose an
        -- account is may be found out later than that.
        INSERT INTO accounts AS account (
            id, currency_code, debits_posted_minor, credits_posted_minor, class, book_only_minor
        )
        SELECT
            account_id, currency_code,
            coalesce(sum(amount_minor) FILTER (WHERE direction = 1), 0),
            coalesce(sum(amount_minor) FILTER (WHERE direction = 2), 0),
            CASE WHEN starts_with(account_id, 'acc_') THEN 6 END,
            coalesce(sum(signed_minor) FILTER (WHERE is_book_only), 0)
        FROM sides
        GROUP BY account_id, currency_code
        ORDER BY account_id
        ON CONFLICT (id) DO UPDATE SET
            debits_posted_minor = account.debits_posted_minor + excluded.debits_posted_minor,
            credits_posted_minor = account.credits_posted_minor + excluded.credits_posted_minor,
            book_only_minor = account.book_only_minor + excluded.book_only_minor
        WHERE account.currency_code = excluded.currency_code
        RETURNING id, currency_code, credits_posted_minor - debits_posted_minor AS balance_minor
    ),
    batch AS (
        INSERT INTO journal_batches (
            number, first_transaction_number, last_transaction_number, book_time, root_hash, hash
        )
        VALUES (:batch_number, :first_number, :last_number, :book_time, :root_hash, :hash)
    ),
    transactions AS (
        INSERT INTO journal_transactions (
            number, source_id, kind, effective_time, batch_number, reverses_number, description,
            leaf_hash
        )
        SELECT
            :first_number - 1 + place, source_id, kind,
            TIMESTAMPTZ 'epoch' + effective_microseconds * INTERVAL '1 microsecond',
            :batch_number, reverses_number, description, decode(leaf_hash, 'hex')
        FROM incoming
    ),
    posted AS (
        -- An account's balance after a posting is that after the batch, less what came later in it.
        INSERT INTO postings (
            transaction_number, line, account_id, direction, currency_code, amount_minor,
            balance_after_minor
        )
        SELECT
            transaction_number, line, account_id, direction, sides.currency_code, amount_minor,
            coalesce(balance_minor, 0) - coalesce(sum(signed_minor) OVER (
                PARTITION BY account_id ORDER BY transaction_number DESC, line DESC
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ), 0)
        FROM sides LEFT JOIN changed ON id = account_id
    ),
    head AS (
        UPDATE journal_head SET
            batch_number = :batch_number, transaction_number = :last_number,
            book_time = :book_time, hash = :hash
    )
    SELECT DISTINCT account_id
    FROM sides
    WHERE (account_id, currency_code) NOT IN (SELECT id, currency_code FROM changed)
""")


async def lock_head(connection: AsyncConnection) -> Head:
    """Wait until nobody else posts, and be the one who does until the transaction ends."""
    return Head(*(await connection.execute(_LOCK_HEAD)).one())


async def sources_there(connection: AsyncConnection, source_ids: Sequence[str]) -> set[str]:
    """Which of these are booked. The ids have no character that means something in an array."""
    result = await connection.execute(_THERE, {"source_ids": text_array(source_ids)})
    return set(result.scalars())


async def post(connection: AsyncConnection, batch: Batch) -> list[str]:
    """Write a batch at the end of the journal, whose head is locked, and change its accounts.

    Answers the accounts that are kept in another currency: then the database transaction must be
    rolled back.
    """
    drafts = batch.drafts
    sides = [
        (place, line, posting, draft.is_book_only)
        for place, draft in enumerate(drafts, 1)
        for line, posting in enumerate(draft.postings, 1)
    ]
    last = batch.first_transaction_number + len(drafts) - 1
    result = await connection.execute(
        _POST,
        {
            "batch_number": batch.number,
            "first_number": batch.first_transaction_number,
            "last_number": last,
            "book_time": batch.book_time,
            "root_hash": batch.root_hash,
            "hash": batch.hash,
            "source_ids": text_array([draft.source_id for draft in drafts]),
            "kinds": number_array([draft.kind for draft in drafts]),
            "effective_microseconds": number_array(
                [draft.effective_microseconds for draft in drafts]
            ),
            "reverses_numbers": _nullable_array([draft.reverses_number for draft in drafts]),
            "descriptions": text_array([draft.description for draft in drafts]),
            "leaf_hashes": text_array([item.hex() for item in batch.leaf_hashes]),
            "places": number_array([side[0] for side in sides]),
            "lines": number_array([side[1] for side in sides]),
            "account_ids": text_array([side[2].account_id for side in sides]),
            "directions": number_array([side[2].direction for side in sides]),
            "currency_codes": text_array([side[2].currency_code for side in sides]),
            "amounts_minor": number_array([side[2].amount_minor for side in sides]),
            "book_only": number_array([side[3] for side in sides]).lower(),
        },
    )
    return list(result.scalars())


def _nullable_array(numbers: Sequence[int | None]) -> str:
    return f"{{{','.join('NULL' if item is None else str(item) for item in numbers)}}}"
