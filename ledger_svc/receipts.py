"""Receipts: a transaction with the proof that it is in the signed book. Pure; needs no service.

A receipt is checked with the public key alone. The transaction's hash leads up its batch's tree to
the root that the batch names, the batch's hash up the tree of batches to the root that the head
names, and the head is signed. Every byte counts: a receipt has one form only.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger_svc.merkle import leaf_hash, root_of_path
from ledger_svc.records import BatchRecord, TransactionRecord

_CONTEXT = b"qrpay journal head\n"
"""In front of what is signed: the key's signature under a head is good for nothing else."""
_PATH_MAX = 64
_ENCODE = msgspec.json.Encoder().encode


class ReceiptInvalid(ValueError):
    """The receipt proves nothing; the text says why."""


class HeadRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole book at a moment, as it is signed."""

    batch_count: int
    transaction_count: int
    root_hash: str
    """Of the Merkle tree over the batches, hexadecimal."""
    head_microseconds: int
    """When it was signed, since 1970."""
    key_id: str
    """The thumbprint of the key."""


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is given out, as JSON."""

    transaction: str
    """A ``TransactionRecord``."""
    transaction_path: list[str]
    """From the transaction to the root of its batch, hexadecimal."""
    batch: str
    """A ``BatchRecord``."""
    batch_path: list[str]
    """From the batch to the root of the head, hexadecimal."""
    head: str
    """A ``HeadRecord``."""
    signature: str
    """Of the head, base64url without padding."""


class Proven(NamedTuple):
    """What a receipt proves."""

    transaction: TransactionRecord
    batch: BatchRecord
    head: HeadRecord


def signed_bytes(head_content: str) -> bytes:
    """What the signature of a head is of."""
    return _CONTEXT + head_content.encode()


def write_receipt(
    *,
    transaction: bytes,
    transaction_path: Sequence[bytes],
    batch: bytes,
    batch_path: Sequence[bytes],
    head: str,
    signature: bytes,
) -> bytes:
    """A receipt's one form."""
    return _ENCODE(
        Receipt(
            transaction.decode(),
            [item.hex() for item in transaction_path],
            batch.decode(),
            [item.hex() for item in batch_path],
            head,
            base64.urlsafe_b64encode(signature).rstrip(b"=").decode(),
        )
    )


def verify_receipt(content: bytes, keys: Mapping[str, bytes]) -> Proven:
    """What a receipt proves, by the public keys that are trusted, by id.

    Raises ``ReceiptInvalid`` with what is wrong first.
    """
    receipt = _read(content, Receipt, "The receipt")
    transaction = _read(receipt.transaction.encode(), TransactionRecord, "Its transaction")
    batch = _read(receipt.batch.encode(), BatchRecord, "Its batch")
    head = _read(receipt.head.encode(), HeadRecord, "Its head")
    _check_path(
        receipt.transaction.encode(),
        index=transaction.number - batch.first_transaction_number,
        size=batch.last_transaction_number - batch.first_transaction_number + 1,
        path=receipt.transaction_path,
        root_hash=batch.root_hash,
        what="The transaction is not in its batch.",
    )
    _check_path(
        receipt.batch.encode(),
        index=batch.number - 1,
        size=head.batch_count,
        path=receipt.batch_path,
        root_hash=head.root_hash,
        what="The batch is not in the signed book.",
    )
    if head.key_id not in keys:
        raise ReceiptInvalid("It was signed with another key than the ones that are trusted.")
    try:
        key = Ed25519PublicKey.from_public_bytes(keys[head.key_id])
        key.verify(_signature(receipt.signature), signed_bytes(receipt.head))
    except InvalidSignature as error:
        raise ReceiptInvalid("The signature is wrong.") from error
    return Proven(transaction, batch, head)


_Record = TypeVar("_Record", bound=msgspec.Struct)


def _read(content: bytes, kind: type[_Record], what: str) -> _Record:
    try:
        found = msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReceiptInvalid(f"{what} cannot be read: {error}") from error
    if _ENCODE(found) != content:
        raise ReceiptInvalid(f"{what} is not in its one form: it was changed.")
    return found


def _check_path(
    content: bytes, *, index: int, size: int, path: list[str], root_hash: str, what: str
) -> None:
    hashes = []
    for item in path[:_PATH_MAX]:
        try:
            hashes.append(bytes.fromhex(item))
        except ValueError as error:
            raise ReceiptInvalid(what) from error
        if hashes[-1].hex() != item:
            raise ReceiptInvalid(what)
    root = root_of_path(leaf_hash(content), index=index, size=size, path=hashes)
    if root is None or root.hex() != root_hash or len(path) > _PATH_MAX:
        raise ReceiptInvalid(what)


def _signature(text: str) -> bytes:
    try:
        found = base64.b64decode(text + "==", altchars=b"-_", validate=True)
    except ValueError as error:
        raise ReceiptInvalid("The signature cannot be read.") from error
    if base64.urlsafe_b64encode(found).rstrip(b"=").decode() != text:
        raise ReceiptInvalid("The signature is not in its one form: it was changed.")
    return found
