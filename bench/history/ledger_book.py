"""What a history is in the ledger: a batch for each group, numbered and chained by its own code."""

from __future__ import annotations

from bench.history.filling import Book, Connection, is_begun
from bench.history.rows import KIND_NUMBERS, Table
from bench.history.story import GROUP, Group, Line, Story
from ledger_svc.model import Booking, Draft, draft_of
from ledger_svc.operations import make_batch
from ledger_svc.records import ZERO_HASH
from ledger_svc.store.journal import Batch, Head
from ledger_svc.store.transactions import microseconds_of


class _Journal:
    """The journal from its last batch on."""

    def __init__(self, hash_before: bytes) -> None:
        self._hash = hash_before
        self._batches: dict[int, Batch] = {}
        """Made and not yet told in all tables."""

    def batch_rows(self, group: Group) -> list[str]:
        """journal_batches: the group. The first table that is asked, so it is made here."""
        first = (group.number - 1) * GROUP
        head = Head(group.number - 1, first, self._hash, group.book_time)
        batch = make_batch(head, [_draft(group, line) for line in group.lines])
        self._hash, self._batches[group.number] = batch.hash, batch
        numbers = f"{batch.number}\t{first + 1}\t{first + len(group.lines)}"
        hashes = f"\\\\x{batch.root_hash.hex()}\t\\\\x{batch.hash.hex()}"
        return [f"{numbers}\t{group.book_time.isoformat()}\t{hashes}\n"]

    def transaction_rows(self, group: Group) -> list[str]:
        """journal_transactions: one for each payment."""
        batch, time = self._batches.pop(group.number), group.execute_time.isoformat()
        return [
            f"{number}\t{draft.source_id}\t{draft.kind}\t{time}\t{batch.number}\t"
            f"\t\\\\x{leaf_hash.hex()}\n"
            for number, (draft, leaf_hash) in enumerate(
                zip(batch.drafts, batch.leaf_hashes, strict=True), batch.first_transaction_number
            )
        ]


def _draft(group: Group, line: Line) -> Draft:
    order = line.order
    return draft_of(
        Booking(
            line.payment_id,
            KIND_NUMBERS[order.kind],
            order.payer.wallet_id,
            order.payee.wallet_id,
            order.currency_code,
            order.amount_minor,
            microseconds_of(group.execute_time),
        )
    )


def _posting_rows(group: Group) -> list[str]:
    """postings: two for each transaction. No other books touch these accounts, so their balances
    are the wallets'."""
    rows = []
    for number, line in enumerate(group.lines, (group.number - 1) * GROUP + 1):
        order = line.order
        money = f"{order.currency_code}\t{order.amount_minor}"
        rows.append(
            f"{number}\t1\t{order.payer.wallet_id}\t1\t{money}\t{line.debit_balance_after_minor}\n"
            f"{number}\t2\t{order.payee.wallet_id}\t2\t{money}\t{line.credit_balance_after_minor}\n"
        )
    return rows


def ledger_book(connection: Connection) -> Book:
    """Journal and postings, the accounts' totals, and the head of the journal."""
    journal = _Journal(_last_hash(connection) if is_begun(connection) else ZERO_HASH)
    return Book(
        "ledger",
        [
            Table(
                "journal_batches",
                "number, first_transaction_number, last_transaction_number, book_time, root_hash,"
                " hash",
                journal.batch_rows,
            ),
            Table(
                "journal_transactions",
                "number, source_id, kind, effective_time, batch_number, description, leaf_hash",
                journal.transaction_rows,
            ),
            Table(
                "postings",
                "transaction_number, line, account_id, direction, currency_code, amount_minor,"
                " balance_after_minor",
                _posting_rows,
            ),
        ],
        ["TRUNCATE journal_batches, journal_transactions, postings, accounts"],
        _finish,
    )


def _last_hash(connection: Connection) -> bytes:
    row = connection.execute(
        "SELECT hash FROM journal_batches ORDER BY number DESC LIMIT 1"
    ).fetchone()
    return ZERO_HASH if row is None else bytes(row[0])


def _finish(connection: Connection, story: Story) -> None:
    connection.execute("TRUNCATE accounts")
    tallies = list(story.tallies.items())
    connection.execute(
        """
        INSERT INTO accounts (id, currency_code, debits_posted_minor, credits_posted_minor)
        SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[])
        """,
        [
            [wallet_id for wallet_id, _ in tallies],
            [tally.currency_code for _, tally in tallies],
            [tally.debits_minor for _, tally in tallies],
            [tally.credits_minor for _, tally in tallies],
        ],
    )
    connection.execute(
        """
        UPDATE journal_head SET
            batch_number = number, transaction_number = last_transaction_number,
            book_time = last.book_time, hash = last.hash
        FROM (SELECT * FROM journal_batches ORDER BY number DESC LIMIT 1) AS last
        """
    )
