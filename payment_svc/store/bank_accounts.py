"""Statements about bank accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from payment_svc.tables import bank_accounts


async def insert_bank_account(
    connection: AsyncConnection,
    *,
    bank_account_id: str,
    owner_id: str,
    holder: str,
    iban: str,
    create_time: datetime,
) -> None:
    """Store a bank account, unless its owner has one with this IBAN."""
    await connection.execute(
        insert(bank_accounts)
        .values(
            id=bank_account_id, owner_id=owner_id, holder=holder, iban=iban, create_time=create_time
        )
        .on_conflict_do_nothing(index_elements=["owner_id", "iban"])
    )


async def list_bank_accounts(
    connection: AsyncConnection, owner_id: str, *, count_max: int
) -> list[Row[Any]]:
    """An owner's bank accounts, oldest first."""
    result = await connection.execute(
        select(bank_accounts)
        .where(bank_accounts.c.owner_id == owner_id)
        .order_by(bank_accounts.c.create_time, bank_accounts.c.id)
        .limit(count_max)
    )
    return list(result)


async def bank_accounts_of(
    connection: AsyncConnection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Row[Any]]:
    """The bank accounts that exist for pairs of owner id and bank account id."""
    result = await connection.execute(
        select(bank_accounts).where(
            or_(
                *(
                    and_(bank_accounts.c.id == account_id, bank_accounts.c.owner_id == owner_id)
                    for owner_id, account_id in keys
                )
            )
        )
    )
    return {(row.owner_id, row.id): row for row in result}
