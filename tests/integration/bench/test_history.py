"""A small history: what it leaves in the books is what the services themselves would have left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from bench.history.__main__ import make_history
from bench.history.filling import HistoryError
from bench.population import populate
from chassis.channel import call
from chassis.clock import SystemClock
from chassis.database import open_database
from cli.bench_system import services_of
from cli.mesh import Mesh
from embedded.layout import Layout
from embedded.state import running_state
from embedded.tokens import load_issuer
from ledger_svc.operations import make_batch
from ledger_svc.records import ZERO_HASH
from ledger_svc.store.journal import Head
from ledger_svc.store.transactions import READ, from_rows
from qrpay.ledger.v1 import ledger_pb2
from qrpay.wallet.v1 import wallet_pb2
from tests.chaos.checks import BOOK_CHECKS
from tests.chaos.snapshot import Snapshot, execute, query, read_snapshot
from tests.e2e.stack import Stack, User

PAYMENTS, CUSTOMERS, DEMO_TOP_UPS = 2_500, 40, 4
FIRST = CUSTOMERS + DEMO_TOP_UPS


_WRONG_BALANCES = """
    SELECT * FROM (
        SELECT *, sum(CASE direction WHEN 1 THEN -amount_minor ELSE amount_minor END) OVER (
            PARTITION BY account_id ORDER BY transaction_number, line
        ) AS balance_minor
        FROM postings
    ) WHERE balance_after_minor <> balance_minor
    UNION ALL
    SELECT p.*, credits_posted_minor - debits_posted_minor FROM postings AS p
    JOIN accounts ON id = account_id
    WHERE (transaction_number, line) = (
        SELECT transaction_number, line FROM postings
        WHERE account_id = id ORDER BY transaction_number DESC, line DESC LIMIT 1
    ) AND balance_after_minor <> credits_posted_minor - debits_posted_minor
"""


class Stopped(Exception):
    """Stands for a user who has had enough."""


class Made(NamedTuple):
    """A system with a history that was stopped twice on its way."""

    stack: Stack
    snapshot: Snapshot
    queue_left: bool
    """Whether there was a queue when the history was made."""
    refused: str
    """What was said of a history of another length in the middle of it."""


@pytest.fixture(scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Made]:
    """Made once: its people alone take longer than all the tests."""
    stack = Stack(tmp_path_factory.mktemp("history") / "data")
    layout = Layout(stack.data)

    async def go_on(stop_at: str, payments: int = PAYMENTS) -> None:
        def told(what: str, done: int, of: int) -> None:
            if what == stop_at and done:
                raise Stopped

        await make_history(
            layout, payments=payments, customers=CUSTOMERS, groups_per_step=5, told=told
        )

    with pytest.raises(Stopped):
        await go_on("payments")
    with pytest.raises(HistoryError) as refused:
        await go_on("nothing", payments=PAYMENTS + 1)
    with pytest.raises(Stopped):
        await go_on("indexes of wallet")
    await go_on("nothing")
    queue_left = layout.nats.exists()
    await stack.up()
    snapshot = await read_snapshot(await stack.server_url("postgres"))
    yield Made(stack, snapshot, queue_left, str(refused.value))
    await stack.down()


async def test_books_are_honest(made: Made) -> None:
    """Goal: the rules by which chaos is judged hold of a history, in every book."""
    assert len(made.snapshot.payments) == PAYMENTS + FIRST
    assert not made.queue_left, "results in it would be booked, of payments that are no more"
    broken = [text for check in BOOK_CHECKS.values() for text in check(made.snapshot)]
    assert not broken
    unlisted = await query(
        await made.stack.server_url("postgres"),
        "payment",
        """
        SELECT id, complete_time, status, payer_id, payee_id, event_number FROM payments
        EXCEPT SELECT * FROM payment_ends
        """,
    )
    assert not unlisted


async def test_journal_is_chained(made: Made) -> None:
    """Goal: from the postings that are stored, the ledger's own code finds the hashes that are
    stored, from the first batch to the head, across the places where the making was stopped; and
    every balance follows from the posting before."""
    url = await made.stack.server_url("postgres")
    admin_url = f"{url.rpartition('/')[0]}/ledger"
    async with open_database(admin_url, application_name="test") as database:
        rows = await database.read(lambda connection: connection.execute(READ))
        booked = from_rows(rows.all())
    batches = await query(url, "ledger", "SELECT * FROM journal_batches ORDER BY number")
    head = Head(0, 0, ZERO_HASH, batches[0]["book_time"])
    for row in batches:
        mine = [item for item in booked if item.batch_number == row["number"]]
        batch = make_batch(head._replace(book_time=row["book_time"]), [it.draft for it in mine])
        assert [item.leaf_hash for item in mine] == list(batch.leaf_hashes)
        assert (row["root_hash"], row["hash"]) == (batch.root_hash, batch.hash)
        last = row["last_transaction_number"]
        assert [item.number for item in mine] == list(
            range(row["first_transaction_number"], last + 1)
        )
        head = Head(row["number"], last, batch.hash, row["book_time"])
    (stored,) = await query(url, "ledger", "SELECT * FROM journal_head")
    assert head.transaction_number == PAYMENTS + FIRST
    assert head == Head(
        stored["batch_number"], stored["transaction_number"], stored["hash"], stored["book_time"]
    )
    wrong = await query(url, "ledger", _WRONG_BALANCES)
    assert not wrong


async def test_pages_have_no_room_that_a_live_system_would_have_filled(made: Made) -> None:
    """Goal: new payments go to new pages, as they do in a system that made its history itself: a
    page takes rows while half of it stays free, and these grow when they end."""
    url = await made.stack.server_url("postgres")
    await execute(url, "payment", "CREATE EXTENSION pageinspect")
    free = await query(
        url,
        "payment",
        """
        SELECT upper - lower AS bytes
        FROM generate_series(0, pg_relation_size('payments') / 8192 - 2) AS page,
            page_header(get_raw_page('payments', page))
        """,
    )
    (accepted,) = await query(
        url, "payment", "SELECT min(pg_column_size(payments.*)) - 40 AS bytes FROM payments"
    )
    assert len(free) > PAYMENTS // 12
    assert max(row["bytes"] for row in free) < 4096 + accepted["bytes"]
    options = await query(
        url, "payment", "SELECT reloptions FROM pg_class WHERE relname = 'payments'"
    )
    assert options == [{"reloptions": ["fillfactor=50"]}], "as the migrations left it"


async def test_a_history_goes_on_as_it_was_begun(made: Made) -> None:
    """Goal: nobody gets a mixture of two histories, and none is laid over another."""
    assert f"{PAYMENTS:,} payments was begun" in made.refused
    await made.stack.down()
    with pytest.raises(HistoryError, match="new data directory"):
        await make_history(
            Layout(made.stack.data),
            payments=PAYMENTS,
            customers=CUSTOMERS,
            told=lambda *_: None,
        )
    await made.stack.up()


async def test_services_show_it_and_go_on(made: Made) -> None:
    """Goal: what people are shown is what is in the books, over the last 30 days, and the next
    payment is numbered after the last of the history."""
    layout = Layout(made.stack.data)
    state = running_state(layout)
    async with Mesh(layout, state.ports) as mesh:
        found = await call(
            mesh.wallet.GetOwner,
            wallet_pb2.GetOwnerRequest(handle="bench-00001"),
            timeout_seconds=5,
        )
        issuer = load_issuer(layout.tokens)
        token = issuer.issue(
            subject=found.owner.id,
            role="customer",
            now=SystemClock().now(),
            life=timedelta(minutes=5),
        )
        balance = await call(
            mesh.ledger.GetTrialBalance, ledger_pb2.GetTrialBalanceRequest(), timeout_seconds=5
        )
    assert balance.balanced
    user = User(gateway=made.stack.gateway, token=token)
    try:
        entries = (await user.http.get("/wallets/me/entries", params={"limit": 100})).json()[
            "items"
        ]
        assert [entry["number"] for entry in entries] == list(range(1, len(entries) + 1))
        assert await user.balance() >= entries[0]["balance_after"] // 2
        moments = [datetime.fromisoformat(entry["at"]) for entry in entries]
        assert moments == sorted(moments)
        assert datetime.now(UTC) - timedelta(days=31) < moments[0] < moments[-1]
        listed = (await user.http.get("/payments", params={"limit": 1})).json()["items"]
        sent = await user.post(
            "/payments/send",
            {"to": "bench-00002", "amount": 5, "currency": "USD"},
            key="after",
            wait=10,
        )
        assert sent.status_code == 200, sent.text
        newest = (await user.http.get("/payments", params={"limit": 2})).json()["items"]
        assert [item["id"] for item in newest] == [sent.json()["id"], listed[0]["id"]]
    finally:
        await user.http.aclose()


async def test_people_are_those_of_the_bench(made: Made) -> None:
    """Goal: the bench finds its people in a history, and gives nobody money twice."""
    layout = Layout(made.stack.data)
    state = running_state(layout)
    async with Mesh(layout, state.ports) as mesh:
        await populate(await services_of(mesh), progress=lambda _: None, payers=CUSTOMERS)
    snapshot = await read_snapshot(await made.stack.server_url("postgres"))
    top_ups = [row for row in snapshot.payments if row["kind"] == "TOP_UP"]
    assert len(top_ups) == FIRST
