"""A barcode process as the local stack starts it, and a way to call it as anybody."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest

import barcode_svc
from chassis.channel import call, open_channel
from chassis.clock import SystemClock
from chassis.errors import ServiceError
from embedded.certificates import IDENTITIES, ensure_certificates, tls_files
from embedded.child import Command, ServerProcess, running
from embedded.health import check_grpc
from embedded.ports import LOOPBACK, find_free_port
from embedded.valkey import ValkeyServer, running_valkey
from qrpay.barcode.v1 import (
    barcode_pb2,
    barcode_pb2_grpc,
    device_pb2_grpc,
    merchant_pb2,
    merchant_pb2_grpc,
)

REPOSITORY = Path(barcode_svc.__file__).parents[1]
SERVICE = "qrpay.barcode.v1.BarcodeService"
HMAC_KEY = "hidden-key-of-at-least-32-characters"
OFFLINE_KEY = "another-hidden-key-of-32-characters"
SIGNING_KEY = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
"""RFC 8037, appendix A.1."""
CAFE = merchant_pb2.Merchant(
    id="mer_01JD3Q9V7N8R4T2W6X0YZABCDE",
    name="Cafe Aurora",
    city="Lisbon",
    category_code="5814",
    country_code="PT",
    currency_code="EUR",
    version=1,
)


class Mesh(msgspec.Struct, frozen=True, kw_only=True):
    """A barcode process, its Valkey, and a way to call it."""

    process: ServerProcess
    valkey: ValkeyServer
    log_file: Path
    channels: dict[str, grpc.aio.Channel]
    """By identity."""

    async def call(self, identity: str, method: str, request: Any) -> Any:
        """Call as an identity. Raises ServiceError."""
        channel = self.channels[identity]
        stubs: tuple[Any, ...] = (
            barcode_pb2_grpc.BarcodeServiceStub(channel),
            merchant_pb2_grpc.MerchantServiceStub(channel),
            device_pb2_grpc.DeviceServiceStub(channel),
        )
        stub = next(stub for stub in stubs if hasattr(stub, method))
        return await call(getattr(stub, method), request, timeout_seconds=5.0)

    async def start_again(self) -> None:
        """Start the process that was stopped; return when it is healthy and can be called."""
        await self.process.start()
        async with asyncio.timeout(20):
            # A channel that found nobody waits a while before it tries again.
            await asyncio.gather(*(channel.channel_ready() for channel in self.channels.values()))

    async def issue(self, owner_id: str = "usr_alice") -> Any:
        """A new code."""
        request = barcode_pb2.IssueBarcodeRequest(owner_id=owner_id)
        return await self.call("gateway", "IssueBarcode", request)

    async def redeem(self, code: str, **fields: Any) -> Any:
        """The result of one redemption."""
        item = barcode_pb2.BarcodeRedemption(
            **{"code": code, "redemption_token": "one", "merchant_id": CAFE.id, **fields}
        )
        request = barcode_pb2.RedeemBarcodesRequest(items=[item])
        response = await self.call("payment", "RedeemBarcodes", request)
        return response.results[0]


@asynccontextmanager
async def running_mesh(
    directory: Path, *, database_url: str, migration_database_url: str
) -> AsyncIterator[Mesh]:
    """Start it, secrets in files, with a Valkey that may be killed."""
    ensure_certificates(directory, now=SystemClock().now())
    port = find_free_port()
    async with AsyncExitStack() as stack:
        valkey = await stack.enter_async_context(running_valkey(directory))
        secrets = {
            "DATABASE_URL": database_url,
            "MIGRATION_DATABASE_URL": migration_database_url,
            "VALKEY_URL": valkey.barcode_url,
            "CODE_HMAC_KEY": HMAC_KEY,
            "QR_SIGNING_KEY": SIGNING_KEY,
            "OFFLINE_KEY": OFFLINE_KEY,
        }
        for name, secret in secrets.items():
            (directory / name).write_text(secret)
        command = _command(directory, port=port, secrets=list(secrets))
        probe = tls_files(directory, "operator")
        process = await stack.enter_async_context(
            running(
                command,
                lambda: check_grpc(port=port, identity="barcode", service=SERVICE, tls=probe),
            )
        )
        channels = {}
        for identity in IDENTITIES:
            channels[identity] = await stack.enter_async_context(
                open_channel(
                    f"{LOOPBACK}:{port}", identity="barcode", tls=tls_files(directory, identity)
                )
            )
        yield Mesh(process=process, valkey=valkey, log_file=command.log_file, channels=channels)


def _command(directory: Path, *, port: int, secrets: list[str]) -> Command:
    files = tls_files(directory, "barcode")
    return Command(
        name="barcode",
        arguments=(sys.executable, "-m", "barcode_svc"),
        log_file=directory / "barcode.log",
        directory=REPOSITORY,
        environment={
            "LOG_LEVEL": "DEBUG",
            "GRPC_LISTEN": f"{LOOPBACK}:{port}",
            "LOGO_FOLDER": str(directory / "logos"),
            "TLS_CERT_FILE": str(files.cert_file),
            "TLS_KEY_FILE": str(files.key_file),
            "TLS_CA_FILE": str(files.ca_file),
            **{f"{name}_FILE": str(directory / name) for name in secrets},
        },
    )


def register(**fields: Any) -> merchant_pb2.RegisterMerchantRequest:
    """A request to register the cafe, with other fields."""
    merchant = merchant_pb2.Merchant()
    merchant.CopyFrom(CAFE)
    merchant.MergeFrom(merchant_pb2.Merchant(**fields))
    for name, value in fields.items():
        if not value:
            merchant.ClearField(name)
    return merchant_pb2.RegisterMerchantRequest(
        merchant=merchant, request_id=f"register {fields}", actor="opr_1"
    )


def render(**fields: Any) -> barcode_pb2.RenderMerchantQrRequest:
    """A request for the cafe's code as text, with other fields."""
    return barcode_pb2.RenderMerchantQrRequest(
        **{"merchant_id": CAFE.id, "format": barcode_pb2.QR_FORMAT_TEXT, **fields}
    )


def poster(**fields: Any) -> barcode_pb2.RenderPosterRequest:
    """A request for the cafe's poster, with other fields."""
    return barcode_pb2.RenderPosterRequest(
        **{"merchant_id": CAFE.id, "size": barcode_pb2.POSTER_SIZE_A4, **fields}
    )


async def refusal_of(answer: Any) -> ServiceError:
    """The error with which a call is refused."""
    with pytest.raises(ServiceError) as refusal:
        await answer
    return refusal.value
