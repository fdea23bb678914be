"""DeviceService: checks the message, calls the use case, builds the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from barcode_svc import model, offline_codes, offline_model
from barcode_svc.device_keys import DeviceKeys
from barcode_svc.devices import Devices
from barcode_svc.offline_model import Device
from chassis.errors import FieldViolation, InvalidArgument
from qrpay.barcode.v1 import device_pb2, device_pb2_grpc

_GATEWAY = frozenset({"gateway"})
ALLOWED_CALLERS: Mapping[str, frozenset[str]] = {
    "EnrollDevice": _GATEWAY,
    "ListDevices": _GATEWAY | {"gateway-reader"},
    "RenewDevice": _GATEWAY,
    "RevokeDevice": _GATEWAY,
}


class DeviceServicer(device_pb2_grpc.DeviceServiceServicer):
    """The gRPC face of ``Devices``."""

    def __init__(self, *, devices: Devices, keys: DeviceKeys) -> None:
        self._devices = devices
        self._keys = keys

    async def EnrollDevice(
        self, request: device_pb2.EnrollDeviceRequest, context: Any
    ) -> device_pb2.EnrollDeviceResponse:
        """A new device and its secret."""
        broken = _broken(request, "owner_id")
        if not offline_model.is_device_name(request.name):
            broken.append(FieldViolation("name", "must be 1 to 64 printable characters"))
        if broken:
            raise InvalidArgument(broken)
        enrolment = await self._devices.enroll(request.owner_id, request.name)
        return device_pb2.EnrollDeviceResponse(
            device=_device_message(enrolment.device),
            secret=enrolment.secret,
            material=self._material(enrolment.device),
        )

    async def ListDevices(
        self, request: device_pb2.ListDevicesRequest, context: Any
    ) -> device_pb2.ListDevicesResponse:
        """An owner's devices."""
        _check(request, "owner_id")
        devices = await self._devices.list(request.owner_id)
        return device_pb2.ListDevicesResponse(devices=map(_device_message, devices))

    async def RenewDevice(
        self, request: device_pb2.RenewDeviceRequest, context: Any
    ) -> device_pb2.RenewDeviceResponse:
        """A longer enrolment."""
        _check(request, "owner_id", "device_id")
        device = await self._devices.renew(request.owner_id, request.device_id)
        return device_pb2.RenewDeviceResponse(
            device=_device_message(device), material=self._material(device)
        )

    async def RevokeDevice(
        self, request: device_pb2.RevokeDeviceRequest, context: Any
    ) -> device_pb2.RevokeDeviceResponse:
        """An enrolment less."""
        _check(request, "owner_id", "device_id")
        device = await self._devices.revoke(request.owner_id, request.device_id)
        return device_pb2.RevokeDeviceResponse(device=_device_message(device))

    def _material(self, device: Device) -> device_pb2.OfflineMaterial:
        return device_pb2.OfflineMaterial(
            handle=device.handle,
            permutation_key=self._keys.current.permutation_key,
            window_seconds=offline_codes.WINDOW_SECONDS,
        )


def _broken(request: Any, *fields: str) -> list[FieldViolation]:
    return [
        FieldViolation(field, model.KEY_PART_RULE)
        for field in fields
        if not model.is_key_part(getattr(request, field))
    ]


def _check(request: Any, *fields: str) -> None:
    if broken := _broken(request, *fields):
        raise InvalidArgument(broken)


def _device_message(device: Device) -> device_pb2.Device:
    message = device_pb2.Device(id=device.id, name=device.name)
    message.create_time.FromDatetime(device.create_time)
    message.expire_time.FromDatetime(device.expire_time)
    if device.revoke_time is not None:
        message.revoke_time.FromDatetime(device.revoke_time)
    return message
