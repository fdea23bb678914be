"""What a history is in each database: its tables, how they are emptied, and what is kept beside
them."""

from __future__ import annotations

from psycopg import sql

from bench.history.filling import Book, Connection, HistoryError
from bench.history.rows import ENTRIES, PAYMENT_ENDS, PAYMENTS, TRANSFERS
from bench.history.story import Customer, Order, Shop, Side, Story
from bench.population import CURRENCY

_FIRST_MAX = 20_000
"""A system with more payments than its people's first money has a history already."""


def read_people(wallet: Connection, merchant_qr: str) -> tuple[list[Customer], Shop]:
    """The customers of the bench, by handle, and their shop."""
    rows = wallet.execute(
        """
        SELECT handle, owners.id, name, wallets.id, kind
        FROM owners JOIN wallets ON owner_id = owners.id
        WHERE starts_with(handle, 'bench-') AND currency_code = %s ORDER BY handle
        """,
        [CURRENCY],
    ).fetchall()
    customers = [Customer(row[0], Side(*row[1:4])) for row in rows if row[4] == 1]
    shops = [Shop(merchant_qr, Side(*row[1:4])) for row in rows if row[4] == 2]
    return customers, shops[0]


# A payment is shorter while it is pending, which is when it takes its place, so a page has ten of
# them and not the nine that fit half a page when they have ended. With room for one more in every
# page, the first million payments of a measurement would each be written into a page of its own.
_PACKED = "ALTER TABLE payments SET (fillfactor = 53)"
_AS_MIGRATED = "ALTER TABLE payments SET (fillfactor = 50)"


def payment_book(plan: str) -> Book:
    """Payments and the number of the last event; keeps the plan while it is carried out."""

    def finish(connection: Connection, story: Story) -> None:
        connection.execute("UPDATE event_counter SET last_number = %s", [story.events])
        connection.execute(_AS_MIGRATED)

    content = sql.Literal(plan).as_string()
    return Book(
        "payment",
        [PAYMENTS, PAYMENT_ENDS],
        [
            f"CREATE TABLE bench_history.plan AS SELECT {content} AS content",
            "CREATE TABLE bench_history.first AS SELECT * FROM payments",
            "TRUNCATE payments, pending_payments, payment_ends",
            "UPDATE event_counter SET last_number = 0",
            _PACKED,
        ],
        finish,
    )


def check_new(payment: Connection) -> None:
    """Raises ``HistoryError`` if more has happened than people getting their first money."""
    row = payment.execute(
        "SELECT count(*), count(*) FILTER (WHERE (kind, status) <> ('TOP_UP', 'COMPLETED'))"
        " FROM payments"
    ).fetchone()
    assert row is not None
    if row[0] > _FIRST_MAX or row[1]:
        raise HistoryError(
            f"there are {row[0]:,} payments here already: a history is for a new data directory"
        )


def read_first(payment: Connection) -> list[Order]:
    """What there was before the history: it becomes the beginning of it."""
    rows = payment.execute(
        """
        SELECT caller_id, request_id, fingerprint, kind, payer_id, payer_name, payer_wallet_id,
            payee_id, payee_name, payee_wallet_id, amount_minor, currency_code, note, order_ref
        FROM bench_history.first ORDER BY id
        """
    ).fetchall()
    return [Order._make((*row[:4], Side(*row[4:7]), Side(*row[7:10]), *row[10:])) for row in rows]


def wallet_book() -> Book:
    """Transfers and entries, and the wallets' balances and counters."""

    def finish(connection: Connection, story: Story) -> None:
        tallies = list(story.tallies.items())
        connection.execute(
            """
            UPDATE wallets SET balance_minor = told.balance, last_entry_number = told.entries
            FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS told (id, balance, entries)
            WHERE wallets.id = told.id
            """,
            [
                [wallet_id for wallet_id, _ in tallies],
                [tally.balance_minor for _, tally in tallies],
                [tally.entries for _, tally in tallies],
            ],
        )

    return Book(
        "wallet",
        [TRANSFERS, ENTRIES],
        [
            "TRUNCATE transfers, entries",
            "UPDATE wallets SET balance_minor = 0, last_entry_number = 0",
        ],
        finish,
    )


def read_plan(payment: Connection) -> str | None:
    """The plan that is being carried out; None if there is none."""
    row = payment.execute("SELECT to_regclass('bench_history.plan')").fetchone()
    if row is None or row[0] is None:
        return None
    found = payment.execute("SELECT content FROM bench_history.plan").fetchone()
    assert found is not None
    return str(found[0])
