"""The use cases of reading the book. Each is some reads, which agree because of their numbers."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from ledger_svc.book import model
from ledger_svc.book.model import BalanceSum, Position, Search, Statement
from ledger_svc.errors import AccountCurrencyMismatch, AccountNotFound
from ledger_svc.store import accounts
from ledger_svc.store import book as store
from ledger_svc.store.accounts import Account
from ledger_svc.store.book import Balance, Line, Window
from ledger_svc.store.transactions import Transaction

_ACCOUNTS_PER_STATEMENT = 5_000
_LINE_MAX = 2**15 - 1


class BalanceOf(NamedTuple):
    """An account and its balance at a moment."""

    account: Account
    balance: Balance


class Sums(NamedTuple):
    """The balances of all accounts after a transaction."""

    sums: list[BalanceSum]
    """By currency and class."""
    last_number: int


class StatementPage(NamedTuple):
    """A page of an account's statement."""

    account: Account
    opening_minor: int
    closing_minor: int
    lines: list[Line]
    last_number: int
    """The last transaction of the book that the statement covers."""
    next_position: Position | None
    """None if this page is the last."""


class Found(NamedTuple):
    """A page of a search."""

    transactions: list[Transaction]
    """Newest first."""
    before_number: int | None
    """Where the next page begins; None if this page is the last."""


async def get_balance(
    account_id: str, currency_code: str, as_of_time: datetime | None, *, database: Database
) -> BalanceOf:
    """An account's balance, of everything booked up to a moment, inclusive; now if None.

    Raises ``AccountNotFound``, ``AccountCurrencyMismatch``.
    """

    async def work(connection: AsyncConnection) -> BalanceOf:
        account = await _account(connection, account_id)
        if currency_code and currency_code != account.currency_code:
            raise AccountCurrencyMismatch(
                account_id=account_id, currency_code=account.currency_code
            )
        number = await store.number_at(connection, as_of_time)
        return BalanceOf(account, await store.balance_at(connection, account_id, number))

    return await database.read(work)


async def sum_balances(as_of_time: datetime | None, *, database: Database) -> Sums:
    """The balances of all accounts at a moment, inclusive, by currency and class; now if None.

    Costs one look into an index per account, logarithmic in the length of the book, and one
    statement for each ``_ACCOUNTS_PER_STATEMENT``. Statements are bounded; how long all of them may
    take is for the caller to say.
    """
    number = await database.read(lambda connection: store.number_at(connection, as_of_time))
    parts: list[BalanceSum] = []
    after_id: str | None = ""
    while after_id is not None:
        start = after_id
        found, after_id = await database.read(
            lambda connection, start=start: store.sum_balances(  # type: ignore[misc]
                connection, start, number=number, count_max=_ACCOUNTS_PER_STATEMENT
            )
        )
        parts += found
    return Sums(model.added_up(parts), number)


async def list_postings(
    statement: Statement, position: Position | None, *, count_max: int, database: Database
) -> StatementPage:
    """A page of an account's statement; the first one if ``position`` is None.

    Raises ``AccountNotFound``.
    """
    account_id = statement.account_id

    async def work(connection: AsyncConnection) -> StatementPage:
        account = await _account(connection, account_id)
        place = position or await _beginning(connection, statement)
        # One more than asked for tells whether there is another page.
        found = await store.postings_of(connection, account_id, place, count_max=count_max + 1)
        lines = found[:count_max]
        opening = await store.balance_at(connection, account_id, place.first_number)
        closing = await store.balance_at(connection, account_id, place.last_number)
        is_last = len(found) <= count_max
        return StatementPage(
            account=account,
            opening_minor=opening.balance_minor,
            closing_minor=closing.balance_minor,
            lines=lines,
            last_number=place.last_number,
            next_position=None
            if is_last
            else place._replace(
                after_number=lines[-1].transaction_number, after_line=lines[-1].line
            ),
        )

    return await database.read(work)


async def search_transactions(
    search: Search, before_number: int | None, *, count_max: int, scan_max: int, database: Database
) -> Found:
    """A page of what is looked for, from below ``before_number``. Raises ``AccountNotFound``.

    Looks at ``scan_max`` postings of an account or transactions at most, so a page may be short.
    """

    async def work(connection: AsyncConnection) -> Found:
        if search.account_id:
            await _account(connection, search.account_id)
        window = await _window(connection, search.start_time, search.end_time)
        if before_number is not None:
            window = window._replace(last_number=min(window.last_number, before_number - 1))
        if search.source_id:
            numbers, before = await store.find_by_source(connection, search, window), None
        elif search.account_id:
            numbers, before = await _search_account(connection, search, window, count_max, scan_max)
        else:
            numbers, before = await _search_time(connection, search, window, count_max, scan_max)
        if not numbers:
            return Found([], before)
        found = await store.transactions_numbered(connection, numbers)
        return Found(found[::-1], before)

    return await database.read(work)


async def _beginning(connection: AsyncConnection, statement: Statement) -> Position:
    window = await _window(connection, statement.start_time, statement.end_time)
    # After all of the transaction before: no line is higher.
    return Position(*window, window.first_number, _LINE_MAX)


async def _window(
    connection: AsyncConnection, start_time: datetime | None, end_time: datetime | None
) -> Window:
    """The transactions that were booked in [start, end)."""
    first = await store.number_before(connection, start_time) if start_time else 0
    if end_time is None:
        return Window(first, await store.last_number(connection))
    return Window(first, await store.number_before(connection, end_time))


async def _search_account(
    connection: AsyncConnection, search: Search, window: Window, count_max: int, scan_max: int
) -> tuple[list[int], int | None]:
    found = await store.find_by_account(
        connection, search, window, count_max=count_max + 1, scan_max=scan_max
    )
    if len(found) > count_max:
        return found[:count_max], found[count_max - 1]
    lowest = await store.lowest_of_account(connection, search.account_id, window, scan_max=scan_max)
    return found, None if lowest is None else model.next_number(found, lowest)


async def _search_time(
    connection: AsyncConnection, search: Search, window: Window, count_max: int, scan_max: int
) -> tuple[list[int], int | None]:
    # Numbers have no gaps, so this many are this many transactions.
    part = window._replace(first_number=max(window.first_number, window.last_number - scan_max))
    found = await store.find_by_number(connection, search, part, count_max=count_max + 1)
    if len(found) > count_max:
        return found[:count_max], found[count_max - 1]
    is_last = part.first_number == window.first_number
    return found, None if is_last else part.first_number + 1


async def _account(connection: AsyncConnection, account_id: str) -> Account:
    found = await accounts.accounts_by_id(connection, [account_id])
    if account_id not in found:
        raise AccountNotFound(account_id=account_id)
    return found[account_id]
