"""Statements of banks, their lines, and which payments they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import number_array, text_array
from ledger_svc.bank_statements.matching import Match, MatchMethod, OpenLine, OpenPayment
from ledger_svc.bank_statements.model import LineKind, Statement, StoredLine


class StoredStatement(NamedTuple):
    """A statement that is in the database."""

    id: str
    account: str
    reference: str
    currency_code: str
    start_date: date
    end_date: date
    opening_minor: int
    closing_minor: int
    line_count: int
    content_hash: bytes
    actor: str
    import_time: datetime


class Summary(NamedTuple):
    """What became of a statement's lines."""

    by_reference: int
    by_amount: int
    by_hand: int
    fees_booked: int
    unmatched: int


class BankPayment(NamedTuple):
    """A withdrawal or top-up as it is booked."""

    number: int
    payment_id: str
    kind: int
    amount_minor: int
    """As on a statement: negative for a withdrawal."""
    effective_time: datetime


# Whoever imports or matches: one after the other, because to match is to know all that could be.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('bank_statements'))")

_STATEMENT = text("""
    SELECT id, account, reference, currency_code, start_date, end_date, opening_minor,
        closing_minor, line_count, content_hash, actor, import_time
    FROM bank_statements
    WHERE account = :account AND currency_code = :currency_code AND reference = :reference
""")

_INSERT_STATEMENT = text("""
    INSERT INTO bank_statements (
        id, account, reference, currency_code, start_date, end_date, opening_minor, closing_minor,
        line_count, content_hash, actor
    )
    VALUES (
        :id, :account, :reference, :currency_code, :start_date, :end_date, :opening_minor,
        :closing_minor, :line_count, :content_hash, :actor
    )
""")

_INSERT_LINE = text("""
    INSERT INTO bank_statement_lines (
        id, statement_id, position, kind, amount_minor, currency_code, booking_date, value_date,
        is_reversal, bank_reference, counterparty, texts
    )
    VALUES (
        :id, :statement_id, :position, :kind, :amount_minor, :currency_code, :booking_date,
        :value_date, :is_reversal, :bank_reference, :counterparty, :texts
    )
""")

# The wallets of the bank are the accounts of class 3 (qrpay.ledger.v1.AccountClass).
_CLEARING_ACCOUNT = text("""
    SELECT min(id) FROM accounts WHERE class = 3 AND currency_code = :currency_code
""")

_READ_LINES = """
    SELECT line.id, line.statement_id, line.position, line.kind, line.amount_minor,
        line.currency_code, line.booking_date, line.value_date, line.is_reversal,
        line.bank_reference, line.counterparty, line.texts,
        matched.method, matched.payment_id, matched.actor, matched.reason, fee.number
    FROM bank_statement_lines AS line
    LEFT JOIN bank_statement_matches AS matched ON matched.line_id = line.id
    LEFT JOIN journal_transactions AS fee ON line.kind = 2 AND fee.source_id = line.id
"""
_OPEN = "line.kind = 1 AND matched.line_id IS NULL"
_LINE = text(f"{_READ_LINES} WHERE line.id = :line_id")
_LINES_AFTER = text(f"""
    {_READ_LINES}
    WHERE line.currency_code = :currency_code AND line.id > :after_id
        AND (NOT :open_only OR ({_OPEN}))
    ORDER BY line.id
    LIMIT :count_max
""")
_UNBOOKED_FEES = text(f"""
    {_READ_LINES}
    WHERE line.currency_code = :currency_code AND line.kind = 2 AND fee.number IS NULL
    ORDER BY line.id
    LIMIT :count_max
""")
_SUMMARY = text("""
    SELECT count(*) FILTER (WHERE matched.method = 1), count(*) FILTER (WHERE matched.method = 2),
        count(*) FILTER (WHERE matched.method = 3), count(fee.number),
        count(*) FILTER (WHERE line.kind = 1 AND matched.line_id IS NULL)
    FROM bank_statement_lines AS line
    LEFT JOIN bank_statement_matches AS matched ON matched.line_id = line.id
    LEFT JOIN journal_transactions AS fee ON line.kind = 2 AND fee.source_id = line.id
    WHERE line.statement_id = :statement_id
""")

# A withdrawal (3) credits the clearing account, a top-up (4) debits it: on the bank's statement the
# one is money that leaves, the other money that comes.
_READ_PAYMENTS = """
    SELECT booked.number, booked.source_id, booked.kind,
        CASE posting.direction WHEN 1 THEN posting.amount_minor ELSE -posting.amount_minor END
            AS amount_minor,
        booked.effective_time
    FROM journal_transactions AS booked
    JOIN postings AS posting
        ON posting.transaction_number = booked.number
        AND posting.account_id = :clearing_account_id
    WHERE booked.kind IN (3, 4)
"""
_NOT_MATCHED = """
    NOT EXISTS (
        SELECT FROM bank_statement_matches AS matched WHERE matched.payment_id = booked.source_id
    )
"""
_PAYMENT = text(f"{_READ_PAYMENTS} AND booked.source_id = :payment_id")
_OPEN_BY_ID = text(f"""
    {_READ_PAYMENTS} AND {_NOT_MATCHED}
    AND booked.source_id = ANY(CAST(:payment_ids AS text[]))
""")
_OPEN_BY_AMOUNT = text(f"""
    {_READ_PAYMENTS} AND {_NOT_MATCHED}
    AND booked.effective_time >= :start_time AND booked.effective_time < :end_time
    AND CASE posting.direction WHEN 1 THEN posting.amount_minor ELSE -posting.amount_minor END
        = ANY(CAST(:amounts_minor AS bigint[]))
    LIMIT :count_max
""")
_OPEN_AFTER = text(f"""
    {_READ_PAYMENTS} AND {_NOT_MATCHED}
    AND (booked.effective_time, booked.number) > (:after_time, :after_number)
    AND booked.effective_time < :end_time
    ORDER BY booked.effective_time, booked.number
    LIMIT :count_max
""")
_FIRST_DAY = text("""
    SELECT min(start_date) FROM bank_statements WHERE currency_code = :currency_code
""")
_INSERT_MATCHES = text("""
    INSERT INTO bank_statement_matches (line_id, payment_id, method, actor, reason)
    SELECT line_id, payment_id, method, :actor, :reason
    FROM unnest(
        CAST(:line_ids AS text[]), CAST(:payment_ids AS text[]), CAST(:methods AS smallint[])
    ) AS decided (line_id, payment_id, method)
    ON CONFLICT DO NOTHING
""")


async def lock(connection: AsyncConnection) -> None:
    """Be the only one who imports or matches, until the transaction ends."""
    await connection.execute(_LOCK)


async def find_statement(
    connection: AsyncConnection, account: str, currency_code: str, reference: str
) -> StoredStatement | None:
    """The statement that the bank calls so."""
    row = (
        await connection.execute(
            _STATEMENT,
            {"account": account, "currency_code": currency_code, "reference": reference},
        )
    ).first()
    return None if row is None else StoredStatement(*row)


async def insert_statement(
    connection: AsyncConnection,
    statement: Statement,
    *,
    statement_id: str,
    line_ids: Sequence[str],
    actor: str,
) -> None:
    """Store a statement with its lines."""
    await connection.execute(
        _INSERT_STATEMENT,
        {
            "id": statement_id,
            **{name: getattr(statement, name) for name in _STATEMENT_FIELDS},
            "line_count": len(statement.lines),
            "content_hash": statement.content_hash(),
            "actor": actor,
        },
    )
    rows = [
        {
            "id": line_id,
            "statement_id": statement_id,
            "currency_code": statement.currency_code,
            **{name: getattr(line, name) for name in line.__struct_fields__},
            "kind": int(line.kind),
        }
        for line_id, line in zip(line_ids, statement.lines, strict=True)
    ]
    if rows:
        await connection.execute(_INSERT_LINE, rows)


_STATEMENT_FIELDS = (
    *("account", "reference", "currency_code", "start_date", "end_date"),
    *("opening_minor", "closing_minor"),
)


async def clearing_account(connection: AsyncConnection, currency_code: str) -> str | None:
    """The account of the bank clearing wallet; None until the book knows which one it is."""
    result = await connection.execute(_CLEARING_ACCOUNT, {"currency_code": currency_code})
    account_id: str | None = result.scalar_one()
    return account_id


async def find_line(connection: AsyncConnection, line_id: str) -> StoredLine | None:
    """The line of this id."""
    row = (await connection.execute(_LINE, {"line_id": line_id})).first()
    return None if row is None else _line(row)


async def lines_after(
    connection: AsyncConnection,
    currency_code: str,
    after_id: str,
    *,
    open_only: bool,
    count_max: int,
) -> list[StoredLine]:
    """The next lines in the order of their ids."""
    result = await connection.execute(
        _LINES_AFTER,
        {
            "currency_code": currency_code,
            "after_id": after_id,
            "open_only": open_only,
            "count_max": count_max,
        },
    )
    return [_line(row) for row in result]


async def unbooked_fees(
    connection: AsyncConnection, currency_code: str, *, count_max: int
) -> list[StoredLine]:
    """Fees of statements that are not in the journal yet."""
    result = await connection.execute(
        _UNBOOKED_FEES, {"currency_code": currency_code, "count_max": count_max}
    )
    return [_line(row) for row in result]


async def summary(connection: AsyncConnection, statement_id: str) -> Summary:
    """What became of a statement's lines."""
    return Summary(*(await connection.execute(_SUMMARY, {"statement_id": statement_id})).one())


async def find_payment(
    connection: AsyncConnection, clearing_account_id: str, payment_id: str
) -> BankPayment | None:
    """The withdrawal or top-up of this id, if it is one of this clearing account."""
    row = (
        await connection.execute(
            _PAYMENT, {"clearing_account_id": clearing_account_id, "payment_id": payment_id}
        )
    ).first()
    return None if row is None else BankPayment(*row)


async def open_payments_by_id(
    connection: AsyncConnection, clearing_account_id: str, payment_ids: Sequence[str]
) -> list[OpenPayment]:
    """Those of these payments that no line is matched to."""
    result = await connection.execute(
        _OPEN_BY_ID,
        {"clearing_account_id": clearing_account_id, "payment_ids": text_array(payment_ids)},
    )
    return [_open_payment(row) for row in result]


async def open_payments_by_amount(
    connection: AsyncConnection,
    clearing_account_id: str,
    amounts_minor: Sequence[int],
    *,
    start_time: datetime,
    end_time: datetime,
    count_max: int,
) -> list[OpenPayment]:
    """Payments of these amounts and of this time that no line is matched to."""
    result = await connection.execute(
        _OPEN_BY_AMOUNT,
        {
            "clearing_account_id": clearing_account_id,
            "amounts_minor": number_array(amounts_minor),
            "start_time": start_time,
            "end_time": end_time,
            "count_max": count_max,
        },
    )
    return [_open_payment(row) for row in result]


async def open_payments_after(
    connection: AsyncConnection,
    clearing_account_id: str,
    *,
    after: tuple[datetime, int],
    end_time: datetime,
    count_max: int,
) -> list[BankPayment]:
    """The next payments before ``end_time`` that no line is matched to, by time and number."""
    result = await connection.execute(
        _OPEN_AFTER,
        {
            "clearing_account_id": clearing_account_id,
            "after_time": after[0],
            "after_number": after[1],
            "end_time": end_time,
            "count_max": count_max,
        },
    )
    return [BankPayment(*row) for row in result]


async def first_day(connection: AsyncConnection, currency_code: str) -> date | None:
    """The day on which the first statement of a currency begins."""
    result = await connection.execute(_FIRST_DAY, {"currency_code": currency_code})
    day: date | None = result.scalar_one()
    return day


async def insert_matches(
    connection: AsyncConnection, matches: Sequence[Match], *, actor: str = "", reason: str = ""
) -> int:
    """Store matches; how many. One whose line or payment is matched already is left out."""
    result = await connection.execute(
        _INSERT_MATCHES,
        {
            "line_ids": text_array([found.line_id for found in matches]),
            "payment_ids": text_array([found.payment_id for found in matches]),
            "methods": number_array([found.method for found in matches]),
            "actor": actor,
            "reason": reason,
        },
    )
    return result.rowcount


def open_line(line: StoredLine) -> OpenLine:
    """A line as it is matched."""
    return OpenLine(line.id, line.amount_minor, line.booking_date, line.is_reversal, line.texts)


def _line(row: Any) -> StoredLine:
    method = None if row[12] is None else MatchMethod(row[12])
    return StoredLine._make([*row[:3], LineKind(row[3]), *row[4:12], method, *row[13:]])


def _open_payment(row: Any) -> OpenPayment:
    return OpenPayment(row[1], row[3], row[4].astimezone(UTC).date())
