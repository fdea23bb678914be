"""Statements about cases and about how far reconciliation is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger_svc.reconciliation.model import Difference
from ledger_svc.tables import (
    reconciliation_case_records,
    reconciliation_cases,
    reconciliation_progress,
)


class CaseState(StrEnum):
    """Where a case is in its life."""

    OPEN = "OPEN"
    HEALED = "HEALED"
    RESOLVED = "RESOLVED"


class CaseAction(StrEnum):
    """What was done about the difference."""

    CASE_OPENED = "CASE_OPENED"
    FROZEN = "FROZEN"
    POSTED = "POSTED"
    REPUBLISHED = "REPUBLISHED"


class CaseAct(StrEnum):
    """What was done to a case."""

    FOUND = "FOUND"
    HEALED = "HEALED"
    FROZEN = "FROZEN"
    RESOLVED = "RESOLVED"
    UNFROZEN = "UNFROZEN"


class Case(NamedTuple):
    """A difference on file."""

    id: str
    kind: str
    payment_id: str
    wallet_id: str
    identity: str
    wallet_ids: list[str]
    expected: str
    found: str
    state: CaseState
    action: CaseAction
    first_seen_time: datetime
    last_seen_time: datetime
    resolved_by: str
    reason: str


class CaseRecord(NamedTuple):
    """One line of a case's history."""

    act: CaseAct
    actor: str
    why: str
    time: datetime


class Progress(NamedTuple):
    """How far reconciliation is, in milliseconds since 1970."""

    verified_milliseconds: int
    history_milliseconds: int


_CASES = reconciliation_cases
_OPEN_WALLETS = text("""
    SELECT DISTINCT unnest(wallet_ids) FROM reconciliation_cases
    WHERE state = 'OPEN' AND payment_id <> ''
    LIMIT :count_max
""")


async def now(connection: AsyncConnection) -> datetime:
    """The database's time."""
    moment: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    return moment


async def find_case(connection: AsyncConnection, difference: Difference) -> Case | None:
    """The case of a difference."""
    result = await connection.execute(
        select(_CASES).where(
            _CASES.c.payment_id == difference.payment_id,
            _CASES.c.wallet_id == difference.wallet_id,
            _CASES.c.kind == difference.kind,
            _CASES.c.identity == difference.identity,
        )
    )
    row = result.first()
    return Case(*row) if row else None


async def file_case(
    connection: AsyncConnection, difference: Difference, *, case_id: str, now: datetime
) -> tuple[Case, bool]:
    """The case of a difference, opened if there is none, and whether it was."""
    statement = insert(_CASES).values(
        id=case_id,
        kind=difference.kind,
        payment_id=difference.payment_id,
        wallet_id=difference.wallet_id,
        identity=difference.identity,
        wallet_ids=list(difference.wallet_ids),
        expected=difference.expected,
        found=difference.found,
        state=CaseState.OPEN,
        action=CaseAction.CASE_OPENED,
        first_seen_time=now,
        last_seen_time=now,
    )
    row = (
        await connection.execute(
            statement.on_conflict_do_update(
                constraint="uq_reconciliation_cases_difference",
                set_={
                    "wallet_ids": statement.excluded.wallet_ids,
                    "expected": statement.excluded.expected,
                    "found": statement.excluded.found,
                    "last_seen_time": func.greatest(
                        _CASES.c.last_seen_time, statement.excluded.last_seen_time
                    ),
                },
            ).returning(*_CASES.columns)
        )
    ).one()
    case = Case(*row)
    return case, case.id == case_id


async def lock_case(connection: AsyncConnection, case_id: str) -> Case | None:
    """A case, locked until the end of the transaction."""
    row = (
        await connection.execute(select(_CASES).where(_CASES.c.id == case_id).with_for_update())
    ).first()
    return Case(*row) if row else None


async def read_case(connection: AsyncConnection, case_id: str) -> Case | None:
    """A case."""
    row = (await connection.execute(select(_CASES).where(_CASES.c.id == case_id))).first()
    return Case(*row) if row else None


async def set_state(
    connection: AsyncConnection, case_id: str, *, state: CaseState, action: CaseAction
) -> None:
    """Change what was done about cases."""
    await connection.execute(
        _CASES.update().where(_CASES.c.id == case_id).values(state=state, action=action)
    )


async def set_resolved(connection: AsyncConnection, case_id: str, *, actor: str, why: str) -> None:
    """Close a case that is locked."""
    await connection.execute(
        _CASES.update()
        .where(_CASES.c.id == case_id)
        .values(state=CaseState.RESOLVED, resolved_by=actor, reason=why)
    )


async def list_cases(
    connection: AsyncConnection,
    *,
    state: str | None,
    subject_id: str | None,
    before_id: str | None,
    count_max: int,
) -> list[Case]:
    """Cases, newest first, from after the one with ``before_id`` on."""
    statement = select(_CASES)
    if state:
        statement = statement.where(_CASES.c.state == state)
    if subject_id:
        statement = statement.where(
            (_CASES.c.payment_id == subject_id) | (_CASES.c.wallet_id == subject_id)
        )
    if before_id:
        before = _CASES.alias("before")
        statement = statement.where(
            tuple_(_CASES.c.first_seen_time, _CASES.c.id)
            < select(before.c.first_seen_time, before.c.id)
            .where(before.c.id == before_id)
            .scalar_subquery()
        )
    result = await connection.execute(
        statement.order_by(_CASES.c.first_seen_time.desc(), _CASES.c.id.desc()).limit(count_max)
    )
    return [Case(*row) for row in result]


async def count_open(connection: AsyncConnection) -> int:
    """How many cases wait for a person."""
    result = await connection.execute(
        select(func.count()).select_from(_CASES).where(_CASES.c.state == CaseState.OPEN)
    )
    count: int = result.scalar_one()
    return count


async def open_wallets(connection: AsyncConnection, *, count_max: int) -> list[str]:
    """The wallets that open cases of payments are about."""
    return list((await connection.execute(_OPEN_WALLETS, {"count_max": count_max})).scalars())


async def record(
    connection: AsyncConnection,
    case_id: str,
    acts: Sequence[CaseAct],
    *,
    actor: str,
    why: str = "",
    now: datetime,
) -> None:
    """Add lines to the history of a case."""
    for act in acts:
        await connection.execute(
            reconciliation_case_records.insert().values(
                case_id=case_id, act=act, actor=actor, why=why, time=now
            )
        )


async def list_records(
    connection: AsyncConnection, case_id: str, *, count_max: int
) -> list[CaseRecord]:
    """The newest lines of a case's history, oldest first."""
    columns = reconciliation_case_records.c
    result = await connection.execute(
        select(columns.act, columns.actor, columns.why, columns.time)
        .where(columns.case_id == case_id)
        .order_by(columns.number.desc())
        .limit(count_max)
    )
    return [CaseRecord(*row) for row in result][::-1]


async def read_progress(connection: AsyncConnection) -> Progress:
    """How far reconciliation is."""
    columns = reconciliation_progress.c
    result = await connection.execute(
        select(columns.verified_milliseconds, columns.history_milliseconds)
    )
    return Progress(*result.one())


async def write_progress(connection: AsyncConnection, progress: Progress) -> None:
    """Remember how far it is."""
    await connection.execute(reconciliation_progress.update().values(**progress._asdict()))
