"""What the hashes of the book are taken of: a transaction and a batch as canonical JSON.

JSON, because an auditor reads it and every language has it: the fields in the order given here, no
space, texts in UTF-8, amounts in minor units, times in microseconds since 1970. A receipt carries
these very bytes, so whoever checks one needs no rule to write them again.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ledger_svc.merkle import HASH_BYTES, leaf_hash
from ledger_svc.model import Draft

ZERO_HASH = bytes(HASH_BYTES)
"""What the first batch names as the hash before it."""


class PostingRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One side of a transaction."""

    account_id: str
    direction: int
    """1 debit, 2 credit."""
    currency_code: str
    amount_minor: int


class TransactionRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A journal transaction."""

    number: int
    source_id: str
    kind: int
    effective_microseconds: int
    reverses_number: int | None
    description: str
    postings: list[PostingRecord]


class BatchRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch of transactions, and where it stands in the chain."""

    number: int
    first_transaction_number: int
    last_transaction_number: int
    book_microseconds: int
    root_hash: str
    """Of the Merkle tree over its transactions, hexadecimal."""
    previous_hash: str
    """Of the batch before, hexadecimal."""


_ENCODE = msgspec.json.Encoder().encode


def transaction_bytes(number: int, draft: Draft) -> bytes:
    """The canonical form of a transaction."""
    return _ENCODE(
        TransactionRecord(
            number,
            draft.source_id,
            draft.kind,
            draft.effective_microseconds,
            draft.reverses_number,
            draft.description,
            [PostingRecord(*posting) for posting in draft.postings],
        )
    )


def transaction_hashes(first_number: int, drafts: Sequence[Draft]) -> list[bytes]:
    """The leaf hashes of transactions that are numbered from ``first_number`` on."""
    return [
        leaf_hash(transaction_bytes(number, draft))
        for number, draft in enumerate(drafts, first_number)
    ]


def batch_bytes(
    *,
    number: int,
    first_transaction_number: int,
    last_transaction_number: int,
    book_microseconds: int,
    root_hash: bytes,
    previous_hash: bytes,
) -> bytes:
    """The canonical form of a batch. Its leaf hash is the link of the chain, and a leaf of the tree
    that is signed."""
    return _ENCODE(
        BatchRecord(
            number,
            first_transaction_number,
            last_transaction_number,
            book_microseconds,
            root_hash.hex(),
            previous_hash.hex(),
        )
    )
