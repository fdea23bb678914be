"""The use cases of payment_svc: one transaction each, and no call to another service inside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from chassis.database import Database, sqlstate
from chassis.errors import InvalidArgument, ServiceError
from chassis.ids import IdMaker
from payment_svc.errors import (
    BarcodeUsed,
    PaymentNotFound,
    RequestIdInFlight,
    RequestIdReused,
)
from payment_svc.model import Kind, NewPayment, Result, Status, StoredPayment
from payment_svc.store import bank_accounts as bank_store
from payment_svc.store import payments as store
from payment_svc.store import pending as pending_store
from payment_svc.store import steps as step_store
from payment_svc.store.payments import Completed, Ending, PaymentFilter
from payment_svc.store.steps import LetterStep, RecordedStep

_LOCK_NOT_AVAILABLE = "55P03"
_BANK_ACCOUNTS_MAX = 100
_STEPS_MAX = 200
_SETTLED_AFTER_SECONDS = 15.0
"""Longer than any transaction may take (8 s, and a stopped server's pause in between)."""


class Accepted(NamedTuple):
    """A payment that exists."""

    payment: NewPayment | StoredPayment
    replayed: bool


class FailedTry(NamedTuple):
    """A try that led to nothing, and how long the sweeper leaves its payment alone now."""

    step: RecordedStep
    sweep_after_seconds: float


class Applied(NamedTuple):
    """What results led to."""

    rows: list[StoredPayment]
    """All payments that are terminal now, in the order of their events."""
    ended_ids: frozenset[str]
    """Those that were not before."""


async def accept_payments(
    database: Database, new: Sequence[NewPayment], *, sweep_after_seconds: float
) -> list[Accepted | ServiceError]:
    """Store payments; this commit is the promise to their callers.

    Answers each for itself: stored, there already (same key, same content), ``RequestIdReused`` or
    ``BarcodeUsed``. Raises ``RequestIdInFlight`` if some key is being stored elsewhere just now,
    for longer than ``database`` waits for locks.
    """

    async def work(connection: AsyncConnection) -> list[Accepted | ServiceError]:
        try:
            stored = await store.insert_payments(
                connection, new, sweep_after_seconds=sweep_after_seconds
            )
        except DBAPIError as error:
            if sqlstate(error) == _LOCK_NOT_AVAILABLE:
                raise RequestIdInFlight from error
            raise
        collided = [payment for payment in new if payment.id not in stored]
        if not collided:
            return [Accepted(payment, replayed=False) for payment in new]
        there = await store.payments_by_key(
            connection, [(payment.caller_id, payment.request_id) for payment in collided]
        )
        return [
            Accepted(payment, replayed=False)
            if payment.id in stored
            else _answer_again(
                there.get((payment.caller_id, payment.request_id)), payment.fingerprint
            )
            for payment in new
        ]

    return await database.transaction(work)


async def find_replays(
    database: Database, keys: Sequence[tuple[str, str, bytes]]
) -> list[Accepted | ServiceError | None]:
    """For each caller, request id and fingerprint: the payment made before, if there is one."""

    async def work(connection: AsyncConnection) -> dict[tuple[str, str], StoredPayment]:
        return await store.payments_by_key(connection, [key[:2] for key in keys])

    there = await database.read(work)
    return [
        _answer_again(row, fingerprint) if (row := there.get((caller_id, request_id))) else None
        for caller_id, request_id, fingerprint in keys
    ]


def _answer_again(row: StoredPayment | None, fingerprint: bytes) -> Accepted | ServiceError:
    if row is None:
        # The only other thing that is unique about a payment.
        return BarcodeUsed()
    if row.fingerprint != fingerprint:
        return RequestIdReused()
    return Accepted(row, replayed=True)


async def apply_results(database: Database, results: Sequence[Result]) -> Applied:
    """Make payments terminal, number their events, and answer all of them that are terminal now.

    A payment that was terminal before stays as it was and is answered too: if its event was lost
    between the commit and the telling, a redelivered result tells it again.
    """
    by_id = {result.payment_id: result for result in results}

    async def work(connection: AsyncConnection) -> Applied:
        locked = await store.lock_payments(connection, list(by_id))
        pending = [payment for payment in locked if payment.status == Status.PENDING]
        ended_before = [payment.id for payment in locked if payment.status != Status.PENDING]
        rows: list[StoredPayment] = []
        if ended_before:
            rows += (await store.payments_by_id(connection, ended_before)).values()
        if pending:
            told = [payment.id for payment in pending if payment.kind != Kind.TOP_UP]
            first = await store.take_event_numbers(connection, len(told)) if told else 0
            numbers = dict(zip(told, range(first, first + len(told)), strict=True))
            endings = [
                _ending(by_id[payment.id], numbers.get(payment.id, 0)) for payment in pending
            ]
            ended = await store.end_payments(connection, endings)
            assert len(ended) == len(pending), "they are locked"
            rows += ended
        rows.sort(key=lambda row: row.event_number or 0)
        return Applied(rows, frozenset(payment.id for payment in pending))

    return await database.transaction(work)


def _ending(result: Result, event_number: int) -> Ending:
    return Ending(
        payment_id=result.payment_id,
        status=Status.FAILED if result.failure_code else Status.COMPLETED,
        failure_code=result.failure_code or "",
        payer_entry_number=result.debit_entry_number,
        payee_entry_number=result.credit_entry_number,
        event_number=event_number,
        attempt=result.attempt,
        queue_us=result.queue_us,
        try_us=result.try_us,
        result_us=result.result_us,
    )


async def take_overdue(
    database: Database, *, again_after_seconds: float, count_max: int
) -> list[StoredPayment]:
    """Overdue PENDING payments, longest first; each is taken by one sweeper, for a while."""

    async def work(connection: AsyncConnection) -> list[StoredPayment]:
        return await pending_store.take_overdue_payments(
            connection, again_after_seconds=again_after_seconds, count_max=count_max
        )

    return await database.transaction(work)


async def record_failed_tries(database: Database, failed: Sequence[FailedTry]) -> None:
    """Note tries that led to nothing, and keep the sweeper away from their payments, which are on
    their way in another queue."""

    async def work(connection: AsyncConnection) -> None:
        await step_store.record_steps(connection, [item.step for item in failed])
        await pending_store.postpone_sweeps(
            connection,
            [item.step.payment_id for item in failed],
            [item.sweep_after_seconds for item in failed],
        )

    await database.transaction(work)


async def get_payments(database: Database, payment_ids: Sequence[str]) -> dict[str, StoredPayment]:
    """The payments that exist, by id."""

    async def work(connection: AsyncConnection) -> dict[str, StoredPayment]:
        return await store.payments_by_id(connection, payment_ids)

    return await database.read(work)


async def get_payment(database: Database, payment_id: str, *, viewer_id: str) -> StoredPayment:
    """One payment, if ``viewer_id`` is one of its sides or empty. Raises ``PaymentNotFound``."""
    row = (await get_payments(database, [payment_id])).get(payment_id)
    if row is None or (viewer_id and viewer_id not in (row.payer_id, row.payee_id)):
        raise PaymentNotFound(payment_id=payment_id)
    return row


class Kept(NamedTuple):
    """What payment_svc keeps of a payment's life."""

    payment: StoredPayment
    recorded: list[RecordedStep]
    letter_steps: list[LetterStep]


async def read_life(database: Database, payment_id: str) -> Kept:
    """A payment and its steps out of the ordinary, the newest. Raises ``PaymentNotFound``."""

    async def work(connection: AsyncConnection) -> Kept:
        found = await store.payments_by_id(connection, [payment_id])
        if payment_id not in found:
            raise PaymentNotFound(payment_id=payment_id)
        return Kept(
            found[payment_id],
            await step_store.list_steps(connection, payment_id, count_max=_STEPS_MAX),
            await step_store.list_letter_steps(connection, payment_id, count_max=_STEPS_MAX),
        )

    return await database.read(work)


async def list_payments(
    database: Database, owner_id: str, *, wanted: PaymentFilter, count_max: int
) -> list[StoredPayment]:
    """An owner's payments, newest first."""

    async def work(connection: AsyncConnection) -> list[StoredPayment]:
        return await store.list_payments(connection, owner_id, wanted=wanted, count_max=count_max)

    return await database.read(work)


async def list_events(
    database: Database, owner_id: str, *, after_number: int, count_max: int
) -> tuple[list[StoredPayment], int]:
    """An owner's events after a number, in order, and the highest number there is."""

    async def work(connection: AsyncConnection) -> tuple[list[StoredPayment], int]:
        # The head first: whatever has a lower number is visible to the second statement.
        head = await store.last_event_number(connection)
        return (
            await store.list_events(
                connection, owner_id, after_number=after_number, count_max=count_max
            ),
            head,
        )

    return await database.read(work)


async def settled_until(database: Database) -> datetime:
    """The moment before which no payment will be completed any more: every transaction that began
    then has ended."""
    return await database.read(
        lambda connection: store.settled_until(connection, seconds=_SETTLED_AFTER_SECONDS)
    )


async def list_completed(
    database: Database,
    *,
    after: Completed,
    end_time: datetime,
    count_max: int,
) -> list[Completed]:
    """The payments that were completed after one and before a time, in that order."""
    return await database.read(
        lambda connection: store.list_completed(
            connection, after=after, end_time=end_time, count_max=count_max
        )
    )


async def create_bank_account(
    database: Database, *, owner_id: str, holder: str, iban: str, clock: Clock, ids: IdMaker
) -> Row[Any]:
    """Store a bank account, or answer the one that is there. Raises
    ``InvalidArgument`` if there are too many."""
    bank_account_id, now = ids.make("bnk"), clock.now()

    async def work(connection: AsyncConnection) -> Row[Any]:
        await bank_store.insert_bank_account(
            connection,
            bank_account_id=bank_account_id,
            owner_id=owner_id,
            holder=holder,
            iban=iban,
            create_time=now,
        )
        accounts = await bank_store.list_bank_accounts(
            connection, owner_id, count_max=_BANK_ACCOUNTS_MAX + 1
        )
        if len(accounts) > _BANK_ACCOUNTS_MAX:
            raise InvalidArgument([("iban", f"is one too many: {_BANK_ACCOUNTS_MAX} at most")])
        return next(account for account in accounts if account.iban == iban)

    return await database.transaction(work)


async def list_bank_accounts(database: Database, owner_id: str) -> list[Row[Any]]:
    """An owner's bank accounts, oldest first."""

    async def work(connection: AsyncConnection) -> list[Row[Any]]:
        return await bank_store.list_bank_accounts(
            connection, owner_id, count_max=_BANK_ACCOUNTS_MAX
        )

    return await database.read(work)


async def find_bank_accounts(
    database: Database, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Row[Any]]:
    """The bank accounts that exist for pairs of owner id and bank account id."""

    async def work(connection: AsyncConnection) -> dict[tuple[str, str], Row[Any]]:
        return await bank_store.bank_accounts_of(connection, keys)

    return await database.read(work)
