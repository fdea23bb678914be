"""The use cases of ledger_svc. Each is one transaction or one read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database, sqlstate
from chassis.errors import ServiceError, Unavailable
from chassis.ids import IdMaker
from chassis.logs import get_logger
from ledger_svc import store
from ledger_svc.errors import (
    AccountCurrencyMismatch,
    BookingRefused,
    PaymentBookedDifferently,
    TransactionNotFound,
)
from ledger_svc.model import Booking, TrialBalanceLine, differences
from ledger_svc.store import Account, Transaction

_LOG = get_logger(__name__)

_REFUSAL_CLASSES = {"21", "22", "23"}
"""Classes of SQLSTATE that speak of the data: cardinality, data exception, integrity."""


class Outcome(Enum):
    """What became of a booking."""

    POSTED = "posted"
    REPEATED = "repeated"
    """The payment was booked before, with the same content."""


async def post_bookings(
    database: Database, bookings: Sequence[Booking], *, ids: IdMaker
) -> list[Outcome | ServiceError]:
    """Book payments, all in one database transaction; one outcome per booking, in order.

    Safe to repeat and to run anywhere at the same time. ``PaymentBookedDifferently`` is the outcome
    of a payment that is booked with other content. Raises, with nothing stored,
    ``AccountCurrencyMismatch`` if a booking names an account of another currency,
    ``BookingRefused`` if one breaks a rule of the database, ``Unavailable`` if the database cannot
    do its work, ``OutcomeUnknown`` if a repeat has to tell what is stored.
    """
    transaction_ids = [ids.make("txn") for _ in bookings]

    async def work(connection: AsyncConnection) -> list[Outcome | ServiceError]:
        exceptions = await store.post(connection, bookings, transaction_ids=transaction_ids)
        if exceptions.misplaced:
            raise AccountCurrencyMismatch
        outcomes: list[Outcome | ServiceError] = [Outcome.POSTED] * len(bookings)
        if exceptions.repeated:
            repeats = {
                place: bookings[place]
                for place, transaction_id in enumerate(transaction_ids)
                if transaction_id in exceptions.repeated
            }
            # A statement of its own: it sees what another poster has committed while ours waited.
            there = await store.booked(
                connection, list({booking.payment_id for booking in repeats.values()})
            )
            for place, booking in repeats.items():
                outcomes[place] = _compare(booking, there[booking.payment_id])
        return outcomes

    with _database_errors():
        return await database.transaction(work)


async def booked_payments(database: Database, payment_ids: Sequence[str]) -> set[str]:
    """Which of these payments are in the journal. Raises like ``post_bookings``."""
    with _database_errors():
        return set(await database.read(lambda connection: store.booked(connection, payment_ids)))


async def caught_up_to(database: Database) -> datetime:
    """Up to when the journal is known to have every completed payment."""
    return await database.read(store.caught_up_to)


async def set_caught_up_to(database: Database, moment: datetime) -> None:
    """Move that moment on; never back."""
    await database.transaction(lambda connection: store.set_caught_up_to(connection, moment))


async def batch_get_accounts(database: Database, account_ids: Sequence[str]) -> list[Account]:
    """The accounts that exist, in the order of the ids."""
    there = await database.read(lambda connection: store.accounts_by_id(connection, account_ids))
    return [there[account_id] for account_id in account_ids if account_id in there]


async def list_accounts(database: Database, after_id: str, *, count_max: int) -> list[Account]:
    """The next ``count_max`` accounts in order of their id, from the one after ``after_id``."""
    return await database.read(
        lambda connection: store.accounts_after(connection, after_id, count_max=count_max)
    )


async def get_transaction(database: Database, payment_id: str) -> Transaction:
    """The journal transaction of a payment. Raises ``TransactionNotFound``."""
    transaction = await database.read(
        lambda connection: store.transaction_of_payment(connection, payment_id)
    )
    if transaction is None:
        raise TransactionNotFound(payment_id=payment_id)
    return transaction


async def get_trial_balance(database: Database) -> list[TrialBalanceLine]:
    """Debits and credits per currency, by its code, all of one moment."""
    return await database.read(store.trial_balance)


def _compare(booking: Booking, booked: Booking) -> Outcome | ServiceError:
    if fields := differences(booking, booked):
        return PaymentBookedDifferently(payment_id=booking.payment_id, fields=", ".join(fields))
    return Outcome.REPEATED


@contextmanager
def _database_errors() -> Iterator[None]:
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
