"""The use cases of ledger_svc. Each is one transaction or one read."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.errors import ServiceError
from chassis.ids import IdMaker
from ledger_svc import store
from ledger_svc.errors import (
    AccountCurrencyMismatch,
    PaymentBookedDifferently,
    TransactionNotFound,
)
from ledger_svc.model import Booking, TrialBalanceLine, differences
from ledger_svc.store import Account, Transaction


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
    ``AccountCurrencyMismatch`` if a booking names an account of another currency, and what
    ``Database.transaction`` raises.
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

    return await database.transaction(work)


async def booked_payments(database: Database, payment_ids: Sequence[str]) -> set[str]:
    """Which of these payments are in the journal."""
    return set(await database.read(lambda connection: store.booked(connection, payment_ids)))


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
