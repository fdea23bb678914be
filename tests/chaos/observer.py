"""Looks into the books while everything breaks: what is final there must stay as it was seen first.

A look at the end alone would not show that a status went back and came again, or that a line of the
journal was written anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import psycopg

from tests.chaos.snapshot import Row, query

_EVERY_SECONDS = 2.0

FINAL = {
    "payment": (
        "payment",
        """
        SELECT id, concat_ws(' ', status, failure_code, amount_minor, event_number,
            payer_entry_number, payee_entry_number) AS content
        FROM payments WHERE status <> 'PENDING'
        """,
    ),
    "transfer": ("wallet", "SELECT payment_id AS id, md5(t::text) AS content FROM transfers AS t"),
    "entry": (
        "wallet",
        "SELECT concat_ws(' ', wallet_id, number) AS id, md5(e::text) AS content FROM entries AS e",
    ),
    "journal transaction": (
        "ledger",
        "SELECT number AS id, md5(t::text) AS content FROM journal_transactions AS t",
    ),
    "posting": (
        "ledger",
        """
        SELECT concat_ws(' ', transaction_number, line) AS id, md5(p::text) AS content
        FROM postings AS p
        """,
    ),
}
"""What never changes once it is there: the database and the statement that read it."""


class Memory:
    """Remembers rows that are final, and what became of them since."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], str] = {}
        self.changes: list[str] = []
        """What is not as it was seen first."""

    def see(self, kind: str, rows: Iterable[Row]) -> None:
        """Compare all rows of a kind with what was seen of it before."""
        present = {(kind, row["id"]): row["content"] for row in rows}
        for known, content in self._seen.items():
            if known[0] == kind and present.get(known) != content:
                now = present.get(known, "gone")
                self.changes.append(f"{kind} {known[1]} was {content}, then {now}")
        self._seen.update(present)


class Observer:
    """Looks every other second, past the proxies, and forgives a server that is away."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self.memory = Memory()
        self.looks = 0
        """How often everything was read."""

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                async with asyncio.timeout(_EVERY_SECONDS):
                    await self.look()
            except (psycopg.Error, OSError):
                continue

    async def look(self) -> None:
        """Look once."""
        for kind, (database, statement) in FINAL.items():
            self.memory.see(kind, await query(self._admin_url, database, statement))
        self.looks += 1
