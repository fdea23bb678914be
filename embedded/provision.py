"""Roles, databases and nothing else: what a PostgreSQL needs before the services' migrations can
run.

Works on a server of ours and on one from outside, and may be repeated: what is there is brought to
the wanted state.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from embedded.databases import ServicePasswords, owner_role, service_role
from embedded.errors import NotReady, StackError

_LOCK_KEY = 0x71727061795F7076
"""Advisory lock of whoever provisions a server ("qrpay_pv" as bytes): roles are the whole
server's."""


async def provision(admin_url: str, *, passwords: dict[str, ServicePasswords]) -> None:
    """Make roles and database for each service named, or bring them up to date.

    Raises StackError if the administrator may not do that.
    """
    try:
        async with await psycopg.AsyncConnection.connect(
            admin_url, autocommit=True, connect_timeout=10
        ) as connection:
            await _execute(connection, "SELECT pg_advisory_lock({})", sql.Literal(_LOCK_KEY))
            for service, pair in passwords.items():
                await provision_roles(connection, service=service, passwords=pair)
                await provision_database(connection, service=service, database=service)
    except psycopg.Error as error:
        raise StackError(f"PostgreSQL could not be provisioned: {error}") from error


async def check_sign_in(url: str) -> None:
    """Sign in and ask a question. Raises NotReady."""
    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=4) as connection:
            await connection.execute("SELECT 1")
    except psycopg.Error as error:
        raise NotReady(f"PostgreSQL: {error}") from error


async def provision_roles(
    connection: psycopg.AsyncConnection, *, service: str, passwords: ServicePasswords
) -> None:
    """Make the two roles of a service, or set their passwords. The connection is in autocommit
    mode."""
    roles = {
        owner_role(service): passwords.owner,
        service_role(service): passwords.service,
    }
    for role, password in roles.items():
        # Hashed here, so that the password never reaches the server or its log.
        verifier = connection.pgconn.encrypt_password(
            password.encode(), role.encode(), b"scram-sha-256"
        ).decode()
        verb = "ALTER" if await _exists(connection, "pg_roles", "rolname", role) else "CREATE"
        await _execute(
            connection,
            verb + " ROLE {} LOGIN PASSWORD {}",
            sql.Identifier(role),
            sql.Literal(verifier),
        )
    # An administrator who is no superuser needs it to hand a database over.
    await _execute(connection, "GRANT {} TO CURRENT_USER", sql.Identifier(owner_role(service)))


async def provision_database(
    connection: psycopg.AsyncConnection,
    *,
    service: str,
    database: str,
    template: str | None = None,
) -> None:
    """Make a database of a service that only its two roles may enter. The connection is in
    autocommit mode."""
    if not await _exists(connection, "pg_database", "datname", database):
        await _execute(
            connection,
            "CREATE DATABASE {} OWNER {} TEMPLATE {}",
            sql.Identifier(database),
            sql.Identifier(owner_role(service)),
            sql.Identifier(template or "template1"),
        )
    await _execute(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", sql.Identifier(database))
    await _execute(
        connection,
        "GRANT CONNECT ON DATABASE {} TO {}",
        sql.Identifier(database),
        sql.Identifier(service_role(service)),
    )


async def _exists(
    connection: psycopg.AsyncConnection,
    table: LiteralString,
    column: LiteralString,
    name: str,
) -> bool:
    cursor = await _execute(
        connection,
        "SELECT 1 FROM {} WHERE {} = {}",
        sql.Identifier(table),
        sql.Identifier(column),
        sql.Literal(name),
    )
    return await cursor.fetchone() is not None


async def _execute(
    connection: psycopg.AsyncConnection, statement: LiteralString, *parts: sql.Composable
) -> psycopg.AsyncCursor[tuple[object, ...]]:
    # Names and passwords in DDL cannot be parameters; psycopg quotes them.
    return await connection.execute(sql.SQL(statement).format(*parts))


def migrations_directory(service: str) -> Path:
    """Where the SQL files of a service are. Raises StackError if the service is not installed."""
    # find_spec looks, and runs nothing of the service.
    specification = find_spec(f"{service}_svc")
    if specification is None or not specification.submodule_search_locations:
        raise StackError(f"{service}_svc is not installed")
    return Path(specification.submodule_search_locations[0]) / "migrations"
