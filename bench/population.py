"""The people of a measurement: payers with money, and one hot merchant. Made once per system."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from chassis.channel import call
from qrpay.barcode.v1 import barcode_pb2, barcode_pb2_grpc, merchant_pb2, merchant_pb2_grpc
from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc
from qrpay.type.v1 import money_pb2
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc

CURRENCY = "USD"
PAYERS = 10_000
_TOP_UP_MINOR = 100_000_000
_CONCURRENCY = 64
_BATCH = 256
_CALL_SECONDS_MAX = 10.0
_DONE_SECONDS_MAX = 120.0


class Services(NamedTuple):
    """What the population is made through."""

    wallets: wallet_pb2_grpc.WalletServiceStub
    payments: payment_pb2_grpc.PaymentServiceStub
    barcodes: barcode_pb2_grpc.BarcodeServiceStub
    merchants: merchant_pb2_grpc.MerchantServiceStub
    operator_id: str


class Population(NamedTuple):
    """Who takes part."""

    payer_ids: list[str]
    """Payer n has the handle ``bench-<n + 1>`` with five digits."""
    merchant_qr: str
    """Text of the hot merchant's static code."""


async def populate(
    services: Services, *, progress: Callable[[int], None], payers: int = PAYERS
) -> Population:
    """Make the payers and the merchant, or find those that are there.

    Every call carries a request id that follows from the payer's number, so a run that was
    interrupted is simply repeated. ``progress`` is told how many of ``2 * payers`` steps are done.
    """
    made = 0
    limit = asyncio.Semaphore(_CONCURRENCY)

    async def make(number: int) -> str:
        nonlocal made
        async with limit:
            owner_id = await _create_owner(services, f"bench-{number:05}", customer=True)
        made += 1
        progress(made)
        return owner_id

    payer_ids = list(await asyncio.gather(*(make(number) for number in range(1, payers + 1))))
    waiting: list[str] = []
    for start in range(0, payers, _BATCH):
        batch = payer_ids[start : start + _BATCH]
        waiting += await _top_up(services, batch)
        progress(payers + start + len(batch))
    await _wait_until_done(services, waiting)
    return Population(payer_ids, await _make_merchant(services))


async def _create_owner(services: Services, handle: str, *, customer: bool) -> str:
    response = await call(
        services.wallets.CreateOwner,
        wallet_pb2.CreateOwnerRequest(
            request_id=f"bench-owner-{handle}",
            kind=wallet_pb2.OWNER_KIND_CUSTOMER if customer else wallet_pb2.OWNER_KIND_MERCHANT,
            handle=handle,
            name=handle.replace("-", " ").title(),
            currency_codes=[CURRENCY],
        ),
        timeout_seconds=_CALL_SECONDS_MAX,
    )
    return response.owner.id


async def _top_up(services: Services, payer_ids: Sequence[str]) -> list[str]:
    """Give each payer money; answer the payments that are not done yet."""
    response = await call(
        services.payments.SubmitPayments,
        payment_pb2.SubmitPaymentsRequest(
            items=[
                payment_pb2.PaymentRequest(
                    caller_id=services.operator_id,
                    request_id=f"bench-top-up-{payer_id}",
                    top_up=payment_pb2.TopUpMove(recipient=payer_id),
                    money=money_pb2.Money(currency_code=CURRENCY, amount_minor=_TOP_UP_MINOR),
                )
                for payer_id in payer_ids
            ]
        ),
        timeout_seconds=_CALL_SECONDS_MAX,
    )
    return [
        result.payment.id
        for result in response.results
        if result.payment.status == payment_pb2.PAYMENT_STATUS_PENDING
    ]


async def _wait_until_done(services: Services, payment_ids: list[str]) -> None:
    async with asyncio.timeout(_DONE_SECONDS_MAX):
        for start in range(0, len(payment_ids), _BATCH):
            batch = payment_ids[start : start + _BATCH]
            while batch:
                response = await call(
                    services.payments.BatchGetPayments,
                    payment_pb2.BatchGetPaymentsRequest(payment_ids=batch),
                    timeout_seconds=_CALL_SECONDS_MAX,
                )
                batch = [
                    payment.id
                    for payment in response.payments
                    if payment.status == payment_pb2.PAYMENT_STATUS_PENDING
                ]
                if batch:
                    await asyncio.sleep(0.2)


async def _make_merchant(services: Services) -> str:
    merchant_id = await _create_owner(services, "bench-cafe", customer=False)
    await call(
        services.merchants.RegisterMerchant,
        merchant_pb2.RegisterMerchantRequest(
            request_id="bench-merchant-cafe",
            actor=services.operator_id,
            merchant=merchant_pb2.Merchant(
                id=merchant_id,
                name="Bench Cafe",
                city="Bench",
                category_code="5814",
                country_code="US",
                currency_code=CURRENCY,
            ),
        ),
        timeout_seconds=_CALL_SECONDS_MAX,
    )
    response = await call(
        services.barcodes.RenderMerchantQr,
        barcode_pb2.RenderMerchantQrRequest(
            merchant_id=merchant_id, format=barcode_pb2.QR_FORMAT_TEXT
        ),
        timeout_seconds=_CALL_SECONDS_MAX,
    )
    return response.content.decode()
