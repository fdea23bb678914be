"""The yard's looks at a database, cut off at any moment."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Any

import pytest

from embedded.postgres import PostgresServer
from tests.chaos.snapshot import query


async def test_no_connection_is_forgotten(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: a look that is cancelled, while it connects, asks or ends its transaction, leaves no
    open connection to the garbage collector, which complains of it in whatever test runs then."""
    complaints: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    for turn in range(300):
        looking = asyncio.create_task(query(postgres_server.admin_url, "postgres", "SELECT 1"))
        await asyncio.sleep(turn * 0.00007)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    await asyncio.sleep(0.5)
    gc.collect()
    assert [str(item.exc_value) for item in complaints] == []
    assert await query(postgres_server.admin_url, "postgres", "SELECT 1 AS one") == [{"one": 1}]
