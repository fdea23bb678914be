"""Statements of the bank beside the book, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chassis.database import Database
from chassis.errors import InvalidArgument, ServiceError
from chassis.ids import IdMaker
from ledger_svc.bank_statements.camt import read_camt
from ledger_svc.bank_statements.rpc import ALLOWED_CALLERS, BankStatementServicer, rpc_service
from ledger_svc.errors import (
    LineNotFound,
    LineNotMatchable,
    MatchedAlready,
    NoClearingAccount,
    StatementDiffers,
    StatementMalformed,
    TransactionNotFound,
)
from ledger_svc.operations import post_bookings
from ledger_svc.store import bank_statements as store
from qrpay.ledger.v1 import bank_statement_pb2 as pb

CONTEXT: Any = None  # no handler looks at it: callers and deadlines are the server's business
WITHDRAW, TOP_UP = 3, 4
CAMT = Path(__file__).parents[2] / "unit/ledger_svc/data/camt.053.001.02.xml"
WITHDRAWAL = "pay_01JD3Q9V7N8R4T2W6X0YZABCDE"
NAMED_TOP_UP = "pay_01JD3Q9V7N8R4T2W6X0YZABCDF"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


class SetClock:
    """A clock that a test sets."""

    time = NOON + timedelta(days=1)

    def now(self) -> datetime:
        """The time that was set."""
        return self.time

    def monotonic(self) -> float:
        """Not looked at."""
        return 0.0


@pytest.fixture
def clock() -> SetClock:
    """A day after the payments."""
    return SetClock()


@pytest.fixture
def servicer(database: Database, ids: IdMaker, clock: SetClock) -> BankStatementServicer:
    """The service on an empty ledger."""
    return BankStatementServicer(database=database, clock=clock, ids=ids, window_days=5)


class Desk:
    """An operator at work."""

    def __init__(self, servicer: BankStatementServicer, database: Database, auditor: Any) -> None:
        self.servicer = servicer
        self._database = database
        self._auditor = auditor
        self._payments = 0

    async def pay(self, payment_id: str, kind: int, amount: int, *, days: float = 0) -> str:
        """Book a withdrawal or a top-up in euros, some days after ``NOON``; its id."""
        moved = int((NOON + timedelta(days=days)).timestamp() * 1_000_000)
        accounts = ("wal_alice", "wal_bank") if kind == WITHDRAW else ("wal_bank", "wal_alice")
        self._payments += 1
        booking = self._booking(
            payment_id=payment_id or f"pay_{self._payments:026}",
            kind=kind,
            debit_account_id=accounts[0],
            credit_account_id=accounts[1],
            currency_code="EUR",
            amount_minor=amount,
            effective_microseconds=moved,
        )
        await post_bookings(self._database, [booking])
        return str(booking.payment_id)

    _booking: Any

    async def classify(self) -> None:
        """Tell the book whose its accounts are."""
        await self._auditor.change(b"UPDATE accounts SET class = 3 WHERE id = 'wal_bank'")

    async def import_file(self, content: bytes, **changes: Any) -> pb.ImportedBankStatement:
        """Import one statement."""
        named = {"format": pb.BANK_STATEMENT_FORMAT_CAMT_053, "actor": "ops", **changes}
        request = pb.ImportBankStatementRequest(content=content, **named)
        (imported,) = (await self.servicer.ImportBankStatement(request, CONTEXT)).statements
        return imported

    async def import_rows(
        self, rows: Sequence[str], *, reference: str = "1", total: str = "0"
    ) -> pb.ImportedBankStatement:
        """Import entries (``date,amount,text``) in euros, whose sum is ``total``."""
        table = ["line,booking_date,amount,remittance", "opening,2026-11-01,0,"]
        table += [f"entry,{row}" for row in rows]
        table += [f"closing,2026-11-30,{total},"]
        return await self.import_file(
            "\n".join(table).encode(),
            format=pb.BANK_STATEMENT_FORMAT_CSV,
            account="DE89",
            currency_code="EUR",
            reference=reference,
        )

    async def lines(self, **changes: Any) -> list[pb.BankStatementLine]:
        """All lines in euros, by pages of two."""
        request = pb.ListBankStatementLinesRequest(
            **{"currency_code": "EUR", "page_size": 2, **changes}
        )
        lines: list[pb.BankStatementLine] = []
        while True:
            page = await self.servicer.ListBankStatementLines(request, CONTEXT)
            lines += page.lines
            if not page.next_page_token:
                return lines
            request.page_token = page.next_page_token

    async def unmatched(self) -> list[str]:
        """Ids of payments without a line, by pages of two."""
        request = pb.ListUnmatchedPaymentsRequest(currency_code="EUR", page_size=2)
        found: list[str] = []
        while True:
            page = await self.servicer.ListUnmatchedPayments(request, CONTEXT)
            found += [item.payment_id for item in page.payments]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def match(self, line_id: str, payment_id: str) -> pb.BankStatementLine:
        """Match by hand."""
        request = pb.MatchBankStatementLineRequest(
            line_id=line_id, payment_id=payment_id, actor="ops", reason="asked the bank"
        )
        return (await self.servicer.MatchBankStatementLine(request, CONTEXT)).line


@pytest.fixture
async def desk(
    servicer: BankStatementServicer, database: Database, auditor: Any, make_booking: Any
) -> Desk:
    """An operator at work, and a bank account in euros."""
    desk = Desk(servicer, database, auditor)
    desk._booking = make_booking
    await desk.pay("", TOP_UP, 1, days=-300)
    await desk.classify()
    return desk


def test_for_operators_only(servicer: BankStatementServicer) -> None:
    """Every method is named, and open to operators alone."""
    service = rpc_service(servicer)
    methods = {method.name for method in service.descriptor.methods}
    assert set(ALLOWED_CALLERS) == methods
    assert set(map(frozenset, ALLOWED_CALLERS.values())) == {frozenset({"operator"})}


async def test_an_import(desk: Desk, auditor: Any) -> None:
    """Lines are matched by reference and by amount, fees are booked once, what is left over is
    listed; the same file again changes nothing."""
    await desk.pay(WITHDRAWAL, WITHDRAW, 10_000)
    await desk.pay(NAMED_TOP_UP, TOP_UP, 20_000)
    carol = await desk.pay("", TOP_UP, 5_000, days=1)
    assert await auditor.faults() == []
    for repeated in (False, True):
        imported = await desk.import_file(CAMT.read_bytes())
        assert imported.repeated_import is repeated
        assert (imported.statement.line_count, imported.statement.closing_minor) == (5, 1_013_925)
        counts = (imported.matched_by_reference, imported.matched_by_amount, imported.unmatched)
        assert counts == (2, 1, 0)
        assert imported.fees_booked == 2
    lines = await desk.lines()
    assert [line.payment_id for line in lines] == [WITHDRAWAL, "", NAMED_TOP_UP, carol, ""]
    assert [line.match_method for line in lines] == [
        *(pb.MATCH_METHOD_REFERENCE, 0, pb.MATCH_METHOD_REFERENCE, pb.MATCH_METHOD_AMOUNT, 0)
    ]
    assert all(line.transaction_id.startswith("txn_") for line in lines if line.kind == 2)
    assert await desk.lines(unmatched_only=True) == []
    assert await auditor.faults() == []


async def test_fees_in_the_book(desk: Desk, auditor: Any) -> None:
    """A fee is money that left the bank account and was spent; one that the bank gave back is the
    other way round. The wallet of the bank did not move, and the book says so."""
    await desk.import_file(CAMT.read_bytes())
    rows = ["fee,2026-11-04,3.00,"]
    table = "line,booking_date,amount,remittance\nopening,2026-11-04,0,\n"
    await desk.import_file(
        (table + "\n".join(rows) + "\nclosing,2026-11-04,3.00,").encode(),
        format=pb.BANK_STATEMENT_FORMAT_CSV,
        account="DE89",
        currency_code="EUR",
        reference="back",
    )
    posted = await auditor.rows("""
        SELECT account_id, direction, amount_minor FROM postings
        JOIN journal_transactions ON number = transaction_number
        WHERE kind = 103 ORDER BY number, line
    """)
    charges = "acc_bank_charges_EUR"
    assert posted == [
        *[(charges, 1, 150), ("wal_bank", 2, 150)],
        *[(charges, 1, 925), ("wal_bank", 2, 925)],
        *[("wal_bank", 1, 300), (charges, 2, 300)],
    ]
    assert await auditor.rows("SELECT book_only_minor FROM accounts WHERE id = 'wal_bank'") == [
        (775,)
    ]
    assert await auditor.rows("SELECT class FROM accounts WHERE id = %s", charges) == [(6,)]
    assert await auditor.faults() == []


async def test_an_interrupted_import_is_finished(desk: Desk, database: Database) -> None:
    """Stored and then cut off: the same file again books the fees and matches the lines."""
    await desk.pay(WITHDRAWAL, WITHDRAW, 10_000)
    (statement,) = read_camt(CAMT.read_bytes())

    async def work(connection: Any) -> None:
        await store.insert_statement(
            connection,
            statement,
            statement_id="bst_1",
            line_ids=[f"bsl_{number}" for number in range(5)],
            actor="ops",
        )

    await database.transaction(work)
    imported = await desk.import_file(CAMT.read_bytes())
    assert imported.repeated_import
    assert (imported.fees_booked, imported.matched_by_reference) == (2, 1)


async def test_what_is_booked_later_is_matched_later(desk: Desk) -> None:
    """A payment that the book hears of after the bank is found by the next import."""
    rows = ["2026-11-02,-7.00,"]
    assert (await desk.import_rows(rows, total="-7")).unmatched == 1
    late = await desk.pay("", WITHDRAW, 700)
    again = await desk.import_rows(rows, total="-7")
    assert (again.matched_by_amount, again.unmatched) == (1, 0)
    assert [line.payment_id for line in await desk.lines()] == [late]


async def test_nothing_is_guessed(desk: Desk) -> None:
    """Two payments that fit stay open, with both named; by hand one is chosen, and the other line
    is then known by itself."""
    first = await desk.pay("", WITHDRAW, 700)
    second = await desk.pay("", WITHDRAW, 700, days=2)
    rows = ["2026-11-03,-7.00,", "2026-11-04,-7.00,"]
    imported = await desk.import_rows(rows, total="-14")
    assert imported.unmatched == 2
    lines = await desk.lines(unmatched_only=True)
    assert [list(line.candidate_payment_ids) for line in lines] == [[first, second]] * 2
    chosen = await desk.match(lines[0].id, second)
    assert chosen == await desk.match(lines[0].id, second)
    assert (chosen.match_method, chosen.match_reason) == (
        pb.MATCH_METHOD_HAND,
        "ops: asked the bank",
    )
    again = await desk.import_rows(rows, total="-14")
    assert (again.matched_by_hand, again.matched_by_amount, again.unmatched) == (1, 1, 0)


async def test_matches_by_hand_that_cannot_be(desk: Desk) -> None:
    """No payment twice, no line twice, no other amount, no fee, nothing that is not there."""
    first = await desk.pay("", WITHDRAW, 700)
    other = await desk.pay("", WITHDRAW, 800)
    await desk.import_rows(["2026-11-03,-7.00,", "2027-01-04,-7.00,"], total="-14")
    await desk.import_file(CAMT.read_bytes())
    matched, open_line, *more = await desk.lines()
    fee = next(line for line in more if line.kind == pb.BANK_STATEMENT_LINE_KIND_FEE)
    assert (matched.payment_id, open_line.payment_id) == (first, "")
    for line_id, payment_id, error in (
        (matched.id, other, MatchedAlready),
        (open_line.id, first, MatchedAlready),
        (open_line.id, other, LineNotMatchable),
        (fee.id, other, LineNotMatchable),
        (open_line.id, "pay_nobody", TransactionNotFound),
        (open_line.id, fee.id, TransactionNotFound),
        ("bsl_nobody", other, LineNotFound),
    ):
        with pytest.raises(error):
            await desk.match(line_id, payment_id)


async def test_payments_that_the_bank_does_not_know(desk: Desk, clock: SetClock) -> None:
    """They are listed when the bank should have told of them, from the first statement on; what is
    matched is not."""
    known = await desk.pay("", WITHDRAW, 700)
    lost = [await desk.pay("", kind, 9_000 + kind, days=1) for kind in (WITHDRAW, TOP_UP)]
    lost.append(await desk.pay("", TOP_UP, 77, days=2))
    assert await desk.unmatched() == []  # no statement: nothing can be missing
    await desk.import_rows(["2026-11-03,-7.00,"], total="-7")
    assert await desk.unmatched() == []
    clock.time = NOON + timedelta(days=6, seconds=1)
    assert await desk.unmatched() == lost[:2]
    clock.time = NOON + timedelta(days=30)
    assert await desk.unmatched() == lost
    assert known not in lost
    page = await desk.servicer.ListUnmatchedPayments(
        pb.ListUnmatchedPaymentsRequest(currency_code="EUR"), CONTEXT
    )
    assert [item.money.amount_minor for item in page.payments] == [-9_003, 9_004, 77]
    assert [item.kind for item in page.payments] == [WITHDRAW, TOP_UP, TOP_UP]


async def test_other_movements_are_no_candidates(
    desk: Desk, database: Database, make_booking: Any
) -> None:
    """Payments between people, and those of another currency, are nobody's line."""
    moved = int(NOON.timestamp() * 1_000_000)
    between = make_booking(currency_code="EUR", amount_minor=700, effective_microseconds=moved)
    dollars = make_booking(
        kind=TOP_UP,
        debit_account_id="wal_bank_usd",
        credit_account_id="wal_usd",
        amount_minor=700,
        effective_microseconds=moved,
    )
    euros = between._replace(debit_account_id="wal_a_eur", credit_account_id="wal_b_eur")
    await post_bookings(database, [euros, dollars])
    texts = f"{euros.payment_id} {dollars.payment_id}"
    imported = await desk.import_rows(["2026-11-02,7.00,", f"2026-11-02,7.00,{texts}"], total="14")
    assert imported.unmatched == 2
    assert [list(line.candidate_payment_ids) for line in await desk.lines()] == [[], []]


async def test_a_statement_is_one(desk: Desk) -> None:
    """The same id with other content is refused; of another account it is another statement."""
    await desk.import_rows(["2026-11-03,-7.00,"], total="-7")
    with pytest.raises(StatementDiffers):
        await desk.import_rows(["2026-11-03,-8.00,"], total="-8")
    assert not (
        await desk.import_rows(["2026-11-03,-8.00,"], reference="2", total="-8")
    ).repeated_import
    assert len(await desk.lines()) == 2


async def test_all_of_a_file_or_nothing(desk: Desk) -> None:
    """A message with a good and a bad statement leaves nothing behind."""
    good = CAMT.read_text()
    start, end = good.index("<Stmt>"), good.index("</Stmt>") + len("</Stmt>")
    second = good[start:end].replace("2026-211", "2026-212")
    both = good[:end] + second.replace("10139.25", "10139.26") + good[end:]
    with pytest.raises(StatementMalformed):
        await desk.import_file(both.encode())
    assert await desk.lines() == []
    whole = pb.ImportBankStatementRequest(
        content=(good[:end] + second + good[end:]).encode(),
        format=pb.BANK_STATEMENT_FORMAT_CAMT_053,
        actor="ops",
    )
    answer = await desk.servicer.ImportBankStatement(whole, CONTEXT)
    assert [item.statement.reference for item in answer.statements] == ["2026-211", "2026-212"]


async def test_without_an_account_in_the_book(
    servicer: BankStatementServicer, database: Database, auditor: Any, make_booking: Any
) -> None:
    """A currency whose bank account the book does not know yet: nothing is imported, so that no fee
    is booked where it does not belong."""
    desk = Desk(servicer, database, auditor)
    desk._booking = make_booking
    with pytest.raises(NoClearingAccount):
        await desk.import_file(CAMT.read_bytes())
    await desk.pay("", TOP_UP, 1)
    with pytest.raises(NoClearingAccount):
        await desk.import_file(CAMT.read_bytes())
    await desk.classify()
    assert (await desk.import_file(CAMT.read_bytes())).fees_booked == 2


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"content": b""}, ["content"]),
        ({"content": b"x" * (3 * 1024 * 1024 + 1)}, ["content"]),
        ({"format": 0}, ["format"]),
        ({"format": 9}, ["format"]),
        ({"actor": ""}, ["actor"]),
        ({"reference": "x"}, ["reference"]),
        ({"format": 2}, ["account", "currency_code", "reference"]),
        ({"account": "\0"}, ["account"]),
        ({"currency_code": "eur"}, ["currency_code"]),
    ],
)
async def test_bad_requests(
    servicer: BankStatementServicer, changes: dict[str, Any], fields: list[str]
) -> None:
    """Every fault is named at once."""
    named = {"content": b"<x/>", "format": 1, "actor": "ops", **changes}
    with pytest.raises(InvalidArgument) as caught:
        await servicer.ImportBankStatement(pb.ImportBankStatementRequest(**named), CONTEXT)
    assert sorted(fault.field for fault in caught.value.violations) == fields


@pytest.mark.parametrize("changes", [{"account": "DE00"}, {"currency_code": "USD"}])
async def test_a_file_of_another_account(desk: Desk, changes: dict[str, str]) -> None:
    """Who says which account it is, is not given another one's fees."""
    with pytest.raises(StatementMalformed):
        await desk.import_file(CAMT.read_bytes(), **changes)
    assert await desk.import_file(
        CAMT.read_bytes(), account="DE89 3704 0044 0532 0130 00", currency_code="EUR"
    )


async def test_imports_at_the_same_time(desk: Desk, auditor: Any) -> None:
    """Whoever imports at once: each statement once, each fee once, nobody matched twice."""
    await desk.pay(WITHDRAWAL, WITHDRAW, 10_000)
    results = await asyncio.gather(
        *(desk.import_file(CAMT.read_bytes()) for _ in range(4)), return_exceptions=True
    )
    assert sum(not it.repeated_import for it in results if not isinstance(it, BaseException)) == 1
    assert all(isinstance(it, ServiceError) for it in results if isinstance(it, BaseException))
    assert await auditor.rows("SELECT count(*) FROM bank_statement_lines") == [(5,)]
    assert await auditor.rows("SELECT count(*) FROM journal_transactions WHERE kind = 103") == [
        (2,)
    ]
    assert await auditor.faults() == []


@pytest.mark.parametrize(
    "statement",
    [
        f"{verb} {table}"
        for table in ("bank_statements", "bank_statement_lines", "bank_statement_matches")
        for verb in ("DELETE FROM", "TRUNCATE")
    ]
    + [
        "UPDATE bank_statements SET actor = 'x'",
        "UPDATE bank_statement_lines SET amount_minor = 1",
        "UPDATE bank_statement_matches SET payment_id = 'x'",
    ],
)
async def test_nothing_is_changed(ledger_database: Any, statement: str) -> None:
    """The service has no right to change what the bank said or who matched it."""
    async with await psycopg.AsyncConnection.connect(ledger_database.url) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(statement.encode())


async def test_foreign_page_tokens(desk: Desk) -> None:
    """A token of one list means nothing in another."""
    await desk.import_rows(["2026-11-03,1,", "2026-11-03,2,"], total="3")
    page = await desk.servicer.ListBankStatementLines(
        pb.ListBankStatementLinesRequest(currency_code="EUR", page_size=1), CONTEXT
    )
    for request in (
        pb.ListBankStatementLinesRequest(currency_code="USD", page_token=page.next_page_token),
        pb.ListBankStatementLinesRequest(
            currency_code="EUR", unmatched_only=True, page_token=page.next_page_token
        ),
    ):
        with pytest.raises(InvalidArgument):
            await desk.servicer.ListBankStatementLines(request, CONTEXT)
    with pytest.raises(InvalidArgument):
        await desk.servicer.ListUnmatchedPayments(
            pb.ListUnmatchedPaymentsRequest(currency_code="EUR", page_token=page.next_page_token),
            CONTEXT,
        )
