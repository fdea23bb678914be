"""The use cases of ledger_svc. Each is one transaction or one read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database, sqlstate
from chassis.errors import ServiceError, Unavailable
from chassis.logs import get_logger
from ledger_svc.errors import (
    AccountCurrencyMismatch,
    BookingRefused,
    PaymentBookedDifferently,
    TransactionNotFound,
)
from ledger_svc.merkle import leaf_hash, root_hash
from ledger_svc.model import Booking, Draft, TrialBalanceLine, differences, draft_of
from ledger_svc.records import batch_bytes, transaction_hashes
from ledger_svc.store import accounts, catching_up, journal
from ledger_svc.store.accounts import Account
from ledger_svc.store.transactions import Transaction, microseconds_of, transactions_of

_LOG = get_logger(__name__)

_REFUSAL_CLASSES = {"21", "22", "23"}
"""Classes of SQLSTATE that speak of the data: cardinality, data exception, integrity."""


class Outcome(Enum):
    """What became of a booking."""

    POSTED = "posted"
    REPEATED = "repeated"
    """The payment was booked before, with the same content."""


class Booked(NamedTuple):
    """A transaction that is in the journal."""

    number: int
    outcome: Outcome


async def post_bookings(
    database: Database, bookings: Sequence[Booking]
) -> list[Outcome | ServiceError]:
    """Book payments, as ``book`` does; one outcome per booking, in order."""
    outcomes = await book(database, [draft_of(booking) for booking in bookings])
    return [item if isinstance(item, ServiceError) else item.outcome for item in outcomes]


async def book(database: Database, drafts: Sequence[Draft]) -> list[Booked | ServiceError]:
    """Book transactions, all in one database transaction; one outcome per draft, in order.

    Safe to repeat and to run anywhere at the same time. ``PaymentBookedDifferently`` is the outcome
    of a source that is booked with other content. Raises, with nothing stored,
    ``AccountCurrencyMismatch`` if a draft names an account of another currency, ``BookingRefused``
    if one breaks a rule of the database, ``Unavailable`` if the database cannot do its work,
    ``OutcomeUnknown`` if a repeat has to tell what is stored.
    """
    with database_errors():
        return await database.transaction(lambda connection: book_within(connection, drafts))


async def book_within(
    connection: AsyncConnection, drafts: Sequence[Draft]
) -> list[Booked | ServiceError]:
    """Do what ``book`` does, as the last thing that the caller's transaction does: from here until
    it ends nobody else can post. An error must end it."""
    head = await journal.lock_head(connection)
    # A statement of its own: it sees what another poster has committed while we waited.
    there = await journal.sources_there(connection, [draft.source_id for draft in drafts])
    fresh = {draft.source_id: draft for draft in reversed(drafts) if draft.source_id not in there}
    new = [draft for draft in drafts if fresh.get(draft.source_id) is draft]
    if new and await journal.post(connection, make_batch(head, new)):
        raise AccountCurrencyMismatch
    posted = {
        draft.source_id: (number, draft)
        for number, draft in enumerate(new, head.transaction_number + 1)
    }
    if there:
        found = await transactions_of(connection, list(there))
        posted |= {item: (found[item].number, found[item].draft) for item in there}
    is_new = {id(draft) for draft in new}
    return [
        _outcome(draft, *posted[draft.source_id], is_new=id(draft) in is_new) for draft in drafts
    ]


def make_batch(head: journal.Head, drafts: Sequence[Draft]) -> journal.Batch:
    """The next batch of the journal: numbered, and chained to the one before."""
    first = head.transaction_number + 1
    leaf_hashes = transaction_hashes(first, drafts)
    root = root_hash(leaf_hashes)
    content = batch_bytes(
        number=head.batch_number + 1,
        first_transaction_number=first,
        last_transaction_number=first + len(drafts) - 1,
        book_microseconds=microseconds_of(head.book_time),
        root_hash=root,
        previous_hash=head.hash,
    )
    return journal.Batch(
        number=head.batch_number + 1,
        first_transaction_number=first,
        book_time=head.book_time,
        drafts=drafts,
        leaf_hashes=leaf_hashes,
        root_hash=root,
        hash=leaf_hash(content),
    )


async def booked_payments(database: Database, payment_ids: Sequence[str]) -> set[str]:
    """Which of these payments are in the journal. Raises like ``post_bookings``."""
    with database_errors():
        return await database.read(
            lambda connection: journal.sources_there(connection, payment_ids)
        )


async def caught_up_to(database: Database) -> datetime:
    """Up to when the journal is known to have every completed payment."""
    return await database.read(catching_up.caught_up_to)


async def set_caught_up_to(database: Database, moment: datetime) -> None:
    """Move that moment on; never back."""
    await database.transaction(lambda connection: catching_up.set_caught_up_to(connection, moment))


async def batch_get_accounts(database: Database, account_ids: Sequence[str]) -> list[Account]:
    """The accounts that exist, in the order of the ids."""
    there = await database.read(lambda connection: accounts.accounts_by_id(connection, account_ids))
    return [there[account_id] for account_id in account_ids if account_id in there]


async def list_accounts(database: Database, after_id: str, *, count_max: int) -> list[Account]:
    """The next ``count_max`` accounts in order of their id, from the one after ``after_id``."""
    return await database.read(
        lambda connection: accounts.accounts_after(connection, after_id, count_max=count_max)
    )


async def get_transaction(database: Database, payment_id: str) -> Transaction:
    """The journal transaction of a payment. Raises ``TransactionNotFound``."""
    found = await database.read(lambda connection: transactions_of(connection, [payment_id]))
    if payment_id not in found:
        raise TransactionNotFound(payment_id=payment_id)
    return found[payment_id]


async def get_trial_balance(database: Database) -> list[TrialBalanceLine]:
    """Debits and credits per currency, by its code, all of one moment."""
    return await database.read(accounts.trial_balance)


def _outcome(draft: Draft, number: int, booked: Draft, *, is_new: bool) -> Booked | ServiceError:
    if is_new:
        return Booked(number, Outcome.POSTED)
    if fields := differences(draft, booked):
        return PaymentBookedDifferently(payment_id=draft.source_id, fields=", ".join(fields))
    return Booked(number, Outcome.REPEATED)


@contextmanager
def database_errors() -> Iterator[None]:
    """Tell what is wrong with a booking from what is wrong with the database."""
    try:
        yield
    except DBAPIError as error:
        state = sqlstate(error) or ""
        if state[:2] in _REFUSAL_CLASSES:
            raise BookingRefused from error
        # A full disk, a missing right, a server that became a standby: none of it is the fault of a
        # payment, and none of it may make us give one up.
        _LOG.error("database cannot post", sqlstate=state)
        raise Unavailable from error
