"""Reading journal transactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, Text, any_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger_svc.model import Draft, DraftPosting
from ledger_svc.tables import journal_batches, journal_transactions, postings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Transaction(NamedTuple):
    """A journal transaction as it was booked."""

    number: int
    batch_number: int
    book_time: datetime
    leaf_hash: bytes
    draft: Draft

    @property
    def effective_time(self) -> datetime:
        """When it happened."""
        return _EPOCH + self.draft.effective_microseconds * _MICROSECOND


READ = (
    select(
        journal_transactions.c.number,
        journal_transactions.c.batch_number,
        journal_batches.c.book_time,
        journal_transactions.c.leaf_hash,
        journal_transactions.c.source_id,
        journal_transactions.c.kind,
        journal_transactions.c.effective_time,
        journal_transactions.c.description,
        journal_transactions.c.reverses_number,
        postings.c.account_id,
        postings.c.direction,
        postings.c.currency_code,
        postings.c.amount_minor,
    )
    .join(postings, postings.c.transaction_number == journal_transactions.c.number)
    .join(journal_batches, journal_batches.c.number == journal_transactions.c.batch_number)
    .order_by(journal_transactions.c.number, postings.c.line)
)
"""Transactions with their postings, a row for each, in order."""

_OF_SOURCES = READ.where(
    journal_transactions.c.source_id == any_(bindparam("source_ids", type_=ARRAY(Text)))
)


async def transactions_of(
    connection: AsyncConnection, source_ids: Sequence[str]
) -> dict[str, Transaction]:
    """What is booked of these payments, corrections, lines of statements, by their id."""
    result = await connection.execute(_OF_SOURCES, {"source_ids": list(source_ids)})
    return {item.draft.source_id: item for item in from_rows(result.all())}


def from_rows(rows: Sequence[Any]) -> list[Transaction]:
    """The transactions in rows of ``READ``."""
    found = []
    for number, group in groupby(rows, key=lambda row: row.number):
        members = list(group)
        first = members[0]
        draft = Draft(
            first.source_id,
            first.kind,
            microseconds_of(first.effective_time),
            first.description,
            first.reverses_number,
            tuple(
                DraftPosting(row.account_id, row.direction, row.currency_code, row.amount_minor)
                for row in members
            ),
        )
        found.append(
            Transaction(number, first.batch_number, first.book_time, first.leaf_hash, draft)
        )
    return found


def microseconds_of(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND
