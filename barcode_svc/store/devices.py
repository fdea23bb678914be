"""Statements about devices that make codes offline, and about the uses of their codes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult, bindparam, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from barcode_svc.offline_model import Device, SpendingKey, Use
from barcode_svc.tables import DEVICES, OFFLINE_SPENDING, OFFLINE_USES


async def lock_owner(connection: AsyncConnection, owner_id: str) -> None:
    """Let this owner's enrolments wait for each other until the end of the transaction: how many
    devices somebody has is no row that could be locked."""
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(owner_id, 0))))


async def insert_device(connection: AsyncConnection, device: Device) -> bool:
    """Store a device. False, and nothing stored, if its handle is taken (``uq_devices_handle``)."""
    statement = (
        insert(DEVICES)
        .values({column.name: getattr(device, column.name) for column in DEVICES.columns})
        .on_conflict_do_nothing(constraint="uq_devices_handle")
        .returning(DEVICES.c.id)
    )
    return (await connection.execute(statement)).first() is not None


async def select_owned(connection: AsyncConnection, owner_id: str) -> list[Device]:
    """An owner's devices that are not revoked, oldest first."""
    statement = (
        select(DEVICES)
        .where(DEVICES.c.owner_id == owner_id, DEVICES.c.revoke_time.is_(None))
        .order_by(DEVICES.c.id)
    )
    return _devices(await connection.execute(statement))


async def select_by_handle(
    connection: AsyncConnection, handles: Collection[int]
) -> dict[int, Device]:
    """Those of the devices that exist, by handle, in one query."""
    found = await connection.execute(select(DEVICES).where(DEVICES.c.handle.in_(handles)))
    return {device.handle: device for device in _devices(found)}


async def lock_devices(
    connection: AsyncConnection, device_ids: Collection[str]
) -> dict[str, Device]:
    """Devices, by id, that nobody else uses or changes until the end of the transaction.

    In the order of their ids, so that two batches wait in one direction.
    """
    statement = (
        select(DEVICES).where(DEVICES.c.id.in_(device_ids)).order_by(DEVICES.c.id).with_for_update()
    )
    return {device.id: device for device in _devices(await connection.execute(statement))}


async def update_device(connection: AsyncConnection, device: Device) -> None:
    """Store what may change about a device."""
    await connection.execute(
        update(DEVICES)
        .where(DEVICES.c.id == device.id)
        .values(
            key_id=device.key_id,
            sealed_secret=device.sealed_secret,
            expire_time=device.expire_time,
            revoke_time=device.revoke_time,
        )
    )


async def select_uses_by_digest(
    connection: AsyncConnection, digests: Collection[str]
) -> dict[str, Use]:
    """Uses of these codes, by digest."""
    statement = select(OFFLINE_USES).where(OFFLINE_USES.c.code_digest.in_(digests))
    return {use.code_digest: use for use in _uses(await connection.execute(statement))}


async def select_uses(
    connection: AsyncConnection, windows: Collection[tuple[str, int]]
) -> dict[tuple[str, int], Use]:
    """Uses of these windows, each a device's id and a number."""
    place = tuple_(OFFLINE_USES.c.device_id, OFFLINE_USES.c.time_window)
    found = await connection.execute(select(OFFLINE_USES).where(place.in_(windows)))
    return {(use.device_id, use.time_window): use for use in _uses(found)}


async def insert_uses(connection: AsyncConnection, uses: Sequence[Use]) -> None:
    """Store uses. A window that has one is a violation of ``pk_offline_uses``."""
    await connection.execute(
        insert(OFFLINE_USES),
        [
            {column.name: getattr(use, column.name) for column in OFFLINE_USES.columns}
            for use in uses
        ],
    )


async def lock_spending(
    connection: AsyncConnection, keys: Iterable[SpendingKey]
) -> dict[SpendingKey, int]:
    """What was spent so far, by owner, day and currency; nobody else adds to it until the end of
    the transaction. In one order, so that two batches wait in one direction."""
    rows = [
        {"owner_id": owner_id, "day": day, "currency_code": currency_code, "spent_minor": 0}
        for owner_id, day, currency_code in sorted(keys)
    ]
    spending = OFFLINE_SPENDING
    await connection.execute(insert(spending).values(rows).on_conflict_do_nothing())
    place = tuple_(spending.c.owner_id, spending.c.day, spending.c.currency_code)
    statement = (
        select(spending)
        .where(place.in_([tuple(row.values())[:3] for row in rows]))
        .order_by(spending.c.owner_id, spending.c.day, spending.c.currency_code)
        .with_for_update()
    )
    found = (await connection.execute(statement)).all()
    return {(row.owner_id, row.day, row.currency_code): row.spent_minor for row in found}


async def update_spending(connection: AsyncConnection, spent: Mapping[SpendingKey, int]) -> None:
    """Store what was spent by now."""
    table = OFFLINE_SPENDING
    statement = (
        update(table)
        .where(
            table.c.owner_id == bindparam("of_owner"),
            table.c.day == bindparam("of_day"),
            table.c.currency_code == bindparam("of_currency"),
        )
        .values(spent_minor=bindparam("minor"))
    )
    await connection.execute(
        statement,
        [
            {"of_owner": owner_id, "of_day": day, "of_currency": currency_code, "minor": minor}
            for (owner_id, day, currency_code), minor in spent.items()
        ],
    )


def _devices(result: CursorResult[Any]) -> list[Device]:
    return [Device(**row) for row in result.mappings()]


def _uses(result: CursorResult[Any]) -> list[Use]:
    return [Use(**row) for row in result.mappings()]
