"""The use cases of cases: file, list, show, note what was done, resolve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from chassis.database import Database
from chassis.ids import IdMaker
from ledger_svc.errors import CaseClosed, CaseNotFound
from ledger_svc.reconciliation.model import SYSTEM_ACTOR, Difference
from ledger_svc.store import cases as store
from ledger_svc.store.cases import (
    Case,
    CaseAct,
    CaseAction,
    CaseRecord,
    CaseState,
)

_RECORDS_MAX = 100

_ACTS = {
    CaseAction.FROZEN: CaseAct.FROZEN,
    CaseAction.POSTED: CaseAct.HEALED,
    CaseAction.REPUBLISHED: CaseAct.HEALED,
}


class Shown(NamedTuple):
    """A case with its history."""

    case: Case
    records: list[CaseRecord]


async def find_case(database: Database, difference: Difference) -> Case | None:
    """The case of a difference, if it was found before."""
    return await database.read(lambda connection: store.find_case(connection, difference))


async def file_case(
    database: Database, difference: Difference, *, ids: IdMaker, clock: Clock
) -> Case:
    """The case of a difference; opened if this is the first time that it is found."""
    case_id, now = ids.make("cas"), clock.now()

    async def work(connection: AsyncConnection) -> Case:
        case, is_new = await store.file_case(connection, difference, case_id=case_id, now=now)
        if is_new:
            await store.record(connection, case.id, [CaseAct.FOUND], actor=SYSTEM_ACTOR, now=now)
        return case

    return await database.transaction(work)


async def note_action(database: Database, case: Case, action: CaseAction, *, clock: Clock) -> None:
    """Note what the system did about a case, once; a repair heals it."""
    state = CaseState.OPEN if action == CaseAction.FROZEN else CaseState.HEALED
    now = clock.now()

    async def work(connection: AsyncConnection) -> None:
        locked = await store.lock_case(connection, case.id)
        assert locked is not None, "cases are never deleted"
        if locked.state == CaseState.RESOLVED or (locked.state, locked.action) == (state, action):
            return
        await store.set_state(connection, case.id, state=state, action=action)
        await store.record(connection, case.id, [_ACTS[action]], actor=SYSTEM_ACTOR, now=now)

    await database.transaction(work)


async def reopen(database: Database, case: Case) -> None:
    """A repair did not help: the case waits for a person."""

    async def work(connection: AsyncConnection) -> None:
        locked = await store.lock_case(connection, case.id)
        if locked is not None and locked.state == CaseState.HEALED:
            await store.set_state(
                connection, case.id, state=CaseState.OPEN, action=CaseAction.CASE_OPENED
            )

    await database.transaction(work)


async def show_case(database: Database, case_id: str) -> Shown:
    """A case with its history. Raises ``CaseNotFound``."""

    async def work(connection: AsyncConnection) -> Shown:
        case = await store.read_case(connection, case_id)
        if case is None:
            raise CaseNotFound(case_id=case_id)
        return Shown(case, await store.list_records(connection, case_id, count_max=_RECORDS_MAX))

    return await database.read(work)


async def list_cases(
    database: Database,
    *,
    state: str | None,
    subject_id: str | None,
    before_id: str | None,
    count_max: int,
) -> list[Case]:
    """Cases, newest first."""

    async def work(connection: AsyncConnection) -> list[Case]:
        return await store.list_cases(
            connection,
            state=state,
            subject_id=subject_id,
            before_id=before_id,
            count_max=count_max,
        )

    return await database.read(work)


async def resolve_case(
    database: Database,
    case_id: str,
    *,
    actor: str,
    why: str,
    unfreeze: Callable[[str], Awaitable[None]] | None,
    clock: Clock,
) -> Case:
    """Close an open case; its wallet is unfrozen first, if that is wanted.

    Interrupted in between, the case is still open and a repeat does the rest. Raises
    ``CaseNotFound``, ``CaseClosed``, and what ``unfreeze`` raises.
    """
    case = (await show_case(database, case_id)).case
    if case.state != CaseState.OPEN:
        raise CaseClosed(state=case.state.lower())
    if unfreeze is not None:
        await unfreeze(case.wallet_id)
    acts = [CaseAct.UNFROZEN] if unfreeze is not None else []
    now = clock.now()

    async def work(connection: AsyncConnection) -> Case:
        locked = await store.lock_case(connection, case_id)
        assert locked is not None, "cases are never deleted"
        if locked.state != CaseState.OPEN:
            raise CaseClosed(state=locked.state.lower())
        await store.set_resolved(connection, case_id, actor=actor, why=why)
        await store.record(
            connection, case_id, [*acts, CaseAct.RESOLVED], actor=actor, why=why, now=now
        )
        return locked._replace(state=CaseState.RESOLVED, resolved_by=actor, reason=why)

    return await database.transaction(work)
