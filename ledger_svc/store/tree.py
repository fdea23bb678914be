"""The tree over the batches, and its signed heads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import number_array, text_array
from ledger_svc.merkle import Subtree


class NewBatch(NamedTuple):
    """A batch that the tree lacks."""

    hash: bytes
    last_transaction_number: int


class Head(NamedTuple):
    """The tree at a moment, signed."""

    batch_count: int
    content: str
    signature: bytes


class BatchRow(NamedTuple):
    """A batch as it was stored."""

    number: int
    first_transaction_number: int
    last_transaction_number: int
    book_microseconds: int
    root_hash: bytes
    previous_hash: bytes
    leaf_hashes: list[bytes]


_LOCK = text("SELECT batch_count FROM journal_tree FOR UPDATE")
_GROW = text("UPDATE journal_tree SET batch_count = :batch_count")
_NEW_BATCHES = text("""
    SELECT hash, last_transaction_number FROM journal_batches
    WHERE number > :batch_count ORDER BY number LIMIT :count_max
""")
_HASHES = text("""
    SELECT 0, number - 1, hash FROM journal_batches WHERE number = ANY(CAST(:leaves AS bigint[]))
    UNION ALL
    SELECT level, place, hash FROM journal_nodes WHERE (level, place) IN (
        SELECT * FROM unnest(CAST(:levels AS smallint[]), CAST(:places AS bigint[]))
    )
""")
_ADD_NODES = text("""
    INSERT INTO journal_nodes (level, place, hash)
    SELECT level, place, decode(hash, 'hex')
    FROM unnest(
        CAST(:levels AS smallint[]), CAST(:places AS bigint[]), CAST(:hashes AS text[])
    ) AS nodes (level, place, hash)
""")
_ADD_HEAD = text("""
    INSERT INTO journal_heads (batch_count, content, signature)
    VALUES (:batch_count, :content, :signature)
""")
_UNPUBLISHED = text("""
    SELECT batch_count, content, signature FROM journal_heads
    WHERE publish_time IS NULL ORDER BY batch_count LIMIT :count_max
""")
_PUBLISHED = text("""
    UPDATE journal_heads SET publish_time = now() WHERE batch_count = :batch_count
""")
_NEWEST = text("""
    SELECT batch_count, content, signature FROM journal_heads ORDER BY batch_count DESC LIMIT 1
""")
_BATCH = text("""
    SELECT
        batch.number, batch.first_transaction_number, batch.last_transaction_number,
        (extract(epoch FROM batch.book_time) * 1000000)::bigint, batch.root_hash,
        coalesce(previous.hash, decode(repeat('00', 32), 'hex')),
        ARRAY(
            SELECT leaf_hash FROM journal_transactions
            WHERE number BETWEEN batch.first_transaction_number AND batch.last_transaction_number
            ORDER BY number
        )
    FROM journal_batches AS batch
    LEFT JOIN journal_batches AS previous ON previous.number = batch.number - 1
    WHERE batch.number = :number
""")


async def lock_tree(connection: AsyncConnection) -> int:
    """How many batches the tree has; nobody else makes it grow until the transaction ends."""
    return int((await connection.execute(_LOCK)).scalar_one())


async def new_batches(
    connection: AsyncConnection, batch_count: int, *, count_max: int
) -> list[NewBatch]:
    """The batches after the first ``batch_count``, in order."""
    values = {"batch_count": batch_count, "count_max": count_max}
    return [NewBatch(*row) for row in await connection.execute(_NEW_BATCHES, values)]


async def subtree_hashes(
    connection: AsyncConnection, subtrees: Collection[Subtree]
) -> dict[Subtree, bytes]:
    """The hashes of complete subtrees."""
    above = [item for item in subtrees if item[0]]
    values = {
        "leaves": number_array([place + 1 for level, place in subtrees if not level]),
        "levels": number_array([level for level, _ in above]),
        "places": number_array([place for _, place in above]),
    }
    return {(row[0], row[1]): row[2] for row in await connection.execute(_HASHES, values)}


async def grow(connection: AsyncConnection, nodes: Mapping[Subtree, bytes], head: Head) -> None:
    """Add subtrees that became complete, and the head of the tree that they make."""
    if nodes:
        values = {
            "levels": number_array([level for level, _ in nodes]),
            "places": number_array([place for _, place in nodes]),
            "hashes": text_array([item.hex() for item in nodes.values()]),
        }
        await connection.execute(_ADD_NODES, values)
    await connection.execute(_ADD_HEAD, head._asdict())
    await connection.execute(_GROW, {"batch_count": head.batch_count})


async def unpublished_heads(connection: AsyncConnection, *, count_max: int) -> Sequence[Head]:
    """Heads that the stream lacks, the oldest first."""
    result = await connection.execute(_UNPUBLISHED, {"count_max": count_max})
    return [Head(*row) for row in result]


async def set_published(connection: AsyncConnection, batch_count: int) -> None:
    """The stream has this head."""
    await connection.execute(_PUBLISHED, {"batch_count": batch_count})


async def newest_head(connection: AsyncConnection) -> Head | None:
    """The head that covers most; None before the first."""
    row = (await connection.execute(_NEWEST)).one_or_none()
    return None if row is None else Head(*row)


async def batch_of(connection: AsyncConnection, number: int) -> BatchRow:
    """A batch with the hashes of its transactions."""
    return BatchRow(*(await connection.execute(_BATCH, {"number": number})).one())
