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
from qrpay.barcode.v1 import (
    barcode_pb2,
    barcode_pb2_grpc,
    device_pb2_grpc,
    merchant_pb2,
    merchant_pb2_grpc,
)
from qrpay.ledger.v1 import ledger_pb2_grpc
from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc, timeline_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2_grpc

ResponseType = TypeVar("ResponseType")

_PROBE_SECONDS = 1.0
_PROBE_PAUSE_SECONDS = 0.2
_PAYMENT_SERVICE = payment_pb2.DESCRIPTOR.services_by_name["PaymentService"].full_name

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
    canary: payment_pb2_grpc.PaymentServiceStub | None = None
    """The payment_svc for pilot merchants, if there is one."""
    canary_health: Any = None  # its types name no methods
    channels: dict[str, grpc.aio.Channel]
    """Those without which there is nothing to serve. The canary is not among them."""
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
        return await self._submit(self.payment, requests, seconds)

    async def submit_to_canary(
        self, requests: Sequence[payment_pb2.PaymentRequest], seconds: float
    ) -> list[payment_pb2.SubmitPaymentResult | ServiceError]:
        """As ``submit``, to the canary."""
        assert self.canary is not None, "only where there is one"
        return await self._submit(self.canary, requests, seconds)

    async def canary_is_serving(self) -> bool:
        """Whether the canary says that it accepts payments."""
        request = health_pb2.HealthCheckRequest(service=_PAYMENT_SERVICE)
        try:
            answer = await self.canary_health.Check(request, timeout=_PROBE_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def list_pilots(self) -> Sequence[str]:
        """The ids of merchants that are pilots. Raises ``ServiceError``."""
        request = merchant_pb2.ListPilotMerchantsRequest()
        return (await self.call(self.merchants.ListPilotMerchants, request)).merchant_ids

    async def _submit(
        self,
        payment: payment_pb2_grpc.PaymentServiceStub,
        requests: Sequence[payment_pb2.PaymentRequest],
        seconds: float,
    ) -> list[payment_pb2.SubmitPaymentResult | ServiceError]:
        response = await self.call(
            payment.SubmitPayments,
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
    async with AsyncExitStack() as stack:

        async def opened(target: str, identity: str) -> grpc.aio.Channel:
            return await stack.enter_async_context(
                channel.open_channel(
                    target,
                    identity=identity,
                    tls=settings.tls,
                    reload_seconds=settings.tls_reload_seconds,
                )
            )

        payment = await opened(settings.payment_target, "payment")
        wallet = await opened(settings.wallet_target, "wallet")
        barcode = await opened(settings.barcode_target, "barcode")
        ledger = await opened(settings.ledger_target, "ledger")
        canary, canary_health = None, None
        if settings.canary_payment_target:
            beside = await opened(settings.canary_payment_target, "payment")
            canary = payment_pb2_grpc.PaymentServiceStub(beside)
            canary_health = health_pb2_grpc.HealthStub(beside)
        yield Upstream(
            payment=payment_pb2_grpc.PaymentServiceStub(payment),
            timeline=timeline_pb2_grpc.TimelineServiceStub(payment),
            wallet=wallet_pb2_grpc.WalletServiceStub(wallet),
            barcode=barcode_pb2_grpc.BarcodeServiceStub(barcode),
            merchants=merchant_pb2_grpc.MerchantServiceStub(barcode),
            device=device_pb2_grpc.DeviceServiceStub(barcode),
            ledger=ledger_pb2_grpc.LedgerServiceStub(ledger),
            canary=canary,
            canary_health=canary_health,
            channels={"payment": payment, "wallet": wallet, "barcode": barcode},
            seconds=settings.upstream_seconds,
        )
