"""Messages into the journal: what is booked, and the verdict on each message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from chassis.database import Database, open_database
from chassis.errors import Unavailable
from ledger_svc import operations
from ledger_svc.messages import Reading, read_message
from ledger_svc.posting import Posting, Verdict
from ledger_svc.store.accounts import Account

DONE, REFUSED, LATER = Verdict.DONE, Verdict.REFUSED, Verdict.LATER


@pytest.fixture
def read(message: Any) -> Callable[..., Reading]:
    """Builds a message as the consumer reads it."""
    return lambda *bookings, failed=(): read_message(message(bookings, failed=failed))


@pytest.fixture
def posting(database: Database) -> Posting:
    """Posts at most 100 results in a transaction, to see more than one."""
    return make_posting(database)


def make_posting(database: Database) -> Posting:
    """A poster on this database."""
    return Posting(database=database, results_per_transaction_max=100)


async def test_messages_are_posted_together(
    posting: Posting, database: Database, make_booking: Any, read: Any, auditor: Any
) -> None:
    """All payments of all messages are booked, across the borders of messages and transactions."""
    messages = [read(*(make_booking() for _ in range(size))) for size in (1, 150, 256, 3)]
    assert await posting.post(messages) == [DONE] * 4
    assert await operations.batch_get_accounts(database, ["wal_bob"]) == [
        Account("wal_bob", "USD", 0, 410_000, None, 0)
    ]
    assert await auditor.faults() == []


async def test_redelivered_messages_post_once(
    posting: Posting, make_booking: Any, read: Any, auditor: Any
) -> None:
    """The same messages again, alone and mixed with new ones, change nothing but what is new."""
    first, second = read(make_booking(), make_booking()), read(make_booking())
    assert await posting.post([first]) == [DONE]
    assert await posting.post([first, first]) == [DONE, DONE]
    assert await posting.post([second, first]) == [DONE, DONE]
    assert len(await auditor.booked()) == 3
    assert await auditor.faults() == []


async def test_two_consumers_at_once(
    database: Database, make_booking: Any, read: Any, auditor: Any
) -> None:
    """Two replicas with the same messages at the same time book every payment once, no error."""
    messages = [read(*(make_booking() for _ in range(100))) for _ in range(6)]
    one, other = make_posting(database), make_posting(database)
    verdicts = await asyncio.gather(one.post(messages), other.post(messages[::-1]))
    assert list(verdicts) == [[DONE] * 6, [DONE] * 6]
    assert len(await auditor.booked()) == 600
    assert await auditor.faults() == []


async def test_failed_results_post_nothing(
    posting: Posting, make_booking: Any, read: Any, auditor: Any
) -> None:
    """A payment whose money did not move is not in the journal, and is no error."""
    with capture_logs() as logs:
        assert await posting.post([read(failed=["pay_1", "pay_2"])]) == [DONE]
    assert await posting.post([read(make_booking(), failed=["pay_1"])]) == [DONE]
    assert logs == []
    assert len(await auditor.booked()) == 1


async def test_a_malformed_result_does_not_stop_the_others(
    posting: Posting, make_booking: Any, read: Any, auditor: Any
) -> None:
    """A bad result is refused and told; its neighbours and the other messages are booked."""
    bad = make_booking(amount_minor=-5)
    with capture_logs() as logs:
        verdicts = await posting.post([read(bad, make_booking()), read(make_booking())])
    assert verdicts == [REFUSED, DONE]
    assert len(await auditor.booked()) == 2
    (log,) = logs
    assert (log["event"], log["log_level"]) == ("malformed result", "error")
    assert (log["payment_id"], log["field"]) == (bad.payment_id, "amount_minor")


async def test_a_contradicting_repeat_is_told(
    posting: Posting, make_booking: Any, read: Any, auditor: Any
) -> None:
    """A repeat with other content, and a failure of what is booked: errors in the log, and nothing
    in the journal."""
    booking = make_booking()
    await posting.post([read(booking)])
    changed = read(booking._replace(amount_minor=7), make_booking())
    failed = read(failed=[booking.payment_id])
    with capture_logs() as logs:
        assert await posting.post([changed, failed, read(make_booking())]) == [
            REFUSED,
            REFUSED,
            DONE,
        ]
    told = [(log["event"], log["log_level"], log["payment_id"]) for log in logs]
    assert told == [
        ("payment not booked", "error", booking.payment_id),
        ("failed payment is booked", "error", booking.payment_id),
    ]
    assert logs[0]["reason"] == "PAYMENT_BOOKED_DIFFERENTLY"
    assert logs[0]["fields"] == "postings"
    assert len(await auditor.booked()) == 3
    assert await auditor.faults() == []


async def test_what_the_database_refuses_stands_alone(
    posting: Posting, make_booking: Any, read: Any, auditor: Any
) -> None:
    """An account in another currency and a total out of range are refused, and told; their
    neighbours in the same transaction are booked."""
    foreign, huge = make_booking(currency_code="EUR"), make_booking(amount_minor=2**63 - 1)
    assert await posting.post([read(make_booking())]) == [DONE]
    with capture_logs() as logs:
        verdicts = await posting.post(
            [read(make_booking(), foreign), read(huge), read(make_booking())]
        )
    assert verdicts == [REFUSED, REFUSED, DONE]
    assert {log["payment_id"]: log["reason"] for log in logs} == {
        foreign.payment_id: "ACCOUNT_CURRENCY_MISMATCH",
        huge.payment_id: "BOOKING_REFUSED",
    }
    assert len(await auditor.booked()) == 3
    assert await auditor.faults() == []


@pytest.mark.parametrize(
    "statement",
    [
        b"REVOKE INSERT ON journal_transactions FROM ledger_svc",
        b"ALTER TABLE accounts RENAME TO elsewhere",
        b"ALTER ROLE ledger_svc IN DATABASE {} SET default_transaction_read_only = on",
    ],
)
async def test_a_database_that_cannot_post_refuses_no_payment(
    ledger_database: Any, make_booking: Any, read: Any, auditor: Any, statement: bytes
) -> None:
    """A missing right or table, a server that became read-only: nothing is wrong with the payments,
    so none is given up."""
    await auditor.change(statement.replace(b"{}", ledger_database.name.encode()))
    async with open_database(ledger_database.url, application_name="test") as database:
        with pytest.raises(Unavailable):
            await make_posting(database).post([read(make_booking(), make_booking())])


async def test_a_defect_keeps_only_its_own_message(
    database: Database,
    make_booking: Any,
    read: Any,
    auditor: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error that nobody thought of is neither acknowledged nor given up, and the other messages
    are booked."""

    readings = [read(make_booking()) for _ in range(3)]
    poisoned = readings[1].bookings[0].payment_id
    make_batch = operations.make_batch

    def make_or_break(head: Any, drafts: Any) -> Any:
        if poisoned in {draft.source_id for draft in drafts}:
            raise RuntimeError("a defect")
        return make_batch(head, drafts)

    monkeypatch.setattr(operations, "make_batch", make_or_break)
    posting = make_posting(database)
    with capture_logs() as logs:
        verdicts = await posting.post(readings)
    assert verdicts == [DONE, LATER, DONE]
    assert "payment not booked" in {log["event"] for log in logs}
    assert len(await auditor.booked()) == 2
