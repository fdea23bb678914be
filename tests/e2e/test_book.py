"""`qrpay ledger accounts`, `balance`, `trial-balance`, `statement`, `search`: the book, read."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ledger_svc.bank_statements.camt import read_camt
from tests.e2e.stack import Stack, User

AMOUNT = 1237
CLASSES = {
    *("customer", "merchant", "bank clearing", "fees", "suspense", "bank charges", "unknown"),
}


async def ledger(stack: Stack, *arguments: str) -> Any:
    """What a command about the book tells programs."""
    return json.loads(await stack.command("ledger", *arguments, "--json"))


@pytest.fixture
async def paid(stack: Stack, people: Mapping[str, User]) -> dict[str, Any]:
    """A payment of alice to bob, as the book has it a moment later."""
    body = {"to": "bob", "amount": AMOUNT, "currency": "USD"}
    response = await people["alice"].post("/payments/send", body, key=str(uuid4()), wait=10)
    assert response.status_code == 200, response.text
    payment_id = response.json()["id"]
    async with asyncio.timeout(30):
        while not (found := await ledger(stack, "search", "--payment", payment_id)):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    (transaction,) = found
    assert transaction["payment_id"] == payment_id
    booked: dict[str, Any] = transaction
    return booked


async def test_a_payment_in_the_book(
    stack: Stack, people: Mapping[str, User], paid: dict[str, Any], tmp_path: Path
) -> None:
    """The account has what its wallet has, at the moment of the booking and not before it; its
    statement has the payment, on the screen, as a table and as the XML of banks; and it is found by
    account, time, amount and kind."""
    account, at = paid["postings"][0]["account"], paid["booked_at"]
    assert [(item["direction"], item["amount"]) for item in paid["postings"]] == [
        *(("debit", AMOUNT), ("credit", AMOUNT))
    ]
    now = await ledger(stack, "balance", account)
    assert (now["balance"], now["currency"]) == (await people["alice"].balance(), "USD")
    then = await ledger(stack, "balance", account, "--at", at)
    assert then["transaction_id"] == paid["id"]
    first = await ledger(stack, "balance", account, "--at", "2020-01-01")
    assert (first["balance"], first["transaction_id"]) == (0, None)

    period = ("--from", at)
    shown = await ledger(stack, "statement", account, *period)
    assert shown["opening"] - AMOUNT == shown["postings"][0]["balance"]
    assert shown["postings"][0]["payment_id"] == paid["payment_id"]
    text = await stack.command("ledger", "statement", account, *period, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert (rows[1]["payment_id"], rows[1]["debit"]) == (paid["payment_id"], "12.37")
    path = tmp_path / "statement.xml"
    as_xml = ("--format", "camt053", "--output", str(path))
    assert await stack.command("ledger", "statement", account, *period, *as_xml) == ""
    (statement,) = read_camt(path.read_bytes())
    assert (statement.account, statement.opening_minor) == (account, shown["opening"])
    assert paid["payment_id"] in statement.lines[0].texts
    assert paid["payment_id"] in await stack.command("ledger", "statement", account)

    conditions = ("--amount", str(AMOUNT), "--kind", "send", "--currency", "USD")
    for narrowed in (("--account", account), ("--from", at)):
        found = await ledger(stack, "search", *narrowed, *conditions)
        assert paid["id"] in [item["id"] for item in found]
    assert paid["id"] in await stack.command("ledger", "search", "--account", account)


async def test_the_whole_book(stack: Stack, paid: dict[str, Any]) -> None:
    """All accounts are listed with words, and the trial balance is balanced, now and then; in its
    totals is what its classes have."""
    listed = await ledger(stack, "accounts")
    assert {item["account"] for item in paid["postings"]} <= {item["id"] for item in listed}
    assert {item["class"] for item in listed} <= CLASSES
    for at in ((), ("--at", paid["booked_at"])):
        sums = await ledger(stack, "trial-balance", *at)
        assert sums["balanced"] is True
        for total in sums["totals"]:
            assert (total["balance"], total["debits"]) == (0, total["credits"])
            parts = [it for it in sums["classes"] if it["currency"] == total["currency"]]
            assert sum(it["balance"] for it in parts) == 0
    told = await stack.command("ledger", "trial-balance")
    assert "USD" in told
    assert paid["postings"][0]["account"] in await stack.command("ledger", "accounts")


async def test_what_cannot_be_read(stack: Stack, tmp_path: Path) -> None:
    """An account that is not there, and a search without bounds: a sentence, exit status 1, and no
    file."""
    path = tmp_path / "statement.csv"
    output = ("--output", str(path))
    for arguments in (
        ("balance", "wal_nobody"),
        ("statement", "wal_nobody", "--format", "csv", *output),
        ("search", "--amount", "5"),
        ("search", "--from", "32d"),
    ):
        assert await stack.command("ledger", *arguments, expect=1) == ""
    assert not path.exists()
