"""Reading the book up to a number: balances, postings of an account, searching."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ARRAY, BigInteger, any_, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger_svc.book.model import BalanceSum, Position, Search
from ledger_svc.store.transactions import READ, Transaction, from_rows
from ledger_svc.tables import journal_transactions

_INT64_MAX = 2**63 - 1


class Balance(NamedTuple):
    """An account's balance, and the last transaction that it counts."""

    balance_minor: int
    transaction_number: int | None


class Line(NamedTuple):
    """One posting of an account, with what is told of its transaction."""

    transaction_number: int
    line: int
    direction: int
    currency_code: str
    amount_minor: int
    balance_after_minor: int
    source_id: str
    kind: int
    effective_time: datetime
    book_time: datetime
    description: str
    counter_account_ids: list[str]


# Booking times and numbers of batches rise together.
_NUMBER_AT = text("""
    SELECT last_transaction_number FROM journal_batches
    WHERE book_time <= :moment ORDER BY book_time DESC, number DESC LIMIT 1
""")
_NUMBER_BEFORE = text("""
    SELECT last_transaction_number FROM journal_batches
    WHERE book_time < :moment ORDER BY book_time DESC, number DESC LIMIT 1
""")
_LAST_NUMBER = text("SELECT transaction_number FROM journal_head")

_BALANCE_AT = text("""
    SELECT balance_after_minor, transaction_number FROM postings
    WHERE account_id = :account_id AND transaction_number <= :number
    ORDER BY transaction_number DESC, line DESC LIMIT 1
""")

_SUM_BALANCES = text("""
    SELECT
        account.currency_code, account.class,
        coalesce(sum(-balance_after_minor) FILTER (WHERE balance_after_minor < 0), 0),
        coalesce(sum(balance_after_minor) FILTER (WHERE balance_after_minor > 0), 0),
        count(balance_after_minor), count(*), max(account.id)
    FROM (
        SELECT id, currency_code, class FROM accounts
        WHERE id > :after_id ORDER BY id LIMIT :count_max
    ) AS account
    LEFT JOIN LATERAL (
        SELECT balance_after_minor FROM postings
        WHERE account_id = account.id AND transaction_number <= :number
        ORDER BY transaction_number DESC, line DESC LIMIT 1
    ) AS last ON true
    GROUP BY account.currency_code, account.class
""")

# The page first; then what belongs to each of its rows, by key.
_POSTINGS = text("""
    SELECT
        page.transaction_number, page.line, page.direction, page.currency_code, page.amount_minor,
        page.balance_after_minor, booked.source_id, booked.kind, booked.effective_time,
        batch.book_time, booked.description,
        ARRAY(
            SELECT other.account_id FROM postings AS other
            WHERE other.transaction_number = page.transaction_number
                AND other.account_id <> :account_id
            ORDER BY other.transaction_number, other.line
        )
    FROM (
        SELECT * FROM postings
        WHERE account_id = :account_id AND transaction_number <= :last_number
            AND (transaction_number, line) > (:after_number, :after_line)
        ORDER BY transaction_number, line LIMIT :count_max
    ) AS page
    CROSS JOIN LATERAL (
        SELECT * FROM journal_transactions WHERE number = page.transaction_number OFFSET 0
    ) AS booked
    CROSS JOIN LATERAL (
        SELECT book_time FROM journal_batches WHERE number = booked.batch_number OFFSET 0
    ) AS batch
    ORDER BY page.transaction_number, page.line
""")

_OF_NUMBERS = READ.where(
    journal_transactions.c.number == any_(bindparam("numbers", type_=ARRAY(BigInteger)))
)

_FITS = """
    amount_minor BETWEEN :min_amount_minor AND :max_amount_minor
    AND (CAST(:currency_code AS text) = '' OR currency_code = :currency_code)
"""
# Asked row by row, so that what is looked at stays bounded by the rows.
_OF_KIND = """
    AND (
        SELECT kind FROM journal_transactions WHERE number = transaction_number
    ) = :kind
"""
_BY_SOURCE = """
    SELECT number FROM journal_transactions
    WHERE source_id = :source_id AND number > :first_number AND number <= :last_number
        AND (CAST(:kind AS smallint) IS NULL OR kind = :kind)
        AND EXISTS (
            SELECT FROM postings
            WHERE transaction_number = number
                AND (CAST(:account_id AS text) = '' OR account_id = :account_id) AND {fits}
        )
    LIMIT :count_max
"""
_OF_ACCOUNT = """
    SELECT transaction_number, amount_minor, currency_code FROM postings
    WHERE account_id = :account_id
        AND transaction_number > :first_number AND transaction_number <= :last_number
    ORDER BY transaction_number DESC, line DESC LIMIT :scan_max
"""
_BY_ACCOUNT = """
    SELECT DISTINCT transaction_number FROM ({of_account}) AS scanned
    WHERE {fits} {of_kind}
    ORDER BY transaction_number DESC LIMIT :count_max
"""
_LOWEST = """
    SELECT count(*), min(transaction_number) FROM ({of_account}) AS scanned
"""
_BY_NUMBER = """
    SELECT DISTINCT transaction_number FROM postings
    WHERE transaction_number > :first_number AND transaction_number <= :last_number
        AND {fits} {of_kind}
    ORDER BY transaction_number DESC LIMIT :count_max
"""
_SOURCE = text(_BY_SOURCE.format(fits=_FITS))
_ACCOUNT = {
    has_kind: text(
        _BY_ACCOUNT.format(of_account=_OF_ACCOUNT, fits=_FITS, of_kind=_OF_KIND if has_kind else "")
    )
    for has_kind in (False, True)
}
_NUMBERS = {
    has_kind: text(_BY_NUMBER.format(fits=_FITS, of_kind=_OF_KIND if has_kind else ""))
    for has_kind in (False, True)
}
_LOWEST_OF_ACCOUNT = text(_LOWEST.format(of_account=_OF_ACCOUNT))


async def last_number(connection: AsyncConnection) -> int:
    """The number of the last transaction; 0 of an empty book."""
    number: int = (await connection.execute(_LAST_NUMBER)).scalar_one()
    return number


async def number_at(connection: AsyncConnection, moment: datetime | None) -> int:
    """The last transaction that was booked at a moment or before; the very last if None."""
    if moment is None:
        return await last_number(connection)
    found = (await connection.execute(_NUMBER_AT, {"moment": moment})).scalar_one_or_none()
    return found or 0


async def number_before(connection: AsyncConnection, moment: datetime) -> int:
    """The last transaction that was booked before a moment; 0 if none was."""
    found = (await connection.execute(_NUMBER_BEFORE, {"moment": moment})).scalar_one_or_none()
    return found or 0


async def balance_at(connection: AsyncConnection, account_id: str, number: int) -> Balance:
    """An account's balance after the transaction of this number."""
    values = {"account_id": account_id, "number": number}
    row = (await connection.execute(_BALANCE_AT, values)).first()
    return Balance(0, None) if row is None else Balance(*row)


async def sum_balances(
    connection: AsyncConnection, after_id: str, *, number: int, count_max: int
) -> tuple[list[BalanceSum], str | None]:
    """What the next accounts had after the transaction of this number, and the id of the last of
    them; None if no account is left."""
    values = {"after_id": after_id, "number": number, "count_max": count_max}
    rows = (await connection.execute(_SUM_BALANCES, values)).all()
    sums = [BalanceSum(row[0], row[1], int(row[2]), int(row[3]), row[4]) for row in rows]
    is_last = sum(row[5] for row in rows) < count_max
    return sums, None if is_last else max(row[6] for row in rows)


async def postings_of(
    connection: AsyncConnection, account_id: str, position: Position, *, count_max: int
) -> list[Line]:
    """An account's next postings, in the order of booking."""
    values = {
        "account_id": account_id,
        "last_number": position.last_number,
        "after_number": position.after_number,
        "after_line": position.after_line,
        "count_max": count_max,
    }
    return [Line(*row) for row in await connection.execute(_POSTINGS, values)]


async def transactions_numbered(
    connection: AsyncConnection, numbers: list[int]
) -> list[Transaction]:
    """The transactions of these numbers, lowest first."""
    return from_rows((await connection.execute(_OF_NUMBERS, {"numbers": numbers})).all())


class Window(NamedTuple):
    """Where a search looks: above ``first_number``, and not above ``last_number``."""

    first_number: int
    last_number: int


async def find_by_source(connection: AsyncConnection, search: Search, window: Window) -> list[int]:
    """The transaction of a source, if all else fits: its number."""
    values = _values(search, window, count_max=1)
    return list((await connection.execute(_SOURCE, values)).scalars())


async def find_by_account(
    connection: AsyncConnection, search: Search, window: Window, *, count_max: int, scan_max: int
) -> list[int]:
    """Transactions with a fitting posting among the account's last ``scan_max``, newest first."""
    values = {**_values(search, window, count_max=count_max), "scan_max": scan_max}
    result = await connection.execute(_ACCOUNT[search.kind is not None], values)
    return list(result.scalars())


async def lowest_of_account(
    connection: AsyncConnection, account_id: str, window: Window, *, scan_max: int
) -> int | None:
    """The lowest transaction among the account's last ``scan_max`` postings; None if it has no
    more than these."""
    values = {"account_id": account_id, **window._asdict(), "scan_max": scan_max}
    count, lowest = (await connection.execute(_LOWEST_OF_ACCOUNT, values)).one()
    return lowest if count == scan_max else None


async def find_by_number(
    connection: AsyncConnection, search: Search, window: Window, *, count_max: int
) -> list[int]:
    """Transactions with a fitting posting, newest first."""
    values = _values(search, window, count_max=count_max)
    result = await connection.execute(_NUMBERS[search.kind is not None], values)
    return list(result.scalars())


def _values(search: Search, window: Window, *, count_max: int) -> dict[str, object]:
    return {
        **search._asdict(),
        **window._asdict(),
        "max_amount_minor": search.max_amount_minor or _INT64_MAX,
        "count_max": count_max,
    }
