"""`qrpay reconcile` on the whole system: what is planted is found, healed through the real queue,
or frozen while everybody else keeps paying."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import psycopg
import pytest

from chassis.channel import call
from chassis.errors import ServiceError
from cli.mesh import Mesh
from embedded.layout import Layout
from embedded.ports import find_free_port
from embedded.state import running_state
from qrpay.ledger.v1 import ledger_pb2, reconciliation_pb2
from tests.e2e.oracle import Books
from tests.e2e.stack import Stack, User

SETTLE_SECONDS = 1.0

# The sweeper is kept away, or it would be the first to mend it.
FORGET_RESULT = """
    UPDATE payments SET status = 'PENDING', complete_time = NULL, event_number = NULL,
        sweep_time = now() + interval '1 day'
    WHERE id = %s
"""
UNBOOK = (
    """
    UPDATE accounts SET
        debits_posted_minor = debits_posted_minor
            - CASE direction WHEN 1 THEN amount_minor ELSE 0 END,
        credits_posted_minor = credits_posted_minor
            - CASE direction WHEN 2 THEN amount_minor ELSE 0 END
    FROM postings JOIN journal_transactions ON number = transaction_number
    WHERE account_id = accounts.id AND source_id = %s
    """,
    """
    DELETE FROM postings USING journal_transactions
    WHERE number = transaction_number AND source_id = %s
    """,
    "DELETE FROM journal_transactions WHERE source_id = %s",
)


@pytest.fixture(scope="module")
async def settled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A system whose payments settle within a second, and which reconciles when it is told to."""
    stack = Stack(
        tmp_path_factory.mktemp("settled") / "data",
        environment={
            "QRPAY_LEDGER_RECONCILE_SETTLE_SECONDS": str(SETTLE_SECONDS),
            "QRPAY_LEDGER_RECONCILE_SECOND_LOOK_SECONDS": "0.2",
            "QRPAY_LEDGER_RECONCILE_EVERY_SECONDS": "3600",
        },
    )
    await stack.up()
    yield stack
    await stack.down()


@pytest.fixture(scope="module")
async def users(settled: Stack) -> AsyncIterator[Mapping[str, User]]:
    """Its alice, bob and cafe."""
    names = ("alice", "bob", "cafe")
    users = {name: User(gateway=settled.gateway, token=await settled.token(name)) for name in names}
    yield users
    for user in users.values():
        await user.http.aclose()


@pytest.fixture
async def books(settled: Stack) -> Books:
    """Its books."""
    return Books(await settled.server_url("postgres"))


async def reconcile(stack: Stack, *arguments: str, expect: int) -> dict[str, Any]:
    """What `qrpay reconcile --json` tells, after everything has settled."""
    await asyncio.sleep(SETTLE_SECONDS + 0.2)
    found: dict[str, Any] = json.loads(
        await stack.command("reconcile", "--json", *arguments, expect=expect)
    )
    return found


async def plant(books: Books, database: str, statement: str, *parameters: Any) -> None:
    """Do past triggers what nobody may do."""
    async with await psycopg.AsyncConnection.connect(books.url(database)) as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(statement.encode(), parameters)


async def send(user: User, to: str, amount: int, key: str) -> dict[str, Any]:
    """Send money and wait until it is done."""
    body = {"to": to, "amount": amount, "currency": "USD"}
    answer = await user.post("/payments/send", body, key=key, wait=10)
    payment: dict[str, Any] = answer.json()
    return payment


async def wallet_of(books: Books, handle: str) -> str:
    """The id of somebody's dollars."""
    (row,) = await books.query(
        "wallet",
        "SELECT wallets.id FROM wallets JOIN owners ON owners.id = owner_id "
        "WHERE handle = %s AND currency_code = 'USD'",
        handle,
    )
    wallet_id: str = row["id"]
    return wallet_id


async def test_books_that_agree(settled: Stack, users: Mapping[str, User]) -> None:
    """Goal: on a system that works, nothing is found, in the shape that programs rely on, and in
    words."""
    await send(users["alice"], "bob", 100, "agree-1")
    found = await reconcile(settled, expect=0)
    assert set(found) == {"checked", "buckets", "differences", "seconds"}
    assert set(found["checked"]) == {"payments", "transfers", "transactions"}
    assert found["checked"]["payments"] == found["checked"]["transfers"] >= 1
    assert set(found["buckets"]) == {"compared", "differing"}
    assert found["differences"] == []
    assert (await reconcile(settled, "--since", "1h", expect=0))["checked"] == found["checked"]
    assert "No differences." in await settled.command("reconcile")
    assert "No cases." in await settled.command("reconcile", "list")


async def test_healed_through_the_queue(
    settled: Stack, users: Mapping[str, User], books: Books
) -> None:
    """Goal: a result that never came back and a transaction that was never posted are named by a
    look, repaired by a pass that heals, and gone after; no money moves again."""
    lost = (await send(users["alice"], "bob", 111, "heal-1"))["id"]
    unposted = (await send(users["alice"], "cafe", 222, "heal-2"))["id"]
    await asyncio.sleep(SETTLE_SECONDS)
    await plant(books, "payment", FORGET_RESULT, lost)
    for statement in UNBOOK:
        await plant(books, "ledger", statement, unposted)
    balance = await users["alice"].balance()

    def named(found: dict[str, Any]) -> set[tuple[str, ...]]:
        return {(item["kind"], item["payment_id"], item["action"]) for item in found["differences"]}

    assert named(await reconcile(settled, expect=1)) == {
        ("status", lost, "none"),
        ("missing_in_ledger", unposted, "none"),
    }
    assert named(await reconcile(settled, "--heal", expect=1)) == {
        ("status", lost, "republished"),
        ("missing_in_ledger", unposted, "posted"),
    }
    await books.come_to_rest()
    assert (await reconcile(settled, expect=0))["differences"] == []
    assert await users["alice"].balance() == balance
    assert (await users["alice"].http.get(f"/payments/{lost}")).json()["status"] == "COMPLETED"
    healed = json.loads(await settled.command("reconcile", "list", "--state", "healed", "--json"))
    assert {case["payment_id"] for case in healed} == {lost, unposted}


async def test_one_wallet_is_frozen_and_others_pay(
    settled: Stack, users: Mapping[str, User], books: Books
) -> None:
    """Goal: a cent too many freezes just its wallet, waits for a person who can see what it is, and
    who resolves it; all the time others keep paying."""
    await send(users["alice"], "bob", 333, "drift-1")
    bob = await wallet_of(books, "bob")
    change = "UPDATE wallets SET balance_minor = balance_minor + %s WHERE id = %s"
    await asyncio.sleep(SETTLE_SECONDS)
    await plant(books, "wallet", change, 1, bob)

    (difference,) = (await reconcile(settled, "--heal", expect=1))["differences"]
    assert set(difference) == {*("kind", "payment_id", "wallet_id", "expected", "found", "action")}
    assert (difference["kind"], difference["wallet_id"], difference["action"]) == (
        "balance_drift",
        bob,
        "frozen",
    )
    refused = await send(users["bob"], "alice", 1, "drift-2")
    assert (refused["status"], refused["failure"]["code"]) == ("FAILED", "wallet-frozen")
    assert (await send(users["alice"], "cafe", 1, "drift-3"))["status"] == "COMPLETED"

    (case,) = json.loads(await settled.command("reconcile", "list", "--json"))
    assert bob in await settled.command("reconcile", "list")
    shown = await settled.command("reconcile", "show", case["id"])
    assert "frozen by ledger_svc" in shown
    assert "sum of its entries" in shown
    await plant(books, "wallet", change, -1, bob)
    # The difference is mended, and its case is not: whoever mended it says so.
    assert (await reconcile(settled, expect=1))["differences"] == []
    await settled.command(
        *("reconcile", "resolve", case["id"], "--why", "a test", "--actor", "ops", "--unfreeze")
    )
    assert (await reconcile(settled, expect=0))["differences"] == []
    assert (await send(users["bob"], "alice", 1, "drift-4"))["status"] == "COMPLETED"
    again = await settled.command("reconcile", "resolve", case["id"], "--why", "again", expect=1)
    assert again == ""


async def test_what_cannot_be_meant(settled: Stack) -> None:
    """Goal: a time that is none is refused by name, and so is a case that is not there."""
    await settled.command("reconcile", "--since", "yesterday", expect=2)
    await settled.command("reconcile", "show", "cas_unknown", expect=1)


async def test_reconciler_may_be_a_process_of_its_own(settled: Stack) -> None:
    """Goal: the command asks the reconciler where it runs apart from ledger, as on Kubernetes."""
    layout = Layout(settled.data)
    ports = running_state(layout).ports
    apart = {**ports, "reconciler": ports["ledger"], "ledger": find_free_port()}
    request = reconciliation_pb2.ListCasesRequest(page_size=1)
    async with Mesh(layout, apart) as mesh:
        await call(mesh.reconciliation.ListCases, request, timeout_seconds=5)
        with pytest.raises(ServiceError):
            await call(
                mesh.ledger.GetTrialBalance, ledger_pb2.GetTrialBalanceRequest(), timeout_seconds=1
            )
