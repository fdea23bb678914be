"""Moving money, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.batching import isolate
from chassis.clock import Clock
from chassis.database import Database, constraint_name, sqlstate
from chassis.errors import ServiceError, Unavailable
from chassis.logs import get_logger
from wallet_svc.errors import TransferNotExecuted
from wallet_svc.model.records import Outcome, Transfer
from wallet_svc.model.transfers import decide_transfers
from wallet_svc.store import transfers as transfer_store
from wallet_svc.store import wallets as wallet_store

_LOG = get_logger(__name__)

# SQLSTATE classes that say something about the database and not about a transfer: connection,
# unsupported feature (a plan that outlived a migration), transaction state (a server that has
# become read-only), authorisation, catalogue, rollback, access rule or missing object, resources,
# limits, object state, operator, system. A good transfer must never be refused for one of these.
_DATABASE_CLASSES = frozenset(
    {"08", "0A", "25", "28", "3D", "40", "42", "53", "54", "55", "57", "58"}
)


class _BatchRefused(Exception):
    """The database refused a batch: one of its transfers is to blame."""


async def execute_transfers(
    transfers: Sequence[Transfer], *, database: Database, clock: Clock, balance_minor_max: int
) -> list[Outcome | ServiceError]:
    """Execute transfers in request order; each has its own outcome or its own error.

    A payment that was executed before has the outcome of that time. Item errors:
    ``WalletNotFound``, ``PaymentIdReused``, ``InvalidArgument`` and ``TransferNotExecuted``.
    Raises ``Unavailable`` if the outcome of any of them is not known; a repeat of the whole batch
    tells.
    """

    async def execute(batch: Sequence[Transfer]) -> Sequence[Outcome | ServiceError]:
        try:
            return await _execute_batch(batch, database, clock, balance_minor_max)
        except DBAPIError as error:
            if _is_about_the_database(error):
                _LOG.error("database refuses to work", sqlstate=sqlstate(error))
                raise Unavailable from error
            if len(batch) > 1:
                raise _BatchRefused from error
            payment_id = batch[0].payment_id
            _LOG.error(
                "transfer refused",
                payment_id=payment_id,
                sqlstate=sqlstate(error),
                constraint=constraint_name(error) if isinstance(error, IntegrityError) else None,
            )
            return [TransferNotExecuted(payment_id=payment_id)]

    answers = await isolate(transfers, execute)
    for answer in answers:
        if isinstance(answer, Unavailable):
            raise answer
    return answers


async def _execute_batch(
    batch: Sequence[Transfer], database: Database, clock: Clock, balance_minor_max: int
) -> list[Outcome | ServiceError]:
    async def work(connection: AsyncConnection) -> list[Outcome | ServiceError]:
        return await _execute(connection, batch, clock, balance_minor_max)

    try:
        return await database.transaction(work)
    except IntegrityError as error:
        if constraint_name(error) != "pk_transfers":
            raise
    # Somebody has just stored one of these payments with other wallets, so that the locks did not
    # keep the two apart. Now it is there to be seen.
    return await database.transaction(work)


async def _execute(
    connection: AsyncConnection, batch: Sequence[Transfer], clock: Clock, balance_minor_max: int
) -> list[Outcome | ServiceError]:
    named = {transfer.debit_wallet_id for transfer in batch}
    named.update([transfer.credit_wallet_id for transfer in batch])
    wallets = await wallet_store.lock_wallets(connection, named)
    stored = await transfer_store.outcomes_by_payment(
        connection, [transfer.payment_id for transfer in batch]
    )
    # Asked after the locks are held: entries of a wallet are dated in the order of their numbers.
    execute_time = clock.now()
    decision = decide_transfers(
        batch,
        wallets=wallets,
        stored=stored,
        execute_time=execute_time,
        balance_minor_max=balance_minor_max,
    )
    if decision.new_outcomes:
        await transfer_store.write_outcomes(
            connection,
            decision.new_outcomes,
            changes=decision.changes,
            execute_time=execute_time,
        )
    return decision.answers


def _is_about_the_database(error: DBAPIError) -> bool:
    state = sqlstate(error)
    return state is not None and state[:2] in _DATABASE_CLASSES
