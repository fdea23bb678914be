"""A table of numbered counters: work for a database, and a look at what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
from psycopg.rows import TupleRow
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

Work = Callable[[AsyncConnection], Awaitable[Any]]


class Administrator:
    """Sets the scene as the superuser, and reads what is committed."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def rows(self, statement: str) -> list[TupleRow]:
        """The rows of a statement, committed."""
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            cursor = await connection.execute(statement.encode())
            return await cursor.fetchall() if cursor.description else []

    async def until(self, statement: str) -> None:
        """Ask again until the statement has a row."""
        async with asyncio.timeout(20):
            while not await self.rows(statement):
                pass


def add(amount: int, *, counter: int = 1) -> Work:
    """Work that changes one counter."""

    async def work(connection: AsyncConnection) -> int:
        result = await connection.execute(
            text("UPDATE counters SET value = value + :amount WHERE id = :id RETURNING value"),
            {"amount": amount, "id": counter},
        )
        return int(result.scalar_one())

    return work


async def value_of(administrator: Administrator, counter: int = 1) -> int:
    """What is committed."""
    values: dict[Any, Any] = dict(await administrator.rows("SELECT id, value FROM counters"))
    return int(values[counter])
