"""Statements over HTTP: whose, of which month, how long, and what happens on the way."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pypdfium2
import pytest

from qrpay.type.v1 import transfer_kind_pb2
from qrpay.wallet.v1 import wallet_pb2
from tests.integration.gateway.conftest import Gateway, Mesh, User, running_gateway
from tests.integration.gateway.fakes import IDS

STATEMENT = "/wallets/me/statement"
FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)
MARCH = datetime(2024, 3, 1, tzinfo=UTC)


def entries_of(moves: Iterable[tuple[datetime, int]]) -> list[wallet_pb2.Entry]:
    """A wallet's entries from the first one on."""
    entries, balance = [], 0
    for number, (time, amount) in enumerate(moves, start=1):
        balance += amount
        entry = wallet_pb2.Entry(
            number=number,
            payment_id=IDS.make("pay"),
            amount_minor=amount,
            balance_after_minor=balance,
            counterparty_id="usr_bob",
            counterparty_name="=Bob",
            kind=transfer_kind_pb2.TRANSFER_KIND_SEND,
        )
        entry.create_time.FromDatetime(time)
        entries.append(entry)
    return entries


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    """The rows of a statement as CSV."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))


async def statement(user: User, **params: str) -> httpx.Response:
    """Ask for one, of February if no month is named."""
    return await user.get(STATEMENT, params={"month": "2024-02", **params})


def give(mesh: Mesh, user: User, moves: Iterable[tuple[datetime, int]]) -> None:
    """One wallet with these entries."""
    mesh.wallets.open(user.id, "USD")
    mesh.wallets.entries[user.id, "USD"] = entries_of(moves)


async def test_a_month_and_its_borders(alice: User, mesh: Mesh) -> None:
    """The first moment is in it and the first one after is not; balances lead from month to
    month; names are guarded."""
    tick = timedelta(microseconds=1)
    moves = [(FEBRUARY - tick, 500), (FEBRUARY, 70), (MARCH - tick, -8), (MARCH, 9)]
    give(mesh, alice, moves)
    answer = await statement(alice)
    assert answer.headers["content-disposition"] == (
        'attachment; filename="qrpay-statement-2024-02-USD.csv"'
    )
    assert answer.headers["cache-control"] == "no-store"
    rows = rows_of(answer)
    assert [row["number"] for row in rows if row["line"] == "entry"] == ["2", "3"]
    assert {row["counterparty"] for row in rows if row["line"] == "entry"} == {"'=Bob"}
    assert (rows[0]["balance"], rows[-1]["balance"]) == ("5.00", "5.62")
    assert rows_of(await statement(alice, month="2024-03"))[0]["balance"] == "5.62"
    assert rows_of(await statement(alice, month="2024-01"))[-1]["balance"] == "5.00"
    empty = rows_of(await statement(alice, month="2023-07"))
    assert [row["balance"] for row in empty] == ["0.00", "", "", "0.00"]
    assert rows_of(await alice.get(STATEMENT))[0]["balance"] == "5.71"


async def test_a_long_month_comes_page_by_page(alice: User, mesh: Mesh) -> None:
    """All entries once, in order, however many pages they take; totals are theirs."""
    give(mesh, alice, [(FEBRUARY, 3 if number % 3 else -1) for number in range(1, 1301)])
    rows = rows_of(await statement(alice))
    entries = [row for row in rows if row["line"] == "entry"]
    assert [row["number"] for row in entries] == [str(number) for number in range(1, 1301)]
    assert mesh.wallets.faults.calls.count("ListEntries") == 3
    total = sum(Decimal(row["amount"]) for row in entries)
    assert Decimal(rows[-1]["balance"]) == total
    assert Decimal(rows[-3]["amount"]) + Decimal(rows[-2]["amount"]) == total


async def test_a_pdf(alice: User, mesh: Mesh) -> None:
    """Drawn in a process beside the gateway; its text has the figures."""
    give(mesh, alice, [(FEBRUARY, 123_456), (FEBRUARY, -456)])
    answer = await statement(alice, format="pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].endswith('statement-2024-02-USD.pdf"')
    (page,) = pypdfium2.PdfDocument(answer.content)
    text = page.get_textpage().get_text_range()
    for shown in ("February 2024", "+1,234.56", "-4.56", "1,230.00", "From =Bob"):
        assert shown in text


async def test_nobody_elses(gateway: Gateway, mesh: Mesh) -> None:
    """There is no way to name another one's wallet: not by a parameter, not by a currency."""
    alice, bob = await gateway.user(), await gateway.user()
    give(mesh, alice, [(FEBRUARY, 700)])
    give(mesh, bob, [(FEBRUARY, 4)])
    mesh.wallets.open(alice.id, "USD", "EUR")
    assert rows_of(await statement(bob))[-1]["balance"] == "0.04"
    for params in ({"owner": alice.id}, {"wallet": mesh.wallets.wallets[alice.id][0].id}):
        answer = await statement(bob, **params)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-request")
    answer = await statement(bob, currency="EUR")
    assert (answer.status_code, answer.json()["code"]) == (422, "currency-mismatch")
    stranger = await gateway.user()
    answer = await statement(stranger, currency="USD")
    assert (answer.status_code, answer.json()["code"]) == (422, "currency-mismatch")
    assert (await statement(stranger)).json()["code"] == "forbidden"


async def test_what_must_be_said(alice: User, mesh: Mesh) -> None:
    """The currency if there are several wallets; a month that is one and has begun; a format that
    there is."""
    mesh.wallets.open(alice.id, "EUR", "USD")
    future = (datetime.now(UTC) + timedelta(days=32)).strftime("%Y-%m")
    for params, field in (
        ({}, "currency"),
        ({"currency": "USD", "month": future}, "month"),
        ({"currency": "USD", "month": "2024-13"}, "month"),
        ({"currency": "USD", "format": "xls"}, "format"),
    ):
        answer = await statement(alice, **params)
        assert answer.status_code == 400, params
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert rows_of(await statement(alice, currency="EUR"))


async def test_months_that_are_too_long(mesh: Mesh) -> None:
    """Each format has its bound, and the problem says what to do instead."""
    async with running_gateway(
        mesh, statement_pdf_entries_max=2, statement_csv_entries_max=3
    ) as gateway:
        alice = await gateway.user()
        give(mesh, alice, [(FEBRUARY, 1)] * 3)
        assert len(rows_of(await statement(alice))) == 7
        answer = await statement(alice, format="pdf")
        assert (answer.status_code, answer.json()["code"]) == (422, "statement-too-long")
        assert "format=csv" in answer.json()["detail"]
        give(mesh, alice, [(FEBRUARY, 1)] * 4)
        answer = await statement(alice)
        assert (answer.status_code, answer.json()["code"]) == (422, "statement-too-long")


async def test_half_a_statement_is_none(alice: User, mesh: Mesh) -> None:
    """What fails after the first page cuts the connection: nobody takes a part for the whole. A
    PDF is not even begun."""
    give(mesh, alice, [(FEBRUARY, 1)] * 600)
    mesh.wallets.entries[alice.id, "USD"][550].balance_after_minor += 1
    with pytest.raises(httpx.RemoteProtocolError):
        await statement(alice)
    answer = await statement(alice, format="pdf")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    give(mesh, alice, [(FEBRUARY, 1)])
    assert rows_of(await statement(alice))


async def test_one_at_a_time(alice: User, mesh: Mesh) -> None:
    """A second one of the same caller waits its turn; after the first is done, or its client has
    gone, there is room again. A HEAD has no body."""
    give(mesh, alice, [(FEBRUARY, 1)])
    for leaves in (False, True):
        mesh.wallets.faults.clear()
        held = mesh.wallets.faults.hangs = asyncio.Event()
        first = asyncio.create_task(statement(alice, currency="USD"))
        while "GetEntrySpan" not in mesh.wallets.faults.calls:  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.01)
        answer = await statement(alice, currency="USD")
        assert (answer.status_code, answer.json()["code"]) == (429, "rate-limited")
        if leaves:
            first.cancel()
        held.set()
        if not leaves:
            assert rows_of(await first)
        async with asyncio.timeout(10):
            while (await statement(alice)).status_code == 429:  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.01)
    answer = await alice.http.head(STATEMENT)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_so_many_in_all(mesh: Mesh) -> None:
    """The places of a process are counted: one too many is told to come again, and nobody is let
    down who is in."""
    async with running_gateway(mesh, statements_max=1) as gateway:
        alice, bob = await gateway.user(), await gateway.user()
        for user in (alice, bob):
            give(mesh, user, [(FEBRUARY, 1)])
        mesh.wallets.faults.clear()
        held = mesh.wallets.faults.hangs = asyncio.Event()
        first = asyncio.create_task(statement(alice, currency="USD"))
        while "GetEntrySpan" not in mesh.wallets.faults.calls:  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.01)
        answer = await statement(bob, currency="USD")
        assert (answer.status_code, answer.json()["code"]) == (503, "temporarily-unavailable")
        held.set()
        assert rows_of(await first)
        assert rows_of(await statement(bob))
