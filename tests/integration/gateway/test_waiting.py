"""Waiting for a result: woken by its event, and never left hanging without one."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx

from chassis.errors import Unavailable
from qrpay.payment.v1 import payment_pb2
from qrpay.type.v1 import failure_code_pb2
from tests.integration.gateway.conftest import Gateway, Mesh, Publish, User, running_gateway

SEND = {"to": "bob", "amount": 1250, "currency": "USD"}


async def submitted(mesh: Mesh, user: User) -> str:
    """The id of the payment that a user has just asked for."""
    async with asyncio.timeout(10):
        while True:
            for payment in mesh.payments.payments.values():
                if payment.payer.id == user.id:
                    return payment.id
            await asyncio.sleep(0.01)


def wait_for(user: User, seconds: int = 30, **named: Any) -> asyncio.Task[httpx.Response]:
    """A send that waits for its result."""
    headers = {"prefer": f"wait={seconds}"}
    return asyncio.create_task(user.post("/payments/send", SEND, headers=headers, **named))


async def test_woken_by_the_event(
    gateway: Gateway, mesh: Mesh, alice: User, publish: Publish
) -> None:
    """Who waits is answered 200 when the event comes, without asking payment_svc again."""
    post = wait_for(alice)
    event = mesh.payments.complete(await submitted(mesh, alice))
    await publish([event])
    answer = await post
    assert (answer.status_code, answer.json()["status"]) == (200, "COMPLETED")
    assert "GetPayment" not in mesh.payments.faults.calls
    assert "BatchGetPayments" not in mesh.payments.faults.calls


async def test_woken_by_a_failure(mesh: Mesh, alice: User, publish: Publish) -> None:
    """A failure is a result too."""
    post = wait_for(alice)
    failure = failure_code_pb2.FAILURE_CODE_INSUFFICIENT_FUNDS
    await publish([mesh.payments.complete(await submitted(mesh, alice), failure)])
    answer = await post
    assert answer.status_code == 200
    assert answer.json()["failure"]["code"] == "insufficient-funds"


async def test_the_event_may_come_first(mesh: Mesh, alice: User, publish: Publish) -> None:
    """The event overtakes the answer of SubmitPayments: the client still gets its 200 at once."""

    async def complete_and_tell(payment: payment_pb2.Payment) -> None:
        pending = payment_pb2.Payment()
        pending.CopyFrom(payment)
        await publish([mesh.payments.complete(payment.id)])
        payment.CopyFrom(pending)

    mesh.payments.before_answer = complete_and_tell
    began = time.monotonic()
    answer = await wait_for(alice)
    assert (answer.status_code, answer.json()["status"]) == (200, "COMPLETED")
    assert time.monotonic() - began < 10


async def test_time_over(mesh: Mesh, alice: User) -> None:
    """Nothing happened: 202 with the payment as it is, after one last look."""
    answer = await wait_for(alice, 1)
    assert (answer.status_code, answer.json()["status"]) == (202, "PENDING")
    assert mesh.payments.faults.calls.count("GetPayment") == 1


async def test_a_result_whose_event_was_lost(mesh: Mesh, alice: User) -> None:
    """The last look finds it."""
    post = wait_for(alice, 1)
    mesh.payments.complete(await submitted(mesh, alice))
    answer = await post
    assert (answer.status_code, answer.json()["status"]) == (200, "COMPLETED")


async def test_a_last_look_that_fails(mesh: Mesh, alice: User) -> None:
    """The payment was accepted, and that is what is said: 202, not an error."""
    post = wait_for(alice, 1)
    await submitted(mesh, alice)
    mesh.payments.faults.raises = Unavailable()
    answer = await post
    assert (answer.status_code, answer.json()["status"]) == (202, "PENDING")


async def test_a_gap_makes_everybody_look(
    mesh: Mesh, alice: User, gateway: Gateway, publish: Publish
) -> None:
    """The event of a payment is lost, a later one arrives: the gap in the numbers wakes the one who
    waits."""
    other = await gateway.user()
    await publish([mesh.payments.pay(other.id, "bob")])
    post = wait_for(alice)
    mesh.payments.complete(await submitted(mesh, alice))
    await publish([mesh.payments.pay(other.id, "bob")])
    answer = await post
    assert (answer.status_code, answer.json()["status"]) == (200, "COMPLETED")
    assert "BatchGetPayments" in mesh.payments.faults.calls


async def test_many_wait_for_one_payment(
    mesh: Mesh, gateway: Gateway, alice: User, publish: Publish
) -> None:
    """Payer and payee wait for the same payment with GET ?wait=, and one event answers both."""
    payee = await gateway.user("merchant")
    answer = await alice.post("/payments/send", {**SEND, "to": payee.id})
    path = answer.headers["location"]
    reads = [
        asyncio.create_task(user.get(path, params={"wait": "30"})) for user in (alice, payee, payee)
    ]
    async with asyncio.timeout(10):
        while mesh.payments.faults.calls.count("GetPayment") < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await publish([mesh.payments.complete(answer.json()["id"])])
    for read in reads:
        assert (await read).json()["status"] == "COMPLETED"


async def test_reading_without_waiting(mesh: Mesh, alice: User) -> None:
    """wait=0 and no wait answer at once; a terminal payment does too, however long one would
    wait."""
    answer = await alice.post("/payments/send", SEND)
    path = answer.headers["location"]
    for params in ({}, {"wait": "0"}):
        answer = await alice.get(path, params=params)
        assert (answer.status_code, answer.json()["status"]) == (200, "PENDING")
    mesh.payments.complete(answer.json()["id"])
    answer = await alice.get(path, params={"wait": "30"})
    assert answer.json()["status"] == "COMPLETED"


async def test_strangers_cannot_wait(gateway: Gateway, alice: User) -> None:
    """Waiting tells a stranger no more than reading: not found, at once."""
    answer = await alice.post("/payments/send", SEND)
    stranger = await gateway.user()
    answer = await stranger.get(answer.headers["location"], params={"wait": "30"})
    assert answer.status_code == 404


async def test_a_wait_ends_when_the_gateway_does(mesh: Mesh) -> None:
    """A gateway that is told to stop answers those who wait with what it knows, 202, and then
    ends."""
    async with running_gateway(mesh) as gateway:
        user = await gateway.user()
        post = wait_for(user)
        await submitted(mesh, user)
        gateway.stopping.set()
        answer = await post
        assert (answer.status_code, answer.json()["status"]) == (202, "PENDING")
        async with asyncio.timeout(10):
            await asyncio.wait([gateway.ended])
