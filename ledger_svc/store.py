"""Every SQL statement of ledger_svc. Each function takes the caller's connection and opens nothing.

Kinds and directions are the numbers of the contracts: a debit is 1, a credit is 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ARRAY, BigInteger, Text, any_, bindparam, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import number_array, text_array
from ledger_svc.model import Booking, TrialBalanceLine
from ledger_svc.tables import accounts, catch_up, journal_transactions, postings

_DEBIT, _CREDIT = 1, 2


class Account(NamedTuple):
    """One account with its totals."""

    id: str
    currency_code: str
    debits_posted_minor: int
    credits_posted_minor: int


class Posting(NamedTuple):
    """One side of a journal transaction."""

    account_id: str
    direction: int
    currency_code: str
    amount_minor: int


class Transaction(NamedTuple):
    """A journal transaction and its postings, the debit first."""

    id: str
    payment_id: str
    kind: int
    effective_time: datetime
    book_time: datetime
    postings: list[Posting]


class Exceptions(NamedTuple):
    """Bookings that did not simply go through, by transaction id."""

    repeated: set[str]
    """Their payment is in the journal already: nothing was written."""
    misplaced: set[str]
    """An account is kept in another currency: the transaction must be rolled back."""


# One statement for 1 or for 256 bookings: one round trip, and each step can only use what the step
# before has written.
#
# Two rules keep two posters of the same or of crossing batches from waiting for each other in a
# circle. Payments come before accounts: whoever waits for the other's payment holds no account yet.
# And both are taken in the order of their ids: the second comer waits at the first one they share,
# before it has anything that the first comer still needs.
_POST = text("""
    WITH incoming AS (
        SELECT *
        FROM unnest(
            CAST(:transaction_ids AS text[]), CAST(:payment_ids AS text[]),
            CAST(:kinds AS smallint[]), CAST(:debit_account_ids AS text[]),
            CAST(:credit_account_ids AS text[]), CAST(:currency_codes AS text[]),
            CAST(:amounts_minor AS bigint[]), CAST(:effective_microseconds AS bigint[])
        ) AS incoming (
            transaction_id, payment_id, kind, debit_account_id, credit_account_id, currency_code,
            amount_minor, effective_microseconds
        )
    ),
    inserted AS (
        INSERT INTO journal_transactions (id, payment_id, kind, effective_time)
        SELECT
            transaction_id, payment_id, kind,
            TIMESTAMPTZ 'epoch' + effective_microseconds * INTERVAL '1 microsecond'
        FROM incoming
        ORDER BY payment_id
        ON CONFLICT (payment_id) DO NOTHING
        RETURNING id
    ),
    booked AS MATERIALIZED (
        SELECT incoming.* FROM inserted JOIN incoming ON incoming.transaction_id = inserted.id
    ),
    sides AS MATERIALIZED (
        SELECT
            transaction_id, 1 AS line, debit_account_id AS account_id, 1 AS direction,
            currency_code, amount_minor, amount_minor AS debit_minor, 0 AS credit_minor
        FROM booked
        UNION ALL
        SELECT
            transaction_id, 2, credit_account_id, 2, currency_code, amount_minor,
            0, amount_minor
        FROM booked
    ),
    changed AS (
        -- A hot merchant's many credits become one change of one row.
        INSERT INTO accounts AS account (
            id, currency_code, debits_posted_minor, credits_posted_minor
        )
        SELECT account_id, currency_code, sum(debit_minor), sum(credit_minor)
        FROM sides
        GROUP BY account_id, currency_code
        ORDER BY account_id
        ON CONFLICT (id) DO UPDATE SET
            debits_posted_minor = account.debits_posted_minor + excluded.debits_posted_minor,
            credits_posted_minor = account.credits_posted_minor + excluded.credits_posted_minor
        WHERE account.currency_code = excluded.currency_code
        RETURNING id, currency_code
    ),
    posted AS (
        INSERT INTO postings (
            transaction_id, line, account_id, direction, currency_code, amount_minor
        )
        SELECT transaction_id, line, account_id, direction, currency_code, amount_minor
        FROM sides
    )
    SELECT transaction_id, false AS is_inserted
    FROM incoming
    WHERE transaction_id NOT IN (SELECT id FROM inserted)
    UNION ALL
    SELECT transaction_id, true
    FROM sides
    WHERE (account_id, currency_code) NOT IN (SELECT id, currency_code FROM changed)
""")

_debits, _credits = postings.alias("debits"), postings.alias("credits")
_EPOCH_MICROSECONDS = func.extract("epoch", journal_transactions.c.effective_time) * 1_000_000

_BOOKED = (
    select(
        journal_transactions.c.payment_id,
        journal_transactions.c.kind,
        _debits.c.account_id,
        _credits.c.account_id,
        _debits.c.currency_code,
        _debits.c.amount_minor,
        cast(_EPOCH_MICROSECONDS, BigInteger),
    )
    .join(_debits, _debits.c.transaction_id == journal_transactions.c.id)
    .join(_credits, _credits.c.transaction_id == journal_transactions.c.id)
    .where(
        journal_transactions.c.payment_id == any_(bindparam("payment_ids", type_=ARRAY(Text))),
        _debits.c.direction == _DEBIT,
        _credits.c.direction == _CREDIT,
    )
)

_ACCOUNTS_BY_ID = select(accounts).where(
    accounts.c.id == any_(bindparam("account_ids", type_=ARRAY(Text)))
)

_ACCOUNTS_AFTER = (
    select(accounts)
    .where(accounts.c.id > bindparam("after_id"))
    .order_by(accounts.c.id)
    .limit(bindparam("count_max"))
)

_TRANSACTION = (
    select(
        journal_transactions,
        postings.c.account_id,
        postings.c.direction,
        postings.c.currency_code,
        postings.c.amount_minor,
    )
    .join(postings, postings.c.transaction_id == journal_transactions.c.id)
    .where(journal_transactions.c.payment_id == bindparam("payment_id"))
    .order_by(postings.c.line)
)

_TRIAL_BALANCE = (
    select(
        accounts.c.currency_code,
        func.sum(accounts.c.debits_posted_minor),
        func.sum(accounts.c.credits_posted_minor),
        func.count(),
    )
    .group_by(accounts.c.currency_code)
    .order_by(accounts.c.currency_code)
)


async def post(
    connection: AsyncConnection, bookings: Sequence[Booking], *, transaction_ids: Sequence[str]
) -> Exceptions:
    """Book each payment that is not in the journal yet, and change the totals of its accounts.

    ``transaction_ids`` has a new id for each booking. The bookings passed ``fault_of``: their texts
    have no character that means something in an array literal.
    """
    columns = zip(*bookings, strict=True)
    payment_ids, kinds, debits, credits_, currencies, amounts, times = columns
    result = await connection.execute(
        _POST,
        {
            "transaction_ids": text_array(transaction_ids),
            "payment_ids": text_array(payment_ids),
            "kinds": number_array(kinds),
            "debit_account_ids": text_array(debits),
            "credit_account_ids": text_array(credits_),
            "currency_codes": text_array(currencies),
            "amounts_minor": number_array(amounts),
            "effective_microseconds": number_array(times),
        },
    )
    exceptions = Exceptions(set(), set())
    for transaction_id, is_inserted in result:
        (exceptions.misplaced if is_inserted else exceptions.repeated).add(transaction_id)
    return exceptions


async def booked(connection: AsyncConnection, payment_ids: Sequence[str]) -> dict[str, Booking]:
    """What is in the journal about these payments, by payment id."""
    result = await connection.execute(_BOOKED, {"payment_ids": list(payment_ids)})
    return {row[0]: Booking(*row) for row in result}


async def accounts_by_id(
    connection: AsyncConnection, account_ids: Sequence[str]
) -> dict[str, Account]:
    """Those of the accounts that exist, by id."""
    result = await connection.execute(_ACCOUNTS_BY_ID, {"account_ids": list(account_ids)})
    return {row[0]: Account(*row) for row in result}


async def accounts_after(
    connection: AsyncConnection, after_id: str, *, count_max: int
) -> list[Account]:
    """The next accounts in order of their id."""
    result = await connection.execute(
        _ACCOUNTS_AFTER, {"after_id": after_id, "count_max": count_max}
    )
    return [Account(*row) for row in result]


async def transaction_of_payment(
    connection: AsyncConnection, payment_id: str
) -> Transaction | None:
    """The journal transaction of a payment; None if it is not booked."""
    rows = (await connection.execute(_TRANSACTION, {"payment_id": payment_id})).all()
    if not rows:
        return None
    first = rows[0]
    return Transaction(
        id=first.id,
        payment_id=first.payment_id,
        kind=first.kind,
        effective_time=first.effective_time,
        book_time=first.book_time,
        postings=[
            Posting(row.account_id, row.direction, row.currency_code, row.amount_minor)
            for row in rows
        ],
    )


async def trial_balance(connection: AsyncConnection) -> list[TrialBalanceLine]:
    """Debits and credits per currency, by its code, all of one moment.

    From the totals of the accounts: adding up the postings would read the whole journal every time.
    """
    result = await connection.execute(_TRIAL_BALANCE)
    return [
        TrialBalanceLine(code, int(debits), int(credits_), count)
        for code, debits, credits_, count in result
    ]


async def caught_up_to(connection: AsyncConnection) -> datetime:
    """Up to when the journal is known to have every completed payment."""
    moment: datetime = (await connection.execute(select(catch_up.c.caught_up_to))).scalar_one()
    return moment


async def set_caught_up_to(connection: AsyncConnection, moment: datetime) -> None:
    """Move that moment on; never back."""
    await connection.execute(
        catch_up.update().where(catch_up.c.caught_up_to < moment).values(caught_up_to=moment)
    )
