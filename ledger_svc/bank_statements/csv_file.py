"""Statements in a plain table, for a bank that sends nothing better.

A header row, then one row each: ``opening``, every ``entry`` and ``fee``, ``closing``. Amounts are
signed decimals with a point; those of the first and the last row are balances.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from ledger_svc.bank_statements.model import (
    STATEMENT_LINES_MAX,
    LineKind,
    Statement,
    StatementLine,
    amount_minor_of,
    check_statement,
    date_of,
    joined,
    known_currency,
)
from ledger_svc.errors import StatementMalformed

REQUIRED = frozenset({"line", "booking_date", "amount"})
OPTIONAL = frozenset({"value_date", "reference", "remittance", "counterparty", "bank_reference"})
_KINDS = {"entry": LineKind.MOVEMENT, "fee": LineKind.FEE}


def read_csv(content: bytes, *, account: str, currency_code: str, reference: str) -> Statement:
    """The statement, which adds up. Raises ``StatementMalformed``."""
    known_currency(currency_code, where="currency")
    rows = _rows(content)
    if len(rows) < 2 or rows[0]["line"] != "opening" or rows[-1]["line"] != "closing":
        raise StatementMalformed("the first row must be opening, the last one closing")
    opening, *entries, closing = rows
    return check_statement(
        Statement(
            account=account,
            reference=reference,
            currency_code=currency_code,
            start_date=date_of(opening["booking_date"], where="opening"),
            end_date=date_of(closing["booking_date"], where="closing"),
            opening_minor=_amount(opening["amount"], currency_code, where="opening"),
            closing_minor=_amount(closing["amount"], currency_code, where="closing"),
            lines=tuple(
                _line(row, currency_code, number) for number, row in enumerate(entries, start=1)
            ),
        )
    )


def _rows(content: bytes) -> list[dict[str, str]]:
    try:
        text = content.decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        names = next(reader, [])
        if len(set(names)) != len(names) or not REQUIRED <= set(names) <= REQUIRED | OPTIONAL:
            raise StatementMalformed(
                f"the columns must be {', '.join(sorted(REQUIRED))} and may be "
                f"{', '.join(sorted(OPTIONAL))}"
            )
        rows = []
        for fields in reader:
            if not fields:
                continue  # an empty line
            if len(fields) != len(names):
                raise StatementMalformed(f"row {reader.line_num} has {len(fields)} fields")
            rows.append(dict(zip(names, fields, strict=True)))
            if len(rows) > STATEMENT_LINES_MAX + 2:
                raise StatementMalformed(f"it has more than {STATEMENT_LINES_MAX} rows")
    except (UnicodeDecodeError, csv.Error) as error:
        raise StatementMalformed(f"the file is not CSV in UTF-8: {error}") from error
    return rows


def _line(row: Mapping[str, str], currency_code: str, number: int) -> StatementLine:
    where = f"entry {number}"
    kind = _KINDS.get(row["line"])
    if kind is None:
        raise StatementMalformed(f"{where}: line is {row['line'][:16]!r}")
    amount_minor = _amount(row["amount"], currency_code, where=where)
    if not amount_minor:
        raise StatementMalformed(f"{where}: the amount is zero")
    value_date = row.get("value_date", "")
    return StatementLine(
        position=str(number),
        kind=kind,
        amount_minor=amount_minor,
        booking_date=date_of(row["booking_date"], where=where),
        value_date=date_of(value_date, where=where) if value_date else None,
        bank_reference=joined([row.get("bank_reference", "")]),
        counterparty=joined([row.get("counterparty", "")]),
        texts=joined([row.get("reference", ""), row.get("remittance", "")]),
    )


def _amount(text: str, currency_code: str, *, where: str) -> int:
    text = text.strip()
    unsigned = text[1:] if text[:1] in {"-", "+"} else text
    amount_minor = amount_minor_of(unsigned, currency_code, where=where)
    return -amount_minor if text.startswith("-") else amount_minor
