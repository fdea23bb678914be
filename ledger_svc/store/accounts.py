"""Reading the accounts and what they add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ARRAY, Text, any_, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import number_array, text_array
from ledger_svc.model import TrialBalanceLine
from ledger_svc.tables import accounts


class Account(NamedTuple):
    """One account with its totals."""

    id: str
    currency_code: str
    debits_posted_minor: int
    credits_posted_minor: int
    class_: int | None
    """What kind of account it is, as the contract numbers it; None until that was looked up."""
    book_only_minor: int
    """Credits less debits that moved no wallet."""


_ACCOUNTS_BY_ID = select(accounts).where(
    accounts.c.id == any_(bindparam("account_ids", type_=ARRAY(Text)))
)

_ACCOUNTS_AFTER = (
    select(accounts)
    .where(accounts.c.id > bindparam("after_id"))
    .order_by(accounts.c.id)
    .limit(bindparam("count_max"))
)

_WITHOUT_CLASS = text("""
    SELECT id FROM accounts WHERE class IS NULL AND id > :after_id ORDER BY id LIMIT :count_max
""")

# In order of their ids: whoever posts takes the same locks in the same order.
_SET_CLASSES = text("""
    WITH known AS (
        SELECT accounts.id, known.class
        FROM unnest(CAST(:ids AS text[]), CAST(:classes AS smallint[])) AS known (id, class)
        JOIN accounts ON accounts.id = known.id AND accounts.class IS NULL
        ORDER BY accounts.id FOR UPDATE OF accounts
    )
    UPDATE accounts SET class = known.class FROM known WHERE accounts.id = known.id
""")

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


async def trial_balance(connection: AsyncConnection) -> list[TrialBalanceLine]:
    """Debits and credits per currency, by its code, all of one moment.

    From the totals of the accounts: adding up the postings would read the whole journal every time.
    """
    result = await connection.execute(_TRIAL_BALANCE)
    return [
        TrialBalanceLine(code, int(debits), int(credits_), count)
        for code, debits, credits_, count in result
    ]


async def without_class(connection: AsyncConnection, after_id: str, *, count_max: int) -> list[str]:
    """The ids of the next accounts that have no class yet, in order."""
    result = await connection.execute(
        _WITHOUT_CLASS, {"after_id": after_id, "count_max": count_max}
    )
    return list(result.scalars())


async def set_classes(connection: AsyncConnection, classes: Mapping[str, int]) -> None:
    """Give accounts their class, once and for all."""
    values = {"ids": text_array(list(classes)), "classes": number_array(list(classes.values()))}
    await connection.execute(_SET_CLASSES, values)
