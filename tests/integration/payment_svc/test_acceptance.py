"""Accepting payments: a real database, and small stand-ins for wallet and barcode."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
import pytest

from chassis.clock import SystemClock
from chassis.database import Database
from chassis.errors import ServiceError, Unavailable, to_item_error
from chassis.ids import IdMaker
from payment_svc import operations
from payment_svc.acceptance import Acceptance
from payment_svc.codes import Codes
from payment_svc.model import Move, NewPayment, Request
from payment_svc.operations import Accepted
from payment_svc.parties import Parties
from qrpay.barcode.v1 import barcode_pb2, merchant_pb2
from qrpay.type.v1 import money_pb2
from qrpay.wallet.v1 import wallet_pb2

BARCODE = "123456789012345678"


class OwnerNotFound(ServiceError):
    """Nobody has that name."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "OWNER_NOT_FOUND"


class Refused(ServiceError):
    """The code is refused; the reason is set by the test."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class FakeWallets:
    """Knows a few owners with a wallet in USD each, by handle and by id."""

    def __init__(self) -> None:
        self.owners = {
            "alice": ("usr_alice", wallet_pb2.OWNER_KIND_CUSTOMER),
            "bob": ("usr_bob", wallet_pb2.OWNER_KIND_CUSTOMER),
            "cafe": ("mer_cafe", wallet_pb2.OWNER_KIND_MERCHANT),
            "ops": ("opr_ops", wallet_pb2.OWNER_KIND_OPERATOR),
            "bank": ("sys_bank", wallet_pb2.OWNER_KIND_SYSTEM),
        }
        self.closed: set[str] = set()
        self.away = False
        self.calls = 0

    async def ResolveWallets(self, request: Any, **_: Any) -> Any:
        self.calls += 1
        if self.away:
            raise Unavailable
        return wallet_pb2.ResolveWalletsResponse(
            results=[self._resolve(item) for item in request.references]
        )

    def _resolve(self, item: Any) -> wallet_pb2.ResolvedWallet:
        for handle, (owner_id, kind) in self.owners.items():
            if item.reference in (handle, owner_id):
                owner = wallet_pb2.Owner(id=owner_id, kind=kind, handle=handle, name=handle.title())
                if item.currency_code != "USD" or handle == "ops":
                    return wallet_pb2.ResolvedWallet(owner=owner, error=to_item_error(Refused()))
                status = (
                    wallet_pb2.WALLET_STATUS_CLOSED
                    if handle in self.closed
                    else wallet_pb2.WALLET_STATUS_ACTIVE
                )
                wallet = wallet_pb2.Wallet(id=f"wal_{handle}", status=status)
                return wallet_pb2.ResolvedWallet(owner=owner, wallet=wallet)
        return wallet_pb2.ResolvedWallet(error=to_item_error(OwnerNotFound()))


class FakeBarcodes:
    """One live barcode of Alice's, and the cafe's QR codes."""

    def __init__(self) -> None:
        self.redeemed_by: str | None = None
        self.forgets = False
        self.ended = {"printed long ago": "QR_REVOKED", "shown long ago": "QR_EXPIRED"}

    async def RedeemBarcodes(self, request: Any, **_: Any) -> Any:
        return barcode_pb2.RedeemBarcodesResponse(
            results=[self._redeem(item) for item in request.items]
        )

    def _redeem(self, item: Any) -> barcode_pb2.RedeemBarcodeResult:
        token = item.redemption_token
        if item.code != BARCODE or self.redeemed_by not in (None, token):
            refused = Refused()
            refused.reason = "BARCODE_USED" if item.code == BARCODE else "BARCODE_UNKNOWN"
            return barcode_pb2.RedeemBarcodeResult(error=to_item_error(refused))
        self.redeemed_by = None if self.forgets else token
        return barcode_pb2.RedeemBarcodeResult(
            barcode=barcode_pb2.RedeemedBarcode(issuance_id="iss_1", owner_id="usr_alice")
        )

    async def DecodeQrs(self, request: Any, **_: Any) -> Any:
        return barcode_pb2.DecodeQrsResponse(results=[self._decode(text) for text in request.texts])

    def _decode(self, text: str) -> barcode_pb2.DecodedQr:
        if not text.startswith("cafe") or text in self.ended:
            refused = Refused()
            refused.reason = self.ended.get(text, "QR_INVALID")
            return barcode_pb2.DecodedQr(error=to_item_error(refused))
        _, _, amount = text.partition(":")
        return barcode_pb2.DecodedQr(
            merchant=merchant_pb2.Merchant(id="mer_cafe", name="Luna Bar", currency_code="USD"),
            money=money_pb2.Money(currency_code="USD", amount_minor=int(amount or 0)),
            reference="table 7",
            static=not amount,
        )


class BrokenOnce:
    """A database whose next transaction fails before anything is stored."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.broken = True
        self.read = database.read

    async def transaction(self, work: Callable[..., Awaitable[Any]]) -> Any:
        if self.broken:
            self.broken = False
            raise Unavailable
        return await self._database.transaction(work)


class Till:
    """An acceptance with its stand-ins, and what it handed over to the queue."""

    def __init__(self, database: Any) -> None:
        self.wallets, self.barcodes = FakeWallets(), FakeBarcodes()
        self.handed_over: list[NewPayment] = []
        clock = SystemClock()
        self.acceptance = Acceptance(
            database=database,
            parties=Parties(
                wallets=self.wallets,  # type: ignore[arg-type]
                call_seconds_max=1,
                cache_seconds=60,
                cache_entries_max=100,
                timer=clock.monotonic,
            ),
            codes=Codes(barcodes=self.barcodes, call_seconds_max=1),  # type: ignore[arg-type]
            hand_over=self.handed_over.extend,
            clock=clock,
            ids=IdMaker(clock=clock),
            amount_minor_max=10_000,
            sweep_after_seconds=60,
        )

    async def submit(self, *requests: Request) -> Sequence[Any]:
        return await self.acceptance.submit(requests)


@pytest.fixture
def till(database: Database) -> Till:
    """An acceptance on a working database."""
    return Till(database)


def a_request(**changes: Any) -> Request:
    """Alice sends Bob ten dollars."""
    request = Request("usr_alice", "key-1", Move.SEND, "bob", 1000, "USD", "", "", "")
    return request._replace(**changes)


def a_charge(**changes: Any) -> Request:
    """The cafe charges the barcode that it scanned."""
    charge = a_request(caller_id="mer_cafe", move=Move.BARCODE, target=BARCODE)
    return charge._replace(**changes)


async def test_each_way_of_asking_becomes_the_same_shape(till: Till, database: Database) -> None:
    """Send, QR, barcode, withdrawal and top-up in one batch: the right sides, all handed over."""
    account = await operations.create_bank_account(
        database,
        owner_id="usr_alice",
        holder="Alice A.",
        iban="DE89370400440532013000",
        clock=SystemClock(),
        ids=IdMaker(clock=SystemClock()),
    )
    answers = await till.submit(
        a_request(),
        a_request(
            request_id="2", move=Move.QR, target="cafe:250", amount_minor=0, currency_code=""
        ),
        a_charge(order_ref="A-17"),
        a_request(request_id="4", move=Move.WITHDRAW, target=account.id),
        a_request(request_id="5", caller_id="opr_ops", move=Move.TOP_UP, target="alice"),
    )
    payments = [answer.payment for answer in answers]
    assert [
        (item.kind, item.payer_id, item.payee_id, item.payee_wallet_id, item.amount_minor)
        for item in payments
    ] == [
        ("SEND", "usr_alice", "usr_bob", "wal_bob", 1000),
        ("PAY", "usr_alice", "mer_cafe", "wal_cafe", 250),
        ("PAY", "usr_alice", "mer_cafe", "wal_cafe", 1000),
        ("WITHDRAW", "usr_alice", account.id, "wal_bank", 1000),
        ("TOP_UP", "sys_bank", "usr_alice", "wal_alice", 1000),
    ]
    assert [item.order_ref for item in payments] == ["", "table 7", "A-17", "", ""]
    assert payments[3].payee_name == "Alice A."
    assert payments[1].payee_name == "Luna Bar", "as the payer was shown it"
    assert till.handed_over == payments


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (a_request(amount_minor=0), "INVALID_ARGUMENT"),
        (a_request(caller_id="usr_nobody"), "CALLER_NOT_FOUND"),
        (a_request(target="nobody"), "RECIPIENT_NOT_FOUND"),
        (a_request(target="bank"), "RECIPIENT_NOT_FOUND"),
        (a_request(target="alice"), "SAME_WALLET"),
        (a_request(currency_code="EUR"), "CURRENCY_MISMATCH"),
        (a_request(amount_minor=10_001), "AMOUNT_OUT_OF_RANGE"),
        (a_request(move=Move.QR, target="sausage"), "QR_INVALID"),
        (a_request(move=Move.QR, target="printed long ago"), "QR_REVOKED"),
        (a_request(move=Move.QR, target="shown long ago"), "QR_EXPIRED"),
        (a_request(move=Move.QR, target="cafe", amount_minor=0), "AMOUNT_REQUIRED"),
        (a_request(move=Move.QR, target="cafe:5"), "AMOUNT_MISMATCH"),
        (a_request(move=Move.QR, target="cafe", caller_id="mer_cafe"), "PERMISSION_DENIED"),
        (a_request(move=Move.WITHDRAW, target="bnk_none"), "BANK_ACCOUNT_NOT_FOUND"),
        (a_charge(caller_id="usr_bob"), "PERMISSION_DENIED"),
        (a_charge(target="0" * 18), "BARCODE_UNKNOWN"),
        (a_request(move=Move.TOP_UP), "PERMISSION_DENIED"),
    ],
)
async def test_a_refused_item_fails_alone(till: Till, request_: Request, reason: str) -> None:
    """Each refusal by its reason; its neighbour is accepted; nothing else is stored."""
    refused, neighbour = await till.submit(request_, a_request(request_id="neighbour"))
    assert isinstance(refused, ServiceError)
    assert refused.reason == reason
    assert isinstance(neighbour, Accepted)
    assert len(till.handed_over) == 1


async def test_a_payment_outlives_the_code_that_it_was_made_with(till: Till) -> None:
    """A repeat after the code expired or was revoked is answered with the payment of the first."""
    request = a_request(move=Move.QR, target="cafe:100", amount_minor=0, currency_code="")
    (first,) = await till.submit(request)
    assert isinstance(first, Accepted)
    for reason in ("QR_EXPIRED", "QR_REVOKED"):
        till.barcodes.ended["cafe:100"] = reason
        (again,) = await till.submit(request)
        assert isinstance(again, Accepted)
        assert again.payment.id == first.payment.id
    assert len(till.handed_over) == 1


async def test_a_closed_wallet_is_refused_on_both_sides(till: Till) -> None:
    """Neither the sender's nor the recipient's wallet may be closed."""
    till.wallets.closed = {"bob"}
    (to_closed,) = await till.submit(a_request())
    (from_closed,) = await till.submit(a_request(caller_id="usr_bob", target="alice"))
    assert (to_closed.reason, from_closed.reason) == ("WALLET_CLOSED", "WALLET_CLOSED")


async def test_a_charge_that_crashed_after_redeeming_is_finished_by_its_retry(
    database: Database,
) -> None:
    """Redeemed, then the database fails: the retry charges once, another till never."""
    till = Till(BrokenOnce(database))
    (crashed,) = await till.submit(a_charge())
    assert isinstance(crashed, Unavailable)
    assert till.barcodes.redeemed_by is not None
    (other_till,) = await till.submit(a_charge(request_id="other"))
    assert other_till.reason == "BARCODE_USED"
    (retried,) = await till.submit(a_charge())
    assert (retried.payment.payer_id, retried.replayed) == ("usr_alice", False)
    (again,) = await till.submit(a_charge())
    assert (again.payment.id, again.replayed) == (retried.payment.id, True)


async def test_a_barcode_pays_once_even_if_its_issuer_forgets(till: Till) -> None:
    """The cache was restored from an old copy and lets the code be redeemed again: one payment."""
    till.barcodes.forgets = True
    (first,) = await till.submit(a_charge(request_id="1"))
    (second,) = await till.submit(a_charge(request_id="2"))
    assert isinstance(first, Accepted)
    assert second.reason == "BARCODE_USED"


async def test_a_replay_is_answered_whatever_would_be_said_today(database: Database) -> None:
    """The recipient has left since, wallet is away: the payment was made and is answered."""
    (first,) = await Till(database).submit(a_request())
    fresh = Till(database)
    del fresh.wallets.owners["bob"]
    (gone,) = await fresh.submit(a_request())
    assert (gone.payment.id, gone.replayed) == (first.payment.id, True)
    (other_body,) = await fresh.submit(a_request(note="other"))
    assert other_body.reason == "REQUEST_ID_REUSED"
    away = Till(database)
    away.wallets.away = True
    replay, new = await away.submit(a_request(), a_request(request_id="new"))
    assert replay.payment.id == first.payment.id
    assert isinstance(new, Unavailable)


async def test_parties_are_asked_for_once_and_remembered(till: Till) -> None:
    """A batch asks wallet once; the next, about the same people, not at all; strangers always."""
    await till.submit(*(a_request(request_id=str(number)) for number in range(20)))
    assert till.wallets.calls == 1
    await till.submit(a_request(request_id="more"))
    assert till.wallets.calls == 1
    await till.submit(a_request(request_id="stranger", target="nobody"))
    await till.submit(a_request(request_id="stranger", target="nobody"))
    assert till.wallets.calls == 3
