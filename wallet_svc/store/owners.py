"""Statements about owners."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from wallet_svc.model.records import Owner, OwnerKind
from wallet_svc.tables import OWNERS

COLUMNS = (OWNERS.c.id, OWNERS.c.kind, OWNERS.c.handle, OWNERS.c.name, OWNERS.c.create_time)
"""What ``owner_of_row`` takes, in its order."""

_INSERT = insert(OWNERS).on_conflict_do_nothing().returning(OWNERS.c.id)
_SELECT_BY_ID = select(*COLUMNS).where(OWNERS.c.id == bindparam("owner_id"))
_SELECT_BY_HANDLE = select(*COLUMNS).where(OWNERS.c.handle == bindparam("handle"))
_SELECT_BY_REQUEST = select(*COLUMNS, OWNERS.c.request_fingerprint).where(
    OWNERS.c.request_id == bindparam("request_id")
)


async def insert_owner(
    connection: AsyncConnection, owner: Owner, *, request_id: str, request_fingerprint: bytes
) -> bool:
    """Store an owner; False, and nothing stored, if the request id or the handle is there already.

    Waits for another transaction that is storing the same request id or handle.
    """
    values = {
        "id": owner.id,
        "kind": int(owner.kind),
        "handle": owner.handle,
        "name": owner.name,
        "request_id": request_id,
        "request_fingerprint": request_fingerprint,
        "create_time": owner.create_time,
    }
    return (await connection.execute(_INSERT, values)).first() is not None


async def owner_by_id(connection: AsyncConnection, owner_id: str) -> Owner | None:
    """The owner with this id."""
    row = (await connection.execute(_SELECT_BY_ID, {"owner_id": owner_id})).first()
    return None if row is None else owner_of_row(*row)


async def owner_by_handle(connection: AsyncConnection, handle: str) -> Owner | None:
    """The owner with this handle."""
    row = (await connection.execute(_SELECT_BY_HANDLE, {"handle": handle})).first()
    return None if row is None else owner_of_row(*row)


async def owner_by_request(
    connection: AsyncConnection, request_id: str
) -> tuple[Owner, bytes] | None:
    """The owner that this request made, and the fingerprint of the request."""
    row = (await connection.execute(_SELECT_BY_REQUEST, {"request_id": request_id})).first()
    if row is None:
        return None
    *owner, request_fingerprint = row
    return owner_of_row(*owner), bytes(request_fingerprint)


def owner_of_row(owner_id: str, kind: int, handle: str, name: str, create_time: datetime) -> Owner:
    """An owner from the values of ``COLUMNS``."""
    return Owner(owner_id, OwnerKind(kind), handle, name, create_time)
