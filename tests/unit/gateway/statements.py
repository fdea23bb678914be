"""Statements for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from gateway.answers import KindName
from gateway.statement import Head, Line, Month

NOVEMBER = Month(2026, 11)
BOB = "usr_01JD3Q8F2C9K5M7P1R4T6V8X0Z"


def statement(
    amounts_minor: Sequence[int],
    *,
    opening_minor: int = 100_000,
    name: str = "Bob",
    kind: KindName = "send",
    **changes: Any,
) -> tuple[Head, list[Line]]:
    """A statement with these entries, which adds up; ``changes`` are of its head."""
    lines, balance_minor = [], opening_minor
    for number, amount_minor in enumerate(amounts_minor, start=8):
        balance_minor += amount_minor
        at = NOVEMBER.start + timedelta(minutes=number, microseconds=number)
        payment_id = f"pay_{number:026}"
        lines.append(Line(number, at, kind, BOB, name, payment_id, amount_minor, balance_minor))
    head = Head(
        owner_id="usr_alice",
        owner_name="Alice Example",
        wallet_id="wal_01JD3Q8G4E6H8J0K2M4N6P8Q0R",
        currency="USD",
        month=NOVEMBER,
        made_at=datetime(2026, 12, 2, 9, 30, tzinfo=UTC),
        after_number=7,
        last_number=7 + len(lines),
        opening_minor=opening_minor,
        closing_minor=balance_minor,
    )
    return msgspec.structs.replace(head, **changes), lines
