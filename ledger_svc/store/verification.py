"""Reading the book to check it: everything, in the order in which it was written."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger_svc.store import transactions
from ledger_svc.store.transactions import Transaction
from ledger_svc.store.tree import Head
from ledger_svc.tables import journal_transactions


class StoredBatch(NamedTuple):
    """A batch as it is stored."""

    number: int
    first_transaction_number: int
    last_transaction_number: int
    book_microseconds: int
    root_hash: bytes
    hash: bytes


_BATCHES = text("""
    SELECT
        number, first_transaction_number, last_transaction_number,
        (extract(epoch FROM book_time) * 1000000)::bigint, root_hash, hash
    FROM journal_batches WHERE number > :after ORDER BY number LIMIT :count_max
""")
_TRANSACTIONS = transactions.READ.where(
    journal_transactions.c.number.between(bindparam("first"), bindparam("last"))
)
_FIRST_BARE = text("""
    SELECT min(number) FROM journal_transactions
    WHERE number BETWEEN :first AND :last
        AND NOT EXISTS (SELECT FROM postings WHERE transaction_number = number)
""")
_FIRST_ORPHAN = text("""
    SELECT min(transaction_number) FROM postings
    WHERE NOT EXISTS (SELECT FROM journal_transactions WHERE number = transaction_number)
""")
# The balance before a posting is that after the account's posting before it.
_FIRST_BALANCE = text("""
    SELECT transaction_number, line FROM (
        SELECT
            transaction_number, line, balance_after_minor,
            CASE direction WHEN 1 THEN -amount_minor ELSE amount_minor END AS signed_minor,
            coalesce(
                lag(balance_after_minor) OVER (
                    PARTITION BY account_id ORDER BY transaction_number, line
                ),
                (
                    SELECT earlier.balance_after_minor FROM postings AS earlier
                    WHERE earlier.account_id = postings.account_id
                        AND earlier.transaction_number < :first
                    ORDER BY earlier.transaction_number DESC, earlier.line DESC LIMIT 1
                ),
                0
            ) AS before_minor
        FROM postings WHERE transaction_number BETWEEN :first AND :last
    ) AS running
    WHERE balance_after_minor <> before_minor + signed_minor
    ORDER BY transaction_number, line LIMIT 1
""")
_FIRST_ACCOUNT = text("""
    SELECT coalesce(accounts.id, sums.id) FROM accounts FULL JOIN (
        SELECT
            account_id AS id, currency_code,
            coalesce(sum(amount_minor) FILTER (WHERE direction = 1), 0) AS debits_minor,
            coalesce(sum(amount_minor) FILTER (WHERE direction = 2), 0) AS credits_minor
        FROM postings GROUP BY account_id, currency_code
    ) AS sums ON sums.id = accounts.id AND sums.currency_code = accounts.currency_code
    WHERE (debits_posted_minor, credits_posted_minor) IS DISTINCT FROM (debits_minor, credits_minor)
    ORDER BY 1 LIMIT 1
""")
_FIRST_NODE = text("""
    SELECT level, place FROM journal_nodes AS node
    LEFT JOIN LATERAL (
        SELECT sha256('\\x01'::bytea || l.hash || r.hash) AS hash
        FROM journal_nodes AS l, journal_nodes AS r
        WHERE node.level > 1 AND l.level = node.level - 1 AND r.level = l.level
            AND l.place = node.place * 2 AND r.place = node.place * 2 + 1
        UNION ALL
        SELECT sha256('\\x01'::bytea || l.hash || r.hash)
        FROM journal_batches AS l, journal_batches AS r
        WHERE node.level = 1 AND l.number = node.place * 2 + 1 AND r.number = node.place * 2 + 2
    ) AS right_one ON true
    WHERE right_one.hash IS DISTINCT FROM node.hash
    ORDER BY level, place LIMIT 1
""")
_HEADS = text("""
    SELECT batch_count, content, signature FROM journal_heads
    WHERE batch_count BETWEEN :first AND :last ORDER BY batch_count
""")
_END = text("""
    SELECT head.batch_number, head.transaction_number, head.hash,
        (extract(epoch FROM head.book_time) * 1000000)::bigint, tree.batch_count,
        coalesce((SELECT max(batch_count) FROM journal_heads), 0),
        (SELECT max(number) FROM journal_batches),
        (SELECT max(number) FROM journal_transactions)
    FROM journal_head AS head, journal_tree AS tree
""")


class End(NamedTuple):
    """Where the book says that it ends."""

    batch_number: int
    transaction_number: int
    hash: bytes
    book_microseconds: int
    tree_batches: int
    head_batches: int
    last_batch_number: int | None
    last_transaction_number: int | None


async def batches_after(
    connection: AsyncConnection, after: int, *, count_max: int
) -> list[StoredBatch]:
    """The next batches."""
    values = {"after": after, "count_max": count_max}
    return [StoredBatch(*row) for row in await connection.execute(_BATCHES, values)]


async def transactions_between(
    connection: AsyncConnection, first: int, last: int
) -> list[Transaction]:
    """The transactions with these numbers that have postings and a batch, in order."""
    result = await connection.execute(_TRANSACTIONS, {"first": first, "last": last})
    return transactions.from_rows(result.all())


async def first_bare(connection: AsyncConnection, first: int, last: int) -> int | None:
    """The first of these transactions that has no posting."""
    values = {"first": first, "last": last}
    return (await connection.execute(_FIRST_BARE, values)).scalar_one_or_none()


async def first_orphan(connection: AsyncConnection) -> int | None:
    """The number of the first transaction that postings name and that is not there."""
    return (await connection.execute(_FIRST_ORPHAN)).scalar_one_or_none()


async def first_wrong_balance(
    connection: AsyncConnection, first: int, last: int
) -> tuple[int, int] | None:
    """The first posting of these transactions whose balance does not follow: number and line."""
    row = (await connection.execute(_FIRST_BALANCE, {"first": first, "last": last})).one_or_none()
    return None if row is None else (row[0], row[1])


async def first_wrong_account(connection: AsyncConnection) -> str | None:
    """The first account whose totals are not the sums of its postings."""
    return (await connection.execute(_FIRST_ACCOUNT)).scalar_one_or_none()


async def first_wrong_node(connection: AsyncConnection) -> tuple[int, int] | None:
    """The first subtree that is not what the two below it make: level and place."""
    row = (await connection.execute(_FIRST_NODE)).one_or_none()
    return None if row is None else (row[0], row[1])


async def heads_between(connection: AsyncConnection, first: int, last: int) -> list[Head]:
    """The heads that end with these batches, in order."""
    return [Head(*row) for row in await connection.execute(_HEADS, {"first": first, "last": last})]


async def end_of_book(connection: AsyncConnection) -> End:
    """What the book says of its own end."""
    return End(*(await connection.execute(_END)).one())
