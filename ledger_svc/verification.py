"""Walks the whole book and names the first row that is not as it was written.

Everything is computed anew from the rows: each transaction's hash, each batch's root, the chain,
the tree, the running balances and the totals; and each signed head must be the root of what is
there. So a changed row is found although whoever changed it may write every table: to hide it, he
would have to sign the heads anew, and to get back every one that was given away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chassis.database import Database
from ledger_svc.merkle import Subtree, bagged, completed_subtrees, leaf_hash, peaks, root_hash
from ledger_svc.receipts import HeadRecord, signed_bytes
from ledger_svc.records import ZERO_HASH, batch_bytes, transaction_bytes
from ledger_svc.store import verification as store
from ledger_svc.store.transactions import Transaction
from ledger_svc.store.tree import Head
from ledger_svc.store.verification import End, StoredBatch

_BATCHES_MAX = 64
_NO_BATCH = StoredBatch(0, 0, 0, 0, b"", ZERO_HASH)


class Verdict(NamedTuple):
    """What the walk has found."""

    batches: int
    transactions: int
    heads: int
    fault: str | None
    """The first row that is wrong, and why; None if there is none."""


class _Broken(Exception):
    """A row that is wrong."""


async def verify_journal(
    database: Database, keys: Mapping[str, bytes], *, told: Callable[[int, int], None]
) -> Verdict:
    """Check everything that is booked now. ``keys``: public keys that are trusted, by id; ``told``
    hears how many transactions were checked, of how many.

    Reads without locks: what is booked meanwhile is left for the next time. Raises ``Unavailable``.
    """
    walk = _Walk(database, keys, told)
    try:
        await walk.run()
    except _Broken as broken:
        return walk.verdict(str(broken))
    return walk.verdict(None)


class _Walk:
    def __init__(
        self, database: Database, keys: Mapping[str, bytes], told: Callable[[int, int], None]
    ) -> None:
        self._database = database
        self._keys = keys
        self._told = told
        self._last = _NO_BATCH
        self._known: dict[Subtree, bytes] = {}
        """The peaks of the tree so far."""
        self._heads = 0

    def verdict(self, fault: str | None) -> Verdict:
        return Verdict(self._last.number, self._last.last_transaction_number, self._heads, fault)

    async def run(self) -> None:
        end = await self._database.read(store.end_of_book)
        while self._last.number < end.batch_number:
            await self._check_batches(await self._next_batches(end))
            self._told(self._last.last_transaction_number, end.transaction_number)
        self._check_end(end)
        await self._check_sums()

    async def _next_batches(self, end: End) -> list[StoredBatch]:
        after = self._last.number
        count = min(_BATCHES_MAX, end.batch_number - after)
        found = await self._database.read(
            lambda connection: store.batches_after(connection, after, count_max=count)
        )
        if not found:
            raise _Broken(f"journal_batches {after + 1}: is missing")
        return found

    async def _check_batches(self, batches: Sequence[StoredBatch]) -> None:
        read = self._database.read
        first, last = batches[0].first_transaction_number, batches[-1].last_transaction_number
        if (number := await read(lambda c: store.first_bare(c, first, last))) is not None:
            raise _Broken(f"postings of transaction {number}: are missing")
        found = await read(lambda c: store.transactions_between(c, first, last))
        by_number = {item.number: item for item in found}
        start = self._last.number + 1
        for batch in batches:
            self._check_batch(batch, by_number)
            self._last = batch
        wrong = await read(lambda c: store.first_wrong_balance(c, first, last))
        if wrong is not None:
            raise _Broken(f"postings {wrong[0]} line {wrong[1]}: its balance does not follow")
        for head in await read(lambda c: store.heads_between(c, start, batches[-1].number)):
            self._check_head(head, batches)
        self._grow([item.hash for item in batches], start - 1)

    def _check_batch(self, batch: StoredBatch, there: Mapping[int, Transaction]) -> None:
        last, name = self._last, f"journal_batches {self._last.number + 1}"
        if batch.number != last.number + 1:
            raise _Broken(f"{name}: is missing")
        if batch.first_transaction_number != last.last_transaction_number + 1:
            raise _Broken(f"{name}: does not begin where the one before ended")
        numbers = range(batch.first_transaction_number, batch.last_transaction_number + 1)
        leaves = []
        for number in numbers:
            if number not in there:
                raise _Broken(f"journal_transactions {number}: is missing")
            found = there[number]
            leaves.append(leaf_hash(transaction_bytes(number, found.draft)))
            if leaves[-1] != found.leaf_hash:
                raise _Broken(f"journal_transactions {number}: it or a posting of it was changed")
            if found.batch_number != batch.number:
                raise _Broken(f"journal_transactions {number}: names another batch")
        if batch.book_microseconds < last.book_microseconds:
            raise _Broken(f"{name}: was booked before the one before it")
        if root_hash(leaves) != batch.root_hash:
            raise _Broken(f"{name}: it or a transaction of it was changed")
        content = batch_bytes(
            number=batch.number,
            first_transaction_number=batch.first_transaction_number,
            last_transaction_number=batch.last_transaction_number,
            book_microseconds=batch.book_microseconds,
            root_hash=batch.root_hash,
            previous_hash=last.hash,
        )
        if leaf_hash(content) != batch.hash:
            raise _Broken(f"{name}: it or the one before was changed")

    def _check_head(self, head: Head, batches: Sequence[StoredBatch]) -> None:
        name = f"journal_heads {head.batch_count}"
        try:
            record = msgspec.json.decode(head.content, type=HeadRecord)
        except msgspec.DecodeError as error:
            raise _Broken(f"{name}: cannot be read") from error
        batch = batches[head.batch_count - batches[0].number]
        size = batches[0].number - 1
        leaves = [item.hash for item in batches if item.number <= head.batch_count]
        known = self._known | _grown(self._known, size, leaves)
        root = bagged([known[peak] for peak in peaks(head.batch_count)])
        said = (record.batch_count, record.transaction_count, record.root_hash)
        if said != (head.batch_count, batch.last_transaction_number, root.hex()):
            raise _Broken(f"{name}: is not of this book")
        if record.key_id not in self._keys:
            raise _Broken(f"{name}: is signed with a key that is not trusted")
        try:
            key = Ed25519PublicKey.from_public_bytes(self._keys[record.key_id])
            key.verify(head.signature, signed_bytes(head.content))
        except InvalidSignature as error:
            raise _Broken(f"{name}: its signature is wrong") from error
        self._heads += 1

    def _grow(self, leaves: Sequence[bytes], size: int) -> None:
        known = self._known | _grown(self._known, size, leaves)
        self._known = {peak: known[peak] for peak in peaks(size + len(leaves))}

    def _check_end(self, end: End) -> None:
        last = self._last
        if (end.hash, end.transaction_number) != (last.hash, last.last_transaction_number):
            raise _Broken("journal_head: is not the end of the journal")
        if (end.last_batch_number or 0) != end.batch_number:
            raise _Broken(f"journal_batches {end.last_batch_number}: is beyond the journal's end")
        if (end.last_transaction_number or 0) != end.transaction_number:
            number = end.last_transaction_number
            raise _Broken(f"journal_transactions {number}: is beyond the journal's end")
        if end.tree_batches != end.head_batches or end.tree_batches > end.batch_number:
            raise _Broken("journal_tree: is not what was signed last")

    async def _check_sums(self) -> None:
        read = self._database.read
        if (number := await read(store.first_orphan)) is not None:
            raise _Broken(f"postings of transaction {number}: belong to none")
        if (node := await read(store.first_wrong_node)) is not None:
            raise _Broken(f"journal_nodes level {node[0]} place {node[1]}: was changed")
        if (account := await read(store.first_wrong_account)) is not None:
            raise _Broken(f"accounts {account}: its totals are not the sums of its postings")


def _grown(
    known: Mapping[Subtree, bytes], size: int, leaves: Sequence[bytes]
) -> dict[Subtree, bytes]:
    above = completed_subtrees(size, leaves, known.__getitem__)
    return above | {(0, place): leaf for place, leaf in enumerate(leaves, size)}
