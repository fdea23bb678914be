"""Statements about wallets: opening, reading, locking, finding what people mean."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Select, and_, any_, bindparam, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import text_array, text_array_parameter
from wallet_svc.model.records import SYSTEM_OWNER_PREFIX, Owner, Wallet, WalletStatus
from wallet_svc.store import owners
from wallet_svc.tables import OWNERS, WALLETS

COLUMNS = (
    WALLETS.c.id,
    WALLETS.c.owner_id,
    WALLETS.c.currency_code,
    WALLETS.c.status,
    WALLETS.c.balance_minor,
    WALLETS.c.held_minor,
    WALLETS.c.last_entry_number,
    WALLETS.c.may_be_negative,
)
"""What ``_wallet`` takes, in its order."""

# A dictionary is several times faster than calling the enum, and a batch reads 512 wallets.
_STATUSES = {int(status): status for status in WalletStatus}


class NewWallet(NamedTuple):
    """A wallet to be opened, empty and active."""

    id: str
    owner_id: str
    currency_code: str


class Reference(NamedTuple):
    """A wallet as people name it: an owner's handle, an owner's id or a wallet's id."""

    text: str
    currency_code: str


class Meaning(NamedTuple):
    """What a reference means: its owner, and the wallet if there is one in that currency."""

    owner: Owner
    wallet: Wallet | None


_INSERT = text("""
    INSERT INTO wallets (id, owner_id, currency_code, may_be_negative)
    SELECT id, owner_id, currency_code, starts_with(owner_id, :system_owner_prefix)
    FROM unnest(
        CAST(:ids AS text[]), CAST(:owner_ids AS text[]), CAST(:currency_codes AS text[])
    ) AS opened (id, owner_id, currency_code)
    -- In one order for everybody: two transactions that open the same wallets wait for each other
    -- at the first of them, and never in a circle.
    ORDER BY owner_id, currency_code
    ON CONFLICT ON CONSTRAINT uq_wallets_owner_currency DO NOTHING
""")
_SELECT_BY_OWNER = (
    select(*COLUMNS)
    .where(WALLETS.c.owner_id == bindparam("owner_id"))
    .order_by(WALLETS.c.currency_code)
)
_SELECT_ONE = select(*COLUMNS).where(
    WALLETS.c.owner_id == bindparam("owner_id"),
    WALLETS.c.currency_code == bindparam("currency_code"),
)
_SELECT_MANY = select(*COLUMNS).where(WALLETS.c.id == any_(text_array_parameter("ids")))
# Everybody locks in the order of ids, so that two batches with the same wallets wait for each other
# at the first of them and never in a circle. Sorting comes before locking in the plan, and an id
# never changes, so the order holds also where a lock had to be waited for. FOR NO KEY UPDATE
# (key_share), because balances change and keys do not: foreign key checks need not wait.
_LOCK_MANY = _SELECT_MANY.order_by(WALLETS.c.id).with_for_update(key_share=True)
_LOCK_FREE = _SELECT_MANY.order_by(WALLETS.c.id).with_for_update(key_share=True, skip_locked=True)
_SET_STATUS = (
    update(WALLETS)
    .where(WALLETS.c.id == bindparam("wallet_id"))
    .values(status=bindparam("new_status"))
)


async def insert_wallets(connection: AsyncConnection, wallets: Sequence[NewWallet]) -> None:
    """Open wallets, leaving alone those that their owners have in that currency already.

    Waits for another transaction that is opening one of them.
    """
    await connection.execute(
        _INSERT,
        {
            "ids": text_array([wallet.id for wallet in wallets]),
            "owner_ids": text_array([wallet.owner_id for wallet in wallets]),
            "currency_codes": text_array([wallet.currency_code for wallet in wallets]),
            "system_owner_prefix": SYSTEM_OWNER_PREFIX,
        },
    )


async def wallets_of_owner(connection: AsyncConnection, owner_id: str) -> list[Wallet]:
    """All wallets of an owner, by currency code."""
    result = await connection.execute(_SELECT_BY_OWNER, {"owner_id": owner_id})
    return [_wallet(*row) for row in result.all()]


async def wallet_of_owner(
    connection: AsyncConnection, owner_id: str, currency_code: str
) -> Wallet | None:
    """The owner's wallet in this currency."""
    parameters = {"owner_id": owner_id, "currency_code": currency_code}
    row = (await connection.execute(_SELECT_ONE, parameters)).first()
    return None if row is None else _wallet(*row)


async def wallets_by_id(connection: AsyncConnection, ids: Collection[str]) -> dict[str, Wallet]:
    """The wallets that exist of those named, by id."""
    return await _many(connection, _SELECT_MANY, ids)


async def lock_wallets(connection: AsyncConnection, ids: Collection[str]) -> dict[str, Wallet]:
    """Lock wallets until the end of the transaction; those that exist of those named, by id."""
    return await _many(connection, _LOCK_MANY, ids)


async def lock_free_wallets(connection: AsyncConnection, ids: Collection[str]) -> dict[str, Wallet]:
    """The same without waiting: wallets that somebody else has locked are left out."""
    return await _many(connection, _LOCK_FREE, ids)


async def set_status(connection: AsyncConnection, wallet_id: str, status: WalletStatus) -> None:
    """Change the status of a wallet that is locked."""
    await connection.execute(_SET_STATUS, {"wallet_id": wallet_id, "new_status": int(status)})


def _resolve(key: Column[str]) -> Select[Any]:
    """References that are an owner's ``key``, with the owner's wallet in the currency asked for."""
    asked = (
        func.unnest(text_array_parameter("texts"), text_array_parameter("currency_codes"))
        .table_valued("reference", "currency_code")
        .render_derived(name="asked")
    )
    wallet = and_(
        WALLETS.c.owner_id == OWNERS.c.id, WALLETS.c.currency_code == asked.c.currency_code
    )
    return select(asked.c.reference, asked.c.currency_code, *owners.COLUMNS, *COLUMNS).select_from(
        asked.join(OWNERS, key == asked.c.reference).outerjoin(WALLETS, wallet)
    )


_RESOLVE_HANDLES = _resolve(OWNERS.c.handle)
_RESOLVE_OWNER_IDS = _resolve(OWNERS.c.id)
_RESOLVE_WALLET_IDS = (
    select(*owners.COLUMNS, *COLUMNS)
    .join_from(WALLETS, OWNERS, WALLETS.c.owner_id == OWNERS.c.id)
    .where(WALLETS.c.id == any_(text_array_parameter("ids")))
)


async def resolve_handles(
    connection: AsyncConnection, references: Collection[Reference]
) -> dict[Reference, Meaning]:
    """What those references mean whose text is an owner's handle; unknown ones are left out."""
    return await _resolved(connection, _RESOLVE_HANDLES, references)


async def resolve_owner_ids(
    connection: AsyncConnection, references: Collection[Reference]
) -> dict[Reference, Meaning]:
    """What those references mean whose text is an owner's id; unknown ones are left out."""
    return await _resolved(connection, _RESOLVE_OWNER_IDS, references)


async def resolve_wallet_ids(
    connection: AsyncConnection, references: Collection[Reference]
) -> dict[Reference, Meaning]:
    """What those references mean whose text is a wallet's id; unknown ones are left out."""
    ids = {reference.text for reference in references}
    result = await connection.execute(_RESOLVE_WALLET_IDS, {"ids": text_array(list(ids))})
    found = {row[_OWNER_WIDTH]: _meaning(row) for row in result.all()}
    meanings = {}
    for reference in references:
        if meaning := found.get(reference.text):
            fits = meaning.wallet and meaning.wallet.currency_code == reference.currency_code
            meanings[reference] = meaning if fits else Meaning(meaning.owner, None)
    return meanings


_OWNER_WIDTH = len(owners.COLUMNS)


async def _resolved(
    connection: AsyncConnection, statement: Select[Any], references: Collection[Reference]
) -> dict[Reference, Meaning]:
    result = await connection.execute(
        statement,
        {
            "texts": text_array([reference.text for reference in references]),
            "currency_codes": text_array([reference.currency_code for reference in references]),
        },
    )
    return {Reference(row[0], row[1]): _meaning(row[2:]) for row in result.all()}


def _meaning(row: Sequence[Any]) -> Meaning:
    owner, wallet = row[:_OWNER_WIDTH], row[_OWNER_WIDTH:]
    return Meaning(owners.owner_of_row(*owner), None if wallet[0] is None else _wallet(*wallet))


async def _many(
    connection: AsyncConnection, statement: Select[Any], ids: Collection[str]
) -> dict[str, Wallet]:
    result = await connection.execute(statement, {"ids": text_array(list(ids))})
    return {row[0]: _wallet(*row) for row in result.all()}


def _wallet(
    wallet_id: str,
    owner_id: str,
    currency_code: str,
    status: int,
    balance_minor: int,
    held_minor: int,
    last_entry_number: int,
    may_be_negative: bool,
) -> Wallet:
    return Wallet(
        wallet_id,
        owner_id,
        currency_code,
        _STATUSES[status],
        balance_minor,
        held_minor,
        last_entry_number,
        may_be_negative,
    )
