"""Booking and reading, on a real PostgreSQL and with the rights of the service's own role."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from chassis.batching import isolate
from chassis.database import Database, constraint_name, open_database, sqlstate
from ledger_svc import operations
from ledger_svc.errors import (
    AccountCurrencyMismatch,
    PaymentBookedDifferently,
    TransactionNotFound,
)
from ledger_svc.model import Booking, DraftPosting, is_balanced
from ledger_svc.operations import Outcome, post_bookings
from ledger_svc.store.accounts import Account
from ledger_svc.tables import postings

ALL_POSTED = {Outcome.POSTED}


async def insert_postings(database: Database, rows: list[Any]) -> None:
    """Write postings in one statement, past the store but with the rights of the service."""
    names = [column.name for column in postings.columns]
    statement = insert(postings).values([dict(zip(names, row, strict=True)) for row in rows])
    await database.transaction(lambda connection: connection.execute(statement))


async def test_a_booking_is_a_balanced_transaction(
    database: Database, make_booking: Any, auditor: Any
) -> None:
    """One payment becomes one transaction: debit the payer, credit the payee, totals changed."""
    booking = make_booking(kind=2, amount_minor=250, effective_microseconds=1_795_392_000_123_456)
    assert await post_bookings(database, [booking]) == [Outcome.POSTED]

    transaction = await operations.get_transaction(database, booking.payment_id)
    assert transaction.number == 1
    assert transaction.draft.source_id == booking.payment_id
    assert transaction.draft.kind == 2
    assert transaction.effective_time == datetime(2026, 11, 23, 0, 0, 0, 123_456, tzinfo=UTC)
    assert list(transaction.draft.postings) == [
        DraftPosting("wal_alice", 1, "USD", 250),
        DraftPosting("wal_bob", 2, "USD", 250),
    ]
    assert await operations.batch_get_accounts(database, ["wal_bob", "wal_none", "wal_alice"]) == [
        Account("wal_bob", "USD", 0, 250, None, 0),
        Account("wal_alice", "USD", 250, 0, None, 0),
    ]
    assert await auditor.faults() == []


async def test_a_repeat_posts_nothing(database: Database, make_booking: Any, auditor: Any) -> None:
    """A payment is booked once: across batches, and also within one."""
    first, second = make_booking(), make_booking()
    await post_bookings(database, [first])
    outcomes = await post_bookings(database, [second, first, second])
    assert outcomes == [Outcome.POSTED, Outcome.REPEATED, Outcome.REPEATED]
    assert await operations.batch_get_accounts(database, ["wal_bob"]) == [
        Account("wal_bob", "USD", 0, 2000, None, 0)
    ]
    assert await auditor.faults() == []


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("amount_minor", 1001, "postings"),
        ("kind", 3, "kind"),
        ("debit_account_id", "wal_carol", "postings"),
        ("credit_account_id", "wal_carol", "postings"),
        ("currency_code", "EUR", "postings"),
    ],
)
async def test_a_repeat_with_other_content_is_told(
    database: Database,
    make_booking: Any,
    auditor: Any,
    field: str,
    value: Any,
    named: str,
) -> None:
    """What contradicts the journal is named, posts nothing, and does not hit its neighbours."""
    booking, neighbour = make_booking(), make_booking()
    await post_bookings(database, [booking])
    changed = booking._replace(**{field: value})
    different, posted = await post_bookings(database, [changed, neighbour])
    assert isinstance(different, PaymentBookedDifferently)
    assert different.metadata == {"payment_id": booking.payment_id, "fields": named}
    assert posted is Outcome.POSTED
    transaction = await operations.get_transaction(database, booking.payment_id)
    assert list(transaction.draft.postings)[1] == DraftPosting("wal_bob", 2, "USD", 1000)
    assert await auditor.faults() == []


async def test_a_later_moment_is_no_difference(database: Database, make_booking: Any) -> None:
    """A repeat may have another execution time; the first one stays booked."""
    booking = make_booking()
    await post_bookings(database, [booking])
    later = booking._replace(effective_microseconds=booking.effective_microseconds + 1)
    assert await post_bookings(database, [later]) == [Outcome.REPEATED]
    transaction = await operations.get_transaction(database, booking.payment_id)
    assert transaction.effective_time.microsecond == 1


@pytest.mark.parametrize("other", ["debit_account_id", "credit_account_id"])
async def test_an_account_keeps_its_currency(
    database: Database, make_booking: Any, auditor: Any, other: str
) -> None:
    """An account's first posting decides its currency; a posting in another one stores nothing."""
    await post_bookings(database, [make_booking()])
    foreign = make_booking(
        **{"debit_account_id": "wal_x", "credit_account_id": "wal_y", other: "wal_alice"},
        currency_code="EUR",
    )
    with pytest.raises(AccountCurrencyMismatch):
        await post_bookings(database, [make_booking(debit_account_id="wal_z"), foreign])
    assert len(await auditor.booked()) == 1
    assert await auditor.faults() == []


async def test_a_poisoned_booking_stands_alone(
    database: Database, make_booking: Any, auditor: Any
) -> None:
    """Bookings that the database refuses -- an overflowing total, two currencies for one account --
    do not keep their neighbours out of the journal."""
    batch = [make_booking() for _ in range(20)]
    batch[3] = make_booking(amount_minor=2**63 - 1)
    batch[11] = make_booking(currency_code="EUR")
    batch[12] = make_booking(debit_account_id="wal_bob", currency_code="JPY")

    async def post(items: Sequence[Booking]) -> Sequence[Any]:
        return await post_bookings(database, items)

    outcomes = await isolate(batch, post)
    refused = [place for place, outcome in enumerate(outcomes) if outcome is not Outcome.POSTED]
    assert refused == [3, 11, 12]
    assert len(await auditor.booked()) == 17
    assert await auditor.faults() == []


@pytest.mark.parametrize("share_payments", [True, False])
async def test_crossing_batches_post_once_without_deadlock(
    ledger_database: Any, make_booking: Any, auditor: Any, share_payments: bool
) -> None:
    """Many posters book batches in any order over the same few accounts, with payments in common or
    not: nobody waits in a circle, and each payment is booked once."""
    chance = random.Random(7)
    wallets = [f"wal_{number}" for number in range(40)]

    def new_batch() -> list[Booking]:
        batch = []
        for amount_minor in range(1, 151):
            payer, payee = chance.sample(wallets, 2)
            changes = {"debit_account_id": payer, "credit_account_id": payee}
            batch.append(make_booking(**changes, amount_minor=amount_minor))
        return batch

    common = new_batch()

    async def post_batches(ours: Database) -> int:
        posted = 0
        for _ in range(6):
            batch = chance.sample(common, 100) if share_payments else new_batch()
            posted += (await post_bookings(ours, batch)).count(Outcome.POSTED)
        return posted

    async with open_database(ledger_database.url, application_name="six", pool_size=6) as ours:
        posted = await asyncio.gather(*(post_batches(ours) for _ in range(6)))
    # ``Database.transaction`` tries again after a deadlock; the server has counted it.
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert await auditor.rows(deadlocks) == [(0,)]
    assert len(await auditor.booked()) == sum(posted) >= (100 if share_payments else 5400)
    assert await auditor.faults() == []


async def test_the_same_batch_twice_at_once(
    database: Database, make_booking: Any, auditor: Any
) -> None:
    """Two replicas that post one batch at the same time: one posts, the other finds it repeated."""
    batch = [make_booking() for _ in range(256)]
    for_one, for_other = await asyncio.gather(
        post_bookings(database, batch), post_bookings(database, batch[::-1])
    )
    assert sorted([set(for_one) == ALL_POSTED, set(for_other) == ALL_POSTED]) == [False, True]
    assert {*for_one, *for_other} == {Outcome.POSTED, Outcome.REPEATED}
    assert await operations.batch_get_accounts(database, ["wal_alice", "wal_bob"]) == [
        Account("wal_alice", "USD", 256_000, 0, None, 0),
        Account("wal_bob", "USD", 0, 256_000, None, 0),
    ]
    assert await auditor.faults() == []


async def test_the_trial_balance_is_that_of_the_postings(
    database: Database, make_booking: Any, auditor: Any
) -> None:
    """The trial balance is read from totals; adding up every posting gives the same."""
    chance = random.Random(3)
    wallets = {code: [f"wal_{code}_{n}" for n in range(5)] for code in ("USD", "EUR", "JPY")}
    for size in (1, 100, 256):
        batch = []
        for _ in range(size):
            code = chance.choice(list(wallets))
            payer, payee = chance.sample(wallets[code], 2)
            batch.append(
                make_booking(
                    debit_account_id=payer,
                    credit_account_id=payee,
                    currency_code=code,
                    amount_minor=chance.randint(1, 10**9),
                )
            )
        assert set(await post_bookings(database, batch)) == ALL_POSTED
    lines = await operations.get_trial_balance(database)
    assert [tuple(line) for line in lines] == await auditor.rows("""
        SELECT currency_code,
            sum(amount_minor) FILTER (WHERE direction = 1)::bigint,
            sum(amount_minor) FILTER (WHERE direction = 2)::bigint,
            count(DISTINCT account_id)
        FROM postings GROUP BY currency_code ORDER BY currency_code
    """)
    assert [line.currency_code for line in lines] == ["EUR", "JPY", "USD"]
    assert is_balanced(lines)
    assert await auditor.faults() == []


async def test_sums_may_be_larger_than_any_total(database: Database, make_booking: Any) -> None:
    """The largest amount fits, and does not keep the trial balance from being told."""
    await post_bookings(database, [make_booking(amount_minor=2**63 - 1)])
    (line,) = await operations.get_trial_balance(database)
    assert line.debits_minor == line.credits_minor == 2**63 - 1


async def test_accounts_are_listed_by_id(database: Database, make_booking: Any) -> None:
    """Pages follow each other without a gap, in byte order of the ids."""
    names = ["wal_B", "wal_a", "wal_b", "wal_-", "wal_9"]
    await post_bookings(database, [make_booking(credit_account_id=name) for name in names])
    first = await operations.list_accounts(database, "", count_max=4)
    rest = await operations.list_accounts(database, first[-1].id, count_max=4)
    listed = [account.id for account in [*first, *rest]]
    assert listed == sorted([*names, "wal_alice"])
    assert len(first) == 4


async def test_an_unknown_payment_has_no_transaction(database: Database) -> None:
    """Not booked is a fact with a name."""
    with pytest.raises(TransactionNotFound):
        await operations.get_transaction(database, "pay_unknown")


async def test_booked_payments_are_found(database: Database, make_booking: Any) -> None:
    """Of some payments, those in the journal."""
    booking = make_booking()
    await post_bookings(database, [booking])
    found = await operations.booked_payments(database, [booking.payment_id, "pay_unknown"])
    assert found == {booking.payment_id}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal_transactions SET kind = 2",
        "DELETE FROM journal_transactions",
        "TRUNCATE journal_transactions",
        "UPDATE postings SET amount_minor = 1",
        "DELETE FROM postings",
        "TRUNCATE postings",
        "DELETE FROM accounts",
        "UPDATE accounts SET id = 'wal_x'",
        "UPDATE accounts SET currency_code = 'EUR'",
        "ALTER TABLE postings DISABLE TRIGGER ALL",
        "DROP TABLE postings",
        "UPDATE journal_batches SET hash = root_hash",
        "DELETE FROM journal_batches",
        "DELETE FROM journal_head",
    ],
)
async def test_the_journal_is_append_only(
    database: Database, make_booking: Any, statement: str
) -> None:
    """The role of the process has no right to change, remove or back-date what is booked."""
    await post_bookings(database, [make_booking()])
    with pytest.raises(ProgrammingError) as caught:
        await database.transaction(lambda connection: connection.execute(text(statement)))
    assert sqlstate(caught.value) == "42501", "insufficient_privilege"


@pytest.mark.parametrize(
    "rows",
    [
        [(1, 1, "wal_alice", 1, "USD", 5, 0)],
        [(1, 1, "wal_alice", 1, "USD", 5, 0), (1, 2, "wal_bob", 2, "USD", 6, 0)],
        [(1, 1, "wal_alice", 1, "USD", 5, 0), (1, 2, "wal_bob", 2, "EUR", 5, 0)],
        [(1, 1, "wal_alice", 2, "USD", 5, 0), (1, 2, "wal_bob", 2, "USD", 5, 0)],
        [(1, 1, "wal_alice", 1, "USD", 5, 0), (2, 2, "wal_bob", 2, "USD", 5, 0)],
    ],
)
async def test_unbalanced_postings_are_refused(database: Database, rows: list[Any]) -> None:
    """Not even SQL written by hand gets an imbalance past the database: one side only, other
    amounts, other currencies, two credits, balance across two transactions."""
    with pytest.raises(IntegrityError) as caught:
        await insert_postings(database, rows)
    assert constraint_name(caught.value) == "ck_postings_balanced"


@pytest.mark.parametrize(
    ("lines", "constraint"),
    [((1, 2), "pk_postings"), ((3, 4), "ck_postings_with_transaction")],
)
async def test_a_booked_transaction_is_full(
    database: Database,
    make_booking: Any,
    lines: tuple[int, int],
    constraint: str,
) -> None:
    """Balanced postings cannot be added to a transaction that is booked."""
    booking = make_booking()
    await post_bookings(database, [booking])
    transaction = await operations.get_transaction(database, booking.payment_id)
    debit, credit = [(transaction.number, line, "wal_bob") for line in lines]
    with pytest.raises(IntegrityError) as caught:
        await insert_postings(database, [(*debit, 1, "USD", 1, 0), (*credit, 2, "USD", 1, 0)])
    assert constraint_name(caught.value) == constraint
