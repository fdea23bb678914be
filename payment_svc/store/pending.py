"""What is PENDING, looked at from a distance."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# By the primary key, whose ids begin with their time: it stops at the first that is not left to a
# person (then its sweep time is the year 9999), however many there are.
_OLDEST = text("""
    SELECT payment_id FROM pending_payments WHERE sweep_time < '9999-01-01 00:00:00+00'
    ORDER BY payment_id LIMIT 1
""")


async def oldest_pending(connection: AsyncConnection) -> str | None:
    """The id of the payment that has been PENDING for longest, those apart that wait for a person;
    None if there is none."""
    found: str | None = (await connection.execute(_OLDEST)).scalar()
    return found
