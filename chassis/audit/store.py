"""Statements about audit records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import number_array, text_array
from chassis.audit.acts import BEGUN, Call, Outcome, Thing


class NewRecord(NamedTuple):
    """A record that is to be written."""

    id: str
    call: Call
    outcome: Outcome
    duration_ms: int = 0
    """Means nothing while the act has not ended."""
    begun_id: str = ""


class Record(NamedTuple):
    """A record as it is stored."""

    id: str
    begun_id: str
    record_time: datetime
    caller: str
    actor: str
    peer: str
    method: str
    things: tuple[Thing, ...]
    item_count: int
    refused_count: int
    result: str
    reason: str
    trace_id: str
    duration_ms: int


class Place(NamedTuple):
    """A place in the order of records."""

    time: datetime
    id: str


class Filter(NamedTuple):
    """Which records are wanted; empty: any."""

    start_time: datetime | None = None
    end_time: datetime | None = None
    actor: str = ""
    caller: str = ""
    method: str = ""
    thing_id: str = ""
    result: str = ""


# Whoever writes a batch again, because nobody knows whether it was written, changes nothing. The
# things of a record travel as the text of an array: there is no array of arrays of any length.
_INSERT = text("""
    INSERT INTO audit_records (
        id, begun_id, caller, actor, peer, method, thing_kinds, thing_ids, item_count,
        refused_count, result, reason, trace_id, duration_ms
    )
    SELECT
        id, nullif(begun_id, ''), caller, actor, peer, method, CAST(thing_kinds AS text[]),
        CAST(thing_ids AS text[]), item_count, refused_count, result, reason, trace_id,
        nullif(duration_ms, -1)
    FROM unnest(
        CAST(:id AS text[]), CAST(:begun_id AS text[]), CAST(:caller AS text[]),
        CAST(:actor AS text[]), CAST(:peer AS text[]), CAST(:method AS text[]),
        CAST(:thing_kinds AS text[]), CAST(:thing_ids AS text[]), CAST(:item_count AS integer[]),
        CAST(:refused_count AS integer[]), CAST(:result AS text[]), CAST(:reason AS text[]),
        CAST(:trace_id AS text[]), CAST(:duration_ms AS integer[])
    ) AS new (
        id, begun_id, caller, actor, peer, method, thing_kinds, thing_ids, item_count,
        refused_count, result, reason, trace_id, duration_ms
    )
    ON CONFLICT DO NOTHING
""")

_CONDITIONS = {
    "start_time": "record_time >= CAST(:start_time AS timestamptz)",
    "end_time": "record_time < CAST(:end_time AS timestamptz)",
    "actor": "actor = CAST(:actor AS text)",
    "caller": "caller = CAST(:caller AS text)",
    "method": "CAST(:method AS text) IN (method, split_part(method, '/', 2))",
    "thing_id": "thing_ids @> ARRAY[CAST(:thing_id AS text)]",
    "result": "result = CAST(:result AS text)",
}
_BEFORE = "(record_time, id) < (CAST(:before_time AS timestamptz), CAST(:before_id AS text))"
_NEWEST = """
    SELECT id, coalesce(begun_id, ''), record_time, caller, actor, peer, method, thing_kinds,
        thing_ids, item_count, refused_count, result, reason, trace_id, coalesce(duration_ms, 0)
    FROM audit_records
    WHERE {conditions}
        -- The record of a begin says nothing that the one of its end does not say. Asked like this
        -- and not with EXISTS, for which a plan may read the whole table once, to know them all.
        AND (
            result <> 'BEGUN'
            OR (SELECT ended.id FROM audit_records AS ended WHERE ended.begun_id = audit_records.id)
                IS NULL
        )
    ORDER BY record_time DESC, id DESC
    LIMIT :count_max
"""


async def insert(connection: AsyncConnection, records: Sequence[NewRecord]) -> None:
    """Write records, those that are not there yet."""
    calls = [record.call for record in records]
    outcomes = [record.outcome for record in records]
    things = [(*record.call.things, *record.outcome.made) for record in records]
    # Each once: what is closed is in the request and in the answer.
    things = [tuple(dict.fromkeys(found)) for found in things]
    texts = {
        "id": [record.id for record in records],
        "begun_id": [record.begun_id for record in records],
        "caller": [call.caller for call in calls],
        "actor": [call.actor for call in calls],
        "peer": [call.peer for call in calls],
        "method": [call.method for call in calls],
        "thing_kinds": [text_array([thing.kind for thing in found]) for found in things],
        "thing_ids": [text_array([thing.id for thing in found]) for found in things],
        "result": [outcome.result for outcome in outcomes],
        "reason": [outcome.reason for outcome in outcomes],
        "trace_id": [call.trace_id for call in calls],
    }
    numbers = {
        "item_count": [outcome.item_count for outcome in outcomes],
        "refused_count": [outcome.refused_count for outcome in outcomes],
        "duration_ms": [
            -1 if record.outcome.result == BEGUN else record.duration_ms for record in records
        ],
    }
    parameters = {name: text_array(column) for name, column in texts.items()}
    parameters |= {name: number_array(column) for name, column in numbers.items()}
    await connection.execute(_INSERT, parameters)


async def newest(
    connection: AsyncConnection, wanted: Filter, before: Place | None, *, count_max: int
) -> list[Record]:
    """The next records, newest first."""
    parameters: dict[str, Any] = {name: value for name, value in wanted._asdict().items() if value}
    # Only what is asked for: a plan must not be good for everything that might be.
    conditions = [_CONDITIONS[name] for name in parameters]
    if before is not None:
        conditions.append(_BEFORE)
        parameters |= {"before_time": before.time, "before_id": before.id}
    statement = text(_NEWEST.format(conditions=" AND ".join(conditions) or "true"))
    result = await connection.execute(statement, {**parameters, "count_max": count_max})
    return [_record(row) for row in result]


def _record(row: Any) -> Record:
    things = tuple(map(Thing, row[7], row[8]))
    return Record._make([*row[:7], things, *row[9:]])
