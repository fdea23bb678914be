"""`qrpay ledger correct`, `reverse`, `approve`: the book put right by two persons."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.e2e.stack import Stack, User

SETTLE_SECONDS = 1.0


@pytest.fixture(scope="module")
async def settled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A system of this module's own, which reconciles when it is told to: its book will have what
    no wallet has."""
    stack = Stack(
        tmp_path_factory.mktemp("corrected") / "data",
        environment={
            "QRPAY_LEDGER_RECONCILE_SETTLE_SECONDS": str(SETTLE_SECONDS),
            "QRPAY_LEDGER_RECONCILE_SECOND_LOOK_SECONDS": "0.2",
            "QRPAY_LEDGER_RECONCILE_EVERY_SECONDS": "3600",
        },
    )
    await stack.up()
    yield stack
    await stack.down()


async def ledger(stack: Stack, *arguments: str, expect: int = 0) -> Any:
    """What a command about the book tells."""
    return json.loads(await stack.command("ledger", *arguments, "--json", expect=expect))


async def differing_wallets(stack: Stack) -> list[str]:
    """The wallets whose balance is not what the book says."""
    await asyncio.sleep(SETTLE_SECONDS + 0.2)
    found = json.loads(await stack.command("reconcile", "--json", expect=None))
    return [item["wallet_id"] for item in found["differences"]]


async def test_a_correction_and_its_reversal(settled: Stack) -> None:
    """Proposed by one, refused to himself, booked by another, and taken back the same way; told
    beforehand is what reconciliation finds; the book is whole, and no wallet has moved."""
    alice = User(gateway=settled.gateway, token=await settled.token("alice"))
    items = (await alice.http.get("/wallets/me")).json()["items"]
    (account,) = [item["id"] for item in items if item["currency"] == "USD"]
    balance = await alice.balance()
    assert await differing_wallets(settled) == []
    sides = ["--debit", account, "7", "USD", "--credit", "acc_bank_charges_USD", "7", "USD"]
    proposed = await ledger(settled, "correct", *sides, "--why", "a fee", "--actor", "ann")
    assert (proposed["state"], proposed["transaction_id"]) == ("proposed", None)
    assert proposed["warnings"] == {account: -7}
    await settled.command("ledger", "approve", proposed["id"], "--actor", "ann", expect=1)
    assert await differing_wallets(settled) == []

    approved = await ledger(settled, "approve", proposed["id"], "--actor", "bob")
    assert (approved["state"], approved["decided_by"]) == ("approved", "bob")
    assert await differing_wallets(settled) == [account]

    number = approved["transaction_id"]
    taken_back = ["reverse", number, "--why", "it was none", "--actor", "bob"]
    reversal = await ledger(settled, *taken_back, "--request-id", "back")
    assert await ledger(settled, *taken_back, "--request-id", "back") == reversal
    assert [item["id"] for item in await ledger(settled, "corrections")] == [reversal["id"]]
    booked = await ledger(settled, "approve", reversal["id"], "--actor", "ann")
    assert booked["reverses"] == number
    assert await differing_wallets(settled) == []
    assert (await ledger(settled, "verify"))["fault"] is None
    assert await alice.balance() == balance
    await alice.http.aclose()


async def test_a_rejected_correction(settled: Stack) -> None:
    """It stays on file and is listed, for people too."""
    charges = "acc_bank_charges_EUR"
    sides = ["--debit", charges, "7", "EUR", "--credit", charges, "7", "EUR"]
    other = await ledger(settled, "correct", *sides, "--why", "a test", "--at", "2024-03-01")
    rejected = await ledger(settled, "reject", other["id"], "--why", "no", "--actor", "bob")
    assert (rejected["state"], rejected["decided_why"]) == ("rejected", "no")
    listed = await settled.command("ledger", "corrections", "--state", "all")
    assert other["id"] in listed
    shown = await settled.command("ledger", "corrections", other["id"])
    assert "a test" in shown
    await settled.command("ledger", "approve", other["id"], "--actor", "bob", expect=1)
