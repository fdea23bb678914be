"""Moving money, a batch at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.batching import isolate
from chassis.clock import Clock
from chassis.database import Database, constraint_name, sqlstate
from chassis.errors import ServiceError, Unavailable
from chassis.logs import get_logger
from wallet_svc.errors import TransferNotExecuted, WalletBusy
from wallet_svc.model.records import Outcome, Transfer, Wallet
from wallet_svc.model.transfers import Decision, decide_cancellations, decide_transfers
from wallet_svc.store import transfers as transfer_store
from wallet_svc.store import wallets as wallet_store

_LOG = get_logger(__name__)

# SQLSTATE classes that say something about the database and not about a transfer: connection,
# unsupported feature (a plan that outlived a migration), transaction state (a server that has
# become read-only), authorisation, catalogue, rollback, access rule or missing object, resources,
# limits, object state, operator, system. A good transfer must never be refused for one of these.
_LOCK_NOT_AVAILABLE = "55P03"
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
    ``WalletNotFound``, ``PaymentIdReused``, ``InvalidArgument``, ``WalletBusy`` and
    ``TransferNotExecuted``. Raises ``Unavailable`` if the outcome of any of them is not known; a
    repeat of the whole batch tells.
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

    async def work_around(connection: AsyncConnection) -> list[Outcome | ServiceError]:
        return await _execute_free(connection, batch, clock, balance_minor_max)

    try:
        return await _settled(database, work)
    except WalletBusy:
        # Somebody sits on a wallet. The batch waited for as long as it may; now the transfers that
        # can be executed are, and only those of that wallet have to come again.
        return await _settled(database, work_around)


async def cancel_transfers(
    transfers: Sequence[Transfer], *, database: Database, clock: Clock
) -> list[Outcome | ServiceError]:
    """End transfers without moving money, unless they have an outcome; answers that of each.

    Item errors: ``PaymentIdReused``. Raises ``Unavailable`` like ``execute_transfers``.
    """

    async def work(connection: AsyncConnection) -> list[Outcome | ServiceError]:
        named = _wallets_of(transfers)
        await _lock(connection, named)
        stored = await transfer_store.outcomes_by_payment(
            connection, [transfer.payment_id for transfer in transfers]
        )
        now = clock.now()
        decision = decide_cancellations(transfers, stored=stored, execute_time=now)
        await _write(connection, decision, now)
        return decision.answers

    return await _settled(database, work)


async def get_transfers(payment_ids: Sequence[str], *, database: Database) -> list[Outcome]:
    """The outcomes that are stored of these payments, in their order."""

    async def work(connection: AsyncConnection) -> dict[str, Outcome]:
        return await transfer_store.outcomes_by_payment(connection, payment_ids)

    stored = await database.read(work)
    return [stored[payment_id] for payment_id in payment_ids if payment_id in stored]


async def _settled(
    database: Database,
    work: Callable[[AsyncConnection], Awaitable[list[Outcome | ServiceError]]],
) -> list[Outcome | ServiceError]:
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
    wallets = await _lock(connection, _wallets_of(batch))
    return await _execute_locked(connection, batch, wallets, clock, balance_minor_max)


async def _execute_free(
    connection: AsyncConnection, batch: Sequence[Transfer], clock: Clock, balance_minor_max: int
) -> list[Outcome | ServiceError]:
    """Execute the transfers whose wallets nobody else has locked; ``WalletBusy`` for the others."""
    named = _wallets_of(batch)
    there = await wallet_store.wallets_by_id(connection, named)
    wallets = await wallet_store.lock_free_wallets(connection, named)
    busy = there.keys() - wallets.keys()
    is_free = [not busy & {item.debit_wallet_id, item.credit_wallet_id} for item in batch]
    free = [item for item, is_it in zip(batch, is_free, strict=True) if is_it]
    answers = iter(
        await _execute_locked(connection, free, wallets, clock, balance_minor_max) if free else []
    )
    return [
        next(answers) if is_it else WalletBusy(payment_id=item.payment_id)
        for item, is_it in zip(batch, is_free, strict=True)
    ]


async def _execute_locked(
    connection: AsyncConnection,
    batch: Sequence[Transfer],
    wallets: Mapping[str, Wallet],
    clock: Clock,
    balance_minor_max: int,
) -> list[Outcome | ServiceError]:
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
    await _write(connection, decision, execute_time)
    return decision.answers


def _wallets_of(batch: Sequence[Transfer]) -> set[str]:
    named = {transfer.debit_wallet_id for transfer in batch}
    named.update([transfer.credit_wallet_id for transfer in batch])
    return named


async def _lock(connection: AsyncConnection, wallet_ids: Collection[str]) -> dict[str, Wallet]:
    """Lock wallets. Raises ``WalletBusy`` if one of them is not to be had in time."""
    try:
        return await wallet_store.lock_wallets(connection, wallet_ids)
    except DBAPIError as error:
        if sqlstate(error) == _LOCK_NOT_AVAILABLE:
            raise WalletBusy from error
        raise


async def _write(connection: AsyncConnection, decision: Decision, execute_time: datetime) -> None:
    if decision.new_outcomes:
        await transfer_store.write_outcomes(
            connection,
            decision.new_outcomes,
            changes=decision.changes,
            execute_time=execute_time,
        )


def _is_about_the_database(error: DBAPIError) -> bool:
    state = sqlstate(error)
    return state is not None and state[:2] in _DATABASE_CLASSES
