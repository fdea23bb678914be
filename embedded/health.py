"""Questions to our own processes: gRPC health over mTLS, and the gateway's /readyz."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.tls import IDENTITY_SUFFIX, TlsFiles, channel_credentials, read_identity
from embedded.certificates import tls_files
from embedded.child import Check
from embedded.errors import NotReady
from embedded.layout import Layout
from embedded.ports import LOOPBACK, check_listening

RPC_SERVICES = {
    "wallet": "qrpay.wallet.v1.WalletService",
    "barcode": "qrpay.barcode.v1.BarcodeService",
    "ledger": "qrpay.ledger.v1.LedgerService",
    "payment": "qrpay.payment.v1.PaymentService",
}
"""Whose health says that a process can do its work; the gateway has /readyz."""

_TIMEOUT_SECONDS = 2.0


def process_check(layout: Layout, name: str, port: int) -> Check:
    """The question that tells whether a process of a stack can do its work."""
    if name == "gateway":
        return functools.partial(check_http, port=port, path="/readyz")
    return functools.partial(
        check_grpc,
        port=port,
        identity=name,
        service=RPC_SERVICES[name],
        tls=tls_files(layout.certificates, "operator"),
    )


async def check_grpc(*, port: int, identity: str, service: str, tls: TlsFiles) -> None:
    """Ask a process of the mesh, which must be `identity`, whether a service can do its work.

    `service` is the full name from the contract. Raises NotReady, OSError.
    """
    # A channel is dear compared with a refused connection, which most of the first questions meet.
    await check_listening(port)
    options = [("grpc.ssl_target_name_override", identity + IDENTITY_SUFFIX)]
    async with grpc.aio.secure_channel(
        f"{LOOPBACK}:{port}", channel_credentials(read_identity(tls)), options=options
    ) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its type stubs name no methods
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            response = await stub.Check(request, timeout=_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise NotReady(f"{identity}: {error.code().name} {error.details()}") from error
    if response.status != health_pb2.HealthCheckResponse.SERVING:
        raise NotReady(f"{identity}: it runs, and waits for something that it needs")


async def check_http(*, port: int, path: str, address: str = LOOPBACK) -> None:
    """GET a path; ready means 200. Raises NotReady, OSError."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: {address}:{port}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        await writer.drain()
        status_line = (await reader.readline()).decode(errors="replace").strip()
    finally:
        writer.close()
    if status_line.split(" ")[1:2] != ["200"]:
        raise NotReady(f"{path} answers {status_line or 'nothing'}")
