"""Transfers against a real database: at once, again, refused, and cut off."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from chassis.database import Database
from chassis.errors import ServiceError, Unavailable
from wallet_svc.errors import PaymentIdReused, TransferNotExecuted, WalletNotEmpty
from wallet_svc.model.records import FailureCode, Outcome, TransferKind, WalletStatus
from wallet_svc.operations.wallets import change_status
from wallet_svc.store.wallets import lock_wallets


def moved(answers: list[Outcome | ServiceError]) -> list[bool]:
    """Of each answer, whether the money moved."""
    return [isinstance(item, Outcome) and item.failure_code is FailureCode.NONE for item in answers]


async def balances(auditor: Any) -> dict[str, int]:
    """The balance of every wallet, by wallet id."""
    return dict(await auditor.rows("SELECT id, balance_minor FROM wallets"))


async def test_many_batches_at_once(people: Any, auditor: Any) -> None:
    """Goal: batches that overlap in every way, in either direction, neither deadlock nor lose nor
    make money, and number every entry. Method: 24 batches over 6 poor wallets, at once; then all of
    them again, at once, which must change nothing and answer alike."""
    chance = random.Random(7)
    wallets = [await people.rich(f"user{i}", 5_000) for i in range(6)]
    batches = []
    for _ in range(24):
        batch = []
        for _ in range(40):
            debit, credit = chance.sample(wallets, 2)
            batch.append(people.transfer(debit, credit, chance.randint(1, 3_000)))
        batches.append(batch)

    first = await asyncio.gather(*[people.execute(batch) for batch in batches])

    assert await auditor.faults() == []
    outcomes = [answer for answers in first for answer in answers]
    assert {outcome.failure_code for outcome in outcomes} == {
        FailureCode.NONE,
        FailureCode.INSUFFICIENT_FUNDS,
    }
    after = await balances(auditor)
    again = await asyncio.gather(*[people.execute(batch) for batch in reversed(batches)])
    assert list(reversed(again)) == first
    assert await balances(auditor) == after
    assert sum(after[wallet] for wallet in wallets) == 6 * 5_000


async def test_one_payment_in_many_batches_at_once(people: Any, auditor: Any) -> None:
    """Goal: however often and beside whatever a payment is delivered, it moves money once, and
    every delivery is answered alike."""
    alice, bob, carol = [await people.rich(name, 10_000) for name in ("alice", "bob", "carol")]
    payment = people.transfer(alice, bob, 700)
    batches = [
        [people.transfer(bob, carol, 1), payment, people.transfer(carol, alice, 1), payment]
        for _ in range(16)
    ]

    answers = await asyncio.gather(*[people.execute(batch) for batch in batches])

    outcomes = {answer[1] for answer in answers} | {answer[3] for answer in answers}
    assert len(outcomes) == 1
    assert (await balances(auditor))[alice] == 10_000 - 700 + 16


class CountingDatabase:
    """Counts the transactions that are asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.count = 0

    async def transaction(self, work: Any) -> Any:
        self.count += 1
        return await self._database.transaction(work)


async def test_a_repeat_waits_for_the_first_and_finds_it(
    people: Any, auditor: Any, database: Database, waiting_for_lock: Callable[..., Any]
) -> None:
    """Goal: the locks keep a payment and its repeat apart, so that the repeat reads the outcome and
    does not first fail to write its own. Method: start both while a wallet is locked; it must take
    one transaction each."""
    alice, bob = await people.rich("alice", 1_000), await people.rich("bob", 0)
    batch, counting = [people.transfer(alice, bob, 10)], CountingDatabase(database)
    async with await psycopg.AsyncConnection.connect(auditor.url) as blocking:
        await blocking.execute("SELECT 1 FROM wallets WHERE id = %s FOR NO KEY UPDATE", [alice])
        tasks = [asyncio.create_task(type(people)(counting).execute(batch)) for _ in range(2)]
        await waiting_for_lock(2)
        await blocking.rollback()
        first, second = await asyncio.gather(*tasks)

    assert first == second
    assert counting.count == 2


async def test_one_payment_id_for_other_wallets_at_once(people: Any, auditor: Any) -> None:
    """Goal: where the locks cannot keep two transfers with one payment id apart, the primary key
    does: one moves money, the others are told why not, their neighbours go on."""
    wallets = [await people.rich(f"user{i}", 1_000) for i in range(12)]
    pairs = list(zip(wallets[::2], wallets[1::2], strict=True))
    batches = [
        [
            people.transfer(debit, credit, 10, payment_id="pay_same"),
            people.transfer(debit, credit, 5),
        ]
        for debit, credit in pairs
    ]

    answers = await asyncio.gather(*[people.execute(batch) for batch in batches])

    assert sum(moved([first])[0] for first, _ in answers) == 1
    assert sum(isinstance(first, PaymentIdReused) for first, _ in answers) == len(pairs) - 1
    assert all(moved([second])[0] for _, second in answers)


async def test_a_refusal_stays_a_refusal(people: Any, auditor: Any) -> None:
    """Goal: a payment that failed for lack of funds fails again after money has come in."""
    alice, bob = await people.rich("alice", 0), await people.rich("bob", 500)
    payment = people.transfer(alice, bob, 100)
    (refused,) = await people.execute([payment])
    assert refused.failure_code is FailureCode.INSUFFICIENT_FUNDS

    await people.execute([people.transfer(bob, alice, 500)])

    assert await people.execute([payment]) == [refused]
    assert (await balances(auditor))[alice] == 500


POISON = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'not this one'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW
    WHEN (NEW.payment_id = 'pay_poisoned') EXECUTE FUNCTION refuse()
"""
CURE = "DROP TRIGGER refuse ON {table}; DROP FUNCTION refuse()"


@pytest.mark.parametrize("table", ["transfers", "entries"])
async def test_one_poisoned_transfer_fails_alone(table: str, people: Any, auditor: Any) -> None:
    """Goal: what the database refuses is one item's error and leaves nothing behind; its neighbours
    are executed in order; once cured, a repeat of the batch executes it, and only it."""
    alice, bob = await people.rich("alice", 1_000), await people.rich("bob", 0)
    batch = [people.transfer(alice, bob, 10) for _ in range(21)]
    batch[13] = people.transfer(alice, bob, 10, payment_id="pay_poisoned")
    await auditor.execute(POISON.format(table=table))

    answers = await people.execute(batch)

    error = answers[13]
    assert isinstance(error, TransferNotExecuted)
    assert error.retryable
    neighbours = answers[:13] + answers[14:]
    assert [outcome.credit_entry_number for outcome in neighbours] == list(range(1, 21))
    assert (await balances(auditor))[bob] == 200
    assert await auditor.rows("SELECT 1 FROM transfers WHERE payment_id = 'pay_poisoned'") == []

    await auditor.execute(CURE.format(table=table))
    again = await people.execute(batch)
    assert again[:13] + again[14:] == neighbours
    assert moved([again[13]]) == [True]
    assert (await balances(auditor))[bob] == 210


async def test_a_wallet_row_the_database_refuses(people: Any, auditor: Any) -> None:
    """Goal: a constraint on the wallet itself refuses just the transfers that break it. Method: a
    limit that only the database knows."""
    alice, bob, carol = [await people.rich(name, 1_000) for name in ("alice", "bob", "carol")]
    await auditor.execute(
        f"ALTER TABLE wallets ADD CONSTRAINT ck_test CHECK (id <> '{bob}' OR balance_minor <= 1100)"
    )
    amounts = [60, 60, 40, 1]
    batch = [people.transfer(alice, bob, amount) for amount in amounts]
    batch.insert(2, people.transfer(alice, carol, 500))

    answers = await people.execute(batch)

    assert moved(answers) == [True, False, True, True, False]
    assert isinstance(answers[1], TransferNotExecuted)
    assert (await balances(auditor))[bob] == 1_100


@pytest.mark.parametrize(
    ("break_it", "mend_it"),
    [
        ("REVOKE INSERT ON entries FROM wallet_svc", "GRANT INSERT ON entries TO wallet_svc"),
        ("ALTER TABLE transfers RENAME TO gone", "ALTER TABLE gone RENAME TO transfers"),
    ],
)
async def test_a_database_that_does_not_work_is_nobodys_fault(
    break_it: str, mend_it: str, people: Any, auditor: Any
) -> None:
    """Goal: a database in the wrong state makes the whole call unavailable: no good payment is
    called bad, nothing is stored, and the repeat succeeds."""
    alice, bob = await people.rich("alice", 1_000), await people.rich("bob", 0)
    batch = [people.transfer(alice, bob, 10) for _ in range(4)]
    await auditor.execute(break_it)

    with pytest.raises(Unavailable):
        await people.execute(batch)

    await auditor.execute(mend_it)
    assert (await balances(auditor))[bob] == 0
    assert moved(await people.execute(batch)) == [True] * 4


async def test_a_lost_connection_is_found_out_by_a_repeat(
    people: Any, auditor: Any, wallet_database: Any
) -> None:
    """Goal: connections killed in the middle of transfers end in an answer or in Unavailable, and
    repeating until answered moves each payment once."""
    alice, bob = await people.rich("alice", 100_000), await people.rich("bob", 0)
    batches = [[people.transfer(alice, bob, 1) for _ in range(20)] for _ in range(30)]
    working = True

    async def kill() -> None:
        while working:
            await auditor.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename = 'wallet_svc' AND datname = current_database() "
                "AND state <> 'idle' LIMIT 1"
            )

    async def insist(batch: Any) -> list[Outcome | ServiceError]:
        for _ in range(200):
            try:
                answers: list[Outcome | ServiceError] = await people.execute(batch)
            except Unavailable:
                continue
            return answers
        raise AssertionError("it never worked")

    killer = asyncio.create_task(kill())
    try:
        answers = await asyncio.gather(*[insist(batch) for batch in batches])
    finally:
        working = False
        await killer

    assert all(all(moved(answer)) for answer in answers)
    assert (await balances(auditor))[bob] == 600


async def test_transfers_wait_for_a_freeze_and_see_it(
    people: Any, auditor: Any, database: Database, waiting_for_lock: Callable[..., Any]
) -> None:
    """Goal: a transfer that started before a freeze was committed still obeys it. Method: freeze in
    a transaction that is kept open until the transfer waits for its lock."""
    alice, bob = await people.rich("alice", 1_000), await people.rich("bob", 0)
    async with await psycopg.AsyncConnection.connect(auditor.url) as freezing:
        await freezing.execute("UPDATE wallets SET status = 2 WHERE id = %s", [bob])
        task = asyncio.create_task(people.execute([people.transfer(alice, bob, 10)]))
        await waiting_for_lock()
        await freezing.commit()
        (answer,) = await task

    assert answer.failure_code is FailureCode.WALLET_FROZEN


async def test_closing_waits_for_money_on_its_way(
    people: Any, auditor: Any, database: Database, waiting_for_lock: Callable[..., Any]
) -> None:
    """Goal: a wallet that money is arriving in is not closed over it. Method: credit it in a
    transaction that is kept open until the closing waits for its lock."""
    alice, bob = await people.rich("alice", 1_000), await people.rich("bob", 0)
    moving = await psycopg.AsyncConnection.connect(auditor.url)
    async with moving:
        await moving.execute("SELECT 1 FROM wallets WHERE id = %s FOR NO KEY UPDATE", [bob])
        paying = asyncio.create_task(people.execute([people.transfer(alice, bob, 10)]))
        await waiting_for_lock()
        closing = asyncio.create_task(change_status(bob, WalletStatus.CLOSED, database=database))
        await waiting_for_lock(2)
        await moving.rollback()
        assert moved(await paying) == [True]
        with pytest.raises(WalletNotEmpty):
            await closing


async def test_wallets_are_locked_in_the_order_of_their_ids(
    auditor: Any, database: Database, waiting_for_lock: Callable[..., Any]
) -> None:
    """Goal: the order that keeps batches from deadlock is that of the ids, and not the order of the
    request or of the rows on disk. Method: keep the first wallet locked, and see that whoever wants
    both does not hold the second while it waits."""
    await auditor.execute(
        "INSERT INTO owners VALUES ('usr_1', 1, 'one', 'One', 'k', 'f', now());"
        "INSERT INTO wallets (id, owner_id, currency_code) VALUES ('wal_2', 'usr_1', 'USD');"
        "INSERT INTO wallets (id, owner_id, currency_code) VALUES ('wal_1', 'usr_1', 'EUR');"
    )

    async def lock_both(connection: Any) -> list[str]:
        return list(await lock_wallets(connection, ["wal_2", "wal_1"]))

    lock = "SELECT 1 FROM wallets WHERE id = %s FOR NO KEY UPDATE NOWAIT"
    async with await psycopg.AsyncConnection.connect(auditor.url) as blocking:
        await blocking.execute(lock, ["wal_1"])
        task = asyncio.create_task(database.transaction(lock_both))
        await waiting_for_lock()
        await blocking.execute(lock, ["wal_2"])  # raises LockNotAvailable if it is taken
        await blocking.rollback()
    assert await task == ["wal_1", "wal_2"]


async def test_a_payment_id_that_is_just_being_stored(
    people: Any, auditor: Any, waiting_for_lock: Callable[..., Any]
) -> None:
    """Goal: a single transfer that loses the race for its payment id is told so, and not that the
    database refused it. Method: store the same id by hand, and commit when the transfer waits."""
    alice, bob = await people.rich("alice", 1_000), await people.rich("bob", 0)
    async with await psycopg.AsyncConnection.connect(auditor.url) as storing:
        await storing.execute(
            "INSERT INTO transfers VALUES ('pay_1', 'wal_x', 'wal_y', 1, 'USD', 1, 1, 0, 0, now())"
        )
        task = asyncio.create_task(
            people.execute([people.transfer(alice, bob, 10, payment_id="pay_1")])
        )
        await waiting_for_lock()
        await storing.commit()
        (answer,) = await task

    assert isinstance(answer, PaymentIdReused)


async def test_top_up_and_withdrawal(people: Any, auditor: Any) -> None:
    """Goal: money that comes from the bank and goes back leaves the bank where it was."""
    alice = await people.rich("alice", 1_000)
    bank = await people.bank()
    assert (await balances(auditor))[bank] == -1_000

    withdrawal = people.transfer(alice, bank, 400, kind=TransferKind.WITHDRAW)
    assert moved(await people.execute([withdrawal])) == [True]

    assert (await balances(auditor))[bank] == -600
