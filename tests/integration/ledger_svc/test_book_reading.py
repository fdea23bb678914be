"""BookService: what it reads, against the rows themselves, on a real PostgreSQL."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from chassis.database import Database
from chassis.errors import InvalidArgument
from ledger_svc.book.rpc import ALLOWED_CALLERS, BookServicer, rpc_service
from ledger_svc.errors import AccountCurrencyMismatch, AccountNotFound
from ledger_svc.model import Draft, DraftPosting
from ledger_svc.operations import book, post_bookings
from qrpay.ledger.v1 import book_pb2 as pb
from qrpay.ledger.v1 import ledger_pb2

CONTEXT: Any = None  # no handler looks at it: callers and deadlines are the server's business
SEED = 4711
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
ACCOUNTS = {
    "USD": ["wal_alice", "wal_bob", "wal_bank", "wal_cafe"],
    "JPY": ["wal_jun", "wal_ken", "wal_kura"],
}
CLASSES = {"wal_alice": 1, "wal_bob": 1, "wal_bank": 3, "wal_cafe": 2, "wal_jun": 1, "wal_ken": 1}
SCAN_MAX = 7
"""So few that most searches take several looks."""


class Row(NamedTuple):
    """A posting as it is stored."""

    number: int
    line: int
    account_id: str
    direction: int
    currency_code: str
    amount_minor: int
    source_id: str
    kind: int
    book_time: datetime

    @property
    def signed_minor(self) -> int:
        """Negative if it is a debit."""
        return self.amount_minor if self.direction == 2 else -self.amount_minor


class Book(NamedTuple):
    """Everything that is stored, for asking it the slow way."""

    rows: Sequence[Row]

    @property
    def times(self) -> list[datetime]:
        """When something was booked."""
        return sorted({row.book_time for row in self.rows})

    @property
    def moments(self) -> list[datetime]:
        """Those, and just before and after."""
        times = self.times
        return sorted({*times, *(it - MICROSECOND for it in times), times[-1] + MICROSECOND})

    def of(self, account_id: str, *, until: datetime | None = None) -> list[Row]:
        """An account's postings, up to a moment and at it."""
        return [
            row
            for row in self.rows
            if row.account_id == account_id and (until is None or row.book_time <= until)
        ]

    def matches(self, request: pb.SearchTransactionsRequest) -> list[int]:
        """The numbers of the transactions that a search must find, newest first."""
        low, high = request.min_amount_minor, request.max_amount_minor or 2**63 - 1
        start = request.start_time.ToDatetime(tzinfo=UTC)
        end = request.end_time.ToDatetime(tzinfo=UTC)
        found = {
            row.number
            for row in self.rows
            if request.source_id in ("", row.source_id)
            and request.account_id in ("", row.account_id)
            and request.currency_code in ("", row.currency_code)
            and low <= row.amount_minor <= high
            and (request.kind or request.book_kind) in (0, row.kind)
            and (not request.HasField("start_time") or row.book_time >= start)
            and (not request.HasField("end_time") or row.book_time < end)
        }
        return sorted(found, reverse=True)


async def fill(database: Database, chance: random.Random, make_booking: Any) -> None:
    """Some batches of payments and of corrections, which name an account several times."""
    for _ in range(30):
        bookings = []
        for _ in range(chance.randint(1, 4)):
            code = chance.choice(list(ACCOUNTS))
            debit, credit = chance.sample(ACCOUNTS[code], 2)
            bookings.append(
                make_booking(
                    kind=chance.randint(1, 4),
                    debit_account_id=debit,
                    credit_account_id=credit,
                    currency_code=code,
                    amount_minor=chance.randint(1, 9),
                )
            )
        await post_bookings(database, bookings)
        if chance.random() < 0.4:
            await book(database, [correction_of(chance)])


def correction_of(chance: random.Random) -> Draft:
    """Four postings between two accounts."""
    debit, credit = chance.sample(ACCOUNTS["USD"], 2)
    amount = chance.randint(1, 9)
    return Draft(
        f"cor_{chance.randrange(10**12)}",
        chance.choice([101, 102]),
        1_795_392_000_000_001,
        "counted anew",
        None,
        tuple(
            DraftPosting(account_id, direction, "USD", it)
            for it in (amount, amount + 1)
            for account_id, direction in ((debit, 1), (credit, 2))
        ),
    )


@pytest.fixture
async def stored(database: Database, make_booking: Any, auditor: Any) -> Book:
    """A book of about a hundred transactions, whose accounts but one have their class."""
    await fill(database, random.Random(SEED), make_booking)
    await auditor.change(
        b"UPDATE accounts SET class = CASE id WHEN 'wal_bank' THEN 3 WHEN 'wal_cafe' THEN 2 ELSE 1"
        b" END WHERE id <> 'wal_kura'"
    )
    return await read_book(auditor)


async def read_book(auditor: Any) -> Book:
    """All rows, in the order of booking."""
    rows = await auditor.rows("""
        SELECT transaction_number, line, account_id, direction, currency_code, amount_minor,
            source_id, kind, book_time
        FROM postings JOIN journal_transactions AS t ON t.number = transaction_number
        JOIN journal_batches AS b ON b.number = batch_number ORDER BY 1, 2
    """)
    return Book([Row(*row) for row in rows])


@pytest.fixture
def servicer(database: Database) -> BookServicer:
    """The service, which looks at little at a time."""
    return BookServicer(database=database, scan_max=SCAN_MAX)


async def pages_of(servicer: BookServicer, **query: Any) -> AsyncIterator[pb.ListPostingsResponse]:
    """All pages of a statement."""
    token = ""
    while True:
        request = pb.ListPostingsRequest(**query, page_token=token)
        page = await servicer.ListPostings(request, CONTEXT)
        yield page
        token = page.next_page_token
        if not token:
            return


async def search(servicer: BookServicer, request: pb.SearchTransactionsRequest) -> list[int]:
    """The numbers of all that a search finds, page by page."""
    found: list[int] = []
    size = request.page_size
    for _ in range(1000):
        page = await servicer.SearchTransactions(request, CONTEXT)
        assert len(page.transactions) <= size
        found += [int(item.id.removeprefix("txn_")) for item in page.transactions]
        request.page_token = page.next_page_token
        if not request.page_token:
            return found
    raise AssertionError("a search without an end")


def test_only_readers_may_call(database: Database) -> None:
    """Every method is named, and open to those who read the ledger otherwise."""
    service = rpc_service(BookServicer(database=database))
    assert set(ALLOWED_CALLERS) == {method.name for method in service.descriptor.methods}
    assert set(map(frozenset, ALLOWED_CALLERS.values())) == {frozenset({"gateway", "operator"})}


async def test_balances_at_every_moment(servicer: BookServicer, stored: Book) -> None:
    """At, before and after each booking: what the postings until then add up to, the moment
    included; 0 before the first; without a moment, all of them."""
    for code, account_ids in ACCOUNTS.items():
        for account_id in account_ids:
            for moment in [None, *stored.moments]:
                request = pb.GetBalanceRequest(account_id=account_id, as_of_time=moment)
                answer = await servicer.GetBalance(request, CONTEXT)
                rows = stored.of(account_id, until=moment)
                assert answer.balance.amount_minor == sum(row.signed_minor for row in rows)
                assert answer.balance.currency_code == code
                assert answer.transaction_id == (f"txn_{rows[-1].number}" if rows else "")
                assert answer.account_class == CLASSES.get(account_id, 0)
    beginning = pb.GetBalanceRequest(account_id="wal_bob", as_of_time=stored.moments[0])
    assert (await servicer.GetBalance(beginning, CONTEXT)).transaction_id == ""


async def test_bookings_of_one_moment_count_together(
    servicer: BookServicer, stored: Book, auditor: Any
) -> None:
    """Batches may have the same time, when the clock was turned back: then the last of them is the
    balance at that time."""
    await auditor.change(
        b"UPDATE journal_batches SET book_time = (SELECT book_time FROM journal_batches"
        b" WHERE number = 5) WHERE number BETWEEN 5 AND 9"
    )
    again = await read_book(auditor)
    moment = next(row.book_time for row in again.rows if row.number >= 12)
    for account_id in ACCOUNTS["USD"]:
        request = pb.GetBalanceRequest(account_id=account_id, as_of_time=moment)
        answer = await servicer.GetBalance(request, CONTEXT)
        expected = sum(row.signed_minor for row in again.of(account_id, until=moment))
        assert answer.balance.amount_minor == expected


async def test_what_is_not_there(servicer: BookServicer, stored: Book) -> None:
    """An unknown account is named, wherever it is asked for; so is one of another currency."""
    calls: list[Any] = [
        servicer.GetBalance(pb.GetBalanceRequest(account_id="wal_nobody"), CONTEXT),
        servicer.ListPostings(pb.ListPostingsRequest(account_id="wal_nobody"), CONTEXT),
        servicer.SearchTransactions(pb.SearchTransactionsRequest(account_id="wal_nobody"), CONTEXT),
    ]
    for call in calls:
        with pytest.raises(AccountNotFound) as caught:
            await call
        assert caught.value.metadata == {"account_id": "wal_nobody"}
    with pytest.raises(AccountCurrencyMismatch):
        await servicer.GetBalance(
            pb.GetBalanceRequest(account_id="wal_jun", currency_code="USD"), CONTEXT
        )


async def test_the_trial_balance_at_every_moment(servicer: BookServicer, stored: Book) -> None:
    """Per currency and class what the accounts had, debit and credit balances apart; the classes
    add up to the totals, and those to zero."""
    for moment in [None, *stored.moments]:
        answer = await servicer.SumBalances(pb.SumBalancesRequest(as_of_time=moment), CONTEXT)
        expected: dict[tuple[str, int], list[int]] = {}
        for code, account_ids in ACCOUNTS.items():
            for account_id in account_ids:
                rows = stored.of(account_id, until=moment)
                if not rows:
                    continue
                balance = sum(row.signed_minor for row in rows)
                sums = expected.setdefault((code, CLASSES.get(account_id, 0)), [0, 0, 0])
                sums[0] += max(-balance, 0)
                sums[1] += max(balance, 0)
                sums[2] += 1
        assert [
            (item.currency_code, item.account_class, item.debits_minor, item.credits_minor)
            for item in answer.sums
        ] == [(*key, sums[0], sums[1]) for key, sums in sorted(expected.items())]
        counts = [item.account_count for item in answer.sums]
        assert counts == [sums[2] for _, sums in sorted(expected.items())]
        assert answer.balanced
        for total in answer.totals:
            assert (total.debits_minor, total.balance_minor) == (total.credits_minor, 0)
            parts = [it for it in answer.sums if it.currency_code == total.currency_code]
            assert total.debits_minor == sum(it.debits_minor for it in parts)
            assert total.account_count == sum(it.account_count for it in parts)
    last = max(row.number for row in stored.rows)
    assert answer.last_transaction_id == f"txn_{last}"


async def test_an_imbalance_is_told(servicer: BookServicer, stored: Book, auditor: Any) -> None:
    """A trial balance that cannot fail would prove nothing."""
    await auditor.change(
        b"UPDATE postings SET balance_after_minor = balance_after_minor + 1"
        b" WHERE account_id = 'wal_ken'"
    )
    answer = await servicer.SumBalances(pb.SumBalancesRequest(), CONTEXT)
    assert not answer.balanced
    assert [item.balance_minor for item in answer.totals] == [1, 0]


async def test_a_book_of_more_accounts_than_a_statement_takes(
    servicer: BookServicer, database: Database, auditor: Any, make_booking: Any
) -> None:
    """Every account is counted once, over all of the statements that it takes; those without a
    posting until then are not."""
    await post_bookings(database, [make_booking(debit_account_id="wal_0", amount_minor=5)])
    await auditor.change(
        b"INSERT INTO accounts SELECT 'wal_a' || n, 'USD', 0, 0, 1, 0"
        b" FROM generate_series(1, 12000) AS n"
    )
    answer = await servicer.SumBalances(pb.SumBalancesRequest(), CONTEXT)
    (total,) = answer.totals
    assert (total.debits_minor, total.credits_minor, total.account_count) == (5, 5, 2)


async def test_statements_of_any_time(servicer: BookServicer, stored: Book) -> None:
    """Pages of any size have the postings booked in [start, end), in order, with the balance after
    each and the accounts on the other side; and begin and end with the right balances."""
    chance = random.Random(SEED)
    for _ in range(40):
        account_id = chance.choice([*ACCOUNTS["USD"], *ACCOUNTS["JPY"]])
        start, end = sorted(chance.choices(stored.moments, k=2))
        bounds = {
            name: moment
            for name, moment in (("start_time", start), ("end_time", end))
            if chance.random() < 0.7
        }
        rows = [
            row
            for row in stored.of(account_id)
            if bounds.get("start_time", row.book_time) <= row.book_time
            and ("end_time" not in bounds or row.book_time < end)
        ]
        before = stored.of(account_id, until=start - MICROSECOND) if "start_time" in bounds else []
        opening = sum(row.signed_minor for row in before)
        closing = opening + sum(row.signed_minor for row in rows)
        shown: list[pb.StatementPosting] = []
        async for page in pages_of(
            servicer, account_id=account_id, page_size=chance.randint(1, 9), **bounds
        ):
            assert page.opening_balance.amount_minor == opening
            assert page.closing_balance.amount_minor == closing
            shown += page.postings
        assert [(item.transaction_id, item.line) for item in shown] == [
            (f"txn_{row.number}", row.line) for row in rows
        ]
        check_postings(stored, rows, shown, opening)


def check_postings(
    stored: Book, rows: Sequence[Row], shown: Sequence[pb.StatementPosting], balance: int
) -> None:
    """Each posting says what is stored of it."""
    for row, item in zip(rows, shown, strict=True):
        balance += row.signed_minor
        assert item.balance_after_minor == balance
        assert (item.direction, item.money.amount_minor) == (row.direction, row.amount_minor)
        assert item.book_time.ToDatetime(tzinfo=UTC) == row.book_time
        assert item.source_id == row.source_id
        assert item.payment_id == (row.source_id if row.kind < 101 else "")
        assert (item.kind, item.book_kind) == ((row.kind, 0) if row.kind < 101 else (0, row.kind))
        assert item.description == ("" if row.kind < 101 else "counted anew")
        others = {it.account_id for it in stored.rows if it.number == row.number}
        assert sorted(item.counter_account_ids) == sorted(others - {row.account_id})


async def test_pages_stay_while_the_book_grows(
    servicer: BookServicer, stored: Book, database: Database, make_booking: Any
) -> None:
    """What is booked between two pages is in none of them, and no balance changes; asked anew, it
    is there."""
    expected = [(f"txn_{row.number}", row.line) for row in stored.of("wal_bob")]
    shown: list[tuple[str, int]] = []
    balances: set[tuple[int, int]] = set()
    async for page in pages_of(servicer, account_id="wal_bob", page_size=5):
        shown += [(item.transaction_id, item.line) for item in page.postings]
        balances.add((page.opening_balance.amount_minor, page.closing_balance.amount_minor))
        await post_bookings(database, [make_booking(credit_account_id="wal_bob")])
    assert shown == expected
    assert balances == {(0, sum(row.signed_minor for row in stored.of("wal_bob")))}
    again = [page async for page in pages_of(servicer, account_id="wal_bob", page_size=500)]
    assert len(again[0].postings) > len(expected)


async def test_searches_find_what_there_is(servicer: BookServicer, stored: Book) -> None:
    """Any combination of conditions finds what a look at every row finds, each once, newest first,
    whatever the size of the pages and however little each looks at."""
    chance = random.Random(SEED)
    sources = sorted({row.source_id for row in stored.rows})
    found_some = 0
    for _ in range(120):
        start, end = sorted(chance.choices(stored.moments, k=2))
        conditions = {
            "account_id": chance.choice(ACCOUNTS["USD"]),
            "source_id": chance.choice(sources) if chance.random() < 0.3 else "",
            "currency_code": chance.choice(["USD", "JPY"]),
            "min_amount_minor": chance.randint(1, 5),
            "max_amount_minor": chance.randint(5, 9),
        }
        query: dict[str, Any] = {
            name: value for name, value in conditions.items() if chance.random() < 0.4
        }
        if chance.random() < 0.4:
            kind = chance.choice([1, 2, 3, 4, 101, 102])
            query["kind" if kind < 101 else "book_kind"] = kind
        if not (query.get("account_id") or query.get("source_id")) or chance.random() < 0.5:
            query |= {"start_time": start, "end_time": end}
        request = pb.SearchTransactionsRequest(**query, page_size=chance.randint(1, 12))
        expected = stored.matches(request)
        assert await search(servicer, request) == expected, query
        found_some += bool(expected)
    assert found_some > 30


async def test_a_search_shows_whole_transactions(servicer: BookServicer, stored: Book) -> None:
    """With all postings, not only those that fit."""
    number = next(row.number for row in stored.rows if row.kind > 100)
    rows = [row for row in stored.rows if row.number == number]
    request = pb.SearchTransactionsRequest(
        source_id=rows[0].source_id,
        account_id=rows[1].account_id,
        min_amount_minor=rows[1].amount_minor,
        max_amount_minor=rows[1].amount_minor,
    )
    (transaction,) = (await servicer.SearchTransactions(request, CONTEXT)).transactions
    assert transaction.id == f"txn_{number}"
    assert transaction.description == "counted anew"
    assert [
        (item.account_id, item.direction, item.money.amount_minor) for item in transaction.postings
    ] == [(row.account_id, row.direction, row.amount_minor) for row in rows]


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "field", "advice"),
    [
        ({}, "start_time", "give start_time and end_time, at most 31 days apart"),
        ({"kind": 1}, "start_time", "give start_time"),
        ({"start_time": NOON}, "end_time", "give start_time"),
        ({"end_time": NOON}, "start_time", "give start_time"),
        (
            {"start_time": NOON, "end_time": NOON + 31 * DAY + MICROSECOND},
            "end_time",
            "search in parts",
        ),
        ({"start_time": NOON, "end_time": NOON - MICROSECOND}, "end_time", "before start_time"),
        ({"account_id": "bob"}, "account_id", "must be an id"),
        ({"source_id": "pay_\0"}, "source_id", "must be an id"),
        ({"account_id": "wal_a", "currency_code": "usd"}, "currency_code", "three capital"),
        ({"account_id": "wal_a", "min_amount_minor": -1}, "min_amount_minor", "negative"),
        ({"account_id": "wal_a", "max_amount_minor": -1}, "max_amount_minor", "negative"),
        (
            {"account_id": "wal_a", "min_amount_minor": 3, "max_amount_minor": 2},
            "max_amount_minor",
            "less than",
        ),
        ({"account_id": "wal_a", "kind": 1, "book_kind": 101}, "book_kind", "left out"),
        ({"account_id": "wal_a", "kind": 101}, "kind", "no kind"),
        ({"account_id": "wal_a", "book_kind": 4}, "book_kind", "no kind"),
        ({"account_id": "wal_a", "page_size": -1}, "page_size", "negative"),
        ({"account_id": "wal_a", "page_token": "wal_a"}, "page_token", "not a token"),
    ],
)
async def test_what_cannot_be_searched_is_named(
    servicer: BookServicer, query: dict[str, Any], field: str, advice: str
) -> None:
    """A search that nothing bounds is refused, and told what to give; so is nonsense."""
    with pytest.raises(InvalidArgument) as caught:
        await servicer.SearchTransactions(pb.SearchTransactionsRequest(**query), CONTEXT)
    assert [item.field for item in caught.value.violations] == [field]
    assert advice in caught.value.violations[0].message


async def test_the_longest_time_is_searched(servicer: BookServicer, stored: Book) -> None:
    """31 days to the microsecond, and an hour of any year."""
    end = stored.moments[-1]
    request = pb.SearchTransactionsRequest(start_time=end - 31 * DAY, end_time=end, page_size=200)
    assert await search(servicer, request) == stored.matches(request)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.GetBalanceRequest(), "account_id"),
        (pb.GetBalanceRequest(account_id="wal_\0"), "account_id"),
        (pb.GetBalanceRequest(account_id="wal_a", currency_code="dollar"), "currency_code"),
        (pb.GetBalanceRequest(account_id="wal_a", as_of_time={"seconds": 10**15}), "as_of_time"),
        (pb.SumBalancesRequest(as_of_time={"nanos": -1}), "as_of_time"),
        (pb.ListPostingsRequest(), "account_id"),
        (pb.ListPostingsRequest(account_id="wal_a", start_time={"nanos": -1}), "start_time"),
        (
            pb.ListPostingsRequest(account_id="wal_a", start_time=NOON, end_time=NOON - DAY),
            "end_time",
        ),
        (pb.ListPostingsRequest(account_id="wal_a", page_size=-1), "page_size"),
        (pb.ListPostingsRequest(account_id="wal_a", page_token="x"), "page_token"),
    ],
)
async def test_what_cannot_be_read_is_named(
    servicer: BookServicer, request_: Any, field: str
) -> None:
    """The field that is wrong, before the database is asked."""
    method = type(request_).__name__.removesuffix("Request")
    with pytest.raises(InvalidArgument) as caught:
        await getattr(servicer, method)(request_, CONTEXT)
    assert [item.field for item in caught.value.violations] == [field]


async def test_a_token_belongs_to_its_question(servicer: BookServicer, stored: Book) -> None:
    """Another account, time or condition: another list, in which the place means nothing. The size
    of a page may change."""
    page = await servicer.ListPostings(
        pb.ListPostingsRequest(account_id="wal_bob", page_size=1), CONTEXT
    )
    token = page.next_page_token
    others: list[dict[str, Any]] = [
        {"account_id": "wal_alice"},
        {"start_time": NOON},
        {"end_time": NOON + 999 * DAY},
    ]
    for changed in others:
        request = pb.ListPostingsRequest(**{"account_id": "wal_bob", **changed}, page_token=token)
        with pytest.raises(InvalidArgument):
            await servicer.ListPostings(request, CONTEXT)
    request = pb.ListPostingsRequest(account_id="wal_bob", page_token=token, page_size=3)
    assert len((await servicer.ListPostings(request, CONTEXT)).postings) == 3

    first = await servicer.SearchTransactions(
        pb.SearchTransactionsRequest(account_id="wal_bob", page_size=1), CONTEXT
    )
    token = first.next_page_token
    conditions: list[dict[str, Any]] = [
        {"account_id": "wal_alice"},
        {"source_id": "pay_1"},
        {"min_amount_minor": 1},
        {"max_amount_minor": 9},
        {"kind": 1},
        {"book_kind": ledger_pb2.BOOK_KIND_REVERSAL},
        {"currency_code": "USD"},
        {"start_time": NOON},
        {"end_time": NOON + 999 * DAY},
    ]
    for condition in conditions:
        query = {"account_id": "wal_bob", **condition, "page_token": token}
        with pytest.raises(InvalidArgument) as caught:
            await servicer.SearchTransactions(pb.SearchTransactionsRequest(**query), CONTEXT)
        assert caught.value.violations[0].field == "page_token"
