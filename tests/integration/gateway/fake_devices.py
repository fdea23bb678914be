"""A stand-in for the devices of barcode_svc."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc

from qrpay.barcode.v1 import device_pb2, device_pb2_grpc
from tests.integration.gateway.fakes import IDS, Faults, refusal


class FakeDevices(device_pb2_grpc.DeviceServiceServicer):
    """The devices of barcode_svc, in memory."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.owned: dict[str, dict[str, device_pb2.Device]] = defaultdict(dict)
        self.material = device_pb2.OfflineMaterial(
            handle=12345678, permutation_key=b"p" * 32, window_seconds=30
        )

    async def EnrollDevice(self, request: Any, context: Any) -> Any:
        """A device with a secret."""
        await self.faults.strike("EnrollDevice")
        if request.name == "one too many":
            raise refusal("TOO_MANY_DEVICES")
        device = device_pb2.Device(id=IDS.make("dev"), name=request.name)
        device.create_time.FromDatetime(datetime.now(UTC))
        device.expire_time.FromDatetime(datetime.now(UTC) + timedelta(days=7))
        self.owned[request.owner_id][device.id] = device
        return device_pb2.EnrollDeviceResponse(
            device=device, secret=b"\xff" * 32, material=self.material
        )

    async def ListDevices(self, request: Any, context: Any) -> Any:
        """Those of the owner."""
        await self.faults.strike("ListDevices")
        return device_pb2.ListDevicesResponse(devices=self.owned[request.owner_id].values())

    async def RenewDevice(self, request: Any, context: Any) -> Any:
        """The device again."""
        await self.faults.strike("RenewDevice")
        device = self._find(request)
        return device_pb2.RenewDeviceResponse(device=device, material=self.material)

    async def RevokeDevice(self, request: Any, context: Any) -> Any:
        """The device, revoked."""
        await self.faults.strike("RevokeDevice")
        device = self._find(request)
        device.revoke_time.FromDatetime(datetime.now(UTC))
        return device_pb2.RevokeDeviceResponse(device=device)

    def _find(self, request: Any) -> device_pb2.Device:
        device = self.owned[request.owner_id].get(request.device_id)
        if device is None:
            raise refusal("DEVICE_NOT_FOUND", grpc.StatusCode.NOT_FOUND)
        return device
