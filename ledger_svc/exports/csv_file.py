"""A statement as CSV (RFC 4180).

Every row has the same columns, so that any reader takes it; the first column says what a row is:
``opening``, then a ``posting`` each, then ``total`` and ``closing``. Amounts are decimals, debits
and credits in columns of their own, both positive. Times are UTC.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from chassis.spreadsheet import guarded
from ledger_svc.exports.lines import Head, Line, Totals, amount_text, time_text

COLUMNS = (
    *("row", "transaction", "line", "booked", "effective", "kind", "source_id", "payment_id"),
    *("counter_accounts", "description", "debit", "credit", "balance", "currency"),
)


class CsvStatement:
    """Writes one statement piece by piece: ``begin``, ``lines`` as often as needed, ``end``."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._totals = Totals(head)

    def begin(self) -> bytes:
        """Names of the columns, and the opening balance."""
        head = self._head
        opening = self._row("opening", balance=head.opening_minor)
        if head.start_time is not None:
            opening["booked"] = time_text(head.start_time)
        return _encoded([dict(zip(COLUMNS, COLUMNS, strict=True)), opening])

    def lines(self, lines: Iterable[Line]) -> bytes:
        """The next postings. Raises ``DoesNotAddUp``."""
        return _encoded(map(self._posting, lines))

    def end(self) -> bytes:
        """Totals and the closing balance. Raises ``DoesNotAddUp``."""
        head, totals = self._head, self._totals
        totals.finish()
        closing = self._row("closing", balance=head.closing_minor)
        closing["booked"] = time_text(head.end_time or head.created_at)
        total = self._row("total", debit=totals.debits_minor, credit=totals.credits_minor)
        return _encoded([total, closing])

    def _posting(self, line: Line) -> dict[str, str]:
        self._totals.add(line)
        amount = line.amount_minor
        side = {"credit": amount} if amount > 0 else {"debit": -amount}
        return {
            **self._row("posting", balance=line.balance_minor, **side),
            "transaction": line.transaction_id,
            "line": str(line.line),
            "booked": time_text(line.book_time),
            "effective": time_text(line.effective_time),
            "kind": guarded(line.kind),
            "source_id": guarded(line.source_id),
            "payment_id": guarded(line.payment_id),
            "counter_accounts": guarded(" ".join(line.counter_account_ids)),
            "description": guarded(line.description),
        }

    def _row(self, name: str, **amounts: int) -> dict[str, str]:
        code = self._head.currency_code
        texts = {column: amount_text(amount, code) for column, amount in amounts.items()}
        return {**dict.fromkeys(COLUMNS, ""), "row": name, **texts, "currency": code}


def _encoded(rows: Iterable[dict[str, str]]) -> bytes:
    file = io.StringIO(newline="")
    csv.DictWriter(file, COLUMNS, lineterminator="\r\n").writerows(rows)
    return file.getvalue().encode()
