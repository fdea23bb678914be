"""The job after the processes start: wait until all of them can work, then load the demo.

Demo users, a merchant and money come in through the public contracts. Every call carries a request
id that never changes, so that loading again changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

import msgspec

from chassis.channel import call
from chassis.errors import ServiceError, Unavailable, from_item_error
from cli.mesh import Mesh
from cli.reports import Demo
from embedded.child import Check, run_check
from embedded.errors import NotReady, StartFailed
from embedded.health import RPC_SERVICES, process_check
from embedded.jobs import job_main
from embedded.layout import Layout
from embedded.state import running_state
from qrpay.barcode.v1 import merchant_pb2
from qrpay.payment.v1 import payment_pb2
from qrpay.type.v1 import money_pb2
from qrpay.wallet.v1 import wallet_pb2

CURRENCIES = ("EUR", "USD")
MONEY_MINOR = {"alice": 100_000, "bob": 50_000}
"""What each customer starts with in every currency: 1,000.00 and 500.00."""

_CALL_SECONDS = 10.0
_LOAD_SECONDS_MAX = 30.0
_HEALTHY_SECONDS_MAX = 60.0
_POLL_SECONDS = 0.05


def load(layout: Layout) -> bytes:
    """Do all of it for the stack that is starting on a data directory. Answers the Demo, as JSON.

    Raises StackError if a process cannot work, or the money does not arrive, in time.
    """
    return msgspec.json.encode(asyncio.run(_load(layout)))


async def _load(layout: Layout) -> Demo:
    state = running_state(layout)
    await asyncio.gather(
        *(
            _healthy(name, process_check(layout, name, state.ports[name]))
            for name in (*RPC_SERVICES, "gateway")
        )
    )
    async with Mesh(layout, state.ports) as mesh:
        try:
            return await load_demo(mesh)
        except ServiceError as error:
            raise StartFailed(f"the demo data could not be loaded: {error}") from error


async def _healthy(name: str, check: Check) -> None:
    """Wait until a process can do its work."""
    deadline = time.monotonic() + _HEALTHY_SECONDS_MAX
    while True:
        try:
            await run_check(check)
        except NotReady as error:
            if time.monotonic() > deadline:
                text = f"{name} runs but does not work after {_HEALTHY_SECONDS_MAX:g} s: {error}"
                raise StartFailed(text) from error
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return


async def load_demo(mesh: Mesh) -> Demo:
    """Make the demo users and give them money, unless that is done; wait until it is there.

    Raises ``ServiceError``, ``StartFailed``.
    """
    customer, merchant = wallet_pb2.OWNER_KIND_CUSTOMER, wallet_pb2.OWNER_KIND_MERCHANT
    # One after the other: at once they would have wallet open a database connection for each, and a
    # connection that is there stays there.
    owners = [
        await _owner(mesh, "alice", "Alice", customer, CURRENCIES),
        await _owner(mesh, "bob", "Bob", customer, CURRENCIES),
        await _owner(mesh, "cafe", "Corner Cafe", merchant, CURRENCIES),
        await _owner(mesh, "ops", "Operations", wallet_pb2.OWNER_KIND_OPERATOR, ()),
    ]
    owner_ids = {owner.handle: owner.id for owner in owners}
    await asyncio.gather(
        _register_merchant(mesh, owner_ids["cafe"], operator_id=owner_ids["ops"]),
        _top_up(mesh, owner_ids),
    )
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


async def _register_merchant(mesh: Mesh, owner_id: str, *, operator_id: str) -> None:
    merchant = merchant_pb2.Merchant(
        id=owner_id,
        name="Corner Cafe",
        city="Springfield",
        category_code="5814",  # ISO 18245: fast food restaurants
        country_code="US",
        currency_code="USD",
    )
    await call(
        mesh.merchants.RegisterMerchant,
        merchant_pb2.RegisterMerchantRequest(
            merchant=merchant, request_id="demo-merchant-cafe", actor=operator_id
        ),
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


if __name__ == "__main__":
    job_main(load)
