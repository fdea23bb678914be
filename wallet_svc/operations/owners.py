"""Creating and finding owners."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from chassis.database import Database
from chassis.ids import IdMaker
from wallet_svc.errors import HandleTaken, OwnerNotFound, RequestIdReused
from wallet_svc.model.owners import OwnerRequest, is_handle, is_plausible_id
from wallet_svc.model.records import OWNER_ID_PREFIXES, Owner, Wallet
from wallet_svc.operations.wallets import new_wallets
from wallet_svc.store import owners as owner_store
from wallet_svc.store import wallets as wallet_store


class OwnerWithWallets(NamedTuple):
    """An owner and its wallets, by currency code."""

    owner: Owner
    wallets: list[Wallet]


async def create_owner(
    request: OwnerRequest, *, database: Database, clock: Clock, ids: IdMaker
) -> OwnerWithWallets:
    """Make an owner with a wallet in each currency, or find the one that this request made before.

    Raises ``HandleTaken`` and ``RequestIdReused``.
    """
    owner = Owner(
        id=ids.make(OWNER_ID_PREFIXES[request.kind]),
        kind=request.kind,
        handle=request.handle,
        name=request.name,
        create_time=clock.now(),
    )
    opened = new_wallets(owner.id, request.currency_codes, ids=ids)
    fingerprint = request.fingerprint()

    async def work(connection: AsyncConnection) -> OwnerWithWallets:
        inserted = await owner_store.insert_owner(
            connection, owner, request_id=request.request_id, request_fingerprint=fingerprint
        )
        if not inserted:
            return await _created_before(connection, request)
        if opened:
            await wallet_store.insert_wallets(connection, opened)
        return OwnerWithWallets(owner, await wallet_store.wallets_of_owner(connection, owner.id))

    return await database.transaction(work)


async def _created_before(connection: AsyncConnection, request: OwnerRequest) -> OwnerWithWallets:
    """The owner that stood in the way, if it is this request's own."""
    stored = await owner_store.owner_by_request(connection, request.request_id)
    if stored is None:
        raise HandleTaken(handle=request.handle)
    owner, fingerprint = stored
    if fingerprint != request.fingerprint():
        raise RequestIdReused(request_id=request.request_id)
    return OwnerWithWallets(owner, await wallet_store.wallets_of_owner(connection, owner.id))


async def get_owner_by_id(owner_id: str, *, database: Database) -> Owner:
    """The owner with this id. Raises ``OwnerNotFound``."""

    async def work(connection: AsyncConnection) -> Owner | None:
        return await owner_store.owner_by_id(connection, owner_id)

    if not is_plausible_id(owner_id):
        raise OwnerNotFound  # and not with the id: it may be anything, of any length
    owner = await database.read(work)
    if owner is None:
        raise OwnerNotFound(owner_id=owner_id)
    return owner


async def get_owner_by_handle(handle: str, *, database: Database) -> Owner:
    """The owner with this handle. Raises ``OwnerNotFound``."""

    async def work(connection: AsyncConnection) -> Owner | None:
        return await owner_store.owner_by_handle(connection, handle)

    if not is_handle(handle):
        raise OwnerNotFound
    owner = await database.read(work)
    if owner is None:
        raise OwnerNotFound(handle=handle)
    return owner
