"""A database with nothing in it, and one with counters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest

from tests.integration.chassis.counters import Administrator


@pytest.fixture
async def empty_database_url(postgres_server: Any) -> AsyncIterator[str]:
    """The superuser's URL of an empty database, gone after the test."""
    admin_url = postgres_server.admin_url
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        await connection.execute(b"CREATE DATABASE empty_for_a_test")
        yield admin_url.rpartition("/")[0] + "/empty_for_a_test"
        await connection.execute(b"DROP DATABASE empty_for_a_test WITH (FORCE)")


@pytest.fixture
async def scene(database_for: Callable[[str], Awaitable[Any]]) -> Any:
    """A database with a table of numbered counters, and slow or failing COMMITs on demand."""
    database = await database_for("ledger")
    await Administrator(database.admin_url).rows("""
        CREATE TABLE counters (
            id int PRIMARY KEY,
            value int NOT NULL CONSTRAINT ck_counters_value CHECK (value >= 0)
        );
        INSERT INTO counters SELECT id, 0 FROM generate_series(1, 3) AS id;
        GRANT SELECT, INSERT, UPDATE ON counters TO ledger_svc;
        CREATE FUNCTION wait_in_commit() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END
        $$;
        CREATE CONSTRAINT TRIGGER wait_in_commit AFTER UPDATE ON counters
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id = 3)
        EXECUTE FUNCTION wait_in_commit();
    """)
    return database


@pytest.fixture
def administrator(scene: Any) -> Administrator:
    """The superuser of the same database."""
    return Administrator(scene.admin_url)
