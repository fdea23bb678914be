"""Which entries are of a month: found along their numbers, whatever the clocks did."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from chassis.channel import call
from chassis.errors import ServiceError
from qrpay.wallet.v1 import wallet_pb2 as pb
from tests.integration.wallet_svc.conftest import CLOCK
from wallet_svc.model.records import TransferKind
from wallet_svc.operations.transfers import execute_transfers
from wallet_svc.operations.wallets import EntrySpan, get_entry_span

BEGIN = datetime(2026, 10, 31, 23, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FOREVER = datetime(9998, 1, 1, tzinfo=UTC)
StubFor = Callable[[str], Any]


class SetClock:
    """A clock that a test sets."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def now(self) -> datetime:
        """The time that was set."""
        return self.time

    def monotonic(self) -> float:
        """Seconds that go by as ever."""
        return CLOCK.monotonic()


@pytest.fixture
async def admin(wallet_database: Any) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Writes what no service would."""
    connection = await psycopg.AsyncConnection.connect(wallet_database.admin_url, autocommit=True)
    yield connection
    await connection.close()


async def write_entries(admin: Any, wallet_id: str, times: Sequence[datetime]) -> None:
    """Give a wallet these entries, of one cent each, after those it has."""
    (row,) = await (
        await admin.execute("SELECT last_entry_number FROM wallets WHERE id = %s", [wallet_id])
    ).fetchall()
    async with admin.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO entries VALUES (%s, %s, 'pay_x', 1, %s, 'wal_other', 1, %s)",
            [
                (wallet_id, number, number, time)
                for number, time in enumerate(times, start=row[0] + 1)
            ],
        )
    await admin.execute(
        "UPDATE wallets SET last_entry_number = last_entry_number + %s WHERE id = %s",
        [len(times), wallet_id],
    )


async def test_every_border_of_every_length(people: Any, database: Any, admin: Any) -> None:
    """Goal: for wallets with 0 to 40 entries, several of them in the same moment, every border is
    where counting says it is, and the balance with it."""
    owner, (wallet,) = await people.owner("alice")
    times: list[datetime] = []

    async def span(start: datetime, end: datetime) -> EntrySpan:
        return await get_entry_span(
            owner.id, "USD", start_time=start, end_time=end, database=database
        )

    for count in range(41):
        for moment in range(-1, count // 3 + 2):
            border = BEGIN + moment * MINUTE
            wanted = sum(time < border for time in times)
            found = await span(border, FOREVER)
            assert (found.before, found.last) == ((wanted, wanted), (count, count)), count
        new = BEGIN + count // 3 * MINUTE
        await write_entries(admin, wallet.id, [new])
        times.append(new)


async def test_a_clock_that_went_back_moves_no_border(
    people: Any, database: Any, admin: Any
) -> None:
    """Goal: where one month ended, the next begins, and it stays there as entries come; also if
    one process was five minutes behind another about midnight."""
    owner, (wallet,) = await people.owner("alice")
    midnight = BEGIN + 60 * MINUTE

    async def ends(end: datetime) -> Any:
        span = await get_entry_span(
            owner.id, "USD", start_time=BEGIN, end_time=end, database=database
        )
        return span.last

    late = [midnight + (5 if number % 2 else -2) * MINUTE for number in range(20)]
    await write_entries(admin, wallet.id, [midnight - 30 * MINUTE] * 5 + late)
    october = await ends(midnight)
    assert 5 <= october.number <= 25
    for _ in range(70):
        await write_entries(admin, wallet.id, [midnight + 9 * MINUTE])
        assert await ends(midnight) == october
    november = await get_entry_span(
        owner.id, "USD", start_time=midnight, end_time=FOREVER, database=database
    )
    assert november.before == october
    assert november.last == (95, 95)


async def test_a_span_is_the_entries_of_that_time(
    stub_for: StubFor, people: Any, database: Any, auditor: Any
) -> None:
    """Goal: real transfers about midnight: the first moment is inside, the first moment after is
    not; balances lead from one to the other; the owner is named."""
    owner, (wallet,) = await people.owner("alice")
    bank, bob = await people.bank(), await people.rich("bob", 0)
    clock = SetClock(BEGIN)
    midnight = BEGIN + 60 * MINUTE
    moments = [
        (BEGIN, 500),
        (midnight - timedelta(microseconds=1), -20),
        (midnight, -3),
        (midnight + MINUTE, -40),
    ]
    for time, amount in moments:
        clock.time = time
        item = (
            people.transfer(bank, wallet.id, amount, kind=TransferKind.TOP_UP)
            if amount > 0
            else people.transfer(wallet.id, bob, -amount)
        )
        await execute_transfers([item], database=database, clock=clock, balance_minor_max=10**9)
    request = pb.GetEntrySpanRequest(owner_id=owner.id, currency_code="USD")
    request.start_time.FromDatetime(midnight)
    request.end_time.FromDatetime(midnight + 60 * MINUTE)
    span = await stub_for("gateway").GetEntrySpan(request)
    assert (span.after_number, span.last_number) == (2, 4)
    assert (span.opening_balance_minor, span.closing_balance_minor) == (480, 437)
    assert (span.owner.id, span.owner.name, span.wallet_id) == (owner.id, "Alice", wallet.id)
    request.start_time.FromDatetime(BEGIN)
    request.end_time.FromDatetime(midnight)
    earlier = await stub_for("gateway").GetEntrySpan(request)
    assert (earlier.after_number, earlier.last_number) == (0, 2)
    assert (earlier.opening_balance_minor, earlier.closing_balance_minor) == (0, 480)


async def test_spans_that_are_none(stub_for: StubFor, people: Any) -> None:
    """Goal: no end before its start, no time that is none, no wallet that is not there."""
    owner, _ = await people.owner("alice")
    for start, end, fields, reason in (
        (2, 2, {}, "INVALID_ARGUMENT"),
        (3, 2, {}, "INVALID_ARGUMENT"),
        (1, 10**15, {}, "INVALID_ARGUMENT"),
        (1, 2, {"currency_code": "usd"}, "INVALID_ARGUMENT"),
        (1, 2, {"currency_code": "EUR"}, "CURRENCY_MISMATCH"),
        (1, 2, {"owner_id": "usr_nobody"}, "OWNER_NOT_FOUND"),
        (1, 2, {"owner_id": "\x00"}, "OWNER_NOT_FOUND"),
    ):
        request = pb.GetEntrySpanRequest(**{"owner_id": owner.id, "currency_code": "USD", **fields})
        request.start_time.seconds, request.end_time.seconds = start, end
        with pytest.raises(ServiceError) as caught:
            await call(stub_for("gateway").GetEntrySpan, request, timeout_seconds=5)
        assert caught.value.reason == reason
