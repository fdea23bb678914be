"""A statement as CSV (RFC 4180): a table for spreadsheets and programs.

Every row has the same columns, so that any reader takes it; the first column says what a row is:
``opening``, then an ``entry`` each, then ``total-in``, ``total-out`` and ``closing``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime

from chassis.spreadsheet import guarded
from gateway.statement import Head, Line, Totals, amount_text

COLUMNS = (
    *("line", "number", "time", "kind", "counterparty", "counterparty_id", "payment_id"),
    *("amount", "balance", "currency"),
)
MEDIA_TYPE = "text/csv; charset=utf-8; header=present"


class CsvStatement:
    """Writes one statement piece by piece: ``begin``, ``lines`` as often as needed, ``end``."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._totals = Totals(head)

    def begin(self) -> bytes:
        """Names of the columns, and the opening balance."""
        return _encoded(
            [COLUMNS, self._row("opening", time=self._head.month.start, balance=self._opening)]
        )

    def lines(self, lines: Iterable[Line]) -> bytes:
        """The next entries. Raises ``DoesNotAddUp``."""
        return _encoded(map(self._entry, lines))

    def end(self) -> bytes:
        """Totals and the closing balance. Raises ``DoesNotAddUp``."""
        self._totals.finish()
        return _encoded(
            [
                self._row("total-in", amount=self._totals.in_minor),
                self._row("total-out", amount=-self._totals.out_minor),
                self._row("closing", time=self._head.closed_at, balance=self._head.closing_minor),
            ]
        )

    @property
    def _opening(self) -> int:
        return self._head.opening_minor

    def _entry(self, line: Line) -> list[str]:
        self._totals.add(line)
        currency = self._head.currency
        return [
            "entry",
            str(line.number),
            _time_text(line.at),
            line.kind,
            guarded(line.counterparty_name),
            guarded(line.counterparty_id),
            guarded(line.payment_id),
            amount_text(line.amount_minor, currency),
            amount_text(line.balance_minor, currency),
            currency,
        ]

    def _row(
        self,
        name: str,
        *,
        time: datetime | None = None,
        amount: int | None = None,
        balance: int | None = None,
    ) -> list[str]:
        currency = self._head.currency
        numbers = ["" if it is None else amount_text(it, currency) for it in (amount, balance)]
        return [name, "", _time_text(time) if time else "", "", "", "", "", *numbers, currency]


def _encoded(rows: Iterable[Iterable[str]]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\r\n").writerows(rows)
    return file.getvalue().encode()


def _time_text(time: datetime) -> str:
    """RFC 3339, to the microsecond, like the rest of the API."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
