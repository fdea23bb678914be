"""A database with nothing in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest


@pytest.fixture
async def empty_database_url(postgres_server: Any) -> AsyncIterator[str]:
    """The superuser's URL of an empty database, gone after the test."""
    admin_url = postgres_server.admin_url
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        await connection.execute(b"CREATE DATABASE empty_for_a_test")
        yield admin_url.rpartition("/")[0] + "/empty_for_a_test"
        await connection.execute(b"DROP DATABASE empty_for_a_test WITH (FORCE)")
