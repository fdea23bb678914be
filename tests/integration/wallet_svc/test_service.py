"""The service as its callers see it: gRPC over mutual TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import psycopg
import pytest

from chassis.channel import call
from chassis.errors import ServiceError
from qrpay.type.v1.failure_code_pb2 import FailureCode
from qrpay.type.v1.money_pb2 import Money
from qrpay.type.v1.transfer_kind_pb2 import TransferKind
from qrpay.wallet.v1 import wallet_pb2 as pb
from wallet_svc.rpc import ALLOWED_CALLERS

StubFor = Callable[[str], Any]
IDENTITIES = ("wallet", "payment", "ledger", "barcode", "gateway", "gateway-reader", "operator")


async def ask(method: Any, request: Any) -> Any:
    """Call as another service would."""
    return await call(method, request, timeout_seconds=5)


async def refusal(method: Any, request: Any) -> ServiceError:
    """The error that a call must end in."""
    with pytest.raises(ServiceError) as caught:
        await ask(method, request)
    return caught.value


def owner_request(handle: str, **changes: Any) -> pb.CreateOwnerRequest:
    """A customer with a wallet in dollars."""
    fields = {
        "request_id": f"make {handle}",
        "kind": "OWNER_KIND_CUSTOMER",
        "handle": handle,
        "name": handle.title(),
        "currency_codes": ["USD"],
    }
    return pb.CreateOwnerRequest(**{**fields, **changes})


def transfer(
    payment_id: str, debit: str, credit: str, amount_minor: int, kind: str = "SEND"
) -> pb.Transfer:
    """A transfer in dollars."""
    return pb.Transfer(
        payment_id=payment_id,
        debit_wallet_id=debit,
        credit_wallet_id=credit,
        money=Money(currency_code="USD", amount_minor=amount_minor),
        kind=f"TRANSFER_KIND_{kind}",
    )


async def test_only_the_listed_callers_get_through(stub_for: StubFor) -> None:
    """Goal: every RPC refuses every identity that is not on its list, and no other. Method: empty
    requests, which those on the list get another answer to."""
    stubs = {identity: stub_for(identity) for identity in IDENTITIES}
    let_in = {}
    for method in ALLOWED_CALLERS:
        request_type = getattr(pb, f"{method}Request")
        answers = await asyncio.gather(
            *[ask(getattr(stubs[identity], method), request_type()) for identity in IDENTITIES],
            return_exceptions=True,
        )
        let_in[method] = {
            identity
            for identity, answer in zip(IDENTITIES, answers, strict=True)
            if getattr(answer, "reason", None) != "PERMISSION_DENIED"
        }

    readers = {"gateway", "payment", "operator"}
    assert let_in == {
        "CreateOwner": {"operator"},
        "GetOwner": readers,
        "OpenWallet": {"operator"},
        "FreezeWallet": {"operator", "ledger"},
        "UnfreezeWallet": {"operator", "ledger"},
        "CloseWallet": {"operator"},
        "ResolveWallets": readers,
        "BatchGetWallets": readers | {"ledger"},
        "ListWallets": readers | {"gateway-reader"},
        "ListEntries": readers | {"gateway-reader"},
        "GetEntrySpan": readers | {"gateway-reader"},
        "ExecuteTransfers": {"payment"},
        "CancelTransfers": {"payment"},
        "BatchGetTransfers": readers | {"ledger"},
        "DigestTransfers": {"operator", "ledger"},
        "ListTransferRecords": {"operator", "ledger"},
        "DigestBalances": {"operator", "ledger"},
        "ListBalanceRecords": {"operator", "ledger"},
        "ListNewestMoves": {"operator", "ledger"},
    }


async def test_an_owner_is_made_once(stub_for: StubFor) -> None:
    """Goal: CreateOwner, its repeat, its two collisions, and every bad field named."""
    operator = stub_for("operator")
    made = await ask(operator.CreateOwner, owner_request("alice", currency_codes=["USD", "EUR"]))
    again = await ask(operator.CreateOwner, owner_request("alice", currency_codes=["EUR", "USD"]))

    assert again == made
    assert made.owner.id.startswith("usr_")
    assert [wallet.currency_code for wallet in made.wallets] == ["EUR", "USD"]
    assert all(wallet.id.startswith("wal_") for wallet in made.wallets)
    assert all(wallet.status == pb.WALLET_STATUS_ACTIVE for wallet in made.wallets)

    reused = await refusal(operator.CreateOwner, owner_request("alice", name="Mallory"))
    assert (reused.code, reused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    taken = await refusal(operator.CreateOwner, owner_request("alice", request_id="another"))
    assert (taken.code, taken.reason) == (grpc.StatusCode.ALREADY_EXISTS, "HANDLE_TAKEN")
    bad = await refusal(
        operator.CreateOwner,
        owner_request("bank", kind="OWNER_KIND_SYSTEM", name="a\nb", currency_codes=["XXX"]),
    )
    assert [violation.field for violation in bad.violations] == [
        "kind", "handle", "name", "currency_codes[0]"
    ]  # fmt: skip


async def test_equal_requests_at_once_make_one_owner(stub_for: StubFor, auditor: Any) -> None:
    """Goal: concurrent repeats end in one owner that all of them get; concurrent rivals for a
    handle end in one owner and refusals."""
    operator = stub_for("operator")
    same = await asyncio.gather(
        *[ask(operator.CreateOwner, owner_request("alice")) for _ in range(12)]
    )
    rivals = await asyncio.gather(
        *[ask(operator.CreateOwner, owner_request("bob", request_id=f"{i}")) for i in range(12)],
        return_exceptions=True,
    )

    assert len({answer.owner.id for answer in same}) == 1
    assert all(answer == same[0] for answer in same)
    refused = [answer for answer in rivals if isinstance(answer, ServiceError)]
    assert {answer.reason for answer in refused} == {"HANDLE_TAKEN"}
    assert len(refused) == 11
    # Both of them, and the three of the system; a wallet each.
    assert await auditor.rows("SELECT count(*) FROM owners") == [(5,)]
    assert await auditor.rows("SELECT count(*) FROM wallets") == [(5,)]


async def test_owners_of_each_kind(stub_for: StubFor) -> None:
    """Goal: the id tells the kind; an operator has no wallets and cannot get one."""
    operator = stub_for("operator")
    prefixes = {}
    for kind in ("CUSTOMER", "MERCHANT", "OPERATOR"):
        request = owner_request(kind.lower(), kind=f"OWNER_KIND_{kind}", currency_codes=[])
        made = await ask(operator.CreateOwner, request)
        prefixes[kind] = made.owner.id[:4]
        assert made.wallets == []
        assert (await ask(operator.ListWallets, pb.ListWalletsRequest(owner_id=made.owner.id))
                ).wallets == []  # fmt: skip
    assert prefixes == {"CUSTOMER": "usr_", "MERCHANT": "mer_", "OPERATOR": "opr_"}

    refused = await refusal(
        operator.OpenWallet, pb.OpenWalletRequest(owner_id=made.owner.id, currency_code="USD")
    )
    assert refused.reason == "INVALID_ARGUMENT"


async def test_finding_an_owner(stub_for: StubFor) -> None:
    """Goal: by id, by handle, and not at all -- also for texts that no owner can have."""
    operator, gateway = stub_for("operator"), stub_for("gateway")
    made = (await ask(operator.CreateOwner, owner_request("alice"))).owner

    by_id = await ask(gateway.GetOwner, pb.GetOwnerRequest(owner_id=made.id))
    by_handle = await ask(gateway.GetOwner, pb.GetOwnerRequest(handle="alice"))
    assert by_id.owner == by_handle.owner == made

    for request in (
        {"owner_id": "usr_nobody"}, {"handle": "nobody"}, {"owner_id": ""}, {"handle": "a\x00b"},
        {"owner_id": "x" * 100_000},
    ):  # fmt: skip
        error = await refusal(gateway.GetOwner, pb.GetOwnerRequest(**request))
        assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "OWNER_NOT_FOUND")
    assert (await refusal(gateway.GetOwner, pb.GetOwnerRequest())).reason == "INVALID_ARGUMENT"


async def test_opening_and_listing_wallets(stub_for: StubFor) -> None:
    """Goal: one wallet per currency, however often it is opened, also at once; the system has its
    own in every currency that somebody has."""
    operator = stub_for("operator")
    owner = (await ask(operator.CreateOwner, owner_request("alice"))).owner
    request = pb.OpenWalletRequest(owner_id=owner.id, currency_code="JPY")

    opened = await asyncio.gather(*[ask(operator.OpenWallet, request) for _ in range(8)])

    assert len({answer.wallet.id for answer in opened}) == 1
    listed = await ask(operator.ListWallets, pb.ListWalletsRequest(owner_id=owner.id))
    assert [wallet.currency_code for wallet in listed.wallets] == ["JPY", "USD"]
    assert listed.wallets[0] == opened[0].wallet
    for owner_id in ("sys_bank", "sys_fees", "sys_suspense"):
        system = await ask(operator.ListWallets, pb.ListWalletsRequest(owner_id=owner_id))
        assert [wallet.currency_code for wallet in system.wallets] == ["JPY", "USD"]

    for owner_id in ("usr_nobody", "\x00"):
        opening = pb.OpenWalletRequest(owner_id=owner_id, currency_code="JPY")
        assert (await refusal(operator.OpenWallet, opening)).reason == "OWNER_NOT_FOUND"
        listing = pb.ListWalletsRequest(owner_id=owner_id)
        assert (await refusal(operator.ListWallets, listing)).reason == "OWNER_NOT_FOUND"
    wrong = pb.OpenWalletRequest(owner_id=owner.id, currency_code="yen")
    assert (await refusal(operator.OpenWallet, wrong)).reason == "INVALID_ARGUMENT"


async def test_the_life_of_a_wallet(stub_for: StubFor, people: Any, auditor: Any) -> None:
    """Goal: freeze, unfreeze and close, repeats and refusals; and what transfers make of it."""
    operator, payment = stub_for("operator"), stub_for("payment")
    alice, bob = await people.rich("alice", 100), await people.rich("bob", 0)

    async def pay(payment_id: str) -> int:
        request = pb.ExecuteTransfersRequest(transfers=[transfer(payment_id, alice, bob, 50)])
        code: int = (await ask(payment.ExecuteTransfers, request)).results[0].outcome.failure_code
        return code

    for _ in range(2):
        answer = await ask(operator.FreezeWallet, pb.FreezeWalletRequest(wallet_id=bob))
        assert answer.wallet.status == pb.WALLET_STATUS_FROZEN
    assert await pay("pay_1") == FailureCode.Value("FAILURE_CODE_WALLET_FROZEN")
    for _ in range(2):
        answer = await ask(operator.UnfreezeWallet, pb.UnfreezeWalletRequest(wallet_id=bob))
        assert answer.wallet.status == pb.WALLET_STATUS_ACTIVE
    assert await pay("pay_2") == FailureCode.Value("FAILURE_CODE_UNSPECIFIED")

    close = pb.CloseWalletRequest(wallet_id=bob)
    full = await refusal(operator.CloseWallet, close)
    assert (full.code, full.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION, "WALLET_NOT_EMPTY"
    )  # fmt: skip
    back = transfer("pay_3", bob, alice, 50)
    await ask(payment.ExecuteTransfers, pb.ExecuteTransfersRequest(transfers=[back]))
    for _ in range(2):
        answer = await ask(operator.CloseWallet, close)
        assert answer.wallet.status == pb.WALLET_STATUS_CLOSED
    assert await pay("pay_4") == FailureCode.Value("FAILURE_CODE_WALLET_CLOSED")
    assert await pay("pay_1") == FailureCode.Value("FAILURE_CODE_WALLET_FROZEN")
    for method, request_type in (
        (operator.FreezeWallet, pb.FreezeWalletRequest),
        (operator.UnfreezeWallet, pb.UnfreezeWalletRequest),
    ):
        closed = await refusal(method, request_type(wallet_id=bob))
        assert (closed.code, closed.reason) == (
            grpc.StatusCode.FAILED_PRECONDITION, "WALLET_CLOSED"
        )  # fmt: skip
        missing = await refusal(method, request_type(wallet_id="wal_nobody"))
        assert missing.reason == "WALLET_NOT_FOUND"


async def test_resolving_what_people_mean(stub_for: StubFor, people: Any) -> None:
    """Goal: handle, owner id and wallet id lead to the same wallet; each item has its own answer,
    in order; the owner is told whenever it is known."""
    payment = stub_for("payment")
    alice, wallets = await people.owner("alice", "EUR", "USD")
    euros, dollars = wallets
    asked = [
        ("alice", "USD"), (alice.id, "USD"), (dollars.id, "USD"), ("alice", "EUR"),
        ("alice", "JPY"), (alice.id, "nonsense"), (euros.id, "USD"), ("nobody", "USD"),
        ("usr_nobody", "USD"), ("wal_nobody", "USD"), ("", "USD"), ("a\x00", "\x00"),
        ('"{}\\', "USD"), ("bank", "USD"), ("alice", "USD"),
    ]  # fmt: skip
    request = pb.ResolveWalletsRequest(
        references=[pb.WalletReference(reference=r, currency_code=c) for r, c in asked]
    )

    results = (await ask(payment.ResolveWallets, request)).results

    bank = await people.bank()
    assert [result.wallet.id for result in results] == [
        dollars.id, dollars.id, dollars.id, euros.id, *[""] * 9, bank, dollars.id
    ]  # fmt: skip
    assert [result.error.reason for result in results] == [
        *[""] * 4, *["CURRENCY_MISMATCH"] * 3, *["OWNER_NOT_FOUND"] * 6, "", ""
    ]  # fmt: skip
    assert [result.owner.handle for result in results] == [
        *["alice"] * 7, *[""] * 6, "bank", "alice"
    ]  # fmt: skip
    assert results[13].owner.kind == pb.OWNER_KIND_SYSTEM
    assert {result.error.code for result in results[4:7]} == {9}
    assert {result.error.code for result in results[7:13]} == {5}


async def test_how_many_may_be_asked_for(stub_for: StubFor) -> None:
    """Goal: each plural RPC refuses none and too many, and names the field."""
    payment = stub_for("payment")
    for method, request in (
        (payment.ResolveWallets, pb.ResolveWalletsRequest()),
        (
            payment.ResolveWallets,
            pb.ResolveWalletsRequest(references=[pb.WalletReference()] * 513),
        ),
        (payment.BatchGetWallets, pb.BatchGetWalletsRequest()),
        (payment.BatchGetWallets, pb.BatchGetWalletsRequest(wallet_ids=["wal_x"] * 513)),
        (payment.ExecuteTransfers, pb.ExecuteTransfersRequest()),
        (payment.ExecuteTransfers, pb.ExecuteTransfersRequest(transfers=[pb.Transfer()] * 257)),
    ):
        error = await refusal(method, request)
        assert error.reason == "INVALID_ARGUMENT"
        assert len(error.violations) == 1


async def test_batch_get_is_all_or_nothing_in_order(stub_for: StubFor, people: Any) -> None:
    """Goal: the order of the request, repeats included; one missing refuses all."""
    ledger = stub_for("ledger")
    alice, bob = await people.rich("alice", 5), await people.rich("bob", 7)

    answer = await ask(
        ledger.BatchGetWallets, pb.BatchGetWalletsRequest(wallet_ids=[bob, alice, bob])
    )
    assert [(wallet.id, wallet.balance_minor) for wallet in answer.wallets] == [
        (bob, 7), (alice, 5), (bob, 7)
    ]  # fmt: skip
    for missing in ("wal_nobody", "\x00"):
        request = pb.BatchGetWalletsRequest(wallet_ids=[bob, missing])
        error = await refusal(ledger.BatchGetWallets, request)
        assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "WALLET_NOT_FOUND")


async def test_entries_page_by_page(stub_for: StubFor, people: Any, auditor: Any) -> None:
    """Goal: every entry exactly once, in order, with who was on the other side; the last page says
    so; sizes are bounded; what does not exist is refused."""
    gateway, payment = stub_for("gateway"), stub_for("payment")
    owner, (wallet,) = await people.owner("alice")
    bank = await people.bank()
    bob = await people.rich("bob", 0)
    transfers = [
        transfer("pay_0", bank, wallet.id, 100, "TOP_UP"),
        *[transfer(f"pay_{i}", wallet.id, bob, i, "SEND") for i in range(1, 7)],
    ]
    await ask(payment.ExecuteTransfers, pb.ExecuteTransfersRequest(transfers=transfers))

    async def page(**fields: Any) -> pb.ListEntriesResponse:
        request = pb.ListEntriesRequest(**{"owner_id": owner.id, "currency_code": "USD", **fields})
        response: pb.ListEntriesResponse = await ask(gateway.ListEntries, request)
        return response

    entries: list[pb.Entry] = []
    after = 0
    while True:
        response = await page(after_number=after, page_size=3)
        assert len(response.entries) <= 3
        entries.extend(response.entries)
        after = response.next_after_number
        if not after:
            break
    assert [entry.number for entry in entries] == list(range(1, 8))
    assert [entry.amount_minor for entry in entries] == [100, -1, -2, -3, -4, -5, -6]
    assert [entry.balance_after_minor for entry in entries] == [100, 99, 97, 94, 90, 85, 79]
    assert [entry.counterparty_name for entry in entries] == ["Bank", *["Bob"] * 6]
    assert entries[0].counterparty_id == "sys_bank"
    assert [entry.payment_id for entry in entries] == [f"pay_{i}" for i in range(7)]
    assert entries[0].kind == TransferKind.Value("TRANSFER_KIND_TOP_UP")

    assert list((await page()).entries) == entries
    assert list((await page(page_size=100_000)).entries) == entries
    assert (await page(page_size=7)).next_after_number == 0
    assert (await page(after_number=7)).entries == []
    for fields, reason in (
        ({"page_size": -1, "after_number": -1}, "INVALID_ARGUMENT"),
        ({"currency_code": "usd"}, "INVALID_ARGUMENT"),
        ({"currency_code": "EUR"}, "CURRENCY_MISMATCH"),
        ({"owner_id": "usr_nobody"}, "OWNER_NOT_FOUND"),
        ({"owner_id": "\x00"}, "OWNER_NOT_FOUND"),
    ):
        with pytest.raises(ServiceError) as caught:
            await page(**fields)
        assert caught.value.reason == reason


async def test_a_batch_answers_every_item_for_itself(
    stub_for: StubFor, people: Any, auditor: Any
) -> None:
    """Goal: outcomes, business refusals and each kind of item error side by side, in order, and a
    repeat of the whole batch answered alike."""
    payment = stub_for("payment")
    alice, bob = await people.rich("alice", 100), await people.rich("bob", 0)
    bank = await people.bank()
    request = pb.ExecuteTransfersRequest(
        transfers=[
            transfer("pay_1", alice, bob, 60),
            transfer("", alice, bob, 0),
            transfer("pay_2", alice, bob, 60),
            transfer("pay_1", alice, bob, 61),
            transfer("pay_3", alice, "wal_nobody", 1),
            transfer("pay_4", alice, bank, 1),
            transfer("pay_5", alice, bob, 40),
            transfer("pay_1", alice, bob, 60),
        ]
    )

    response = await ask(payment.ExecuteTransfers, request)

    assert [result.error.reason or result.outcome.failure_code for result in response.results] == [
        0,
        "INVALID_ARGUMENT",
        FailureCode.Value("FAILURE_CODE_INSUFFICIENT_FUNDS"),
        "PAYMENT_ID_REUSED",
        "WALLET_NOT_FOUND",
        "INVALID_ARGUMENT",
        0,
        0,
    ]
    first, last = response.results[0].outcome, response.results[-1].outcome
    assert first == last
    assert (first.payment_id, first.debit_entry_number, first.credit_entry_number) == (
        "pay_1", 2, 1
    )  # fmt: skip
    assert first.execute_time.seconds > 0
    assert await ask(payment.ExecuteTransfers, request) == response


async def test_a_caller_that_hangs_up_changes_nothing(
    stub_for: StubFor,
    people: Any,
    auditor: Any,
    waiting_for_lock: Callable[[], Awaitable[None]],
    eventually: Callable[..., Awaitable[None]],
) -> None:
    """Goal: cancelling ExecuteTransfers in the middle of its transaction does not disturb it; the
    repeat finds its outcome. Method: hold a wallet's lock until the call waits for it, hang up, let
    go, and look whether the transfers are there although nobody waits for them."""
    payment = stub_for("payment")
    alice, bob = await people.rich("alice", 100), await people.rich("bob", 0)
    request = pb.ExecuteTransfersRequest(
        transfers=[transfer(f"pay_{i}", alice, bob, 10) for i in range(5)]
    )
    async with await psycopg.AsyncConnection.connect(auditor.url) as blocking:
        await blocking.execute("SELECT 1 FROM wallets WHERE id = %s FOR UPDATE", [bob])
        hanging = payment.ExecuteTransfers(request)
        await waiting_for_lock()
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        await blocking.rollback()

    async def stored() -> list[Any]:
        rows: list[Any] = await auditor.rows(
            "SELECT credit_entry_number FROM transfers WHERE kind = 1 ORDER BY payment_id"
        )
        return rows

    async def all_are_stored() -> bool:
        return await stored() == [(1,), (2,), (3,), (4,), (5,)]

    await eventually(all_are_stored)
    repeated = await ask(payment.ExecuteTransfers, request)
    assert [result.outcome.credit_entry_number for result in repeated.results] == [1, 2, 3, 4, 5]
    assert await all_are_stored()
