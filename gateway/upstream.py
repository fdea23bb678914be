"""The services behind the gateway: their channels, and the one way to call them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis import channel
from chassis.errors import ServiceError, Unavailable, from_item_error
from chassis.logs import get_logger
from gateway.settings import GatewaySettings
from qrpay.barcode.v1 import barcode_pb2, barcode_pb2_grpc, device_pb2_grpc, merchant_pb2_grpc
from qrpay.ledger.v1 import ledger_pb2_grpc
from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc, timeline_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2_grpc

ResponseType = TypeVar("ResponseType")

_PROBE_SECONDS = 1.0
_PROBE_PAUSE_SECONDS = 0.2

# What these mean is that the mesh refuses *us*: a fault of the installation, not of the user.
_REFUSALS = {
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNIMPLEMENTED,
}

_LOG = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """Stubs for the services that the gateway calls, and its deadline."""

    payment: payment_pb2_grpc.PaymentServiceStub
    timeline: timeline_pb2_grpc.TimelineServiceStub
    """Served by payment_svc, too."""
    wallet: wallet_pb2_grpc.WalletServiceStub
    barcode: barcode_pb2_grpc.BarcodeServiceStub
    merchants: merchant_pb2_grpc.MerchantServiceStub
    device: device_pb2_grpc.DeviceServiceStub
    """Served by barcode_svc, too."""
    ledger: ledger_pb2_grpc.LedgerServiceStub
    channels: dict[str, grpc.aio.Channel]
    """Those without which there is nothing to serve."""
    seconds: float

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Any, ResponseType],
        request: Any,
        *,
        seconds: float | None = None,
    ) -> ResponseType:
        """Call a service. Raises ``ServiceError``: what the service raised, or ``Unavailable``,
        ``DeadlineExceeded`` if it could not be asked."""
        try:
            return await channel.call(method, request, timeout_seconds=seconds or self.seconds)
        except ServiceError as error:
            if error.code in _REFUSALS:
                _LOG.error("upstream_refuses_us", code=error.code.name, reason=error.reason)
                raise Unavailable from error
            raise

    async def submit(
        self, requests: Sequence[payment_pb2.PaymentRequest], seconds: float
    ) -> list[payment_pb2.SubmitPaymentResult | ServiceError]:
        """Submit a batch of payments; one outcome each, in order. Raises ``ServiceError`` if the
        batch as a whole was not answered."""
        response = await self.call(
            self.payment.SubmitPayments,
            payment_pb2.SubmitPaymentsRequest(items=requests),
            seconds=seconds,
        )
        if len(response.results) != len(requests):
            _LOG.error("submit_answered_other_items", asked=len(requests))
            raise Unavailable
        return [
            result if result.HasField("payment") else from_item_error(result.error)
            for result in response.results
        ]

    async def issue(
        self, items: Sequence[barcode_pb2.BarcodeIssue]
    ) -> list[barcode_pb2.IssuedBarcode | ServiceError]:
        """Issue a batch of barcodes; one outcome each, in order. Raises ``ServiceError`` if the
        batch as a whole was not answered."""
        response = await self.call(
            self.barcode.IssueBarcodes, barcode_pb2.IssueBarcodesRequest(items=items)
        )
        if len(response.results) != len(items):
            _LOG.error("issue_answered_other_items", asked=len(items))
            raise Unavailable
        return [
            result.barcode if result.HasField("barcode") else from_item_error(result.error)
            for result in response.results
        ]

    async def wait_until_answering(self, name: str) -> None:
        """Return as soon as the service has answered once, whatever it says."""
        stub: Any = health_pb2_grpc.HealthStub(self.channels[name])  # its types name no methods
        while True:
            try:
                await stub.Check(health_pb2.HealthCheckRequest(), timeout=_PROBE_SECONDS)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    return
                await asyncio.sleep(_PROBE_PAUSE_SECONDS)
            else:
                return


@asynccontextmanager
async def open_upstream(settings: GatewaySettings) -> AsyncIterator[Upstream]:
    """Channels to all services for the time of the block. Returns at once, they connect lazily."""
    targets = {
        "payment": settings.payment_target,
        "wallet": settings.wallet_target,
        "barcode": settings.barcode_target,
    }
    async with AsyncExitStack() as stack:
        channels = {
            name: await stack.enter_async_context(
                channel.open_channel(target, identity=name, tls=settings.tls)
            )
            for name, target in targets.items()
        }
        ledger = await stack.enter_async_context(
            channel.open_channel(settings.ledger_target, identity="ledger", tls=settings.tls)
        )
        yield Upstream(
            payment=payment_pb2_grpc.PaymentServiceStub(channels["payment"]),
            timeline=timeline_pb2_grpc.TimelineServiceStub(channels["payment"]),
            wallet=wallet_pb2_grpc.WalletServiceStub(channels["wallet"]),
            barcode=barcode_pb2_grpc.BarcodeServiceStub(channels["barcode"]),
            merchants=merchant_pb2_grpc.MerchantServiceStub(channels["barcode"]),
            device=device_pb2_grpc.DeviceServiceStub(channels["barcode"]),
            ledger=ledger_pb2_grpc.LedgerServiceStub(ledger),
            channels=channels,
            seconds=settings.upstream_seconds,
        )
