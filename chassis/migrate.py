"""Numbered SQL files, applied once each, in order, one transaction per file.

A file is named ``0003_pre_add_limit.sql``: its number, the moment (``pre``: before the new code
runs, so old code must bear it; ``post``: after the old code is gone) and what it does. A file that
was applied never changes again; its checksum is kept to say so.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path

import psycopg
from psycopg.rows import tuple_row

from chassis.settings import Secret

_NAME = re.compile(r"[0-9]{4}_(pre|post)_[a-z0-9_]+\.sql")
_LOCK_KEY = 0x71727061795F6D67
"""Advisory lock of whoever migrates a database ("qrpay_mg" as bytes)."""

_CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    sha256 bytea NOT NULL,
    apply_time timestamptz NOT NULL DEFAULT now()
);
-- Processes look whether the tables they need are there, as their own role. Nobody else gets in.
GRANT SELECT ON schema_migrations TO PUBLIC
"""
_LOOK_SECONDS = 1.0


class MigrationError(Exception):
    """A migration cannot be applied; the text says which and why."""


async def migrate(url: Secret | str, directory: Path, *, phase: str = "all") -> list[str]:
    """Apply what is missing from ``directory`` and answer the names applied, in order.

    ``phase`` is ``pre``, ``post`` or ``all``. Several may run at once: the others wait, then find
    nothing to do. Raises ``MigrationError`` for a misnamed, changed or refused file.
    """
    files = [(path, path.read_bytes()) for path in _files(directory)]
    text = url.reveal() if isinstance(url, Secret) else url
    try:
        connection = await psycopg.AsyncConnection.connect(
            text, autocommit=True, row_factory=tuple_row, connect_timeout=10
        )
    except psycopg.ProgrammingError:
        # Not even as a cause: libpq quotes the URL, and there is a password in it.
        raise MigrationError("MIGRATION_DATABASE_URL is not a PostgreSQL URL") from None
    except psycopg.OperationalError as error:
        raise MigrationError("the database cannot be reached") from error
    async with connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK_KEY])
        await connection.execute(_CREATE_TABLE)
        cursor = await connection.execute("SELECT name, sha256 FROM schema_migrations")
        known = {name: bytes(checksum) for name, checksum in await cursor.fetchall()}
        return [
            path.name
            for path, content in files
            if phase in ("all", _moment(path)) and await _apply(connection, path, content, known)
        ]


async def wait_until_migrated(
    url: Secret | str, directory: Path, *, seconds: float, look_seconds: float = _LOOK_SECONDS
) -> None:
    """Return as soon as every ``pre`` file of ``directory`` is applied; change nothing.

    ``url``: of the service's own role. A database that cannot be reached yet is waited for, too.
    Raises ``MigrationError`` if it is not so after ``seconds``.
    """
    wanted = {path.name for path in _files(directory) if _moment(path) == "pre"}
    text = url.reveal() if isinstance(url, Secret) else url
    missing: set[str] | None = None
    try:
        async with asyncio.timeout(seconds):
            while (missing := await _missing(text, wanted)) is None or missing:  # noqa: ASYNC110
                await asyncio.sleep(look_seconds)
    except TimeoutError:
        why = "the database cannot be reached"
        if missing:
            why = f"not applied: {', '.join(sorted(missing))}"
        raise MigrationError(f"{why}, after {seconds:.0f} s") from None


async def _missing(url: str, wanted: set[str]) -> set[str] | None:
    """Those of the wanted files that were not applied; None if nobody can say."""
    try:
        connection = await psycopg.AsyncConnection.connect(
            url, autocommit=True, row_factory=tuple_row, connect_timeout=10
        )
        async with connection:
            cursor = await connection.execute("SELECT name FROM schema_migrations")
            return wanted - {name for (name,) in await cursor.fetchall()}
    except psycopg.ProgrammingError as error:
        if error.sqlstate is None:
            raise MigrationError("DATABASE_URL is not a PostgreSQL URL") from None
        return wanted  # nobody has migrated yet, or nobody who lets us look
    except psycopg.OperationalError:
        return None


async def _apply(
    connection: psycopg.AsyncConnection[tuple[object, ...]],
    path: Path,
    content: bytes,
    known: dict[str, bytes],
) -> bool:
    checksum = hashlib.sha256(content).digest()
    if path.name in known:
        if known[path.name] != checksum:
            raise MigrationError(f"{path.name} was applied before and has changed since")
        return False
    try:
        async with connection.transaction():
            # Old code still runs: a lock that cannot be had soon would queue its statements behind
            # us.
            await connection.execute("SET LOCAL lock_timeout = '3s'")
            await connection.execute(content)
            await connection.execute(
                "INSERT INTO schema_migrations (name, sha256) VALUES (%s, %s)",
                [path.name, checksum],
            )
    except psycopg.Error as error:
        raise MigrationError(f"{path.name}: {error}") from error
    return True


def _files(directory: Path) -> list[Path]:
    files = sorted(directory.glob("*.sql"))
    for path in files:
        if not _NAME.fullmatch(path.name):
            raise MigrationError(f"{path.name} is not named like 0003_pre_add_limit.sql")
    numbers = [path.name[:4] for path in files]
    if len(set(numbers)) < len(numbers):
        raise MigrationError("two migrations have the same number")
    return files


def _moment(path: Path) -> str:
    return path.name.split("_")[1]
