"""How far the journal is known to have every payment that was completed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger_svc.tables import catch_up


async def caught_up_to(connection: AsyncConnection) -> datetime:
    """Up to when the journal is known to have every completed payment."""
    moment: datetime = (await connection.execute(select(catch_up.c.caught_up_to))).scalar_one()
    return moment


async def set_caught_up_to(connection: AsyncConnection, moment: datetime) -> None:
    """Move that moment on; never back."""
    await connection.execute(
        catch_up.update().where(catch_up.c.caught_up_to < moment).values(caught_up_to=moment)
    )
