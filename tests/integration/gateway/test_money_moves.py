"""POST /payments/...: what a client gets, and what payment_svc is asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qrpay.type.v1 import failure_code_pb2
from tests.integration.gateway.conftest import Gateway, Mesh, User
from tests.integration.gateway.fakes import NOT_THERE, refusal

USD = {"amount": 1250, "currency": "USD"}
SEND = {"to": "bob", **USD}
CODE = "281004327719356024"


async def test_sending_money_is_accepted(alice: User, mesh: Mesh) -> None:
    """A send is answered 202 with the payment in the contract's shape, and payment_svc is asked
    exactly for what was in the request."""
    body = {**SEND, "note": "Für den Kaffee ☕"}
    answer = await alice.post("/payments/send", body, headers={"idempotency-key": "k-1"})
    assert answer.status_code == 202, answer.text
    payment = answer.json()
    assert answer.headers["location"] == f"/payments/{payment['id']}"
    assert "idempotent-replayed" not in answer.headers
    assert "preference-applied" not in answer.headers
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
    assert request.send.recipient == "bob"
    assert (request.money.amount_minor, request.money.currency_code) == (1250, "USD")


@pytest.mark.parametrize(
    ("role", "path", "body", "move"),
    [
        ("customer", "send", SEND, "send"),
        ("merchant", "send", SEND, "send"),
        ("customer", "pay", {"qr": "000201", "note": "Hi"}, "qr"),
        ("customer", "pay", {"qr": "000201", **USD}, "qr"),
        ("merchant", "pay", {"barcode": CODE, **USD, "order_ref": "A-1"}, "barcode"),
        ("customer", "withdraw", {"bank_account": "bnk_1", **USD}, "withdraw"),
        ("merchant", "withdraw", {"bank_account": "bnk_1", **USD}, "withdraw"),
    ],
)
async def test_every_move(
    gateway: Gateway, mesh: Mesh, role: str, path: str, body: dict[str, Any], move: str
) -> None:
    """Each route, for each role that may use it, makes the request that it stands for; an amount
    that was not given is not invented."""
    user = await gateway.user(role)
    answer = await user.post(f"/payments/{path}", body)
    assert answer.status_code == 202, answer.text
    (request,) = mesh.payments.requests
    assert request.WhichOneof("move") == move
    assert request.caller_id == user.id
    assert request.HasField("money") == ("amount" in body)
    assert request.note == body.get("note", "")
    assert request.order_ref == body.get("order_ref", "")


async def test_a_replay_says_so(alice: User, mesh: Mesh) -> None:
    """The same key and body again: the same payment as it is now, marked as a replay. Plain and
    quoted keys are the same key."""
    first = await alice.post("/payments/send", SEND, headers={"idempotency-key": "again"})
    mesh.payments.complete(first.json()["id"])
    second = await alice.post("/payments/send", SEND, headers={"idempotency-key": '"again"'})
    assert second.status_code == 202
    assert second.headers["idempotent-replayed"] == "true"
    assert second.json()["id"] == first.json()["id"]
    assert second.json()["status"] == "COMPLETED"
    assert second.json()["completed_at"] is not None


async def test_the_key_belongs_to_the_caller(gateway: Gateway) -> None:
    """Two callers who happen to use the same key make two payments."""
    answers = [
        await (await gateway.user()).post("/payments/send", SEND, headers={"idempotency-key": "k"})
        for _ in range(2)
    ]
    assert answers[0].json()["id"] != answers[1].json()["id"]
    assert all("idempotent-replayed" not in answer.headers for answer in answers)


async def test_waiting_for_what_is_done_already(alice: User, mesh: Mesh) -> None:
    """A payment that is terminal when it is answered needs no wait: 200 at once."""
    mesh.payments.at_once["bob"] = failure_code_pb2.FAILURE_CODE_UNSPECIFIED
    answer = await alice.post("/payments/send", SEND, headers={"prefer": "wait=30"})
    assert answer.status_code == 200
    assert answer.json()["status"] == "COMPLETED"
    assert answer.headers["preference-applied"] == "wait=30"


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (failure_code_pb2.FAILURE_CODE_INSUFFICIENT_FUNDS, "insufficient-funds"),
        (failure_code_pb2.FAILURE_CODE_WALLET_CLOSED, "wallet-closed"),
        (failure_code_pb2.FAILURE_CODE_WALLET_FROZEN, "wallet-frozen"),
        (failure_code_pb2.FAILURE_CODE_LIMIT_EXCEEDED, "limit-exceeded"),
        (failure_code_pb2.FAILURE_CODE_BANK_REJECTED, "bank-rejected"),
    ],
)
async def test_a_failure_is_told(
    alice: User, mesh: Mesh, failure: failure_code_pb2.FailureCode, code: str
) -> None:
    """A payment that failed says why, with the code of the contract and a sentence."""
    mesh.payments.at_once["bob"] = failure
    answer = await alice.post("/payments/send", SEND, headers={"prefer": "wait=5"})
    assert answer.status_code == 200
    assert answer.json()["status"] == "FAILED"
    assert answer.json()["failure"]["code"] == code
    assert answer.json()["failure"]["message"].endswith(".")


async def test_payments_share_a_call(gateway: Gateway, mesh: Mesh) -> None:
    """Many payments at a time go to payment_svc in few calls, and each client gets its own answer:
    a neighbour that is refused harms nobody."""
    users = [await gateway.user() for _ in range(20)]
    mesh.payments.faults.hangs = asyncio.Event()
    bodies = [
        {**SEND, "to": NOT_THERE if number % 7 == 0 else f"u{number}"} for number in range(60)
    ]
    mesh.payments.refusals[NOT_THERE] = refusal("RECIPIENT_NOT_FOUND")
    posts = [
        asyncio.create_task(users[number % 20].post("/payments/send", body))
        for number, body in enumerate(bodies)
    ]
    async with asyncio.timeout(10):
        while not mesh.payments.faults.calls:  # noqa: ASYNC110 - over the wire
            await asyncio.sleep(0.01)
    mesh.payments.faults.hangs.set()
    answers = await asyncio.gather(*posts)
    for number, answer in enumerate(answers):
        if number % 7 == 0:
            assert answer.json()["code"] == "recipient-not-found"
        else:
            assert answer.json()["payee"]["id"] == f"u{number}"
            assert answer.json()["payer"]["id"] == users[number % 20].id
    assert sum(mesh.payments.batches) == 60
    assert len(mesh.payments.batches) < 20


@pytest.mark.parametrize(
    ("header", "passed"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", True),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", False),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", False),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", False),
        ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-new", True),
        ("nonsense", False),
    ],
)
async def test_trace_context_goes_along(alice: User, mesh: Mesh, header: str, passed: bool) -> None:
    """A sound W3C traceparent travels with the payment, its decision with it; nothing else does."""
    await alice.post("/payments/send", SEND, headers={"traceparent": header})
    assert mesh.payments.traceparents == [header[:55] if passed else ""]


async def test_every_answer_is_private_and_numbered(alice: User) -> None:
    """Answers are not stored or sniffed, and carry a request id: ours, or the client's if it is
    sane."""
    for sent, kept in ((None, False), ("my-id.1", True), ("a b", False), ("x" * 65, False)):
        headers = {"x-request-id": sent} if sent else {}
        answer = await alice.post("/payments/send", SEND, headers=headers)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert (answer.headers["x-request-id"] == sent) == kept
        assert answer.headers["x-request-id"]
        assert "server" not in answer.headers
