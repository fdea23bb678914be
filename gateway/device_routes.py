"""The part of the route table that is about devices which make codes offline."""

from __future__ import annotations

from collections.abc import Iterable

from gateway import answers, bodies
from gateway.auth import Role
from gateway.bodies import BodyDecoder
from gateway.devices_api import DevicesApi
from gateway.operation import Operation, Success

_CUSTOMERS: tuple[Role, ...] = ("customer",)


def device_operations(devices: DevicesApi) -> Iterable[Operation]:
    """The entries, in the order of the documentation."""
    yield Operation(
        method="POST",
        path="/devices",
        tag="Codes and merchants",
        summary="Let a device make codes while it is offline",
        description="How it makes them: docs/barcodes.md. The secret is in this answer and in no "
        "other; a second device of the same name replaces the first.",
        handler=devices.enroll,
        roles=_CUSTOMERS,
        bodies={"customer": BodyDecoder(bodies.DeviceBody)},
        successes=(
            Success(
                status=201, description="The device and its secret.", shape=answers.EnrolledDevice
            ),
        ),
        problems=("too-many-devices",),
    )
    yield Operation(
        method="GET",
        path="/devices",
        tag="Codes and merchants",
        summary="Your devices that make codes offline",
        handler=devices.list_devices,
        roles=_CUSTOMERS,
        successes=(Success(status=200, description="All of them.", shape=answers.Devices),),
    )
    yield from _changes(devices)


def _changes(devices: DevicesApi) -> Iterable[Operation]:
    no_body = BodyDecoder(bodies.EmptyBody)
    yield Operation(
        method="POST",
        path="/devices/{device_id}/renew",
        tag="Codes and merchants",
        summary="A device has been online again",
        description="It may go on for the whole time from now. Its key may be another one now.",
        handler=devices.renew,
        roles=_CUSTOMERS,
        bodies={"customer": no_body},
        body_optional=True,
        successes=(
            Success(
                status=200,
                description="The device, without its secret.",
                shape=answers.EnrolledDevice,
            ),
        ),
        problems=("device-not-found",),
    )
    yield Operation(
        method="POST",
        path="/devices/{device_id}/revoke",
        tag="Codes and merchants",
        summary="A device is lost, or done with",
        description="Its codes are unknown from now on, for ever.",
        handler=devices.revoke,
        roles=_CUSTOMERS,
        bodies={"customer": no_body},
        body_optional=True,
        successes=(Success(status=200, description="The device as it was.", shape=answers.Device),),
        problems=("device-not-found",),
    )
