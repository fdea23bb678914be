"""Statements that add up the journal and its accounts. Each works on its caller's connection.

Only transactions of payments count: what was booked without any wallet having moved has no other
book to agree with.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Text,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal,
    select,
    text,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.digests import IdRange, all_hashes, is_in_range, row_hash
from ledger_svc.model import BOOK_ONLY_KIND_MIN, CREDIT, DEBIT, SYSTEM_CLASS_MIN
from ledger_svc.reconciliation.model import AccountRow, Terms, TransactionRow
from ledger_svc.tables import accounts, journal_batches, journal_transactions, postings

_ACCOUNTS_OF_NO_WALLET = "acc_"


class Sum(NamedTuple):
    """What the rows of one currency add up to."""

    currency_code: str
    row_count: int
    amount_minor: int
    hash: int


class AccountNow(NamedTuple):
    """What an account has, and up to which transaction."""

    currency_code: str
    balance_minor: int
    last_number: int


_OF_PAYMENTS = journal_transactions.c.kind < BOOK_ONLY_KIND_MIN
_COUNT_TRANSACTIONS = select(func.count()).select_from(
    select(journal_transactions.c.number)
    .where(is_in_range(journal_transactions.c.source_id), _OF_PAYMENTS)
    .limit(bindparam("count_max"))
    .subquery()
)

# Grouped per transaction and not joined once per side: a transaction with other than two postings
# is no payment's, and the nothing that it says agrees with nobody.
_SIDES = (
    select(
        func.coalesce(
            func.min(postings.c.account_id).filter(postings.c.direction == DEBIT), ""
        ).label("debit_account_id"),
        func.coalesce(
            func.min(postings.c.account_id).filter(postings.c.direction == CREDIT), ""
        ).label("credit_account_id"),
        func.coalesce(func.min(postings.c.currency_code), "").label("currency_code"),
        case(
            (
                (func.count() == 2)
                & (func.min(postings.c.amount_minor) == func.max(postings.c.amount_minor))
                & (func.min(postings.c.currency_code) == func.max(postings.c.currency_code)),
                func.min(postings.c.amount_minor),
            ),
            else_=0,
        ).label("amount_minor"),
    )
    .where(postings.c.transaction_number == journal_transactions.c.number)
    .lateral("sides")
)
_TRANSACTIONS = select(
    journal_transactions.c.source_id,
    journal_transactions.c.kind,
    _SIDES.c.debit_account_id,
    _SIDES.c.credit_account_id,
    _SIDES.c.currency_code,
    _SIDES.c.amount_minor,
    journal_transactions.c.batch_number,
).select_from(journal_transactions.join(_SIDES, true()))
_IN_RANGE = _TRANSACTIONS.where(is_in_range(journal_transactions.c.source_id), _OF_PAYMENTS)
_EACH = _IN_RANGE.subquery("each")
_SUMS = select(
    _EACH.c.currency_code,
    func.count(),
    func.sum(_EACH.c.amount_minor),
    all_hashes(
        row_hash(
            _EACH.c.source_id,
            _EACH.c.kind,
            _EACH.c.debit_account_id,
            _EACH.c.credit_account_id,
            _EACH.c.currency_code,
            _EACH.c.amount_minor,
            literal(0),
        )
    ),
).group_by(_EACH.c.currency_code)
_PAGE = (
    _IN_RANGE.order_by(journal_transactions.c.source_id)
    .limit(bindparam("count_max"))
    .subquery("page")
)
_LIST = (
    select(_PAGE, journal_batches.c.book_time)
    .join(journal_batches, journal_batches.c.number == _PAGE.c.batch_number)
    .order_by(_PAGE.c.source_id)
)
_FIRST = select(func.min(journal_transactions.c.source_id)).where(
    is_in_range(journal_transactions.c.source_id)
)

_BOOKED = select(journal_transactions.c.source_id).where(
    journal_transactions.c.source_id == any_(bindparam("payment_ids", type_=ARRAY(Text))),
    journal_transactions.c.number <= bindparam("number_max"),
)

_COUNT_ACCOUNTS = select(func.count()).select_from(
    select(accounts.c.id).where(is_in_range(accounts.c.id)).limit(bindparam("count_max")).subquery()
)

# What happened after a moment was booked after it too, apart from clocks that differ: the book is
# read from a few minutes earlier on, by its numbers.
_FLOOR = (
    select(func.coalesce(func.max(journal_batches.c.last_transaction_number), 0))
    .where(
        journal_batches.c.number
        == (
            select(journal_batches.c.number)
            .where(
                journal_batches.c.book_time < bindparam("as_of_time") - text("INTERVAL '5 minutes'")
            )
            .order_by(journal_batches.c.book_time.desc(), journal_batches.c.number.desc())
            .limit(1)
            .scalar_subquery()
        )
    )
    .scalar_subquery()
)
_SIGNED = case(
    (postings.c.direction == CREDIT, postings.c.amount_minor), else_=-postings.c.amount_minor
)
_RECENT = (
    select(postings.c.account_id, func.sum(_SIGNED).label("amount_minor"))
    .join(journal_transactions, journal_transactions.c.number == postings.c.transaction_number)
    .where(
        journal_transactions.c.number > _FLOOR,
        journal_transactions.c.effective_time >= bindparam("as_of_time"),
        _OF_PAYMENTS,
        is_in_range(postings.c.account_id),
    )
    .group_by(postings.c.account_id)
    .subquery("recent")
)
# Of the system's own wallets nobody expects that they move with a correction or a bank's fee; a
# customer's or merchant's must agree with the book in everything.
_BOOK_ONLY = case(
    (accounts.c["class"] >= SYSTEM_CLASS_MIN, accounts.c.book_only_minor), else_=literal(0)
)
_BALANCES = (
    select(
        accounts.c.id,
        accounts.c.currency_code,
        cast(
            accounts.c.credits_posted_minor
            - accounts.c.debits_posted_minor
            - _BOOK_ONLY
            - func.coalesce(_RECENT.c.amount_minor, 0),
            BigInteger,
        ).label("as_of_minor"),
    )
    .select_from(accounts.outerjoin(_RECENT, _RECENT.c.account_id == accounts.c.id))
    .where(is_in_range(accounts.c.id), ~func.starts_with(accounts.c.id, _ACCOUNTS_OF_NO_WALLET))
)
# One statement, so that the balance and the number belong together.
_ACCOUNT_NOW = select(
    accounts.c.currency_code,
    cast(
        accounts.c.credits_posted_minor - accounts.c.debits_posted_minor - _BOOK_ONLY, BigInteger
    ).label("balance_minor"),
    select(func.coalesce(func.max(journal_transactions.c.number), 0)).scalar_subquery(),
).where(accounts.c.id == bindparam("account_id"))
_LIST_BALANCES = _BALANCES.order_by(accounts.c.id).limit(bindparam("count_max"))
_EACH_BALANCE = _BALANCES.subquery("each")
_BALANCE_SUMS = (
    select(
        _EACH_BALANCE.c.currency_code,
        func.count(),
        func.sum(_EACH_BALANCE.c.as_of_minor),
        all_hashes(
            row_hash(_EACH_BALANCE.c.id, _EACH_BALANCE.c.currency_code, _EACH_BALANCE.c.as_of_minor)
        ),
    )
    .where(_EACH_BALANCE.c.as_of_minor != 0)
    .group_by(_EACH_BALANCE.c.currency_code)
)


async def count_transactions(connection: AsyncConnection, ids: IdRange, *, count_max: int) -> int:
    """How many payments of a range are booked; no more than ``count_max`` are counted."""
    result = await connection.execute(
        _COUNT_TRANSACTIONS, {**ids._asdict(), "count_max": count_max}
    )
    count: int = result.scalar_one()
    return count


async def sum_transactions(connection: AsyncConnection, ids: IdRange) -> list[Sum]:
    """What the transactions of a range of payments add up to."""
    return [Sum(*row) for row in await connection.execute(_SUMS, ids._asdict())]


async def list_transactions(
    connection: AsyncConnection, ids: IdRange, *, count_max: int
) -> list[TransactionRow]:
    """The transactions of a range of payments, by payment id."""
    result = await connection.execute(_LIST, {**ids._asdict(), "count_max": count_max})
    return [
        TransactionRow(
            row.source_id,
            Terms(
                row.kind,
                row.debit_account_id,
                row.credit_account_id,
                row.currency_code,
                row.amount_minor,
            ),
            row.book_time,
        )
        for row in result
    ]


async def first_payment(connection: AsyncConnection, ids: IdRange) -> str | None:
    """The oldest payment of a range that is booked."""
    found: str | None = (await connection.execute(_FIRST, ids._asdict())).scalar_one()
    return found


async def account_now(connection: AsyncConnection, account_id: str) -> AccountNow | None:
    """What an account has, and up to which transaction; None if there is no such account."""
    row = (await connection.execute(_ACCOUNT_NOW, {"account_id": account_id})).one_or_none()
    return AccountNow(*row) if row else None


async def booked(
    connection: AsyncConnection, payment_ids: Sequence[str], *, number_max: int
) -> set[str]:
    """Which of these payments are in the journal up to a number."""
    parameters = {"payment_ids": list(payment_ids), "number_max": number_max}
    return set((await connection.execute(_BOOKED, parameters)).scalars())


async def count_accounts(connection: AsyncConnection, ids: IdRange, *, count_max: int) -> int:
    """How many accounts there are in a range; no more than ``count_max`` are counted."""
    result = await connection.execute(_COUNT_ACCOUNTS, {**ids._asdict(), "count_max": count_max})
    count: int = result.scalar_one()
    return count


async def sum_balances(
    connection: AsyncConnection, ids: IdRange, *, as_of_time: datetime
) -> list[Sum]:
    """What the balances of a range of accounts added up to at a moment, empty ones left out."""
    parameters = {**ids._asdict(), "as_of_time": as_of_time}
    return [Sum(*row) for row in await connection.execute(_BALANCE_SUMS, parameters)]


async def list_balances(
    connection: AsyncConnection, ids: IdRange, *, as_of_time: datetime, count_max: int
) -> list[AccountRow]:
    """The balances of a range of accounts at a moment, by id."""
    parameters = {**ids._asdict(), "as_of_time": as_of_time, "count_max": count_max}
    return [AccountRow(*row) for row in await connection.execute(_LIST_BALANCES, parameters)]
