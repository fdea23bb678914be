"""The chart of accounts: every account gets its class from its wallet's owner."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from chassis.database import Database
from chassis.errors import ServiceError, Unavailable
from ledger_svc.chart import Chart
from ledger_svc.model import Draft, DraftPosting, account_class
from ledger_svc.operations import book, post_bookings
from qrpay.wallet.v1 import wallet_pb2

OWNERS = {
    "wal_alice": "usr_1",
    "wal_bob": "mer_1",
    "wal_bank": "sys_bank",
    "wal_fees": "sys_fees",
    "wal_suspense": "sys_suspense",
}


class WalletNotFound(ServiceError):
    """As wallet says it."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "WALLET_NOT_FOUND"


class Wallets:
    """wallet, as far as the chart asks it."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.away = False

    async def BatchGetWallets(self, request: Any, **_: Any) -> Any:
        """All of them or none."""
        if self.away:
            raise Unavailable
        self.asked.append(list(request.wallet_ids))
        if not OWNERS.keys() >= set(request.wallet_ids):
            raise WalletNotFound
        return wallet_pb2.BatchGetWalletsResponse(
            wallets=[
                wallet_pb2.Wallet(id=item, owner_id=OWNERS[item]) for item in request.wallet_ids
            ]
        )


def chart_of(database: Database, wallets: Any) -> Chart:
    """A chart of this book."""
    return Chart(database=database, wallets=wallets, every_seconds=60.0, call_seconds_max=1.0)


@pytest.mark.parametrize(
    ("owner_id", "number"),
    [
        ("usr_1", 1),
        ("mer_1", 2),
        ("sys_bank", 3),
        ("sys_fees", 4),
        ("sys_suspense", 5),
        ("opr_1", None),
        ("", None),
    ],
)
def test_the_owner_decides_the_class(owner_id: str, number: int | None) -> None:
    """As the contract numbers them; operators have no wallets."""
    assert account_class(owner_id) == number


async def test_new_accounts_get_their_class(
    database: Database, make_booking: Any, auditor: Any
) -> None:
    """All of them, once; one that wallet does not know stays without, and blocks nobody."""
    pairs = [("wal_alice", "wal_bob"), ("wal_bank", "wal_fees"), ("wal_suspense", "wal_unknown")]
    await post_bookings(
        database,
        [make_booking(debit_account_id=one, credit_account_id=two) for one, two in pairs],
    )
    wallets = Wallets()
    chart = chart_of(database, wallets)
    assert await chart.classify() == 5
    rows = await auditor.rows("SELECT id, class FROM accounts ORDER BY id")
    assert dict(rows) == {
        **{wallet: account_class(owner) for wallet, owner in OWNERS.items()},
        "wal_unknown": None,
    }
    assert await chart.classify() == 0
    assert wallets.asked[-1] == ["wal_unknown"], "nobody is asked about twice who is known"


async def test_what_moves_no_wallet_is_counted_apart(
    database: Database, make_booking: Any, auditor: Any
) -> None:
    """A bank's fee changes the clearing account and no wallet; its other side is an account of its
    own, whose class needs no owner."""
    await post_bookings(database, [make_booking(debit_account_id="wal_bank")])
    await chart_of(database, Wallets()).classify()
    fee = (
        DraftPosting("acc_bank_charges_USD", 1, "USD", 30),
        DraftPosting("wal_bank", 2, "USD", 30),
    )
    await book(database, [Draft("bsl_1", 103, 5, "Account fee", None, fee)])
    rows = await auditor.rows("SELECT id, class, book_only_minor FROM accounts ORDER BY id")
    assert rows == [("acc_bank_charges_USD", 6, -30), ("wal_bank", 3, 30), ("wal_bob", 2, 0)]
    assert await auditor.faults() == []


async def test_without_wallet_the_chart_waits(
    database: Database, make_booking: Any, auditor: Any
) -> None:
    """Nothing is guessed."""
    await post_bookings(database, [make_booking()])
    wallets = Wallets()
    wallets.away = True
    with pytest.raises(Unavailable):
        await chart_of(database, wallets).classify()
    assert await auditor.rows("SELECT DISTINCT class FROM accounts") == [(None,)]
