"""LedgerService: messages in, messages out, on a real PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.database import Database
from chassis.errors import InvalidArgument
from ledger_svc.errors import TransactionNotFound
from ledger_svc.operations import post_bookings
from ledger_svc.rpc import LedgerServicer, rpc_service
from qrpay.ledger.v1 import ledger_pb2 as pb
from qrpay.type.v1.money_pb2 import Money
from qrpay.type.v1.transfer_kind_pb2 import TRANSFER_KIND_PAY

CONTEXT: Any = None  # no handler looks at it: callers and deadlines are the server's business


@pytest.fixture
def servicer(database: Database) -> LedgerServicer:
    """The service on an empty ledger."""
    return LedgerServicer(database=database, keys=[bytes(32)])


def test_only_readers_may_call(database: Database) -> None:
    """Every method is named, and none is open to a service that only writes to the queue."""
    service = rpc_service(database=database, keys=[bytes(32)])
    callers = set(map(frozenset, service.allowed_callers.values()))
    # A reader calls what the gateway's readings need, and not one method more.
    readers = {
        frozenset({"gateway", "operator"}),
        frozenset({"gateway", "gateway-reader", "operator"}),
    }
    assert callers == readers


async def test_a_transaction_is_read_by_its_payment(
    servicer: LedgerServicer, database: Database, make_booking: Any
) -> None:
    """All of it: kind, both postings, when the money moved and when it was booked."""
    booking = make_booking(kind=TRANSFER_KIND_PAY, currency_code="JPY", amount_minor=12)
    await post_bookings(database, [booking])
    request = pb.GetTransactionRequest(payment_id=booking.payment_id)
    transaction = (await servicer.GetTransaction(request, CONTEXT)).transaction
    money = Money(currency_code="JPY", amount_minor=12)
    assert transaction.id.startswith("txn_")
    assert transaction.payment_id == booking.payment_id
    assert transaction.kind == TRANSFER_KIND_PAY
    assert transaction.effective_time.ToMicroseconds() == booking.effective_microseconds
    assert transaction.book_time.seconds > 0
    assert list(transaction.postings) == [
        pb.Posting(account_id="wal_alice", direction=pb.DIRECTION_DEBIT, money=money),
        pb.Posting(account_id="wal_bob", direction=pb.DIRECTION_CREDIT, money=money),
    ]


async def test_a_kind_of_a_later_release_passes_through(
    servicer: LedgerServicer, database: Database, make_booking: Any
) -> None:
    """A kind of payment that this release does not know is booked and told as it came."""
    booking = make_booking(kind=77)
    await post_bookings(database, [booking])
    request = pb.GetTransactionRequest(payment_id=booking.payment_id)
    assert (await servicer.GetTransaction(request, CONTEXT)).transaction.kind == 77


async def test_what_is_not_booked_is_not_found(servicer: LedgerServicer) -> None:
    """NOT_FOUND names the payment."""
    with pytest.raises(TransactionNotFound) as caught:
        await servicer.GetTransaction(pb.GetTransactionRequest(payment_id="pay_1"), CONTEXT)
    assert caught.value.reason == "TRANSACTION_NOT_FOUND"
    assert caught.value.metadata == {"payment_id": "pay_1"}


@pytest.mark.parametrize("payment_id", ["", "pay_\0", "x" * 65])
async def test_a_bad_payment_id_is_the_callers_mistake(
    servicer: LedgerServicer, payment_id: str
) -> None:
    """Texts that PostgreSQL cannot even be asked about never reach it."""
    with pytest.raises(InvalidArgument) as caught:
        await servicer.GetTransaction(pb.GetTransactionRequest(payment_id=payment_id), CONTEXT)
    assert [violation.field for violation in caught.value.violations] == ["payment_id"]


async def test_accounts_are_answered_in_request_order(
    servicer: LedgerServicer, database: Database, make_booking: Any
) -> None:
    """Those that exist, as often as they are asked for; what we owe is credits minus debits."""
    await post_bookings(database, [make_booking(amount_minor=70)])
    request = pb.BatchGetAccountsRequest(
        account_ids=["wal_bob", "wal_nobody", "wal_alice", "wal_bob"]
    )
    response = await servicer.BatchGetAccounts(request, CONTEXT)
    bob = pb.Account(id="wal_bob", currency_code="USD", credits_posted_minor=70, balance_minor=70)
    alice = pb.Account(
        id="wal_alice", currency_code="USD", debits_posted_minor=70, balance_minor=-70
    )
    assert list(response.accounts) == [bob, alice, bob]


@pytest.mark.parametrize(
    ("account_ids", "field"),
    [
        ([], "account_ids"),
        (["wal_a"] * 513, "account_ids"),
        (["wal_a", ""], "account_ids[1]"),
        (["wal_\0"], "account_ids[0]"),
    ],
)
async def test_bad_account_ids_are_the_callers_mistake(
    servicer: LedgerServicer, account_ids: list[str], field: str
) -> None:
    """None, too many, empty, unspeakable."""
    with pytest.raises(InvalidArgument) as caught:
        await servicer.BatchGetAccounts(
            pb.BatchGetAccountsRequest(account_ids=account_ids), CONTEXT
        )
    assert [violation.field for violation in caught.value.violations] == [field]


async def test_the_largest_request_is_answered(servicer: LedgerServicer) -> None:
    """512 ids are fine, also when none of them has an account."""
    request = pb.BatchGetAccountsRequest(account_ids=[f"wal_{n}" for n in range(512)])
    assert list((await servicer.BatchGetAccounts(request, CONTEXT)).accounts) == []


@pytest.mark.parametrize(
    ("page_size", "pages"), [(1, [1, 1, 1, 1]), (2, [2, 2]), (3, [3, 1]), (4, [4])]
)
async def test_pages_follow_each_other(
    servicer: LedgerServicer,
    database: Database,
    make_booking: Any,
    page_size: int,
    pages: list[int],
) -> None:
    """Tokens lead through all accounts, each once, and the last page has no token."""
    names = ["wal_b", "wal_c", "wal_d"]
    await post_bookings(database, [make_booking(credit_account_id=name) for name in names])
    listed, sizes, token = [], [], ""
    for _ in range(9):
        request = pb.ListAccountsRequest(page_size=page_size, page_token=token)
        response = await servicer.ListAccounts(request, CONTEXT)
        listed += [account.id for account in response.accounts]
        sizes.append(len(response.accounts))
        token = response.next_page_token
        if not token:
            break
    assert listed == ["wal_alice", *names]
    assert sizes == pages


async def test_a_foreign_page_token_is_refused(servicer: LedgerServicer) -> None:
    """Only tokens of this list are taken."""
    with pytest.raises(InvalidArgument) as caught:
        await servicer.ListAccounts(pb.ListAccountsRequest(page_token="wal_alice"), CONTEXT)
    assert [violation.field for violation in caught.value.violations] == ["page_token"]


async def test_a_negative_page_size_is_refused(servicer: LedgerServicer) -> None:
    """AIP-158."""
    with pytest.raises(InvalidArgument) as caught:
        await servicer.ListAccounts(pb.ListAccountsRequest(page_size=-1), CONTEXT)
    assert [violation.field for violation in caught.value.violations] == ["page_size"]


async def test_the_trial_balance(
    servicer: LedgerServicer,
    database: Database,
    make_booking: Any,
    auditor: Any,
) -> None:
    """Per currency by code; an empty book balances, and an imbalance is told, not hidden."""
    empty = await servicer.GetTrialBalance(pb.GetTrialBalanceRequest(), CONTEXT)
    assert empty == pb.GetTrialBalanceResponse(balanced=True)
    euro = {"debit_account_id": "wal_x", "credit_account_id": "wal_y", "currency_code": "EUR"}
    await post_bookings(database, [make_booking(), make_booking(), make_booking(**euro)])
    response = await servicer.GetTrialBalance(pb.GetTrialBalanceRequest(), CONTEXT)
    assert response == pb.GetTrialBalanceResponse(
        lines=[
            pb.TrialBalanceLine(
                currency_code="EUR", debits_minor=1000, credits_minor=1000, account_count=2
            ),
            pb.TrialBalanceLine(
                currency_code="USD", debits_minor=2000, credits_minor=2000, account_count=2
            ),
        ],
        balanced=True,
    )
    await auditor.change(b"UPDATE accounts SET debits_posted_minor = 1 WHERE id = 'wal_x'")
    response = await servicer.GetTrialBalance(pb.GetTrialBalanceRequest(), CONTEXT)
    assert not response.balanced
