"""Every kind of difference, planted in the databases themselves, is named; and nothing else is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from unittest.mock import Mock

import pytest

from chassis.ids import IdMaker
from ledger_svc.reconciliation.balances import Comparison
from ledger_svc.reconciliation.books import Books
from tests.integration.reconciliation.conftest import CLOCK, World

Plant = Callable[[World, str, str], Awaitable[object]]
"""Given the world, a payment of Alice to Bob, and Alice's wallet."""

OF_PAYMENT = "transaction_number = (SELECT number FROM journal_transactions WHERE source_id = %s)"
UNBOOK = (
    "DELETE FROM postings WHERE OF_PAYMENT",
    "DELETE FROM journal_transactions WHERE source_id = %s",
)


async def missing_in_payments(world: World, payment_id: str, _wallet_id: str) -> None:
    """The payment's row is gone."""
    await world.change("payment", "DELETE FROM payments WHERE id = %s", payment_id)


async def missing_in_wallet(world: World, payment_id: str, _wallet_id: str) -> None:
    """The transfer's row is gone, its entries are not."""
    await world.change("wallet", "DELETE FROM transfers WHERE payment_id = %s", payment_id)


async def missing_in_ledger(world: World, payment_id: str, _wallet_id: str) -> None:
    """The transaction is gone, as if it had never been booked."""
    await world.change(
        "ledger",
        """
        UPDATE accounts SET
            debits_posted_minor = debits_posted_minor
                - CASE direction WHEN 1 THEN amount_minor ELSE 0 END,
            credits_posted_minor = credits_posted_minor
                - CASE direction WHEN 2 THEN amount_minor ELSE 0 END
        FROM postings JOIN journal_transactions ON number = transaction_number
        WHERE account_id = accounts.id AND source_id = %s
        """,
        payment_id,
    )
    for statement in UNBOOK:
        await world.change("ledger", statement.replace("OF_PAYMENT", OF_PAYMENT), payment_id)


async def extra_in_payments(world: World, payment_id: str, wallet_id: str) -> None:
    """The payment is there and COMPLETED, all else is gone; balances follow."""
    await missing_in_ledger(world, payment_id, wallet_id)
    await _undo_entries(world, payment_id)
    await world.change("wallet", "DELETE FROM transfers WHERE payment_id = %s", payment_id)


async def extra_in_wallet(world: World, payment_id: str, wallet_id: str) -> None:
    """Only the transfer is there, with its entries."""
    await missing_in_ledger(world, payment_id, wallet_id)
    await missing_in_payments(world, payment_id, wallet_id)


async def extra_in_ledger(world: World, payment_id: str, wallet_id: str) -> None:
    """Only the transaction is there."""
    await missing_in_payments(world, payment_id, wallet_id)
    await _undo_entries(world, payment_id)
    await world.change("wallet", "DELETE FROM transfers WHERE payment_id = %s", payment_id)


async def _undo_entries(world: World, payment_id: str) -> None:
    """Take the newest entries of both wallets away, and the balances back."""
    await world.change(
        "wallet",
        """
        UPDATE wallets SET balance_minor = balance_minor - amount_minor,
            last_entry_number = last_entry_number - 1
        FROM entries WHERE wallet_id = id AND payment_id = %s AND number = last_entry_number
        """,
        payment_id,
    )
    await world.change("wallet", "DELETE FROM entries WHERE payment_id = %s", payment_id)


def another(database: str, statement: str) -> Plant:
    """Some column says something else."""

    async def plant(world: World, payment_id: str, _wallet_id: str) -> None:
        whole = statement.replace("OF_PAYMENT", OF_PAYMENT)
        assert await world.change(database, whole, payment_id)

    return plant


PLANTS: dict[str, tuple[str, Plant]] = {
    "missing in payments": ("MISSING_IN_PAYMENTS", missing_in_payments),
    "missing in wallet": ("MISSING_IN_WALLET", missing_in_wallet),
    "missing in ledger": ("MISSING_IN_LEDGER", missing_in_ledger),
    "extra in payments": ("EXTRA_IN_PAYMENTS", extra_in_payments),
    "extra in wallet": ("EXTRA_IN_WALLET", extra_in_wallet),
    "extra in ledger": ("EXTRA_IN_LEDGER", extra_in_ledger),
    "amount in payments": (
        "AMOUNT",
        another("payment", "UPDATE payments SET amount_minor = amount_minor + 1 WHERE id = %s"),
    ),
    "amount in wallet": (
        "AMOUNT",
        another(
            "wallet", "UPDATE transfers SET amount_minor = amount_minor + 1 WHERE payment_id = %s"
        ),
    ),
    "amount in ledger": (
        "AMOUNT",
        another("ledger", "UPDATE postings SET amount_minor = amount_minor + 1 WHERE OF_PAYMENT"),
    ),
    "currency in payments": (
        "CURRENCY",
        another("payment", "UPDATE payments SET currency_code = 'EUR' WHERE id = %s"),
    ),
    "currency in ledger": (
        "CURRENCY",
        another("ledger", "UPDATE postings SET currency_code = 'EUR' WHERE OF_PAYMENT"),
    ),
    "parties in payments": (
        "PARTIES",
        another("payment", "UPDATE payments SET payee_wallet_id = 'wal_other' WHERE id = %s"),
    ),
    "parties in wallet": (
        "PARTIES",
        another(
            "wallet", "UPDATE transfers SET credit_wallet_id = 'wal_other' WHERE payment_id = %s"
        ),
    ),
    "parties in ledger": (
        "PARTIES",
        another(
            "ledger",
            "UPDATE postings SET account_id = 'wal_other' WHERE OF_PAYMENT AND direction = 2",
        ),
    ),
    "pending though it moved": (
        "STATUS",
        another(
            "payment",
            "UPDATE payments SET status = 'PENDING', complete_time = NULL, event_number = NULL "
            "WHERE id = %s",
        ),
    ),
    "failed though it moved": (
        "STATUS",
        another(
            "payment",
            "UPDATE payments SET status = 'FAILED', failure_code = 'WALLET_CLOSED' WHERE id = %s",
        ),
    ),
    "kind in payments": (
        "STATUS",
        another("payment", "UPDATE payments SET kind = 'PAY' WHERE id = %s"),
    ),
}

BALANCE_PLANTS = {
    "balance in wallet": (
        "wallet",
        "UPDATE wallets SET balance_minor = balance_minor + 1 WHERE id = %s",
    ),
    "balance in ledger": (
        "ledger",
        "UPDATE accounts SET credits_posted_minor = credits_posted_minor + 1 WHERE id = %s",
    ),
    "an entry's amount": (
        "wallet",
        "UPDATE entries SET amount_minor = amount_minor + 1 WHERE wallet_id = %s AND number = 2",
    ),
    "an entry's balance": (
        "wallet",
        """
        UPDATE entries SET balance_after_minor = balance_after_minor + 1
        WHERE wallet_id = %s AND number = 2
        """,
    ),
    "an entry is gone": ("wallet", "DELETE FROM entries WHERE wallet_id = %s AND number = 2"),
    "the last entry is gone": ("wallet", "DELETE FROM entries WHERE wallet_id = %s AND number = 4"),
    "the number of entries": (
        "wallet",
        "UPDATE wallets SET last_entry_number = last_entry_number + 1 WHERE id = %s",
    ),
}


async def busy_world(world: World) -> tuple[str, str, str]:
    """Alice and Bob with a few payments, of which the last is told, and others beside them."""
    alice, bob, carol = [await world.wallet(name) for name in ("alice", "bob", "carol")]
    await world.pay(alice, carol, 300)
    await world.pay(bob, carol, 200)
    poor = await world.wallet("poor", 0)
    await world.pay(poor, carol, 50)  # refused
    await world.pay(carol, alice, 25)
    payment_id = await world.pay(alice, bob, 1250)
    return payment_id, alice, bob


async def test_books_that_agree(world: World) -> None:
    """Goal: payments that went their way, refused ones among them, differ in nothing; and all rows
    are counted, once."""
    await busy_world(world)
    found = await world.reconcile()
    assert found.treated == []
    assert found.report.checked == (8, 8, 7)
    assert found.report.buckets_differing == 0
    assert found.report.progress == 1


@pytest.mark.parametrize("name", PLANTS)
async def test_a_planted_difference_is_named_and_nothing_else(world: World, name: str) -> None:
    """Goal: of every kind, planted in each book that can have it, a pass names exactly that; over
    everything, and over the last minute alike."""
    kind, plant = PLANTS[name]
    payment_id, alice, _ = await busy_world(world)
    await plant(world, payment_id, alice)
    assert await world.find() == [(kind, payment_id, alice)]
    assert await world.find(since_seconds=60) == [(kind, payment_id, alice)]


@pytest.mark.parametrize("name", BALANCE_PLANTS)
async def test_a_planted_drift_is_named_and_nothing_else(world: World, name: str) -> None:
    """Goal: a wallet that is not the sum of its entries, or not what the ledger says, is named
    once, whatever of it is wrong."""
    database, statement = BALANCE_PLANTS[name]
    _, alice, _ = await busy_world(world)
    assert await world.change(database, statement, alice)
    assert await world.find() == [("BALANCE_DRIFT", "", alice)]


async def test_a_refusal_that_was_told_as_done(world: World) -> None:
    """Goal: a payment that wallet refused, and that says COMPLETED."""
    poor, rich = await world.wallet("poor", 0), await world.wallet("rich")
    payment_id = await world.pay(poor, rich, 50)
    await world.change(
        "payment",
        "UPDATE payments SET status = 'COMPLETED', failure_code = NULL WHERE id = %s",
        payment_id,
    )
    assert await world.find() == [("STATUS", payment_id, poor)]


async def test_a_refusal_for_another_reason(world: World) -> None:
    """Goal: both refuse, each for its own reason."""
    poor, rich = await world.wallet("poor", 0), await world.wallet("rich")
    payment_id = await world.pay(poor, rich, 50)
    await world.change(
        "payment", "UPDATE payments SET failure_code = 'WALLET_CLOSED' WHERE id = %s", payment_id
    )
    assert await world.find() == [("STATUS", payment_id, poor)]


async def test_stuck(world: World) -> None:
    """Goal: a payment that has not ended in time is told, and one that may yet end is not."""
    alice, bob = await world.wallet("alice"), await world.wallet("bob")
    payment_id = await world.accept(alice, bob, 10)
    assert await world.find() == []
    assert await world.find(stuck_seconds=0.01) == [("STUCK", payment_id, alice)]


async def test_what_is_under_way_is_no_difference(world: World) -> None:
    """Goal: a payment that has just moved, and that neither payment nor ledger has heard of, is
    told only when it has had its time; its wallets never are."""
    alice, bob = await world.wallet("alice"), await world.wallet("bob")
    await world.execute([payment_id := await world.accept(alice, bob, 10)])
    assert await world.find(settle_seconds=60) == []
    assert await world.find() == [("STATUS", payment_id, alice)]


@pytest.mark.parametrize("minutes", [11, -60])
async def test_what_another_time_dates_is_no_drift(world: World, minutes: int) -> None:
    """Goal: money of a payment whose id is of the future, because of a clock, or of long ago,
    because it waited, has moved and is not booked. No span that a pass over the last minute looks
    at has it; still the payment is told, and not a wallet that would be frozen for it."""
    _, alice, bob = await busy_world(world)
    clock = Mock(now=lambda: CLOCK.now() + timedelta(minutes=minutes))
    payment_id = await world.accept(alice, bob, 10, ids=IdMaker(clock=clock))
    await world.execute([payment_id])
    assert await world.find(since_seconds=60, settle_seconds=30) == []
    assert await world.find(since_seconds=60) == [("STATUS", payment_id, alice)]
    await world.finish([payment_id])
    assert await world.find(since_seconds=60) == []


async def test_money_that_a_wrong_clock_has_moved_is_no_drift(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: wallet's clock is behind, so that what has just moved looks as if it had long. Method:
    the worst moment: one payment is booked, and one of the same amount moves, just where a pass
    looks from one to the other."""
    _, alice, bob = await busy_world(world)
    clock = Mock(now=lambda: CLOCK.now() - timedelta(minutes=7))
    booked, moved = await world.accept(alice, bob, 10), await world.accept(alice, bob, 10)
    outcomes = await world.execute([booked], clock=clock)
    compare_wallet, compared = Books.compare_wallet, list[int | None]()

    async def compare(books: Books, wallet_id: str) -> Comparison:
        if not compared:
            await world.apply(outcomes)
            await world.post(outcomes)
        comparison = await compare_wallet(books, wallet_id)
        if compared:  # both wallets have been
            await world.execute([moved], clock=clock)
        compared.append(comparison.off_minor)
        return comparison

    monkeypatch.setattr(Books, "compare_wallet", compare)
    assert await world.find(settle_seconds=60) == []
    assert compared == [0, 0]


async def test_ids_that_nobody_makes(world: World) -> None:
    """Goal: a transfer under an id of no time is compared too."""
    payment_id, alice, _ = await busy_world(world)
    for odd in ("pay_zzz", "0"):
        await world.change(
            "wallet",
            "INSERT INTO transfers SELECT %s, debit_wallet_id, credit_wallet_id, amount_minor, "
            "currency_code, kind, failure_code, debit_entry_number, credit_entry_number, "
            "execute_time FROM transfers WHERE payment_id = %s",
            odd,
            payment_id,
        )
    assert await world.find(since_seconds=1) == [
        ("EXTRA_IN_WALLET", odd, alice) for odd in ("0", "pay_zzz")
    ]
