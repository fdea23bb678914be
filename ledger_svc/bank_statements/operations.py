"""The use cases of bank statements."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database, sqlstate
from chassis.errors import Overloaded, ServiceError
from chassis.ids import IdMaker
from chassis.logs import get_logger
from ledger_svc.bank_statements import matching
from ledger_svc.bank_statements.matching import Match, MatchMethod, OpenLine, OpenPayment
from ledger_svc.bank_statements.model import LineKind, Statement, StoredLine, fee_draft
from ledger_svc.errors import (
    LineNotFound,
    LineNotMatchable,
    MatchedAlready,
    NoClearingAccount,
    StatementDiffers,
    TransactionNotFound,
)
from ledger_svc.operations import book
from ledger_svc.store import bank_statements as store
from ledger_svc.store.bank_statements import BankPayment, StoredStatement, Summary

_LOG = get_logger(__name__)
_Result = TypeVar("_Result")

_OPEN_LINES_MAX = 20_000
"""Open lines of a currency that are matched together."""
_PAYMENTS_MAX = 50_000
"""Payments of their amounts and days that are compared with them."""
_FEES_PER_BOOKING = 256
_LOCK_NOT_AVAILABLE = "55P03"


class Imported(NamedTuple):
    """What became of one statement."""

    statement: StoredStatement
    repeated: bool
    summary: Summary


async def import_statements(
    statements: Sequence[Statement],
    *,
    actor: str,
    window_days: int,
    database: Database,
    ids: IdMaker,
) -> list[Imported]:
    """Store statements, all or none; book the bank's fees; match what is open in their currencies.

    Each step may be repeated: one that was interrupted is finished by the same import again.
    Raises ``NoClearingAccount``, ``StatementDiffers``, ``Overloaded`` if too much is open to be
    matched (what was imported stays), and what ``book`` raises.
    """

    async def store_all(connection: AsyncConnection) -> list[tuple[StoredStatement, bool]]:
        await store.lock(connection)
        return [await _store(connection, item, actor=actor, ids=ids) for item in statements]

    stored = await _alone(database, store_all)
    for currency_code in sorted({statement.currency_code for statement in statements}):
        await _book_fees(currency_code, database=database)
        await match_open_lines(currency_code, window_days=window_days, database=database)

    async def summarize(connection: AsyncConnection) -> list[Summary]:
        return [await store.summary(connection, statement.id) for statement, _ in stored]

    summaries = await database.read(summarize)
    return [Imported(*item, summary) for item, summary in zip(stored, summaries, strict=True)]


async def match_open_lines(currency_code: str, *, window_days: int, database: Database) -> int:
    """Match what can be matched of a currency; how many lines were. Raises ``Overloaded``."""

    async def work(connection: AsyncConnection) -> int:
        await store.lock(connection)
        account_id = await _clearing_account(connection, currency_code)
        lines = [
            store.open_line(line)
            for line in await store.lines_after(
                connection, currency_code, "", open_only=True, count_max=_OPEN_LINES_MAX + 1
            )
        ]
        _bound(lines, _OPEN_LINES_MAX, "lines are open")
        payments = await _payments_for(connection, account_id, lines, window_days)
        found = matching.match(lines, payments, window_days=window_days)
        return await store.insert_matches(connection, found) if found else 0

    count = await _alone(database, work)
    _LOG.info("statement lines matched", currency=currency_code, count=count)
    return count


async def list_lines(
    currency_code: str,
    after_id: str,
    *,
    open_only: bool,
    count_max: int,
    window_days: int,
    database: Database,
) -> tuple[list[StoredLine], dict[str, list[str]]]:
    """The next lines, and what each that is open could be: ids of payments by line id."""

    async def work(connection: AsyncConnection) -> tuple[list[StoredLine], dict[str, list[str]]]:
        found = await store.lines_after(
            connection, currency_code, after_id, open_only=open_only, count_max=count_max
        )
        account_id = await store.clearing_account(connection, currency_code)
        lines = [
            store.open_line(line)
            for line in found
            if line.kind is LineKind.MOVEMENT and line.payment_id is None
        ]
        if account_id is None or not lines:
            return found, {}
        payments = await _payments_for(connection, account_id, lines, window_days)
        return found, matching.candidates(lines, payments, window_days=window_days)

    return await database.read(work)


async def list_unmatched_payments(
    currency_code: str,
    after: tuple[datetime, int] | None,
    *,
    now: datetime,
    count_max: int,
    window_days: int,
    database: Database,
) -> list[BankPayment]:
    """The next withdrawals and top-ups that the bank should have told of by now."""

    async def work(connection: AsyncConnection) -> list[BankPayment]:
        account_id = await store.clearing_account(connection, currency_code)
        first_day = await store.first_day(connection, currency_code)
        if account_id is None or first_day is None:
            return []
        return await store.open_payments_after(
            connection,
            account_id,
            after=after or (_midnight(first_day), 0),
            end_time=now - timedelta(days=window_days),
            count_max=count_max,
        )

    return await database.read(work)


async def match_by_hand(
    line_id: str, payment_id: str, *, actor: str, reason: str, database: Database
) -> StoredLine:
    """Match a line to a payment because a person says so; the line as it is then.

    Raises ``LineNotFound``, ``TransactionNotFound``, ``LineNotMatchable``, ``MatchedAlready``.
    """

    async def work(connection: AsyncConnection) -> StoredLine:
        await store.lock(connection)
        line = await store.find_line(connection, line_id)
        if line is None:
            raise LineNotFound(line_id=line_id)
        if line.payment_id == payment_id:
            return line
        if line.payment_id is not None:
            raise MatchedAlready(line_id=line_id, payment_id=line.payment_id)
        account_id = await _clearing_account(connection, line.currency_code)
        payment = await store.find_payment(connection, account_id, payment_id)
        if payment is None:
            raise TransactionNotFound(payment_id=payment_id)
        if line.kind is LineKind.FEE or line.amount_minor != payment.amount_minor:
            raise LineNotMatchable(line_id=line_id, payment_id=payment_id)
        decided = [Match(line_id, payment_id, MatchMethod.HAND)]
        if not await store.insert_matches(connection, decided, actor=actor, reason=reason):
            raise MatchedAlready(line_id=line_id, payment_id=payment_id)
        matched = await store.find_line(connection, line_id)
        assert matched is not None, "it was there a moment ago, and lines stay"
        return matched

    return await _alone(database, work)


async def _store(
    connection: AsyncConnection, statement: Statement, *, actor: str, ids: IdMaker
) -> tuple[StoredStatement, bool]:
    """The statement as it is stored, and whether it was before."""
    key = (statement.account, statement.currency_code, statement.reference)
    await _clearing_account(connection, statement.currency_code)
    there = await store.find_statement(connection, *key)
    if there is not None:
        if there.content_hash != statement.content_hash():
            raise StatementDiffers(bank_statement_id=there.id, reference=statement.reference)
        return there, True
    await store.insert_statement(
        connection,
        statement,
        statement_id=ids.make("bst"),
        # In the order of the lines, also within one millisecond.
        line_ids=sorted(ids.make("bsl") for _ in statement.lines),
        actor=actor,
    )
    stored = await store.find_statement(connection, *key)
    assert stored is not None, "we have just stored it"
    return stored, False


async def _book_fees(currency_code: str, *, database: Database) -> None:
    """Book every fee that is not booked yet; those of an import that was interrupted, too."""

    async def next_fees(connection: AsyncConnection) -> tuple[str, list[StoredLine]]:
        account_id = await _clearing_account(connection, currency_code)
        count_max = _FEES_PER_BOOKING
        return account_id, await store.unbooked_fees(connection, currency_code, count_max=count_max)

    while True:  # ends: each round books what the next one does not find any more
        account_id, fees = await database.read(next_fees)
        if not fees:
            return
        drafts = [fee_draft(line, clearing_account_id=account_id) for line in fees]
        for outcome in await book(database, drafts):
            if isinstance(outcome, ServiceError):
                raise outcome


async def _payments_for(
    connection: AsyncConnection, account_id: str, lines: Sequence[OpenLine], window_days: int
) -> list[OpenPayment]:
    """All open payments that any of the lines could be."""
    named = {it for line in lines for it in matching.named_payments(line.texts)}
    payments = (
        await store.open_payments_by_id(connection, account_id, sorted(named)) if named else []
    )
    guessed = [line for line in lines if not matching.named_payments(line.texts)]
    if guessed:
        days = [line.booking_date for line in guessed]
        window = timedelta(days=window_days)
        by_amount = await store.open_payments_by_amount(
            connection,
            account_id,
            sorted({line.amount_minor for line in guessed}),
            start_time=_midnight(min(days)) - window,
            end_time=_midnight(max(days)) + window + timedelta(days=1),
            count_max=_PAYMENTS_MAX + 1,
        )
        _bound(by_amount, _PAYMENTS_MAX, "payments are open in these days")
        payments += [payment for payment in by_amount if payment.id not in named]
    return payments


async def _clearing_account(connection: AsyncConnection, currency_code: str) -> str:
    account_id = await store.clearing_account(connection, currency_code)
    if account_id is None:
        raise NoClearingAccount(currency_code=currency_code)
    return account_id


async def _alone(
    database: Database, work: Callable[[AsyncConnection], Awaitable[_Result]]
) -> _Result:
    """Run work that locks. Raises ``Overloaded`` if another import keeps the lock for too long."""
    try:
        return await database.transaction(work)
    except DBAPIError as error:
        if sqlstate(error) == _LOCK_NOT_AVAILABLE:
            raise Overloaded from error
        raise


def _bound(items: Sequence[object], count_max: int, what: str) -> None:
    # With a part of them a match could look like the only one and not be it.
    if len(items) > count_max:
        raise Overloaded(f"More than {count_max} {what}: nothing was matched.")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
