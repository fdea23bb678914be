"""Corrections and reversals: proposed, decided and booked, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from chassis.clock import SystemClock
from chassis.database import Database
from chassis.digests import IdRange
from chassis.errors import InvalidArgument, ServiceError
from chassis.ids import IdMaker
from ledger_svc.corrections.rpc import ALLOWED_CALLERS, CorrectionServicer, rpc_service
from ledger_svc.errors import (
    AccountCurrencyMismatch,
    AccountNotFound,
    AlreadyReversed,
    BookingRefused,
    CorrectionDecided,
    CorrectionNotFound,
    RequestIdReused,
    SamePerson,
    TransactionNotFound,
)
from ledger_svc.operations import get_transaction, post_bookings
from ledger_svc.rpc import LedgerServicer
from ledger_svc.store import digests
from ledger_svc.verification import verify_journal
from qrpay.ledger.v1 import correction_pb2 as pb
from qrpay.ledger.v1 import ledger_pb2
from qrpay.type.v1.money_pb2 import Money

CONTEXT: Any = SimpleNamespace(
    auth_context=lambda: {"x509_subject_alternative_name": [b"operator.qrpay.internal"]}
)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
ALL_WALLETS = IdRange("wal_", "wal_~")


def side(account_id: str, amount: int, currency_code: str = "USD") -> ledger_pb2.Posting:
    """A posting: a positive amount is a credit, a negative one a debit."""
    return ledger_pb2.Posting(
        account_id=account_id,
        direction=ledger_pb2.DIRECTION_CREDIT if amount > 0 else ledger_pb2.DIRECTION_DEBIT,
        money=Money(currency_code=currency_code, amount_minor=abs(amount)),
    )


SIDES = (side("wal_bank", -30), side("wal_suspense", 30))


class Desk:
    """Ann proposes, Bob decides."""

    def __init__(self, servicer: CorrectionServicer) -> None:
        self.servicer = servicer
        self._requests = 0

    async def propose(
        self, *postings: ledger_pb2.Posting, **changes: Any
    ) -> pb.ProposeCorrectionResponse:
        """Propose postings, or what ``changes`` say."""
        self._requests += 1
        named = {"request_id": f"r{self._requests}", "actor": "ann", "reason": "miscounted"}
        request = pb.ProposeCorrectionRequest(postings=postings, **{**named, **changes})
        return await self.servicer.ProposeCorrection(request, CONTEXT)

    async def approve(self, correction_id: str, actor: str = "bob") -> pb.Correction:
        """Approve it."""
        request = pb.ApproveCorrectionRequest(correction_id=correction_id, actor=actor)
        return (await self.servicer.ApproveCorrection(request, CONTEXT)).correction

    async def reject(self, correction_id: str, actor: str = "bob") -> pb.Correction:
        """Reject it."""
        request = pb.RejectCorrectionRequest(
            correction_id=correction_id, actor=actor, reason="not so"
        )
        return (await self.servicer.RejectCorrection(request, CONTEXT)).correction

    async def get(self, correction_id: str) -> pb.GetCorrectionResponse:
        """Read it."""
        request = pb.GetCorrectionRequest(correction_id=correction_id)
        return await self.servicer.GetCorrection(request, CONTEXT)

    async def ids(self, state: int = 0) -> list[str]:
        """All ids in a state, by pages of two."""
        request = pb.ListCorrectionsRequest(state=state, page_size=2)  # type: ignore[arg-type]
        found: list[str] = []
        while True:
            page = await self.servicer.ListCorrections(request, CONTEXT)
            found += [item.id for item in page.corrections]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def reverse(self, transaction_id: str) -> pb.Correction:
        """Have a transaction taken back."""
        proposed = await self.propose(reverses=transaction_id)
        return await self.approve(proposed.correction.id)


@pytest.fixture
def servicer(database: Database, ids: IdMaker) -> CorrectionServicer:
    """The service."""
    return CorrectionServicer(database=database, clock=SystemClock(), ids=ids)


@pytest.fixture
async def paid(database: Database, make_booking: Any, auditor: Any) -> list[Any]:
    """A book with a payment between people and one from the bank, whose accounts have a class."""
    bookings = [
        make_booking(amount_minor=1000),
        make_booking(debit_account_id="wal_bank", kind=4, amount_minor=500),
        make_booking(debit_account_id="wal_suspense", credit_account_id="wal_bank", amount_minor=1),
    ]
    await post_bookings(database, bookings)
    await auditor.change(
        b"UPDATE accounts SET class = CASE id WHEN 'wal_bank' THEN 3 WHEN 'wal_suspense' THEN 5"
        b" ELSE 1 END"
    )
    return bookings


@pytest.fixture
def desk(servicer: CorrectionServicer, paid: list[Any]) -> Desk:
    """Two people at work on it."""
    assert paid
    return Desk(servicer)


async def wallets(database: Database) -> dict[str, int]:
    """What the book says that wallets must have, as reconciliation asks for it."""
    rows = await database.read(
        lambda connection: digests.list_balances(
            connection, ALL_WALLETS, as_of_time=LATER, count_max=99
        )
    )
    return {row[0]: row[2] for row in rows}


async def check_whole(database: Database, auditor: Any) -> None:
    """The book adds up, and is as it was written."""
    assert await auditor.faults() == []
    verdict = await verify_journal(database, {}, told=lambda _done, _total: None)
    assert verdict.fault is None


def test_for_operators_only(servicer: CorrectionServicer) -> None:
    """Every method is named, and open to operators alone."""
    service = rpc_service(servicer)
    assert set(ALLOWED_CALLERS) == {method.name for method in service.descriptor.methods}
    assert set(map(frozenset, ALLOWED_CALLERS.values())) == {frozenset({"operator"})}


async def test_a_correction(desk: Desk, database: Database, auditor: Any) -> None:
    """Proposed, it is not in the book; approved by another person, it is, once, with its reason and
    both names; the wallets of the system need not follow."""
    before = await wallets(database)
    moment = datetime(2024, 3, 1, 12, tzinfo=UTC)
    proposed = await desk.propose(*SIDES, effective_time=moment)
    correction = proposed.correction
    assert correction.state == pb.CORRECTION_STATE_PROPOSED
    assert list(correction.postings) == list(SIDES)
    assert list(proposed.warnings) == []
    assert len(await auditor.booked()) == 3
    approved = [await desk.approve(correction.id) for _ in range(2)]
    assert approved[0] == approved[1]
    assert approved[0].state == pb.CORRECTION_STATE_APPROVED
    assert (approved[0].proposer, approved[0].decider) == ("ann", "bob")
    assert approved[0].transaction_id == "txn_4"
    reader = LedgerServicer(database=database, keys=[])
    request = ledger_pb2.GetTransactionRequest(payment_id=correction.id)
    transaction = (await reader.GetTransaction(request, CONTEXT)).transaction
    assert (transaction.id, transaction.source_id, transaction.payment_id) == (
        *("txn_4", correction.id),
        "",
    )
    assert transaction.book_kind == ledger_pb2.BOOK_KIND_CORRECTION
    assert transaction.effective_time.ToDatetime(tzinfo=UTC) == moment
    assert transaction.description == "miscounted (proposed by ann, approved by bob)"
    assert list(transaction.postings) == list(SIDES)
    callers = "SELECT caller FROM corrections UNION ALL SELECT caller FROM correction_decisions"
    assert await auditor.rows(callers) == [("operator",)] * 2
    assert await wallets(database) == before
    await check_whole(database, auditor)


async def test_many_postings_in_currencies(
    desk: Desk, database: Database, make_booking: Any, auditor: Any
) -> None:
    """Each currency balances by itself; an account without a wallet is made by its posting."""
    euros = {"debit_account_id": "wal_x", "credit_account_id": "wal_y", "currency_code": "EUR"}
    await post_bookings(database, [make_booking(**euros)])
    proposed = await desk.propose(
        *(side("wal_bank", 70), side("wal_alice", -30), side("wal_bob", -40)),
        *(side("acc_bank_charges_EUR", 5, "EUR"), side("wal_x", -5, "EUR")),
    )
    assert [(item.account_id, item.change_minor) for item in proposed.warnings] == [
        *[("wal_alice", -30), ("wal_bob", -40), ("wal_x", -5)]
    ]
    await desk.approve(proposed.correction.id)
    rows = await auditor.rows("SELECT class FROM accounts WHERE id = 'acc_bank_charges_EUR'")
    assert rows == [(6,)]
    await check_whole(database, auditor)


async def test_the_same_person(desk: Desk, auditor: Any) -> None:
    """Who proposed cannot approve, but may withdraw."""
    correction_id = (await desk.propose(*SIDES)).correction.id
    for actor in ("ann", "Ann"):
        with pytest.raises(SamePerson):
            await desk.approve(correction_id, actor)
    assert (await desk.get(correction_id)).correction.state == pb.CORRECTION_STATE_PROPOSED
    assert (await desk.reject(correction_id, "ann")).state == pb.CORRECTION_STATE_REJECTED
    assert len(await auditor.booked()) == 3


async def test_decisions_are_final(desk: Desk, auditor: Any) -> None:
    """The same again answers the same, whoever says it; the opposite is refused."""
    first, second = [(await desk.propose(*SIDES)).correction.id for _ in range(2)]
    rejected = await desk.reject(first)
    assert (rejected.decider, rejected.decision_reason, rejected.transaction_id) == (
        *("bob", "not so"),
        "",
    )
    assert await desk.reject(first, "cyd") == rejected
    approved = await desk.approve(second)
    assert await desk.approve(second, "cyd") == approved
    with pytest.raises(CorrectionDecided):
        await desk.approve(first)
    with pytest.raises(CorrectionDecided):
        await desk.reject(second)
    with pytest.raises(CorrectionNotFound):
        await desk.approve("cor_nobody")
    assert len(await auditor.booked()) == 4


async def test_approvals_at_the_same_time(desk: Desk, database: Database, auditor: Any) -> None:
    """Two corrections of the same, decided by many at once: each is booked once or rejected."""
    ids = [(await desk.propose(*SIDES)).correction.id for _ in range(2)]
    acts = [act(it) for it in ids for act in (desk.approve, desk.approve, desk.reject)]
    results = await asyncio.gather(*acts, return_exceptions=True)
    assert all(isinstance(it, pb.Correction | ServiceError) for it in results)
    states = [(await desk.get(it)).correction for it in ids]
    for correction in states:
        booked = correction.state == pb.CORRECTION_STATE_APPROVED
        assert bool(correction.transaction_id) is booked
    booked_ids = [it for it in await auditor.booked() if it.startswith("cor_")]
    assert booked_ids == [it.id for it in states if it.transaction_id]
    await check_whole(database, auditor)


async def test_what_cannot_be_booked_is_not_approved(
    desk: Desk, database: Database, auditor: Any
) -> None:
    """Decision and booking are one: a total that the database cannot hold leaves neither."""
    await auditor.change(b"UPDATE accounts SET debits_posted_minor = 9223372036854775000")
    proposed = await desk.propose(side("wal_bank", -2000), side("wal_bob", 2000))
    correction_id = proposed.correction.id
    with pytest.raises(BookingRefused):
        await desk.approve(correction_id)
    shown = (await desk.get(correction_id)).correction
    assert (shown.state, shown.transaction_id) == (pb.CORRECTION_STATE_PROPOSED, "")
    assert await auditor.rows("SELECT count(*) FROM correction_decisions") == [(0,)]
    assert len(await auditor.booked()) == 3


async def test_a_crash_leaves_nothing_half_done(desk: Desk, auditor: Any) -> None:
    """Cut off after the decision and before the commit: neither decided nor booked, and the repeat
    does both."""
    correction_id = (await desk.propose(*SIDES)).correction.id
    await auditor.change(
        b"CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
        b" PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;"
        b"CREATE TRIGGER die BEFORE INSERT ON journal_transactions"
        b" FOR EACH ROW EXECUTE FUNCTION die()"
    )
    with pytest.raises(ServiceError) as caught:
        await desk.approve(correction_id)
    assert caught.value.retryable
    await auditor.change(b"DROP FUNCTION die CASCADE")
    assert (await desk.get(correction_id)).correction.state == pb.CORRECTION_STATE_PROPOSED
    assert (await desk.approve(correction_id)).transaction_id == "txn_4"


async def test_a_reversal(desk: Desk, database: Database, paid: list[Any], auditor: Any) -> None:
    """It points at what it takes back, with the sides swapped; once. A reversal can be taken back
    itself, and then the first is in force again."""
    before = await wallets(database)
    proposed = await desk.propose(reverses="txn_1")
    changes = {item.account_id: item.change_minor for item in proposed.warnings}
    assert changes == {"wal_alice": 1000, "wal_bob": -1000}
    other = await desk.propose(reverses="txn_1")
    reversal = await desk.approve(proposed.correction.id)
    assert (reversal.reverses, reversal.transaction_id) == ("txn_1", "txn_4")
    taken_back = await get_transaction(database, paid[0].payment_id)
    booked = await get_transaction(database, reversal.id)
    assert (booked.draft.kind, booked.draft.reverses_number) == (101, 1)
    assert [(it.account_id, 3 - it.direction, *it[2:]) for it in booked.draft.postings] == [
        tuple(it) for it in taken_back.draft.postings
    ]
    with pytest.raises(AlreadyReversed) as caught:
        await desk.approve(other.correction.id)
    assert caught.value.metadata == {"transaction_id": "txn_1", "reversed_by": "txn_4"}
    assert (await desk.get(other.correction.id)).correction.state == pb.CORRECTION_STATE_PROPOSED
    with pytest.raises(AlreadyReversed):
        await desk.propose(reverses="txn_1")
    assert (await desk.approve(reversal.id)) == reversal
    assert (await desk.reverse("txn_4")).transaction_id == "txn_5"
    assert await wallets(database) == before
    await check_whole(database, auditor)


async def test_the_book_follows_the_wallets(desk: Desk, database: Database) -> None:
    """A payment that never moved money, taken back: the book asks of every wallet, the bank's too,
    what it had without it -- also over a reversal of the reversal. A correction is asked of
    customers' wallets only."""
    first = await wallets(database)
    assert first["wal_bank"] == -499
    assert (await desk.reverse("txn_2")).transaction_id == "txn_4"
    without = {**first, "wal_bank": 1, "wal_bob": first["wal_bob"] - 500}
    assert await wallets(database) == without
    await desk.reverse("txn_4")
    assert await wallets(database) == first
    await desk.reverse("txn_5")
    assert await wallets(database) == without
    correction = await desk.propose(side("wal_bank", -9), side("wal_bob", 9))
    booked = await desk.approve(correction.correction.id)
    assert await wallets(database) == {**without, "wal_bob": without["wal_bob"] + 9}
    await desk.reverse(booked.transaction_id)
    assert await wallets(database) == without


async def test_a_class_may_be_found_out_later(
    desk: Desk, database: Database, make_booking: Any, auditor: Any
) -> None:
    """A correction of an account whose owner is not known yet is warned of; when the account turns
    out to be the system's own, its wallet need not follow."""
    await post_bookings(database, [make_booking(debit_account_id="wal_fees", amount_minor=7)])
    proposed = await desk.propose(side("wal_fees", 2), side("wal_bank", -2))
    assert [item.account_id for item in proposed.warnings] == ["wal_fees"]
    await desk.approve(proposed.correction.id)
    assert (await wallets(database))["wal_fees"] == -5
    await auditor.change(b"UPDATE accounts SET class = 4 WHERE id = 'wal_fees'")
    assert (await wallets(database))["wal_fees"] == -7


@pytest.mark.parametrize(
    ("postings", "changes", "error"),
    [
        ((side("wal_nobody", -5), side("wal_bob", 5)), {}, AccountNotFound),
        ((side("acc_other", -5), side("wal_bob", 5)), {}, AccountNotFound),
        ((side("wal_bank", -5, "EUR"), side("wal_bob", 5, "EUR")), {}, AccountCurrencyMismatch),
        ((), {"reverses": "txn_99"}, TransactionNotFound),
    ],
)
async def test_proposals_that_cannot_be(
    desk: Desk, postings: Sequence[ledger_pb2.Posting], changes: dict[str, str], error: Any
) -> None:
    """No account comes into being by a misspelt id, and nothing is filed."""
    with pytest.raises(error):
        await desk.propose(*postings, **changes)
    assert await desk.ids() == []


async def test_repeated_proposals(desk: Desk) -> None:
    """The same request id is the same correction, also when it is decided; with other content it is
    refused."""
    first = await desk.propose(*SIDES, request_id="once")
    assert await desk.propose(*SIDES, request_id="once") == first
    approved = await desk.approve(first.correction.id)
    assert (await desk.propose(*SIDES, request_id="once")).correction == approved
    for changes in ({"actor": "bob"}, {"reason": "x"}):
        with pytest.raises(RequestIdReused):
            await desk.propose(*SIDES, request_id="once", **changes)
    with pytest.raises(RequestIdReused):
        await desk.propose(reverses="txn_1", request_id="once")
    reversal = await desk.propose(reverses="txn_1", request_id="back")
    await desk.approve(reversal.correction.id)
    again = await desk.propose(reverses="txn_1", request_id="back")
    assert again.correction.transaction_id == "txn_5"
    for request_id in ("a", "b", "c", "d"):  # the first round may only open connections
        at_once = await asyncio.gather(
            *(desk.propose(*SIDES, request_id=request_id) for _ in range(6))
        )
        assert len({item.correction.id for item in at_once}) == 1


async def test_lists(desk: Desk) -> None:
    """Newest first, by state, in pages; a token of one list means nothing in another."""
    made = [(await desk.propose(*SIDES)).correction.id for _ in range(5)]
    await desk.approve(made[0])
    await desk.reject(made[1])
    newest = sorted(made, reverse=True)
    assert await desk.ids() == newest
    assert await desk.ids(pb.CORRECTION_STATE_APPROVED) == [made[0]]
    assert await desk.ids(pb.CORRECTION_STATE_REJECTED) == [made[1]]
    assert await desk.ids(pb.CORRECTION_STATE_PROPOSED) == [
        it for it in newest if it not in made[:2]
    ]
    request = pb.ListCorrectionsRequest(page_size=1)
    token = (await desk.servicer.ListCorrections(request, CONTEXT)).next_page_token
    for bad in (
        pb.ListCorrectionsRequest(page_token=token, state=pb.CORRECTION_STATE_PROPOSED),
        pb.ListCorrectionsRequest(page_size=-1),
        pb.ListCorrectionsRequest(state=9),  # type: ignore[arg-type]
    ):
        with pytest.raises(InvalidArgument):
            await desk.servicer.ListCorrections(bad, CONTEXT)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"request_id": ""}, ["request_id"]),
        ({"request_id": "x" * 65}, ["request_id"]),
        ({"actor": " "}, ["actor"]),
        ({"reason": ""}, ["reason"]),
        ({"reason": "a\nb"}, ["reason"]),
        ({"reason": "x" * 501, "actor": ""}, ["actor", "reason"]),
        ({"postings": []}, ["postings"]),
        ({"reverses": "txn_1"}, ["postings"]),
        ({"reverses": "txn_0", "postings": []}, ["reverses"]),
        ({"reverses": "pay_1", "postings": []}, ["reverses"]),
        ({"reverses": "txn_" + "9" * 19, "postings": []}, ["reverses"]),
        ({"effective_time": datetime.now(UTC) + timedelta(hours=1)}, ["effective_time"]),
        ({"effective_time": datetime(1970, 1, 1, tzinfo=UTC)}, ["effective_time"]),
    ],
)
async def test_bad_proposals(
    servicer: CorrectionServicer, changes: dict[str, Any], fields: list[str]
) -> None:
    """Every fault is named at once."""
    named = {"request_id": "r", "actor": "ann", "reason": "why", "postings": SIDES, **changes}
    with pytest.raises(InvalidArgument) as caught:
        await servicer.ProposeCorrection(pb.ProposeCorrectionRequest(**named), CONTEXT)
    assert sorted(fault.field for fault in caught.value.violations) == fields


async def test_bad_decisions(servicer: CorrectionServicer) -> None:
    """Every fault is named at once."""
    with pytest.raises(InvalidArgument) as caught:
        await servicer.RejectCorrection(pb.RejectCorrectionRequest(), CONTEXT)
    assert [fault.field for fault in caught.value.violations] == [
        *("correction_id", "actor", "reason")
    ]
    with pytest.raises(InvalidArgument):
        await servicer.ApproveCorrection(pb.ApproveCorrectionRequest(actor="bob"), CONTEXT)
    with pytest.raises(InvalidArgument):
        await servicer.GetCorrection(pb.GetCorrectionRequest(correction_id="\0"), CONTEXT)


@pytest.mark.parametrize(
    "statement",
    [
        f"{verb} {table}"
        for table in ("corrections", "correction_decisions")
        for verb in ("DELETE FROM", "TRUNCATE")
    ]
    + [
        "UPDATE corrections SET actor = 'x'",
        "UPDATE corrections SET postings = '[1, 2]'",
        "UPDATE correction_decisions SET actor = 'x'",
    ],
)
async def test_nothing_is_changed(ledger_database: Any, statement: str) -> None:
    """The service has no right to change what was proposed or decided."""
    async with await psycopg.AsyncConnection.connect(ledger_database.url) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(statement.encode())


@pytest.mark.parametrize(
    ("proposer", "actor", "constraint"),
    [
        ("ann", "ann", "ck_correction_decisions_two_persons"),
        ("ann", "Ann", "ck_correction_decisions_two_persons"),
        ("bob", "ann", "fk_correction_decisions_correction"),
    ],
)
async def test_two_persons_by_the_database(
    desk: Desk, ledger_database: Any, proposer: str, actor: str, constraint: str
) -> None:
    """Not even SQL written by hand gets an approval of one's own past the database."""
    correction_id = (await desk.propose(*SIDES)).correction.id
    async with await psycopg.AsyncConnection.connect(ledger_database.url) as connection:
        with pytest.raises(psycopg.errors.IntegrityError) as caught:
            await connection.execute(
                "INSERT INTO correction_decisions VALUES (%s, %s, true, %s, 'operator', '')",
                (correction_id, proposer, actor),
            )
    assert caught.value.diag.constraint_name == constraint
