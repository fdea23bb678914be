"""The use cases of corrections. Each is one transaction or one read."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.errors import ServiceError
from chassis.ids import IdMaker
from chassis.logs import get_logger
from ledger_svc.corrections import model
from ledger_svc.corrections.model import Correction, Proposal, State
from ledger_svc.errors import AlreadyReversed, CorrectionNotFound, TransactionNotFound
from ledger_svc.model import BOOK_ONLY_KIND_MIN
from ledger_svc.operations import book_within, database_errors
from ledger_svc.store import accounts
from ledger_svc.store import corrections as store

_LOG = get_logger(__name__)


class Shown(NamedTuple):
    """A correction, and what has to be known before it is approved."""

    correction: Correction
    drifts: dict[str, int]
    """By how much it changes the balances of wallets' accounts without the wallets."""


async def propose(proposal: Proposal, *, database: Database, ids: IdMaker) -> Shown:
    """File a proposal; of a reversal, the postings are found here.

    Raises ``RequestIdReused``, ``TransactionNotFound``, ``AlreadyReversed``, ``AccountNotFound``,
    ``AccountCurrencyMismatch``.
    """
    correction_id = ids.make("cor")

    async def work(connection: AsyncConnection) -> Shown:
        await store.lock(connection)
        complete = await _completed(connection, proposal)
        there = await store.find_by_request(connection, proposal.request_id)
        if there is not None:
            _raise(model.repeat_fault(complete, there))
            return await _shown(connection, there)
        if proposal.reverses_number is not None:
            await _refuse_reversed(connection, proposal.reverses_number)
        else:
            found = await accounts.accounts_by_id(connection, _account_ids(complete))
            _raise(model.accounts_fault(complete.postings, found))
        await store.insert(connection, correction_id, complete)
        return await _shown(connection, await _find(connection, correction_id))

    shown = await database.transaction(work)
    _LOG.info("correction proposed", correction_id=shown.correction.id, actor=proposal.actor)
    return shown


async def approve(correction_id: str, *, actor: str, caller: str, database: Database) -> Correction:
    """Approve a correction and book it, in one transaction; the correction as it is then.

    Raises ``CorrectionNotFound``, ``SamePerson``, ``CorrectionDecided``, ``AlreadyReversed``, and
    what ``book`` raises.
    """

    async def work(connection: AsyncConnection) -> Correction:
        await store.lock(connection)
        correction = await _find(connection, correction_id)
        _raise(model.decision_fault(correction, actor=actor, is_approved=True))
        if correction.decision is not None:
            return correction
        if correction.reverses_number is not None:
            await _refuse_reversed(connection, correction.reverses_number)
        await store.insert_decision(
            connection, correction, is_approved=True, actor=actor, caller=caller, reason=""
        )
        of_payment = await _is_of_payment(connection, correction)
        draft = model.draft_of(correction, approver=actor, of_payment=of_payment)
        (outcome,) = await book_within(connection, [draft])
        if isinstance(outcome, ServiceError):
            raise outcome
        return await _find(connection, correction_id)

    with database_errors():
        correction = await database.transaction(work)
    _LOG.info("correction approved", correction_id=correction_id, actor=actor)
    return correction


async def reject(
    correction_id: str, *, actor: str, caller: str, reason: str, database: Database
) -> Correction:
    """Reject a correction; as it is then. Raises ``CorrectionNotFound``, ``CorrectionDecided``."""

    async def work(connection: AsyncConnection) -> Correction:
        await store.lock(connection)
        correction = await _find(connection, correction_id)
        _raise(model.decision_fault(correction, actor=actor, is_approved=False))
        if correction.decision is not None:
            return correction
        await store.insert_decision(
            connection, correction, is_approved=False, actor=actor, caller=caller, reason=reason
        )
        return await _find(connection, correction_id)

    correction = await database.transaction(work)
    _LOG.info("correction rejected", correction_id=correction_id, actor=actor)
    return correction


async def show(correction_id: str, *, database: Database) -> Shown:
    """A correction. Raises ``CorrectionNotFound``."""

    async def work(connection: AsyncConnection) -> Shown:
        return await _shown(connection, await _find(connection, correction_id))

    return await database.read(work)


async def list_corrections(
    before_id: str | None, *, state: State | None, count_max: int, database: Database
) -> list[Correction]:
    """The next corrections, newest first, from the one before ``before_id``."""
    return await database.read(
        lambda connection: store.corrections_before(
            connection, before_id, state=state, count_max=count_max
        )
    )


async def _completed(connection: AsyncConnection, proposal: Proposal) -> Proposal:
    """The proposal with its postings: a reversal's are those of what it takes back."""
    if proposal.reverses_number is None:
        return proposal
    number = proposal.reverses_number
    taken_back = await store.find_transaction(connection, number)
    if taken_back is None:
        raise TransactionNotFound(transaction_id=f"txn_{number}")
    return proposal._replace(postings=model.swapped(taken_back.draft.postings))


async def _refuse_reversed(connection: AsyncConnection, number: int) -> None:
    by = await store.reversed_by(connection, number)
    if by is not None:
        raise AlreadyReversed(transaction_id=f"txn_{number}", reversed_by=f"txn_{by}")


async def _shown(connection: AsyncConnection, correction: Correction) -> Shown:
    if correction.decision is not None:
        return Shown(correction, {})
    found = await accounts.accounts_by_id(connection, _account_ids(correction))
    of_payment = await _is_of_payment(connection, correction)
    return Shown(correction, model.drifts(correction.postings, found, of_payment=of_payment))


async def _is_of_payment(connection: AsyncConnection, correction: Correction) -> bool:
    if correction.reverses_number is None:
        return False
    return await store.first_kind(connection, correction.reverses_number) < BOOK_ONLY_KIND_MIN


async def _find(connection: AsyncConnection, correction_id: str) -> Correction:
    correction = await store.find(connection, correction_id)
    if correction is None:
        raise CorrectionNotFound(correction_id=correction_id)
    return correction


def _account_ids(of: Proposal | Correction) -> list[str]:
    return sorted({posting.account_id for posting in of.postings})


def _raise(error: ServiceError | None) -> None:
    if error is not None:
        raise error
