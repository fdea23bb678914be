"""The signed book: receipts that prove, and any change by hand found and named."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from chassis.clock import SystemClock
from chassis.database import Database
from chassis.settings import Secret
from chassis.signing import Signer
from ledger_svc.errors import ReceiptNotReady
from ledger_svc.heads import HeadPublisher
from ledger_svc.model import Draft, DraftPosting
from ledger_svc.operations import book, post_bookings
from ledger_svc.receipts import ReceiptInvalid, verify_receipt
from ledger_svc.rpc import LedgerServicer
from ledger_svc.verification import Verdict, verify_journal
from qrpay.ledger.v1 import ledger_pb2 as pb

SIGNER = Signer(Secret("A" * 43))
OTHER = Signer(Secret("B" * 42 + "A"))
KEYS = {SIGNER.key_id: SIGNER.public_key}
CONTEXT: Any = None


class Stream:
    """Takes down what is published: the queue itself has tests of its own."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, str]] = []

    async def publish(self, subject: str, payload: bytes, *, message_id: str) -> None:
        """Store a message."""
        self.messages.append((subject, payload, message_id))


@pytest.fixture
def stream() -> Stream:
    """The stream of heads."""
    return Stream()


@pytest.fixture
def heads(database: Database, stream: Any) -> HeadPublisher:
    """Signs this book."""
    return HeadPublisher(
        database=database,
        jetstream=stream,
        signer=SIGNER,
        clock=SystemClock(),
        every_seconds=60.0,
    )


@pytest.fixture
def servicer(database: Database) -> LedgerServicer:
    """Gives receipts out."""
    return LedgerServicer(database=database, keys=[SIGNER.public_key])


async def verify(database: Database) -> Verdict:
    """Walk the book."""
    return await verify_journal(database, KEYS, told=lambda _done, _total: None)


async def fill(database: Database, heads: HeadPublisher, make_booking: Any, *, batches: int) -> Any:
    """Book payments in batches of all sizes, signed at odd moments, the last one not. Answers the
    payment ids that are signed for."""
    chance = random.Random(5)
    payments: list[str] = []
    for number in range(batches):
        batch = [
            make_booking(
                debit_account_id=f"wal_{chance.randrange(5)}",
                credit_account_id=f"wal_{chance.randrange(5, 9)}",
            )
            for _ in range(chance.choice([1, 2, 3, 7, 40]))
        ]
        await post_bookings(database, batch)
        payments += [booking.payment_id for booking in batch]
        if number % 3 == 1:
            await heads.sign()
    await heads.sign()
    await post_bookings(database, [make_booking()])
    return payments


async def test_a_receipt_waits_for_a_head(
    database: Database, heads: HeadPublisher, servicer: LedgerServicer, make_booking: Any
) -> None:
    """Booked is not signed; a moment later it is."""
    booking = make_booking()
    await post_bookings(database, [booking])
    request = pb.GetReceiptRequest(payment_id=booking.payment_id)
    with pytest.raises(ReceiptNotReady):
        await servicer.GetReceipt(request, CONTEXT)
    assert await heads.sign() == 1
    assert await heads.sign() == 0, "nothing new, nothing signed"
    receipt = (await servicer.GetReceipt(request, CONTEXT)).receipt
    proven = verify_receipt(receipt, KEYS)
    assert proven.transaction.source_id == booking.payment_id
    assert [item.amount_minor for item in proven.transaction.postings] == [1000, 1000]
    (key,) = (await servicer.ListReceiptKeys(pb.ListReceiptKeysRequest(), CONTEXT)).keys
    assert key.id == SIGNER.key_id


async def test_every_receipt_proves_and_no_changed_one_does(
    database: Database, heads: HeadPublisher, servicer: LedgerServicer, make_booking: Any
) -> None:
    """A thousand payments: each receipt verifies, and with any one byte changed it does not."""
    payments = []
    for _ in range(20):
        batch = [make_booking() for _ in range(50)]
        await post_bookings(database, batch)
        await heads.sign()
        payments += [booking.payment_id for booking in batch]
    chance = random.Random(11)
    receipt = b""
    for payment_id in payments:
        request = pb.GetReceiptRequest(payment_id=payment_id)
        receipt = (await servicer.GetReceipt(request, CONTEXT)).receipt
        assert verify_receipt(receipt, KEYS).transaction.source_id == payment_id
        place = chance.randrange(len(receipt))
        with pytest.raises(ReceiptInvalid):
            verify_receipt(changed(receipt, place, chance), KEYS)
    for place in range(len(receipt)):
        with pytest.raises(ReceiptInvalid):
            verify_receipt(changed(receipt, place, chance), KEYS)
    with pytest.raises(ReceiptInvalid, match="another key"):
        verify_receipt(receipt, {OTHER.key_id: OTHER.public_key})
    with pytest.raises(ReceiptInvalid, match="signature"):
        verify_receipt(receipt, {SIGNER.key_id: OTHER.public_key})


def changed(content: bytes, place: int, chance: random.Random) -> bytes:
    """The same with another byte at one place."""
    other = content[place] ^ chance.randrange(1, 256)
    return content[:place] + bytes([other]) + content[place + 1 :]


async def test_heads_are_published_once_and_in_order(
    database: Database, heads: HeadPublisher, stream: Stream, make_booking: Any
) -> None:
    """What was signed goes to the stream, also what could not at first."""
    for _ in range(3):
        await post_bookings(database, [make_booking()])
        await heads.sign()
    assert await heads.publish() == 3
    assert await heads.publish() == 0
    assert [message[2] for message in stream.messages] == ["head-1", "head-2", "head-3"]
    head = msgspec.json.decode(stream.messages[-1][1])
    assert msgspec.json.decode(head["head"])["transaction_count"] == 3


async def test_an_honest_book_is_whole(
    database: Database, heads: HeadPublisher, make_booking: Any
) -> None:
    """Empty, filled, with a reversal and a fee in it."""
    assert await verify(database) == Verdict(0, 0, 0, None)
    payments = await fill(database, heads, make_booking, batches=70)
    sides = (DraftPosting("wal_5", 1, "USD", 1000), DraftPosting("wal_0", 2, "USD", 1000))
    await book(database, [Draft("cor_1", 101, 5, 'A "wrong" one, \\ taken back', 1, sides)])
    verdict = await verify(database)
    assert verdict.fault is None
    assert verdict.transactions == len(payments) + 2
    assert (verdict.batches, verdict.heads) == (72, 24)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            b"UPDATE postings SET amount_minor = amount_minor + 1 WHERE transaction_number = 9",
            "journal_transactions 9",
        ),
        (
            b"UPDATE postings SET account_id = 'wal_8' WHERE transaction_number = 9 AND line = 2",
            "journal_transactions 9",
        ),
        (
            (
                b"UPDATE postings SET balance_after_minor = 7"
                b" WHERE transaction_number = 9 AND line = 1"
            ),
            "postings 9 line 1",
        ),
        (b"DELETE FROM postings WHERE transaction_number = 9", "postings of transaction 9"),
        (
            b"DELETE FROM postings WHERE transaction_number = 9 AND line = 2",
            "journal_transactions 9",
        ),
        (
            b"UPDATE postings SET transaction_number = 90000 WHERE transaction_number = 9",
            "postings of transaction 9",
        ),
        (
            b"UPDATE journal_transactions SET source_id = 'pay_x' WHERE number = 9",
            "journal_transactions 9",
        ),
        (b"UPDATE journal_transactions SET kind = 2 WHERE number = 9", "journal_transactions 9"),
        (
            b"UPDATE journal_transactions SET effective_time = now() WHERE number = 9",
            "journal_transactions 9",
        ),
        (
            b"UPDATE journal_transactions SET description = 'x' WHERE number = 9",
            "journal_transactions 9",
        ),
        (
            b"UPDATE journal_transactions SET leaf_hash = sha256('') WHERE number = 9",
            "journal_transactions 9",
        ),
        (
            b"UPDATE journal_transactions SET batch_number = batch_number + 1 WHERE number = 9",
            "journal_transactions 9",
        ),
        (b"DELETE FROM journal_transactions WHERE number = 9", "journal_transactions 9"),
        (
            b"UPDATE journal_batches SET book_time = book_time + interval '1 s' WHERE number = 3",
            "journal_batches 3",
        ),
        (
            b"UPDATE journal_batches SET root_hash = sha256('') WHERE number = 3",
            "journal_batches 3",
        ),
        (b"UPDATE journal_batches SET hash = sha256('') WHERE number = 3", "journal_batches 3"),
        (b"DELETE FROM journal_batches WHERE number = 3", "journal_batches 3"),
        (b"UPDATE journal_head SET transaction_number = transaction_number - 1", "journal_head"),
        (
            b"UPDATE journal_nodes SET hash = sha256('') WHERE level = 2 AND place = 0",
            "journal_nodes level 2 place 0",
        ),
        (
            b"UPDATE journal_heads SET signature = sha256(signature) || sha256(signature)",
            "journal_heads 2",
        ),
        (b"UPDATE journal_heads SET content = replace(content, '2', '3')", "journal_heads 2"),
        (b"UPDATE journal_tree SET batch_count = 1", "journal_tree"),
        (
            (
                b"UPDATE accounts SET credits_posted_minor = credits_posted_minor + 1"
                b" WHERE id = 'wal_6'"
            ),
            "accounts wal_6",
        ),
        (b"DELETE FROM accounts WHERE id = 'wal_6'", "accounts wal_6"),
    ],
)
async def test_a_row_changed_by_hand_is_named(
    database: Database,
    heads: HeadPublisher,
    make_booking: Any,
    auditor: Any,
    statement: bytes,
    named: str,
) -> None:
    """A superuser changes one thing; the walk says which row it was."""
    await fill(database, heads, make_booking, batches=12)
    assert (await verify(database)).fault is None
    await auditor.change(statement)
    fault = (await verify(database)).fault
    assert fault is not None
    assert fault.startswith(f"{named}:"), fault


async def test_a_forged_tail_is_found_by_the_signed_heads(
    database: Database, heads: HeadPublisher, make_booking: Any, auditor: Any
) -> None:
    """Who takes the end of the book away, and books something else with all hashes right, cannot
    sign the heads that were given out."""
    await fill(database, heads, make_booking, batches=4)
    (kept,) = await auditor.rows(
        "SELECT last_transaction_number FROM journal_batches WHERE number = 1"
    )
    await auditor.change(b"""
        DELETE FROM postings WHERE transaction_number > (
            SELECT last_transaction_number FROM journal_batches WHERE number = 1);
        DELETE FROM journal_transactions WHERE batch_number > 1;
        DELETE FROM journal_batches WHERE number > 1;
        UPDATE journal_head SET (batch_number, transaction_number, book_time, hash) = (
            SELECT number, last_transaction_number, book_time, hash FROM journal_batches);
        DELETE FROM accounts;
        INSERT INTO accounts SELECT account_id, currency_code,
            coalesce(sum(amount_minor) FILTER (WHERE direction = 1), 0),
            coalesce(sum(amount_minor) FILTER (WHERE direction = 2), 0)
            FROM postings GROUP BY 1, 2;
    """)
    for _ in range(5):
        await post_bookings(database, [make_booking(amount_minor=999)])
    verdict = await verify(database)
    assert verdict.fault == "journal_heads 2: is not of this book"
    assert verdict.transactions > kept[0]
