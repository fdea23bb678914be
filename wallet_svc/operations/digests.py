"""What the books of wallets add up to, for whoever compares them with others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.digests import IdRange
from wallet_svc.model.owners import is_plausible_id
from wallet_svc.model.records import Outcome
from wallet_svc.store import digests as store
from wallet_svc.store.digests import Balance, BalanceSum, EntryFault, Move, Sum


class TransferDigest(NamedTuple):
    """What the transfers of a range add up to, and how many of their entries do not fit."""

    sums: list[Sum]
    fault_count: int


async def digest_transfers(
    ranges: Sequence[IdRange], *, rows_max: int, database: Database
) -> list[TransferDigest | None]:
    """The digest of each range of payment ids; None where there are more than ``rows_max``."""

    async def work(connection: AsyncConnection) -> list[TransferDigest | None]:
        return [await _digest(connection, ids, rows_max) for ids in ranges]

    return await database.read(work)


async def _digest(
    connection: AsyncConnection, ids: IdRange, rows_max: int
) -> TransferDigest | None:
    count = await store.count_transfers(connection, ids, count_max=rows_max + 1)
    if count > rows_max:
        return None
    sums = await store.sum_transfers(connection, ids)
    faults = await store.count_faults(connection, ids)
    return TransferDigest(sums, faults)


async def list_transfers(
    ranges: Sequence[IdRange], *, count_max: int, database: Database
) -> tuple[list[Outcome], list[EntryFault]]:
    """The transfers of ranges of payment ids, and the entries that do not fit; of each kind up to
    one more than ``count_max``."""

    async def work(connection: AsyncConnection) -> tuple[list[Outcome], list[EntryFault]]:
        transfers: list[Outcome] = []
        faults: list[EntryFault] = []
        for ids in ranges:
            left = count_max + 1 - len(transfers)
            transfers += await store.list_transfers(connection, ids, count_max=left)
            left = count_max + 1 - len(faults)
            faults += await store.list_faults(connection, ids, count_max=left)
        return transfers, faults

    return await database.read(work)


async def digest_balances(
    ranges: Sequence[IdRange], *, as_of_time: datetime, rows_max: int, database: Database
) -> list[list[BalanceSum] | None]:
    """The digest of each range of wallet ids; None where there are more than ``rows_max``."""

    async def work(connection: AsyncConnection) -> list[list[BalanceSum] | None]:
        found: list[list[BalanceSum] | None] = []
        for ids in ranges:
            count = await store.count_wallets(connection, ids, count_max=rows_max + 1)
            found.append(
                None
                if count > rows_max
                else await store.sum_balances(connection, ids, as_of_time=as_of_time)
            )
        return found

    return await database.read(work)


async def list_balances(
    ranges: Sequence[IdRange], *, as_of_time: datetime, count_max: int, database: Database
) -> list[Balance]:
    """The balances of ranges of wallet ids at a moment; up to one more than ``count_max``."""

    async def work(connection: AsyncConnection) -> list[Balance]:
        found: list[Balance] = []
        for ids in ranges:
            left = count_max + 1 - len(found)
            found += await store.list_balances(
                connection, ids, as_of_time=as_of_time, count_max=left
            )
        return found

    return await database.read(work)


async def list_newest_moves(wallet_id: str, *, count_max: int, database: Database) -> list[Move]:
    """What moved a wallet last, the newest first; one more than ``count_max`` if there are more."""
    if not is_plausible_id(wallet_id):
        return []
    return await database.read(
        lambda connection: store.list_newest_moves(connection, wallet_id, count_max=count_max + 1)
    )
