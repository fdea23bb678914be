"""Receipts through the gateway: who gets one, when, and what if the ledger is away."""

from __future__ import annotations

import pytest

from chassis.errors import Unavailable
from qrpay.type.v1 import failure_code_pb2
from tests.integration.gateway.conftest import Gateway, Mesh

RECEIPT = b'{"transaction":"...", "every byte":"counts"}'


async def test_who_may_have_a_receipt(gateway: Gateway, mesh: Mesh) -> None:
    """Payer, payee and operators get the ledger's own bytes; for others there is no payment."""
    payer, payee = await gateway.user(), await gateway.user("merchant")
    operator, stranger = await gateway.user("operator"), await gateway.user()
    payment_id = mesh.payments.pay(payer.id, payee.id).payment.id
    mesh.ledger.receipts[payment_id] = RECEIPT
    for user in (payer, payee, operator):
        answer = await user.get(f"/payments/{payment_id}/receipt")
        assert (answer.status_code, answer.content) == (200, RECEIPT)
        assert answer.headers["content-type"] == "application/json"
        assert f"{payment_id}.json" in answer.headers["content-disposition"]
    mesh.ledger.faults.clear()
    answer = await stranger.get(f"/payments/{payment_id}/receipt")
    assert (answer.status_code, answer.json()["code"]) == (404, "payment-not-found")
    assert mesh.ledger.faults.calls == [], "nobody asks the ledger for them"


@pytest.mark.parametrize("payment_id", ["pay_1", "x", "pay_%00", "wal_01JD3Q9V7N8R4T2W6X0YZABCDE"])
async def test_what_is_no_payment_has_none(gateway: Gateway, payment_id: str) -> None:
    """Bad ids get no further."""
    answer = await (await gateway.user()).get(f"/payments/{payment_id}/receipt")
    assert (answer.status_code, answer.json()["code"]) == (404, "payment-not-found")


async def test_a_receipt_comes_later(gateway: Gateway, mesh: Mesh) -> None:
    """Not booked, or not signed for: ask again soon."""
    payer = await gateway.user()
    payment_id = mesh.payments.pay(payer.id, "bob").payment.id
    answer = await payer.get(f"/payments/{payment_id}/receipt")
    assert (answer.status_code, answer.json()["code"]) == (409, "receipt-not-ready")
    assert answer.json()["retryable"] is True
    assert answer.headers["retry-after"] == "5"


async def test_a_failed_payment_has_no_receipt(gateway: Gateway, mesh: Mesh) -> None:
    """No money moved."""
    payer = await gateway.user()
    mesh.payments.at_once["poor"] = failure_code_pb2.FAILURE_CODE_INSUFFICIENT_FUNDS
    body = {"to": "poor", "amount": 1, "currency": "USD"}
    payment_id = (await payer.post("/payments/send", body)).json()["id"]
    answer = await payer.get(f"/payments/{payment_id}/receipt")
    assert (answer.status_code, answer.json()["code"]) == (404, "no-receipt")


async def test_without_the_ledger_everything_else_goes_on(gateway: Gateway, mesh: Mesh) -> None:
    """503 for receipts; payments are accepted, and the gateway is ready."""
    payer = await gateway.user()
    payment_id = mesh.payments.pay(payer.id, "bob").payment.id
    mesh.ledger.faults.raises = Unavailable()
    answer = await payer.get(f"/payments/{payment_id}/receipt")
    assert (answer.status_code, answer.json()["code"]) == (503, "temporarily-unavailable")
    assert (await payer.get("/readyz")).status_code == 200
    body = {"to": "bob", "amount": 1, "currency": "USD"}
    assert (await payer.post("/payments/send", body)).status_code == 202


async def test_the_keys_of_receipts(gateway: Gateway) -> None:
    """A JSON Web Key Set that may be kept."""
    answer = await (await gateway.user()).get("/receipts/keys")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/jwk-set+json"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    (key,) = answer.json()["keys"]
    assert (key["kid"], key["crv"], key["use"]) == ("kPrK", "Ed25519", "sig")
