"""A wallet that somebody sits on, and transfers that an operator ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg

from chassis.clock import SystemClock
from chassis.database import Database
from chassis.errors import ServiceError
from qrpay.type.v1.money_pb2 import Money
from qrpay.wallet.v1 import wallet_pb2 as pb
from wallet_svc.errors import PaymentIdReused, WalletBusy
from wallet_svc.model.records import FailureCode, Outcome
from wallet_svc.operations.transfers import cancel_transfers, get_transfers

CLOCK = SystemClock()


async def test_a_locked_wallet_holds_up_only_its_own_transfers(people: Any, auditor: Any) -> None:
    """Goal: whoever keeps one wallet locked for too long does not stop everybody's money. Method:
    lock it past the lock time-out; its transfers are busy, their neighbours are executed, and the
    repeat after the lock is gone moves the rest once."""
    alice, bob = await people.rich("alice", 1_000), await people.rich("bob", 1_000)
    shop = await people.rich("shop", 0)
    batch = [
        people.transfer(alice, bob, 10),
        people.transfer(alice, shop, 20),
        people.transfer(bob, alice, 30),
        people.transfer(shop, bob, 1),
    ]
    async with await psycopg.AsyncConnection.connect(auditor.url) as sitting:
        await sitting.execute("SELECT 1 FROM wallets WHERE id = %s FOR NO KEY UPDATE", [shop])
        answers = await people.execute(batch)
        assert [type(answer) for answer in answers] == [Outcome, WalletBusy, Outcome, WalletBusy]
        await sitting.rollback()

    again = await people.execute(batch)

    assert [again[0], again[2]] == [answers[0], answers[2]]
    assert [answer.failure_code for answer in again] == [FailureCode.NONE] * 4
    assert await auditor.rows(
        "SELECT id, balance_minor FROM wallets WHERE id = ANY(%s) ORDER BY id",
        sorted([alice, bob, shop]),
    ) == sorted([(alice, 1_000), (bob, 981), (shop, 19)])
    assert await auditor.faults() == []


async def test_what_was_cancelled_never_moves_money(
    people: Any, auditor: Any, database: Database
) -> None:
    """Goal: a cancelled transfer keeps that outcome against every task that is still under way, and
    one that was executed before keeps its own."""
    alice, bob = await people.rich("alice", 1_000), await people.rich("bob", 0)
    executed, open_one = people.transfer(alice, bob, 10), people.transfer(alice, bob, 20)
    (before,) = await people.execute([executed])

    cancelled = await cancel_transfers([executed, open_one], database=database, clock=CLOCK)

    assert cancelled[0] == before
    assert [answer.failure_code for answer in cancelled] == [  # type: ignore[union-attr]
        FailureCode.NONE,
        FailureCode.CANCELLED,
    ]
    assert await people.execute([open_one]) == [cancelled[1]]
    assert await cancel_transfers([open_one], database=database, clock=CLOCK) == [cancelled[1]]
    ids = [open_one.payment_id, "pay_unknown", executed.payment_id]
    assert await get_transfers(ids, database=database) == [cancelled[1], before]
    other = people.transfer(bob, alice, 20, payment_id=open_one.payment_id)
    (refused,) = await cancel_transfers([other], database=database, clock=CLOCK)
    assert isinstance(refused, PaymentIdReused)
    assert await auditor.faults() == []


async def test_what_can_never_be_executed_can_be_cancelled(people: Any, database: Database) -> None:
    """Goal: a transfer whose wallets do not exist can be ended too: it is what dead letters are."""
    nowhere = people.transfer("wal_gone", "wal_lost", 5)
    (refused,) = await people.execute([nowhere])
    assert isinstance(refused, ServiceError)

    (cancelled,) = await cancel_transfers([nowhere], database=database, clock=CLOCK)

    assert isinstance(cancelled, Outcome)
    assert cancelled.failure_code is FailureCode.CANCELLED


async def test_cancelling_and_executing_at_once_have_one_outcome(
    people: Any, auditor: Any, database: Database, waiting_for_lock: Callable[..., Any]
) -> None:
    """Goal: of a cancellation and an execution that race, both are answered with the same outcome.
    Method: let both wait for the same wallet."""
    alice, bob = await people.rich("alice", 1_000), await people.rich("bob", 0)
    transfer = people.transfer(alice, bob, 10)
    async with await psycopg.AsyncConnection.connect(auditor.url) as blocking:
        await blocking.execute("SELECT 1 FROM wallets WHERE id = %s FOR NO KEY UPDATE", [alice])
        executing = asyncio.create_task(people.execute([transfer]))
        cancelling = asyncio.create_task(
            cancel_transfers([transfer], database=database, clock=CLOCK)
        )
        await waiting_for_lock(2)
        await blocking.rollback()
        outcomes = await asyncio.gather(executing, cancelling)

    assert outcomes[0] == outcomes[1]
    assert await auditor.faults() == []


async def test_both_are_there_over_the_wire(stub_for: Callable[[str], Any], people: Any) -> None:
    """Goal: CancelTransfers and BatchGetTransfers carry every field of a transfer and its
    outcome."""
    alice, bob = await people.rich("alice", 1_000), await people.rich("bob", 0)
    stub = stub_for("payment")
    transfer = pb.Transfer(
        payment_id="pay_1",
        debit_wallet_id=alice,
        credit_wallet_id=bob,
        money=Money(currency_code="USD", amount_minor=7),
        kind="TRANSFER_KIND_SEND",
    )
    answer = await stub.CancelTransfers(pb.CancelTransfersRequest(transfers=[transfer]), timeout=5)
    (result,) = answer.results
    assert result.outcome.failure_code == 6

    found = await stub.BatchGetTransfers(
        pb.BatchGetTransfersRequest(payment_ids=["pay_1"]), timeout=5
    )
    (read,) = found.transfers
    assert (read.transfer, read.outcome) == (transfer, result.outcome)
