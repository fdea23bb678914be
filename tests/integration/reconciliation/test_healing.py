"""What follows from the record of truth is repaired; of the rest one wallet is frozen, and a person
asked."""

from __future__ import annotations

import pytest

from chassis.database import Database
from chassis.errors import Unavailable
from ledger_svc.errors import CaseClosed, CaseNotFound
from ledger_svc.reconciliation import cases
from ledger_svc.reconciliation.healing import Treated
from ledger_svc.store.cases import Case
from tests.integration.reconciliation.conftest import CLOCK, World
from tests.integration.reconciliation.test_differences import (
    BALANCE_PLANTS,
    PLANTS,
    busy_world,
)


async def all_cases(world: World) -> list[Case]:
    """Every case on file."""
    return await cases.list_cases(
        world.databases["ledger"], state=None, subject_id=None, before_id=None, count_max=100
    )


async def history(world: World, case_id: str) -> list[str]:
    """What was done to a case."""
    shown = await cases.show_case(world.databases["ledger"], case_id)
    return [str(record.act) for record in shown.records]


async def heal(world: World) -> list[tuple[str, str]]:
    """Kind and action of each difference of a pass that heals."""
    return acts((await world.reconcile(heal=True)).treated)


def acts(treated: list[Treated]) -> list[tuple[str, str]]:
    """Kind and action of each."""
    return [(str(item.difference.kind), str(item.action)) for item in treated]


async def test_what_the_journal_lacks_is_booked(world: World) -> None:
    """Goal: a transfer without a transaction is booked from wallet's record, noted, and no case
    waits; the next pass finds nothing."""
    payment_id, alice, _ = await busy_world(world)
    await PLANTS["missing in ledger"][1](world, payment_id, alice)

    assert await heal(world) == [("MISSING_IN_LEDGER", "POSTED")]
    assert await world.find() == []
    assert await world.frozen() == set()
    (case,) = await all_cases(world)
    assert (case.state, case.payment_id) == ("HEALED", payment_id)
    assert await history(world, case.id) == ["FOUND", "HEALED"]


async def test_a_status_that_was_never_updated_is_brought_again(world: World) -> None:
    """Goal: a payment whose result got lost goes through the queue again, ends as wallet decided,
    is booked too, and its money moves no second time."""
    alice, bob = await world.wallet("alice"), await world.wallet("bob")
    payment_id = await world.accept(alice, bob, 10)
    await world.execute([payment_id])

    assert await heal(world) == [("STATUS", "REPUBLISHED")]
    assert world.republished == [payment_id]
    assert await world.find() == []
    rows = await world.rows(
        "wallet", "SELECT count(*) FROM entries WHERE payment_id = %s", payment_id
    )
    assert rows == [(2,)]


async def test_a_stuck_payment_goes_its_way_again(world: World) -> None:
    """Goal: a payment that was lost on its way is put back; one on the desk of dead letters is
    told, and left to the desk."""
    alice, bob = await world.wallet("alice"), await world.wallet("bob")
    lost, dead = await world.accept(alice, bob, 10), await world.accept(alice, bob, 20)
    await world.set_aside(dead)

    found = await world.reconcile(heal=True, stuck_seconds=0.01)
    assert acts(found.treated) == [("STUCK", "REPUBLISHED"), ("STUCK", "UNSPECIFIED")]
    assert [item.difference.payment_id for item in found.treated] == [lost, dead]
    assert world.republished == [lost]
    assert await world.find(stuck_seconds=0.01) == [("STUCK", dead, alice)]


MONEY_DIFFERS = [
    name
    for name, (kind, _) in PLANTS.items()
    if kind != "MISSING_IN_LEDGER" and name not in ("pending though it moved", "kind in payments")
]


@pytest.mark.parametrize("name", MONEY_DIFFERS)
async def test_money_that_differs_freezes_one_wallet(world: World, name: str) -> None:
    """Goal: of every kind that no record decides, the payer's wallet and no other is frozen, one
    case waits for a person however often it is found, and others keep paying."""
    kind, plant = PLANTS[name]
    payment_id, alice, bob = await busy_world(world)
    await plant(world, payment_id, alice)

    assert await heal(world) == [(kind, "FROZEN")]
    assert await heal(world) == [(kind, "FROZEN")]
    assert await world.frozen() == {alice}
    (case,) = await all_cases(world)
    assert (case.state, case.action, case.payment_id) == ("OPEN", "FROZEN", payment_id)
    assert await history(world, case.id) == ["FOUND", "FROZEN"]
    paid = await world.pay(await world.wallet("dave"), bob, 1)
    rows = await world.rows("payment", "SELECT status FROM payments WHERE id = %s", paid)
    assert rows == [("COMPLETED",)]


@pytest.mark.parametrize("name", BALANCE_PLANTS)
async def test_a_drift_freezes_its_wallet(world: World, name: str) -> None:
    """Goal: a wallet whose balance cannot be believed is frozen, and no other."""
    database, statement = BALANCE_PLANTS[name]
    _, alice, _ = await busy_world(world)
    await world.change(database, statement, alice)
    assert await heal(world) == [("BALANCE_DRIFT", "FROZEN")]
    assert await world.frozen() == {alice}


async def test_what_no_money_depends_on_freezes_nobody(world: World) -> None:
    """Goal: a wrong kind of payment is a case, and no reason to stop anybody."""
    payment_id, alice, _ = await busy_world(world)
    await PLANTS["kind in payments"][1](world, payment_id, alice)
    assert await heal(world) == [("STATUS", "CASE_OPENED")]
    assert await world.frozen() == set()


async def test_the_bank_is_never_frozen(world: World) -> None:
    """Goal: a top-up that differs freezes who was paid, and a drift of the bank's own wallet is a
    case alone, of the same drift once, however much the bank goes on paying."""
    alice = await world.wallet("alice", 0)
    bank = await world.bank()
    await world.wallet("bob")
    rows = await world.rows("payment", "SELECT id FROM payments")
    set_amount = "UPDATE payments SET amount_minor = %s WHERE id = %s"
    await world.change("payment", set_amount, 1, rows[0][0])
    await world.change(
        "ledger",
        "UPDATE accounts SET debits_posted_minor = debits_posted_minor + 1 WHERE id = %s",
        bank,
    )
    # The bank's balance follows from its payment's amount, as far as anybody knows by now.
    assert await heal(world) == [("AMOUNT", "FROZEN")]
    frozen = await world.frozen()
    assert len(frozen) == 1
    assert not frozen & {bank, alice}

    (case,) = await all_cases(world)
    await cases.resolve_case(
        world.databases["ledger"], case.id, actor="ops", why="seen", unfreeze=None, clock=CLOCK
    )
    await world.change(
        "payment", "UPDATE payments SET amount_minor = 100000 WHERE id = %s", rows[0][0]
    )
    assert await heal(world) == [("BALANCE_DRIFT", "CASE_OPENED")]
    await world.wallet("carol")
    assert await heal(world) == [("BALANCE_DRIFT", "CASE_OPENED")]
    assert len(await all_cases(world)) == 2
    assert bank not in await world.frozen()


async def test_looking_changes_nothing(world: World) -> None:
    """Goal: a pass without healing freezes nothing, files nothing, puts nothing back."""
    payment_id, alice, _ = await busy_world(world)
    await PLANTS["amount in wallet"][1](world, payment_id, alice)
    assert acts((await world.reconcile()).treated) == [("AMOUNT", "UNSPECIFIED")]
    assert await world.frozen() == set()
    assert await all_cases(world) == []


async def test_a_resolved_case_stays_resolved(world: World) -> None:
    """Goal: what a person has closed is found and not acted on as long as it is the same; another
    amount is another case. A wallet unfrozen by a person stays so while the case is open."""
    payment_id, alice, _ = await busy_world(world)
    await PLANTS["amount in payments"][1](world, payment_id, alice)
    await heal(world)
    await world.change("wallet", "UPDATE wallets SET status = 1 WHERE id = %s", alice)
    assert await heal(world) == [("AMOUNT", "FROZEN")]
    assert await world.frozen() == set()

    (case,) = await all_cases(world)
    database = world.databases["ledger"]
    closed = await cases.resolve_case(
        database, case.id, actor="ops", why="paid back", unfreeze=None, clock=CLOCK
    )
    assert (closed.state, closed.resolved_by, closed.reason) == ("RESOLVED", "ops", "paid back")
    assert await heal(world) == [("AMOUNT", "RESOLVED")]
    assert acts((await world.reconcile()).treated) == [("AMOUNT", "RESOLVED")]
    assert await history(world, case.id) == ["FOUND", "FROZEN", "RESOLVED"]

    await PLANTS["amount in payments"][1](world, payment_id, alice)
    assert await heal(world) == [("AMOUNT", "FROZEN")]
    assert len(await all_cases(world)) == 2


async def test_a_case_is_resolved_once(world: World) -> None:
    """Goal: a case that is unknown or closed is refused, and a wallet that cannot be unfrozen
    leaves its case open."""
    payment_id, alice, _ = await busy_world(world)
    await PLANTS["amount in payments"][1](world, payment_id, alice)
    await heal(world)
    (case,) = await all_cases(world)
    database = world.databases["ledger"]

    async def away(_wallet_id: str) -> None:
        raise Unavailable

    with pytest.raises(Unavailable):
        await _resolve(database, case.id, away)
    assert (await all_cases(world))[0].state == "OPEN"

    unfrozen = []

    async def unfreeze(wallet_id: str) -> None:
        unfrozen.append(wallet_id)

    await _resolve(database, case.id, unfreeze)
    assert unfrozen == [alice]
    assert await history(world, case.id) == ["FOUND", "FROZEN", "UNFROZEN", "RESOLVED"]
    for case_id, error in ((case.id, CaseClosed), ("cas_unknown", CaseNotFound)):
        with pytest.raises(error):
            await _resolve(database, case_id, unfreeze)


async def _resolve(database: Database, case_id: str, unfreeze: object) -> None:
    await cases.resolve_case(
        database,
        case_id,
        actor="ops",
        why="seen",
        unfreeze=unfreeze,  # type: ignore[arg-type]
        clock=CLOCK,
    )


async def test_what_the_journal_refuses_waits_for_a_person(world: World) -> None:
    """Goal: a missing transaction that cannot be booked -- its account is kept in another
    currency -- becomes a case, and those beside it are booked."""
    payment_id, alice, bob = await busy_world(world)
    other = await world.pay(await world.wallet("dave"), bob, 7)
    for item in (payment_id, other):
        await PLANTS["missing in ledger"][1](world, item, alice)
    await world.change("ledger", "UPDATE accounts SET currency_code = 'EUR' WHERE id = %s", alice)

    found = (await world.reconcile(heal=True)).treated
    assert acts(found) == [("MISSING_IN_LEDGER", "CASE_OPENED"), ("MISSING_IN_LEDGER", "POSTED")]
    assert [item.difference.payment_id for item in found] == [payment_id, other]


async def test_an_outage_leaves_it_to_the_next_pass(world: World) -> None:
    """Goal: what cannot be done now is told as failed, and done by the pass after."""
    alice, bob = await world.wallet("alice"), await world.wallet("bob")
    payment_id = await world.accept(alice, bob, 10)
    await world.execute([payment_id])
    whole = world.finish

    async def broken(_payment_ids: object) -> None:
        raise Unavailable

    world.finish = broken  # type: ignore[method-assign, assignment]
    assert await heal(world) == [("STATUS", "FAILED")]
    world.finish = whole  # type: ignore[method-assign]
    assert await heal(world) == [("STATUS", "REPUBLISHED")]
    assert await world.find() == []


async def test_the_history_of_a_case_cannot_be_changed(world: World) -> None:
    """Goal: the process itself has no right to change or delete what was done."""
    await busy_world(world)
    for statement in (
        "UPDATE reconciliation_case_records SET why = ''",
        "DELETE FROM reconciliation_case_records",
        "DELETE FROM reconciliation_cases",
        "UPDATE reconciliation_cases SET identity = ''",
    ):
        with pytest.raises(Exception, match="permission denied"):
            await world.as_ledger(statement)
