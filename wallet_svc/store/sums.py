"""What all wallets add up to."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


class CurrencySum(NamedTuple):
    """The wallets of one currency."""

    currency_code: str
    balance_minor: int
    wallets: int
    negative: int
    """Wallets below zero that may not be."""


# One statement: all its rows are of one moment, between transactions. It reads every wallet, of
# which there are tens of thousands, and no entry, of which there are millions.
_SUMS = text("""
    SELECT currency_code, sum(balance_minor), count(*),
        count(*) FILTER (WHERE NOT may_be_negative AND balance_minor - held_minor < 0)
    FROM wallets GROUP BY currency_code ORDER BY currency_code
""")


async def sums(connection: AsyncConnection) -> list[CurrencySum]:
    """The wallets of each currency, by its code."""
    result = await connection.execute(_SUMS)
    return [CurrencySum(code, int(total), count, below) for code, total, count, below in result]
