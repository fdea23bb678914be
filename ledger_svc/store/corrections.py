"""Corrections and what was decided about them."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger_svc.corrections.model import Correction, Decision, Proposal, State
from ledger_svc.model import DraftPosting
from ledger_svc.records import PostingRecord
from ledger_svc.store.transactions import READ, Transaction, from_rows
from ledger_svc.tables import journal_transactions

# Whoever proposes or decides: one after the other. There are few, and so each sees what is there.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('corrections'))")

_INSERT = text("""
    INSERT INTO corrections (
        id, request_id, actor, caller, reason, effective_time, reverses_number, postings
    )
    VALUES (
        :id, :request_id, :actor, :caller, :reason,
        coalesce(CAST(:effective_time AS timestamptz), now()), :reverses_number,
        CAST(:postings AS jsonb)
    )
""")

_INSERT_DECISION = text("""
    INSERT INTO correction_decisions (correction_id, proposer, is_approved, actor, caller, reason)
    VALUES (:correction_id, :proposer, :is_approved, :actor, :caller, :reason)
""")

_READ = """
    SELECT correction.id, correction.request_id, correction.actor, correction.caller,
        correction.reason, correction.effective_time, correction.reverses_number,
        CAST(correction.postings AS text), correction.propose_time,
        decision.is_approved, decision.actor, decision.caller, decision.reason,
        decision.decide_time, booked.number
    FROM corrections AS correction
    LEFT JOIN correction_decisions AS decision ON decision.correction_id = correction.id
    LEFT JOIN journal_transactions AS booked ON booked.source_id = correction.id
"""
_BY_ID = text(f"{_READ} WHERE correction.id = :correction_id")
_BY_REQUEST = text(f"{_READ} WHERE correction.request_id = :request_id")
_BEFORE = text(f"""
    {_READ}
    WHERE (CAST(:before_id AS text) IS NULL OR correction.id < :before_id)
        AND CASE CAST(:state AS integer)
            WHEN {State.PROPOSED:d} THEN decision.is_approved IS NULL
            WHEN {State.APPROVED:d} THEN decision.is_approved
            WHEN {State.REJECTED:d} THEN NOT decision.is_approved
            ELSE true
        END
    ORDER BY correction.id DESC
    LIMIT :count_max
""")

_REVERSED_BY = text("""
    SELECT number FROM journal_transactions WHERE reverses_number = :number
""")

# A reversal may take back a reversal, and so on; each is of an earlier number.
_FIRST_KIND = text("""
    WITH RECURSIVE chain AS (
        SELECT kind, reverses_number FROM journal_transactions WHERE number = :number
        UNION ALL
        SELECT earlier.kind, earlier.reverses_number
        FROM journal_transactions AS earlier JOIN chain ON earlier.number = chain.reverses_number
    )
    SELECT kind FROM chain WHERE reverses_number IS NULL
""")


async def lock(connection: AsyncConnection) -> None:
    """Be the only one who proposes or decides, until the transaction ends."""
    await connection.execute(_LOCK)


async def insert(connection: AsyncConnection, correction_id: str, proposal: Proposal) -> None:
    """File a proposal."""
    postings = [PostingRecord(*posting) for posting in proposal.postings]
    await connection.execute(
        _INSERT,
        {
            **proposal._asdict(),
            "id": correction_id,
            "postings": msgspec.json.encode(postings).decode(),
        },
    )


async def insert_decision(
    connection: AsyncConnection,
    correction: Correction,
    *,
    is_approved: bool,
    actor: str,
    caller: str,
    reason: str,
) -> None:
    """File the decision on a correction that has none."""
    await connection.execute(
        _INSERT_DECISION,
        {
            "correction_id": correction.id,
            "proposer": correction.actor,
            "is_approved": is_approved,
            "actor": actor,
            "caller": caller,
            "reason": reason,
        },
    )


async def find(connection: AsyncConnection, correction_id: str) -> Correction | None:
    """The correction of this id."""
    row = (await connection.execute(_BY_ID, {"correction_id": correction_id})).first()
    return None if row is None else _correction(row)


async def find_by_request(connection: AsyncConnection, request_id: str) -> Correction | None:
    """The correction that was proposed with this request id."""
    row = (await connection.execute(_BY_REQUEST, {"request_id": request_id})).first()
    return None if row is None else _correction(row)


async def corrections_before(
    connection: AsyncConnection, before_id: str | None, *, state: State | None, count_max: int
) -> list[Correction]:
    """The next corrections, newest first."""
    result = await connection.execute(
        _BEFORE,
        {
            "before_id": before_id,
            "state": None if state is None else int(state),
            "count_max": count_max,
        },
    )
    return [_correction(row) for row in result]


async def find_transaction(connection: AsyncConnection, number: int) -> Transaction | None:
    """The journal transaction of this number."""
    rows = (await connection.execute(READ.where(journal_transactions.c.number == number))).all()
    return next(iter(from_rows(rows)), None)


async def reversed_by(connection: AsyncConnection, number: int) -> int | None:
    """The number of the transaction that takes this one back; None if none does."""
    return (await connection.execute(_REVERSED_BY, {"number": number})).scalar_one_or_none()


async def first_kind(connection: AsyncConnection, number: int) -> int:
    """The kind of what a transaction takes back in the end; its own, if it takes nothing back."""
    kind: int = (await connection.execute(_FIRST_KIND, {"number": number})).scalar_one()
    return kind


def _correction(row: Any) -> Correction:
    postings = msgspec.json.decode(row[7], type=list[PostingRecord])
    sides = tuple(
        DraftPosting(item.account_id, item.direction, item.currency_code, item.amount_minor)
        for item in postings
    )
    decision = None if row[9] is None else Decision(*row[9:14])
    return Correction._make([*row[:7], sides, row[8], decision, row[14]])
