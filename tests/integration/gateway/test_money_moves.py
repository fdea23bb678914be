"""POST /payments/...: what a client gets, and what payment_svc is asked."""

from __future__ import annotations

from tests.integration.gateway.conftest import Mesh, User

USD = {"amount": 1250, "currency": "USD"}


async def test_sending_money_is_accepted(alice: User, mesh: Mesh) -> None:
    """A send is answered 202 with the payment in the contract's shape, and payment_svc is asked
    exactly for what was in the request."""
    body = {"to": "bob", **USD, "note": "Für den Kaffee ☕"}
    answer = await alice.post("/payments/send", body, headers={"idempotency-key": "k-1"})
    assert answer.status_code == 202, answer.text
    payment = answer.json()
    assert answer.headers["location"] == f"/payments/{payment['id']}"
    assert "idempotent-replayed" not in answer.headers
    assert {name: value for name, value in payment.items() if name not in {"id", "created_at"}} == {
        "kind": "send",
        "status": "PENDING",
        "payer": {"id": alice.id, "name": alice.id.title()},
        "payee": {"id": "bob", "name": "Bob"},
        "amount": 1250,
        "currency": "USD",
        "note": "Für den Kaffee ☕",
        "completed_at": None,
    }
    (request,) = mesh.payments.requests
    assert (request.caller_id, request.request_id) == (alice.id, "k-1")
    assert (request.money.amount_minor, request.money.currency_code) == (1250, "USD")
