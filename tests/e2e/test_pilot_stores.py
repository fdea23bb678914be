"""A canary beside the running system: a pilot's payments go there, and whatever becomes of it, they
are done once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from payment_svc.queue import PILOT_TASKS_SUBJECT, TASKS_SUBJECT
from qrpay.payment.v1 import payment_queue_pb2
from tests.e2e.beside import Beside, beside
from tests.e2e.stack import Stack, User
from tests.e2e.test_dead_letters import messages
from tests.e2e.test_payments import qr_of

People = Mapping[str, User]

TO_CANARY = 'qrpay_canary_payments_total{qrpay_submitted_to="canary"}'
TO_STABLE = 'qrpay_canary_payments_total{qrpay_submitted_to="stable"}'
EXECUTED = (
    'rpc_client_call_duration_seconds_count{qrpay_track="canary",'
    'rpc_method="qrpay.wallet.v1.WalletService/ExecuteTransfers"'
)


class Pilot:
    """A canary, a gateway that knows of it, and alice and the cafe at that gateway."""

    def __init__(self, canary: Beside, gateway: Beside, users: People, merchant_id: str) -> None:
        self.canary = canary
        self.gateway = gateway
        self.users = users
        self.merchant_id = merchant_id

    async def pay(self, *, amount: int = 450) -> dict[str, Any]:
        """Alice pays by the cafe's code; answers the payment when it is done."""
        alice = self.users["alice"]
        body = {"qr": await qr_of(alice, self.merchant_id), "amount": amount, "currency": "USD"}
        answer = await alice.post("/payments/pay", body, key=str(uuid4()), wait=30)
        assert answer.status_code == 200, answer.text
        payment: dict[str, Any] = answer.json()
        assert payment["status"] == "COMPLETED"
        return payment

    async def ready(self) -> None:
        """Return when the gateway knows the pilots and finds the canary healthy."""
        async with asyncio.timeout(30):
            while not await self.gateway.metric(TO_CANARY):
                await self.pay(amount=1)


@pytest.fixture(scope="module")
async def merchant_id(stack: Stack, people: People) -> AsyncIterator[str]:
    """The cafe, which is a pilot as long as this file is tested."""
    body = {"to": "cafe", "amount": 1, "currency": "USD"}
    paid = await people["alice"].post("/payments/send", body, key=str(uuid4()), wait=10)
    merchant_id = str(paid.json()["payee"]["id"])
    told = await stack.command("merchant", "pilot", merchant_id, "on", "--actor", "olga")
    assert "pilot: yes" in told
    assert merchant_id in await stack.command("merchant", "pilots")
    shown = json.loads(await stack.command("merchant", "show", merchant_id, "--json"))
    assert (shown["id"], shown["status"], shown["pilot"]) == (merchant_id, "open", True)
    yield merchant_id
    assert "pilot: no" in await stack.command("merchant", "pilot", merchant_id, "off")


@asynccontextmanager
async def piloting(
    stack: Stack, merchant_id: str, directory: Path, **changed: str
) -> AsyncIterator[Pilot]:
    """A canary with changed settings and a gateway, for the time of the block."""
    canary_settings = {"TRACK": "canary", "PAYMENT_ROLES": "api,executor", **changed}
    async with (
        beside(stack, "payment", directory / "canary.log", **canary_settings) as canary,
        beside(
            stack, "gateway", directory / "gateway.log", CANARY_PAYMENT_TARGET=canary.address
        ) as gateway,
    ):
        users = {
            name: User(gateway=gateway.url, token=await stack.token(name))
            for name in ("alice", "bob", "cafe")
        }
        pilot = Pilot(canary, gateway, users, merchant_id)
        await pilot.ready()
        yield pilot
        for user in users.values():
            await user.http.aclose()


async def subjects_of(stack: Stack, payment_id: str) -> list[str]:
    """Where the payment's tasks were published, in their order."""
    found = []
    for subject, data in await messages(stack, "PAYMENT_TASKS"):
        batch = payment_queue_pb2.TaskBatch.FromString(data)
        if any(task.payment_id == payment_id for task in batch.tasks):
            found.append(subject)
    return found


async def amounts_of(user: User, payment_id: str) -> list[int]:
    """What the user's wallet says of a payment."""
    amounts: list[int] = []
    after: int | None = 0
    while after is not None:
        path = f"/wallets/me/entries?currency=USD&limit=200&after={after}"
        page = (await user.http.get(path)).json()
        amounts += [it["amount"] for it in page["items"] if it["payment_id"] == payment_id]
        after = page["next"]
    return amounts


async def test_a_pilots_payments_are_the_canarys(
    stack: Stack, merchant_id: str, tmp_path: Path
) -> None:
    """By its code and by its scans, accepted and executed there; other moves and other people's are
    everybody's. Then the canary is killed: the next payment is everybody's at once."""
    async with piloting(stack, merchant_id, tmp_path) as pilot:
        alice, cafe = pilot.users["alice"], pilot.users["cafe"]
        executed = await pilot.canary.metric(EXECUTED)
        by_code = await pilot.pay()
        barcode = (await alice.post("/barcodes", None, key=str(uuid4()))).json()["code"]
        body = {"barcode": barcode, "amount": 250, "currency": "USD"}
        by_scan = (await cafe.post("/payments/pay", body, key=str(uuid4()), wait=20)).json()
        for payment in (by_code, by_scan):
            assert payment["status"] == "COMPLETED"
            assert await subjects_of(stack, payment["id"]) == [PILOT_TASKS_SUBJECT]
        assert await pilot.canary.metric(EXECUTED) >= executed + 2
        body = {"to": "bob", "amount": 100, "currency": "USD"}
        sent = (await alice.post("/payments/send", body, key=str(uuid4()), wait=20)).json()
        assert await subjects_of(stack, sent["id"]) == [TASKS_SUBJECT]
        before = await alice.balance()
        await pilot.canary.kill()
        payment = await pilot.pay(amount=300)
        assert await subjects_of(stack, payment["id"]) == [TASKS_SUBJECT]
        assert await alice.balance() == before - 300


async def test_what_the_canary_does_not_execute_stable_does(
    stack: Stack, merchant_id: str, tmp_path: Path
) -> None:
    """A canary that accepts and never executes: the sweeper brings its payments to everybody's
    executor. When an executor of the canary comes later, it finds the old tasks, and no money moves
    a second time."""
    changed = {"PAYMENT_ROLES": "api", "SWEEP_AFTER_SECONDS": "0.5"}
    async with piloting(stack, merchant_id, tmp_path, **changed) as pilot:
        alice = pilot.users["alice"]
        before = await alice.balance()
        payment = await pilot.pay(amount=700)
        subjects = await subjects_of(stack, payment["id"])
        assert subjects[0] == PILOT_TASKS_SUBJECT
        assert set(subjects[1:]) == {TASKS_SUBJECT}
        assert await alice.balance() == before - 700
    async with piloting(stack, merchant_id, tmp_path) as pilot:
        await pilot.pay(amount=1)
        assert await pilot.canary.metric(EXECUTED) >= 2
        assert await amounts_of(pilot.users["alice"], payment["id"]) == [-700]
