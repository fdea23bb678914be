"""Digests: the same from all three databases, and as the contract says that they are computed."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import xor
from typing import Any

import pytest

from chassis.channel import call
from chassis.digests import IdRange
from chassis.errors import ServiceError
from payment_svc.model import Kind
from qrpay.payment.v1 import payment_pb2
from qrpay.type.v1 import digest_pb2
from qrpay.wallet.v1 import wallet_pb2
from tests.integration.reconciliation.conftest import World

EVERYTHING = IdRange("", "~")


def hash_of(*texts: object) -> int:
    """A row's hash, as the contract describes it."""
    digits = hashlib.md5(" ".join(map(str, texts)).encode(), usedforsecurity=False).digest()
    return int.from_bytes(digits[:8], "big", signed=True)


async def test_all_three_add_up_as_the_contract_says(world: World) -> None:
    """Goal: count, sum and hash of the same payments are the same in payment, wallet and ledger,
    and those that anybody can compute from their rows; refusals are told apart."""
    alice, bob = await world.wallet("alice", 0), await world.wallet("bob", 0)
    bank = await world.bank()
    rows = [
        (await world.pay(bank, alice, 5000, kind=Kind.TOP_UP), 4, bank, alice, 5000),
        (await world.pay(alice, bob, 1250), 1, alice, bob, 1250),
        (await world.pay(bob, alice, 50), 1, bob, alice, 50),
    ]
    refused = await world.pay(bob, alice, 999_999)
    pending = await world.accept(alice, bob, 1)

    (digests,) = await world.books.digest_payments([EVERYTHING])
    hashes = [
        hash_of(payment_id, kind, debit, credit, "USD", amount, 0)
        for payment_id, kind, debit, credit, amount in rows
    ]
    expected = digest_pb2.Digest(
        currency_code="USD", count=3, amount_minor=6300, hash=reduce(xor, hashes)
    )
    assert [list(book.moved) for book in digests] == [[expected]] * 3
    wanted = digest_pb2.Digest(
        currency_code="USD",
        count=1,
        amount_minor=999_999,
        hash=hash_of(refused, 1, bob, alice, "USD", 999_999, 1),
    )
    assert [list(book.refused) for book in digests] == [[wanted], [wanted], []]
    assert digests.payment.pending_count == 1
    assert not digests.agree

    one, none = await world.books.digest_payments(
        [IdRange(pending, pending + " "), IdRange("a", "b")]
    )
    assert one.counts == (1, 0, 0)
    assert none.counts == (0, 0, 0)
    assert none.agree


async def test_too_many_rows_are_not_read(world: World) -> None:
    """Goal: each book that has more rows than asked for says so, and nothing else."""
    await world.wallet("alice")
    await world.wallet("bob")
    (digests,) = await world.books.digest_payments([EVERYTHING], rows_max=1)
    assert [book.too_many for book in digests] == [True] * 3
    assert digests.counts == (0, 0, 0)
    (digests,) = await world.books.digest_payments([EVERYTHING], rows_max=2)
    assert [book.too_many for book in digests] == [False] * 3


async def test_balances_at_a_moment(world: World) -> None:
    """Goal: wallet and ledger tell the same of a moment in between, to which later payments do not
    belong; empty wallets count nowhere."""
    alice, bob, _empty = [await world.wallet(name, 0) for name in ("alice", "bob", "empty")]
    await world.pay(await world.bank(), alice, 1000, kind=Kind.TOP_UP)
    between = datetime.now(UTC)
    await world.pay(alice, bob, 400)

    (digests,) = await world.books.digest_balances([EVERYTHING], as_of_time=between)
    assert digests.agree
    assert [item.count for item in digests.wallet.moved] == [2]
    balances = await world.books.list_balances([EVERYTHING], as_of_time=between)
    assert balances.wallets[alice].as_of_minor == balances.accounts[alice].as_of_minor == 1000
    assert balances.wallets[bob].as_of_minor == balances.accounts[bob].as_of_minor == 0
    now = datetime.now(UTC) + timedelta(seconds=1)
    balances = await world.books.list_balances([EVERYTHING], as_of_time=now)
    assert balances.wallets[bob].as_of_minor == balances.accounts[bob].as_of_minor == 400


async def test_entries_that_do_not_fit_are_listed(world: World) -> None:
    """Goal: an entry that contradicts its transfer, and one that contradicts the entry before, each
    in words; the ones before a range are looked up."""
    alice, bob = await world.wallet("alice"), await world.wallet("bob")
    await world.pay(alice, bob, 100)
    last = await world.pay(alice, bob, 200)
    await world.change(
        "wallet",
        "UPDATE entries SET amount_minor = -201 WHERE wallet_id = %s AND payment_id = %s",
        alice,
        last,
    )
    found = await world.books.list_payments([IdRange(last, last + " ")])
    told = sorted((item.wallet_id, item.number, item.is_chain) for item in found.faults)
    assert told == [(alice, 3, False), (alice, 3, True)]
    chain = next(item for item in found.faults if item.is_chain)
    assert (chain.expected, chain.found) == ("balance 99699", "balance 99700")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "ranges"),
        ({"ranges": [digest_pb2.IdRange()]}, "ranges[0].end_id"),
        ({"ranges": [digest_pb2.IdRange(start_id="\0", end_id="~")]}, "ranges[0].start_id"),
        ({"ranges": [digest_pb2.IdRange(end_id="~")] * 65}, "ranges"),
        ({"ranges": [digest_pb2.IdRange(end_id="~")], "rows_max": -1}, "rows_max"),
    ],
)
async def test_bad_ranges_are_refused(world: World, fields: dict[str, Any], named: str) -> None:
    """Goal: payment and wallet alike name the field that is wrong."""
    with pytest.raises(ServiceError) as by_payment:
        await call(
            world.payment_stub.DigestPayments,
            payment_pb2.DigestPaymentsRequest(**fields),
            timeout_seconds=5,
        )
    with pytest.raises(ServiceError) as by_wallet:
        await call(
            world.wallet_stub.DigestTransfers,
            wallet_pb2.DigestTransfersRequest(**fields),
            timeout_seconds=5,
        )
    for refused in (by_payment, by_wallet):
        assert [item.field for item in refused.value.violations] == [named]


async def test_a_moment_must_be_told(world: World) -> None:
    """Goal: balances of no moment are refused."""
    request = wallet_pb2.DigestBalancesRequest(ranges=[digest_pb2.IdRange(end_id="~")])
    with pytest.raises(ServiceError, match="as_of_time"):
        await call(world.wallet_stub.DigestBalances, request, timeout_seconds=5)
