"""Roles and databases on a real server."""

from __future__ import annotations

import psycopg
import pytest

from embedded.databases import ServicePasswords, url_for
from embedded.errors import StackError
from embedded.postgres import PostgresServer
from embedded.provision import provision

SERVICE = "provisioned"


def role_url(server: PostgresServer, role: str, password: str) -> str:
    """A role's URL of the service's database."""
    return url_for(server.admin_url, user=f"{SERVICE}_{role}", password=password, database=SERVICE)


async def test_provisioning_can_be_repeated(postgres_server: PostgresServer) -> None:
    """Goal: a second start changes nothing but the passwords, and data stays."""
    for password in ("first", "second"):
        passwords = ServicePasswords(owner=password, service=password)
        await provision(postgres_server.admin_url, passwords={SERVICE: passwords})
        url = role_url(postgres_server, "owner", password)
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS number")
            cursor = await connection.execute("SELECT number FROM kept")
            assert await cursor.fetchall() == [(42,)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await psycopg.AsyncConnection.connect(role_url(postgres_server, "owner", "first"))


async def test_a_service_may_do_what_it_was_granted(postgres_server: PostgresServer) -> None:
    """Goal: the service's role enters its own database only, makes no tables and reads none
    unasked."""
    passwords = {
        name: ServicePasswords(owner="owner", service="service") for name in (SERVICE, "neighbour")
    }
    await provision(postgres_server.admin_url, passwords=passwords)
    async with await psycopg.AsyncConnection.connect(
        role_url(postgres_server, "owner", "owner"), autocommit=True
    ) as connection:
        await connection.execute("DROP TABLE IF EXISTS closed")
        await connection.execute("CREATE TABLE closed (number int)")
    url = role_url(postgres_server, "svc", "service")
    for statement in ("CREATE TABLE mine (number int)", "SELECT * FROM closed"):
        async with await psycopg.AsyncConnection.connect(url) as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement)
    neighbour = url.rpartition("/")[0] + "/neighbour"
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        await psycopg.AsyncConnection.connect(neighbour)


async def test_an_administrator_need_not_be_superuser(postgres_server: PostgresServer) -> None:
    """Goal: a rented PostgreSQL, whose administrator may only make roles and databases, is
    enough."""
    async with await psycopg.AsyncConnection.connect(
        postgres_server.admin_url, autocommit=True
    ) as connection:
        await connection.execute("CREATE ROLE renter LOGIN CREATEDB CREATEROLE PASSWORD 'renter'")
    url = url_for(postgres_server.admin_url, user="renter", password="renter", database="postgres")
    passwords = {"rented": ServicePasswords(owner="owner", service="service")}
    for _ in range(2):
        await provision(url, passwords=passwords)
    rented = url_for(url, user="rented_svc", password="service", database="rented")
    async with await psycopg.AsyncConnection.connect(rented) as connection:
        await connection.execute("SELECT 1")


async def test_an_administrator_who_may_not_is_told(postgres_server: PostgresServer) -> None:
    """Goal: missing rights end in a sentence, not in a traceback."""
    await provision(
        postgres_server.admin_url,
        passwords={SERVICE: ServicePasswords(owner="owner", service="service")},
    )
    with pytest.raises(StackError, match="could not be provisioned"):
        await provision(
            role_url(postgres_server, "svc", "service"),
            passwords={"more": ServicePasswords(owner="owner", service="service")},
        )
