"""Devices that show valid codes while they are offline."""

from __future__ import annotations

import base64

from msgspec import UNSET, UnsetType

from gateway import answers
from gateway.bodies import DeviceBody
from gateway.operation import Call, Reply
from gateway.payment_view import time_of
from gateway.replies import json_reply
from gateway.upstream import Upstream
from qrpay.barcode.v1 import device_pb2


class DevicesApi:
    """Handlers of /devices."""

    def __init__(self, *, upstream: Upstream) -> None:
        self._upstream = upstream

    async def enroll(self, call: Call) -> Reply:
        """POST /devices. The only answer that has the device's secret; nobody may store it."""
        body: DeviceBody = call.body
        response = await self._upstream.call(
            self._upstream.device.EnrollDevice,
            device_pb2.EnrollDeviceRequest(owner_id=call.user.id, name=body.name),
        )
        material = _material(response.material, secret=_base64url(response.secret))
        answer = answers.EnrolledDevice(device=_device(response.device), offline=material)
        return json_reply(answer, status=201)

    async def list_devices(self, call: Call) -> Reply:
        """GET /devices."""
        response = await self._upstream.call(
            self._upstream.device.ListDevices,
            device_pb2.ListDevicesRequest(owner_id=call.user.id),
        )
        return json_reply(answers.Devices(items=[_device(it) for it in response.devices]))

    async def renew(self, call: Call) -> Reply:
        """POST /devices/{device_id}/renew."""
        response = await self._upstream.call(
            self._upstream.device.RenewDevice,
            device_pb2.RenewDeviceRequest(owner_id=call.user.id, device_id=call.path["device_id"]),
        )
        return json_reply(
            answers.EnrolledDevice(
                device=_device(response.device), offline=_material(response.material)
            )
        )

    async def revoke(self, call: Call) -> Reply:
        """POST /devices/{device_id}/revoke."""
        response = await self._upstream.call(
            self._upstream.device.RevokeDevice,
            device_pb2.RevokeDeviceRequest(owner_id=call.user.id, device_id=call.path["device_id"]),
        )
        return json_reply(_device(response.device))


def _device(device: device_pb2.Device) -> answers.Device:
    revoked = device.HasField("revoke_time")
    return answers.Device(
        id=device.id,
        name=device.name,
        created_at=time_of(device.create_time),
        expires_at=time_of(device.expire_time),
        revoked_at=time_of(device.revoke_time) if revoked else UNSET,
    )


def _material(
    material: device_pb2.OfflineMaterial, *, secret: str | UnsetType = UNSET
) -> answers.OfflineMaterial:
    return answers.OfflineMaterial(
        handle=f"{material.handle:09}",
        permutation_key=_base64url(material.permutation_key),
        window_seconds=material.window_seconds,
        secret=secret,
    )


def _base64url(octets: bytes) -> str:
    """RFC 4648, section 5, without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
