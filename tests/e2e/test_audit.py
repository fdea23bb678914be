"""`qrpay audit`: what operators do through the real command, partners with a certificate."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from chassis.channel import call, open_channel
from chassis.clock import SystemClock
from chassis.errors import ServiceError
from chassis.ids import IdMaker
from embedded.certificates import ensure_certificates, tls_files
from embedded.layout import Layout
from qrpay.barcode.v1 import merchant_pb2, merchant_pb2_grpc
from qrpay.ledger.v1 import correction_pb2, correction_pb2_grpc
from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc
from tests.e2e.stack import Stack, User

PARTNER = "acme"


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A system of this module's own: what others do must not be among its records."""
    stack = Stack(tmp_path_factory.mktemp("audited") / "data")
    await stack.up()
    # The authority of the stack makes a certificate for a partner, as a real one would.
    certificates = Layout(stack.data).certificates
    ensure_certificates(certificates, now=SystemClock().now(), identities=[PARTNER])
    yield stack
    await stack.down()


async def channel_of(stack: Stack, process: str, identity: str) -> grpc.aio.Channel:
    """A channel to a process, with an identity's certificate."""
    port = (await stack.members())[process].member.port
    tls = tls_files(Layout(stack.data).certificates, identity)
    return open_channel(f"127.0.0.1:{port}", identity=process, tls=tls)


async def audit(stack: Stack, *arguments: str) -> list[dict[str, Any]]:
    """The records that the command shows."""
    told = json.loads(await stack.command("audit", "--json", *arguments))
    assert told["failed"] == {}
    records: list[dict[str, Any]] = told["records"]
    return records


async def audited(stack: Stack, count: int, *arguments: str) -> list[dict[str, Any]]:
    """The same, once there are so many: a refused call is recorded soon, not at once."""
    async with asyncio.timeout(30):
        while len(found := await audit(stack, *arguments)) < count:
            pass
    assert len(found) == count
    return found


async def test_what_the_start_itself_did(stack: Stack) -> None:
    """Goal: the demo data came in by an operator's calls, and three services tell so: owners,
    merchant, money; the newest first, from four databases in one order."""
    records = await audit(stack, "--limit", "10000")
    changes = {(record["service"], record["method"].rpartition("/")[2]) for record in records}
    assert {
        ("wallet", "CreateOwner"),
        ("payment", "SubmitPayments"),
        ("barcode", "RegisterMerchant"),
    } <= changes
    assert {record["caller"] for record in records} == {"operator"}
    assert {record["peer"] for record in records} == {"127.0.0.1"}
    assert "BEGUN" not in {record["result"] for record in records}
    top_ups = [record for record in records if record["method"].endswith("SubmitPayments")]
    paid = [thing["id"] for thing in top_ups[0]["things"] if thing["kind"] == "payment"]
    assert paid
    assert top_ups[0]["items"] >= 1
    about = await audit(stack, "--thing", paid[0], "--service", "payment", "--limit", "10000")
    assert top_ups[0] in about


async def test_an_operators_acts(stack: Stack) -> None:
    """Goal: proposed by one person, refused to himself, approved by another: each act under its
    person, with its thing and how it ended."""
    sides = ["--debit", "acc_bank_charges_USD", "7", "USD"]
    sides += ["--credit", "acc_bank_charges_USD", "7", "USD"]
    told = await stack.command(
        "ledger", "correct", *sides, "--why", "a secret reason", "--actor", "ann", "--json"
    )
    correction_id = json.loads(told)["id"]
    await stack.command("ledger", "approve", correction_id, "--actor", "ann", expect=1)
    await stack.command("ledger", "approve", correction_id, "--actor", "bob")
    found = await audited(stack, 3, "--thing", correction_id)
    assert [
        (item["actor"], item["method"].rpartition("/")[2], item["result"], item["reason"])
        for item in found
    ] == [
        ("bob", "ApproveCorrection", "OK", None),
        ("ann", "ApproveCorrection", "FAILED_PRECONDITION", "SAME_PERSON"),
        ("ann", "ProposeCorrection", "OK", None),
    ]
    assert {item["service"] for item in found} == {"ledger"}
    assert all(item["begun_id"] and item["duration_ms"] is not None for item in found)
    assert await audit(stack, "--thing", correction_id, "--actor", "bob") == found[:1]
    assert await audit(stack, "--thing", correction_id, "--result", "failed_precondition")
    table = await stack.command("audit", "--thing", correction_id)
    assert "SAME_PERSON" in table
    assert correction_id in table
    assert "a secret reason" not in json.dumps(await audit(stack, "--limit", "10000")) + table


async def test_a_partner(stack: Stack) -> None:
    """Goal: a partner that may not do something leaves a trace of it under the name in its real
    certificate, in each service; and what it sends as an id is no way into the table."""
    code = "9" * 18
    attempts: dict[str, Callable[[Any], tuple[Any, Any]]] = {
        "wallet": lambda it: (
            wallet_pb2_grpc.WalletServiceStub(it).FreezeWallet,
            wallet_pb2.FreezeWalletRequest(wallet_id="wal_1"),
        ),
        "payment": lambda it: (
            payment_pb2_grpc.PaymentServiceStub(it).GetPayment,
            payment_pb2.GetPaymentRequest(payment_id=code),
        ),
        "ledger": lambda it: (
            correction_pb2_grpc.CorrectionServiceStub(it).ApproveCorrection,
            correction_pb2.ApproveCorrectionRequest(correction_id="cor_1", actor="mallory"),
        ),
        "barcode": lambda it: (
            merchant_pb2_grpc.MerchantServiceStub(it).CloseMerchant,
            merchant_pb2.CloseMerchantRequest(merchant_id="mer_1"),
        ),
    }
    for process, attempt in attempts.items():
        async with await channel_of(stack, process, PARTNER) as channel:
            method, request = attempt(channel)
            with pytest.raises(ServiceError) as caught:
                await call(method, request, timeout_seconds=5)
            assert caught.value.code is grpc.StatusCode.PERMISSION_DENIED
    found = await audited(stack, 4, "--caller", PARTNER)
    assert {item["service"]: [thing["id"] for thing in item["things"]] for item in found} == {
        "wallet": ["wal_1"],
        "payment": ["(withheld)"],
        "ledger": ["cor_1"],
        "barcode": ["mer_1"],
    }
    assert {item["result"] for item in found} == {"PERMISSION_DENIED"}
    assert [item["actor"] for item in found if item["service"] == "ledger"] == ["mallory"]
    assert {item["begun_id"] for item in found} == {None}


async def test_who_pays_through_the_gateway_is_not_audited(stack: Stack) -> None:
    """Goal: payments of people are rows of their own; the trail is for operators and partners."""
    before = len(await audit(stack, "--method", "SubmitPayments", "--limit", "10000"))
    alice = User(gateway=stack.gateway, token=await stack.token("alice"))
    body = {"to": "bob", "amount": 5, "currency": "USD"}
    paid = await alice.post("/payments/send", body, key="audited", wait=10)
    assert paid.status_code == 200, paid.text
    await alice.http.aclose()
    assert len(await audit(stack, "--method", "SubmitPayments", "--limit", "10000")) == before


async def test_an_operator_who_comes_over_http_is(stack: Stack) -> None:
    """Goal: what an operator does through the gateway is on record with the operator's name, before
    it is done if it changes something."""
    operator = User(gateway=stack.gateway, token=await stack.token("ops"))
    merchant_id = IdMaker(clock=SystemClock()).make("mer")
    body = {"id": merchant_id, "name": "Audited", "city": "Lisbon", "mcc": "5814"}
    body |= {"country": "PT", "currency": "EUR"}
    made = await operator.post("/merchants", body, key="audited merchant")
    assert made.status_code == 201, made.text
    await operator.http.aclose()
    (registered,) = await audited(stack, 1, "--thing", merchant_id, "--caller", "gateway")
    assert registered["method"].endswith("/RegisterMerchant")
    assert registered["result"] == "OK"
    assert registered["begun_id"]
    assert registered["actor"].startswith("opr_")


async def test_who_reads_the_trail_is_in_it(stack: Stack) -> None:
    """Goal: a look at the trail is seen by the next look, in each service that was asked."""
    seen: set[str] = set()
    async with asyncio.timeout(30):
        while seen != {"wallet", "payment", "ledger", "barcode"}:
            seen = {item["service"] for item in await audit(stack, "--method", "ListAuditRecords")}


async def test_a_service_that_is_away_is_named(stack: Stack) -> None:
    """Goal: the others are still asked, the missing one is named, and the exit status says so."""
    await stack.kill("barcode", signal.SIGSTOP)
    try:
        output = await stack.command("audit", "--json", "--limit", "10000", expect=1)
        only = await stack.command("audit", "--service", "wallet", "--method", "CreateOwner")
    finally:
        await stack.kill("barcode", signal.SIGCONT)
    told = json.loads(output)
    assert list(told["failed"]) == ["barcode"]
    assert {record["service"] for record in told["records"]} == {"wallet", "payment", "ledger"}
    assert "CreateOwner" in only
    await stack.healthy()
