"""Signs the book as it grows, and publishes what was signed.

A signed head says what every batch up to it was. Whoever keeps one -- the stream, an auditor, a
person with a receipt -- can tell later whether anything below it was changed.
"""

from __future__ import annotations

import asyncio

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from chassis.database import Database
from chassis.jetstream import JetStream, StreamSpec
from chassis.repeating import repeat
from chassis.signing import Signer
from ledger_svc.merkle import bagged, completed_subtrees, inclusion_path, peaks, subtrees_of_path
from ledger_svc.receipts import HeadRecord, signed_bytes, write_receipt
from ledger_svc.records import batch_bytes, transaction_bytes
from ledger_svc.store import tree
from ledger_svc.store.transactions import Transaction, microseconds_of

HEADS_SUBJECT = "ledger.head"
_YEAR_SECONDS = 365 * 24 * 3600.0
_BATCHES_MAX = 4096
_HEADS_MAX = 64


def heads_stream(*, replicas: int) -> StreamSpec:
    """The stream of signed heads, which is the ledger's own."""
    return StreamSpec(
        name="LEDGER_HEADS",
        subjects=(HEADS_SUBJECT,),
        max_age_seconds=10 * _YEAR_SECONDS,
        replicas=replicas,
    )


class HeadPublisher:
    """Signs and publishes, again and again. Several may run: one at a time makes the tree grow."""

    def __init__(
        self,
        *,
        database: Database,
        jetstream: JetStream,
        signer: Signer,
        clock: Clock,
        every_seconds: float,
    ) -> None:
        self._database = database
        self._jetstream = jetstream
        self._signer = signer
        self._clock = clock
        self._every_seconds = every_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Sign until told to stop. A round that fails is begun again at the next turn."""
        await repeat(self._turn, name="sign heads", every_seconds=self._every_seconds, stop=stop)

    async def _turn(self) -> None:
        while await self.sign() == _BATCHES_MAX:
            continue
        await self.publish()

    async def sign(self) -> int:
        """Take new batches into the tree and sign it; answers how many there were, at most 4,096.

        Raises ``Unavailable`` and its kinds.
        """

        async def work(connection: AsyncConnection) -> int:
            size = await tree.lock_tree(connection)
            batches = await tree.new_batches(connection, size, count_max=_BATCHES_MAX)
            if not batches:
                return 0
            leaves = [batch.hash for batch in batches]
            known = await tree.subtree_hashes(connection, peaks(size))
            nodes = completed_subtrees(size, leaves, known.__getitem__)
            known |= {(0, place): leaf for place, leaf in enumerate(leaves, size)} | nodes
            size += len(leaves)
            content = msgspec.json.encode(
                HeadRecord(
                    batch_count=size,
                    transaction_count=batches[-1].last_transaction_number,
                    root_hash=bagged([known[peak] for peak in peaks(size)]).hex(),
                    head_microseconds=microseconds_of(self._clock.now()),
                    key_id=self._signer.key_id,
                )
            ).decode()
            signature = self._signer.sign(signed_bytes(content))
            await tree.grow(connection, nodes, tree.Head(size, content, signature))
            return len(leaves)

        return await self._database.transaction(work)

    async def publish(self) -> int:
        """Give the stream the heads that it lacks; answers how many."""
        heads = await self._database.read(
            lambda connection: tree.unpublished_heads(connection, count_max=_HEADS_MAX)
        )
        for head in heads:
            payload = msgspec.json.encode({"head": head.content, "signature": head.signature.hex()})
            await self._jetstream.publish(
                HEADS_SUBJECT, payload, message_id=f"head-{head.batch_count}"
            )
            await self._mark(head.batch_count)
        return len(heads)

    async def _mark(self, batch_count: int) -> None:
        await self._database.transaction(
            lambda connection: tree.set_published(connection, batch_count)
        )


async def receipt_of(database: Database, transaction: Transaction) -> bytes | None:
    """The receipt of a transaction; None while no signed head covers it."""

    async def work(connection: AsyncConnection) -> bytes | None:
        head = await tree.newest_head(connection)
        if head is None or head.batch_count < transaction.batch_number:
            return None
        batch = await tree.batch_of(connection, transaction.batch_number)
        beside = subtrees_of_path(batch.number - 1, head.batch_count)
        hashes = await tree.subtree_hashes(connection, [item for group in beside for item in group])
        return write_receipt(
            transaction=transaction_bytes(transaction.number, transaction.draft),
            transaction_path=inclusion_path(
                batch.leaf_hashes, transaction.number - batch.first_transaction_number
            ),
            batch=batch_bytes(
                number=batch.number,
                first_transaction_number=batch.first_transaction_number,
                last_transaction_number=batch.last_transaction_number,
                book_microseconds=batch.book_microseconds,
                root_hash=batch.root_hash,
                previous_hash=batch.previous_hash,
            ),
            batch_path=[bagged([hashes[item] for item in group]) for group in beside],
            head=head.content,
            signature=head.signature,
        )

    return await database.read(work)
