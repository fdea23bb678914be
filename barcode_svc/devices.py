"""The use cases around devices that make codes offline: each one transaction, or one read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from barcode_svc import offline_codes
from barcode_svc.device_keys import DeviceKeys
from barcode_svc.errors import DeviceNotFound, TooManyDevices
from barcode_svc.offline_model import Device
from barcode_svc.store import devices as store
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Unavailable
from chassis.ids import IdMaker

_HANDLE_ATTEMPTS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A device that was enrolled a moment ago."""

    device: Device
    secret: bytes
    """Told once, to the device itself. Not shown by repr."""

    def __repr__(self) -> str:
        return f"Enrolment(device={self.device.id!r})"


class Devices:
    """Enrols, lists, renews and revokes."""

    def __init__(
        self,
        *,
        database: Database,
        keys: DeviceKeys,
        clock: Clock,
        ids: IdMaker,
        enrolment: timedelta,
        devices_per_owner_max: int,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._ids = ids
        self._enrolment = enrolment
        self._devices_per_owner_max = devices_per_owner_max
        self._random_bytes = random_bytes

    async def enroll(self, owner_id: str, name: str) -> Enrolment:
        """Enrol a device; one of the owner's under the same name is revoked with it.

        Raises ``TooManyDevices``, ``Unavailable``.
        """
        now = self._clock.now()
        secret = self._random_bytes(offline_codes.SECRET_BYTES)
        device_id = self._ids.make("dev")
        key_id, sealed_secret = self._keys.seal(secret, device_id)
        handles = [self._handle() for _ in range(_HANDLE_ATTEMPTS_MAX)]

        async def work(connection: AsyncConnection) -> Device:
            await store.lock_owner(connection, owner_id)
            there = await store.select_owned(connection, owner_id)
            for earlier in there:
                if earlier.name == name:
                    await store.update_device(connection, replace(earlier, revoke_time=now))
            if sum(earlier.name != name for earlier in there) >= self._devices_per_owner_max:
                raise TooManyDevices
            for handle in handles:
                device = Device(
                    id=device_id,
                    owner_id=owner_id,
                    name=name,
                    handle=handle,
                    key_id=key_id,
                    sealed_secret=sealed_secret,
                    create_time=now,
                    expire_time=now + self._enrolment,
                    revoke_time=None,
                )
                if await store.insert_device(connection, device):
                    return device
            raise Unavailable

        return Enrolment(device=await self._database.transaction(work), secret=secret)

    async def list(self, owner_id: str) -> list[Device]:
        """An owner's devices that are not revoked, oldest first. Raises ``Unavailable``."""

        async def work(connection: AsyncConnection) -> list[Device]:
            return await store.select_owned(connection, owner_id)

        return await self._database.read(work)

    async def renew(self, owner_id: str, device_id: str) -> Device:
        """Prolong an enrolment from now, and take the device's secret over to the current key.

        Raises ``DeviceNotFound`` (also if it is another owner's or was revoked), ``Unavailable``.
        """

        def change(device: Device, now: datetime) -> Device:
            secret = self._keys.open(device.key_id, device.sealed_secret, device.id)
            if device.revoke_time is not None or secret is None:
                raise DeviceNotFound
            key_id, sealed_secret = self._keys.seal(secret, device.id)
            return replace(
                device,
                key_id=key_id,
                sealed_secret=sealed_secret,
                expire_time=now + self._enrolment,
            )

        return await self._change(owner_id, device_id, change)

    async def revoke(self, owner_id: str, device_id: str) -> Device:
        """End an enrolment for ever; a second time changes nothing.

        Raises ``DeviceNotFound`` (also if it is another owner's), ``Unavailable``.
        """

        def change(device: Device, now: datetime) -> Device:
            return replace(device, revoke_time=device.revoke_time or now)

        return await self._change(owner_id, device_id, change)

    async def _change(
        self, owner_id: str, device_id: str, change: Callable[[Device, datetime], Device]
    ) -> Device:
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> Device:
            device = (await store.lock_devices(connection, [device_id])).get(device_id)
            if device is None or device.owner_id != owner_id:
                raise DeviceNotFound
            changed = change(device, now)
            await store.update_device(connection, changed)
            return changed

        return await self._database.transaction(work)

    def _handle(self) -> int:
        # 64 bits modulo 10^9: the bias is beyond measure.
        return int.from_bytes(self._random_bytes(8), "big") % offline_codes.HANDLES
