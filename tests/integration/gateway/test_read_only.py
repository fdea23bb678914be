"""A gateway that only reads, in front of services that know who may read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest
from nats.aio.client import Client as NatsClient

from chassis.server import RpcService
from gateway.problems import PROBLEM_TYPES
from qrpay.barcode.v1 import (
    barcode_pb2,
    barcode_pb2_grpc,
    device_pb2,
    device_pb2_grpc,
    merchant_pb2,
    merchant_pb2_grpc,
)
from qrpay.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc, timeline_pb2, timeline_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc
from tests.integration.gateway.conftest import Gateway, Mesh, User, running_gateway
from tests.integration.gateway.fake_merchants import LOGO_SHA256, STORE_ID
from tests.integration.gateway.fakes import MERCHANT_ID, rpc_service, running_services
from tests.integration.gateway.test_event_stream import stream
from tests.mesh_rpcs import RPCS

CALLERS = {(rpc.service, rpc.method): rpc.callers for rpc in RPCS}
FOR_READERS = {rpc.method for rpc in RPCS if "gateway-reader" in rpc.callers}
STATEMENT = {"currency": "USD"}


def test_readers_are_allowed_no_change() -> None:
    """Whatever a reader may call is declared as reading in the audit trail."""
    assert [rpc.path for rpc in RPCS if rpc.changes and "gateway-reader" in rpc.callers] == []
    assert len(FOR_READERS) > 10


def guarded(servicer: Any, module: Any, grpc_module: Any, service: str) -> RpcService:
    """A fake that lets in whom the real service lets in."""
    found = rpc_service(servicer, module, grpc_module, service)
    full_name = found.descriptor.full_name
    allowed = {name: CALLERS[full_name, name] for name in found.allowed_callers}
    return replace(found, allowed_callers=allowed)


@pytest.fixture
async def reader(mesh: Mesh) -> AsyncIterator[Gateway]:
    """The gateway, with the reader's certificate."""
    services = {
        "payment": [
            guarded(mesh.payments, payment_pb2, payment_pb2_grpc, "PaymentService"),
            guarded(mesh.payments, timeline_pb2, timeline_pb2_grpc, "TimelineService"),
        ],
        "wallet": [guarded(mesh.wallets, wallet_pb2, wallet_pb2_grpc, "WalletService")],
        "barcode": [
            guarded(mesh.barcodes, barcode_pb2, barcode_pb2_grpc, "BarcodeService"),
            guarded(mesh.merchants, merchant_pb2, merchant_pb2_grpc, "MerchantService"),
            guarded(mesh.devices, device_pb2, device_pb2_grpc, "DeviceService"),
        ],
        "ledger": [guarded(mesh.ledger, ledger_pb2, ledger_pb2_grpc, "LedgerService")],
    }
    tls = mesh.tls("gateway-reader")
    async with AsyncExitStack() as stack:
        targets = {
            f"{name}_target": "127.0.0.1:"
            + str(await stack.enter_async_context(running_services(them, tls=mesh.tls(name))))
            for name, them in services.items()
        }
        yield await stack.enter_async_context(
            running_gateway(
                mesh,
                qrpay_read_only=True,
                tls_cert_file=tls.cert_file,
                tls_key_file=tls.key_file,
                **targets,
            )
        )


def called(mesh: Mesh) -> set[str]:
    """What the services were asked, refusals aside."""
    fakes = (mesh.payments, mesh.wallets, mesh.barcodes, mesh.merchants, mesh.devices, mesh.ledger)
    return {name for fake in fakes for name in fake.faults.calls}


async def test_every_reading_is_served_and_needs_no_more(
    mesh: Mesh, reader: Gateway, publisher: NatsClient
) -> None:
    """All that can be read is read, with the reader's certificate; it takes exactly the calls that
    the certificate is allowed: one fewer, and something would be refused; one more is too many."""
    customer = await reader.user("customer")
    merchant = await reader.user("merchant", user_id=MERCHANT_ID)
    operator = await reader.user("operator")
    payment = mesh.payments.pay(customer.id, "bob").payment
    documented = (await customer.get("/openapi.json")).json()["paths"]
    values = {
        "payment_id": payment.id,
        "merchant_id": MERCHANT_ID,
        "store_id": STORE_ID,
        "sha256": LOGO_SHA256,
    }
    for user in (customer, merchant):
        mesh.wallets.open(user.id, "USD")
    for path, operations in documented.items():
        assert set(operations) == {"get"}, path
        if path == "/events":
            continue
        roles = operations["get"].get("x-roles", ["customer"])
        for user, role in ((customer, "customer"), (merchant, "merchant"), (operator, "operator")):
            if role in roles:
                params = STATEMENT if path.endswith("/statement") else {}
                answer = await user.get(path.format(**values), params=params)
                assert answer.status_code < 500, (path, role, answer.text)
                assert answer.status_code not in {400, 405}, (path, role, answer.text)
    async with stream(customer):
        pass
    await look_again(mesh, customer, publisher)
    assert called(mesh) == FOR_READERS


async def look_again(mesh: Mesh, customer: User, publisher: NatsClient) -> None:
    """While somebody waits for a payment, an event is lost: the gateway reads it once more."""
    request = payment_pb2.PaymentRequest(caller_id=customer.id, request_id="pending")
    request.send.recipient = "bob"
    payment, _ = mesh.payments._accept(request)
    waiting = asyncio.create_task(customer.get(f"/payments/{payment.id}?wait=20"))
    async with asyncio.timeout(20):
        while "BatchGetPayments" not in mesh.payments.faults.calls:
            await publisher.publish("payments.event", b"\xff\xff\xff")
            await asyncio.sleep(0.02)
    mesh.payments.complete(payment.id)
    while not waiting.done():
        await publisher.publish("payments.event", b"\xff\xff\xff")
        await asyncio.sleep(0.02)
    assert (await waiting).json()["status"] == "COMPLETED"


async def test_nothing_else_is(mesh: Mesh, reader: Gateway, gateway: Gateway) -> None:
    """Every other method is a problem of its own, which names what is allowed; what is nowhere is
    still nowhere. No service is asked."""
    documented = (await (await gateway.client()).get("/openapi.json")).json()["paths"]
    user = await reader.user("customer")
    mesh.reset()
    for path, operations in documented.items():
        for method in {"post", "put", "patch", "delete"}:
            answer = await user.http.request(
                method, path.format_map(Anything()), json={}, headers={"idempotency-key": "k"}
            )
            check(answer)
            reads = "GET" in answer.headers["allow"]
            assert reads == ("get" in operations), path
    assert (await user.post("/nowhere")).status_code == 404
    assert called(mesh) == set()


class Anything(dict[str, str]):
    """A value for every parameter."""

    def __missing__(self, name: str) -> str:
        return "x"


def check(answer: httpx.Response) -> None:
    """It is the problem that the catalogue has."""
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (405, "read-only"), answer.text
    assert problem["title"] == PROBLEM_TYPES["read-only"].title
    assert problem["retryable"] is False
