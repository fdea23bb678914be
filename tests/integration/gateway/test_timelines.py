"""Timelines through the gateway: who sees what, and what if a service is away."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Unavailable
from qrpay.ledger.v1 import ledger_pb2
from qrpay.payment.v1 import timeline_pb2
from tests.integration.gateway.conftest import Gateway, Mesh

MOMENT = Timestamp(seconds=1_767_322_800, nanos=250_000_000)
LATER = Timestamp(seconds=1_767_322_801)
AT, UNTIL = "2026-01-02T03:00:00.250000Z", "2026-01-02T03:00:01Z"
STEPS = [
    timeline_pb2.TimelineStep(kind="TIMELINE_STEP_KIND_ACCEPTED", start_time=MOMENT),
    timeline_pb2.TimelineStep(
        kind="TIMELINE_STEP_KIND_TRIED",
        start_time=MOMENT,
        end_time=LATER,
        attempt=1,
        reason="WALLET_BUSY",
    ),
    timeline_pb2.TimelineStep(
        kind="TIMELINE_STEP_KIND_REDRIVEN", start_time=LATER, actor="ann", why="mended"
    ),
    timeline_pb2.TimelineStep(kind=99, start_time=LATER),  # type: ignore[arg-type]
]


async def test_an_operator_sees_every_step(gateway: Gateway, mesh: Mesh) -> None:
    """Goal: names, times, tries and people as the contract writes them, with the booking; a step of
    a later release is left out and breaks nothing."""
    operator = await gateway.user("operator")
    payment_id = mesh.payments.pay("alice", "bob").payment.id
    mesh.payments.steps[payment_id] = STEPS
    mesh.ledger.booked[payment_id] = ledger_pb2.Transaction(id="txn_1", book_time=LATER)
    answer = await operator.get(f"/payments/{payment_id}/timeline")
    assert answer.status_code == 200
    assert answer.json()["payment"]["id"] == payment_id
    assert answer.json()["steps"] == [
        {"step": "accepted", "at": AT},
        {"step": "tried", "at": AT, "until": UNTIL, "attempt": 1, "reason": "wallet-busy"},
        {"step": "redriven", "at": UNTIL, "by": "ann", "why": "mended"},
        {"step": "posted", "at": UNTIL},
    ]
    assert "silent" not in answer.json()


async def test_its_sides_see_it_and_nobody_else(gateway: Gateway, mesh: Mesh) -> None:
    """Goal: payment_svc is told who asks, so that it can leave out what is ours; the ledger is not
    asked for them; for others there is no payment."""
    payer, stranger = await gateway.user(), await gateway.user()
    payment_id = mesh.payments.pay(payer.id, "bob").payment.id
    mesh.payments.steps[payment_id] = STEPS[:1]
    mesh.ledger.faults.clear()
    answer = await payer.get(f"/payments/{payment_id}/timeline")
    assert answer.json()["steps"] == [{"step": "accepted", "at": AT}]
    answer = await stranger.get(f"/payments/{payment_id}/timeline")
    assert (answer.status_code, answer.json()["code"]) == (404, "payment-not-found")
    assert mesh.ledger.faults.calls == []


async def test_what_is_known_is_told_when_others_are_silent(gateway: Gateway, mesh: Mesh) -> None:
    """Goal: in an outage the timeline is needed most: it says who could not be asked."""
    operator = await gateway.user("operator")
    payment_id = mesh.payments.pay("alice", "bob").payment.id
    mesh.payments.steps[payment_id] = STEPS[:1]
    mesh.payments.wallet_silent = True
    mesh.ledger.faults.raises = Unavailable()
    answer = await operator.get(f"/payments/{payment_id}/timeline")
    assert answer.status_code == 200
    assert answer.json()["silent"] == ["wallet", "ledger"]
    assert len(answer.json()["steps"]) == 1


async def test_what_is_not_booked_yet_is_no_silence(gateway: Gateway, mesh: Mesh) -> None:
    """Goal: the booking is simply not there yet."""
    operator = await gateway.user("operator")
    payment_id = mesh.payments.pay("alice", "bob").payment.id
    answer = await operator.get(f"/payments/{payment_id}/timeline")
    assert "silent" not in answer.json()


@pytest.mark.parametrize("payment_id", ["pay_1", "x", "wal_01JD3Q9V7N8R4T2W6X0YZABCDE"])
async def test_what_is_no_payment_has_none(gateway: Gateway, payment_id: str) -> None:
    """Goal: bad ids get no further."""
    answer = await (await gateway.user()).get(f"/payments/{payment_id}/timeline")
    assert (answer.status_code, answer.json()["code"]) == (404, "payment-not-found")
