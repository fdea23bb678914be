"""Money for those who pay: as much as no run can spend."""

from __future__ import annotations

import asyncio

from chassis.channel import call
from cli.mesh import Mesh
from embedded.layout import Layout
from embedded.state import running_state
from qrpay.payment.v1 import payment_pb2
from qrpay.type.v1 import money_pb2
from qrpay.wallet.v1 import wallet_pb2

CURRENCY = "USD"
"""Euros stay short, see ``Load._tight``."""
_AMOUNT_MINOR = 100_000_000
_CALL_SECONDS = 5.0
_ARRIVED_SECONDS_MAX = 30.0


async def give_money(layout: Layout, handles: tuple[str, ...]) -> None:
    """Top up the wallets of these people, and wait until the money is there.

    Raises ``TimeoutError`` if it does not arrive.
    """
    async with Mesh(layout, running_state(layout).ports) as mesh:
        await give_money_by(mesh, handles)


async def give_money_by(mesh: Mesh, handles: tuple[str, ...]) -> None:
    """The same, by the services that are called."""
    async with asyncio.timeout(_ARRIVED_SECONDS_MAX):
        ids = {handle: await _owner_id(mesh, handle) for handle in (*handles, "ops")}
        request = payment_pb2.SubmitPaymentsRequest(
            items=[
                payment_pb2.PaymentRequest(
                    caller_id=ids["ops"],
                    request_id=f"yard-funds-{handle}",
                    top_up=payment_pb2.TopUpMove(recipient=ids[handle]),
                    money=money_pb2.Money(currency_code=CURRENCY, amount_minor=_AMOUNT_MINOR),
                )
                for handle in handles
            ]
        )
        submitted = await call(mesh.payment.SubmitPayments, request, timeout_seconds=_CALL_SECONDS)
        await _wait_until_done(mesh, [result.payment.id for result in submitted.results])


async def _wait_until_done(mesh: Mesh, payment_ids: list[str]) -> None:
    request = payment_pb2.BatchGetPaymentsRequest(payment_ids=payment_ids)
    pending = payment_pb2.PAYMENT_STATUS_PENDING
    while True:
        found = await call(mesh.payment.BatchGetPayments, request, timeout_seconds=_CALL_SECONDS)
        if all(payment.status != pending for payment in found.payments):
            return
        await asyncio.sleep(0.1)


async def _owner_id(mesh: Mesh, handle: str) -> str:
    response = await call(
        mesh.wallet.GetOwner,
        wallet_pb2.GetOwnerRequest(handle=handle),
        timeout_seconds=_CALL_SECONDS,
    )
    owner_id: str = response.owner.id
    return owner_id
