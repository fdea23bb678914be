"""Demo users, a merchant and money, loaded through the public contracts.

Every call carries a request id that never changes, so that loading again changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

import msgspec

from chassis.channel import call
from chassis.errors import ServiceError, Unavailable, from_item_error
from cli.mesh import Mesh
from embedded.errors import StartFailed
from embedded.layout import Layout
from qrpay.barcode.v1 import barcode_pb2
from qrpay.payment.v1 import payment_pb2
from qrpay.type.v1 import money_pb2
from qrpay.wallet.v1 import wallet_pb2

CURRENCIES = ("EUR", "USD")
MONEY_MINOR = {"alice": 100_000, "bob": 50_000}
"""What each customer starts with in every currency: 1,000.00 and 500.00."""

_CALL_SECONDS = 10.0
_LOAD_SECONDS_MAX = 30.0
_POLL_SECONDS = 0.05


class Demo(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of what was loaded."""

    merchant_id: str
    owner_ids: Mapping[str, str]
    """By handle."""


async def load_demo(layout: Layout, ports: Mapping[str, int]) -> Demo:
    """Make the demo users and give them money, unless that is done; wait until the money is there.

    Raises ServiceError, and StartFailed if the money does not arrive in time.
    """
    async with Mesh(layout, ports) as mesh:
        customer, merchant = wallet_pb2.OWNER_KIND_CUSTOMER, wallet_pb2.OWNER_KIND_MERCHANT
        owners = await asyncio.gather(
            _owner(mesh, "alice", "Alice", customer, CURRENCIES),
            _owner(mesh, "bob", "Bob", customer, CURRENCIES),
            _owner(mesh, "cafe", "Corner Cafe", merchant, CURRENCIES),
            _owner(mesh, "ops", "Operations", wallet_pb2.OWNER_KIND_OPERATOR, ()),
        )
        owner_ids = {owner.handle: owner.id for owner in owners}
        await asyncio.gather(_register_merchant(mesh, owner_ids["cafe"]), _top_up(mesh, owner_ids))
    return Demo(merchant_id=owner_ids["cafe"], owner_ids=owner_ids)


async def _owner(
    mesh: Mesh,
    handle: str,
    name: str,
    kind: wallet_pb2.OwnerKind,
    currency_codes: Sequence[str],
) -> wallet_pb2.Owner:
    request = wallet_pb2.CreateOwnerRequest(
        request_id=f"demo-owner-{handle}",
        kind=kind,
        handle=handle,
        name=name,
        currency_codes=currency_codes,
    )
    try:
        created = await call(mesh.wallet.CreateOwner, request, timeout_seconds=_CALL_SECONDS)
    except ServiceError as error:
        if error.reason != "HANDLE_TAKEN":
            raise
        # Somebody else's database, with an alice of its own: ours to use, not to change.
        found = await call(
            mesh.wallet.GetOwner,
            wallet_pb2.GetOwnerRequest(handle=handle),
            timeout_seconds=_CALL_SECONDS,
        )
        return found.owner
    return created.owner


async def _register_merchant(mesh: Mesh, owner_id: str) -> None:
    merchant = barcode_pb2.Merchant(
        id=owner_id,
        name="Corner Cafe",
        city="Springfield",
        category_code="5814",  # ISO 18245: fast food restaurants
        country_code="US",
        currency_code="USD",
    )
    await call(
        mesh.barcode.RegisterMerchant,
        barcode_pb2.RegisterMerchantRequest(merchant=merchant),
        timeout_seconds=_CALL_SECONDS,
    )


async def _top_up(mesh: Mesh, owner_ids: Mapping[str, str]) -> None:
    """Give the customers their money and wait until every top-up is completed."""
    request = payment_pb2.SubmitPaymentsRequest(
        items=[
            payment_pb2.PaymentRequest(
                caller_id=owner_ids["ops"],
                request_id=f"demo-top-up-{handle}-{currency_code}",
                top_up=payment_pb2.TopUpMove(recipient=owner_ids[handle]),
                money=money_pb2.Money(currency_code=currency_code, amount_minor=amount_minor),
            )
            for handle, amount_minor in MONEY_MINOR.items()
            for currency_code in CURRENCIES
        ]
    )
    deadline = time.monotonic() + _LOAD_SECONDS_MAX
    while True:
        statuses = await _submit(mesh, request)
        if all(status == payment_pb2.PAYMENT_STATUS_COMPLETED for status in statuses):
            return
        if payment_pb2.PAYMENT_STATUS_FAILED in statuses:
            raise StartFailed("a demo user's money was refused")
        if time.monotonic() > deadline:
            raise StartFailed("the demo users' money did not arrive in time")
        await asyncio.sleep(_POLL_SECONDS)


async def _submit(
    mesh: Mesh, request: payment_pb2.SubmitPaymentsRequest
) -> list[payment_pb2.PaymentStatus]:
    """Submit (again: a repeat answers with the payment as it is now), and answer where each is."""
    try:
        response = await call(mesh.payment.SubmitPayments, request, timeout_seconds=_CALL_SECONDS)
    except Unavailable:
        return [payment_pb2.PAYMENT_STATUS_PENDING]
    statuses = []
    for result in response.results:
        if result.HasField("error"):
            error = from_item_error(result.error)
            if not error.retryable:
                raise error
            statuses.append(payment_pb2.PAYMENT_STATUS_PENDING)
        else:
            statuses.append(result.payment.status)
    return statuses
