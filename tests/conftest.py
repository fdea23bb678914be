"""What every test may ask for: one real server of each kind per session, and a database per test.

Nothing starts unless a test asks for it. `database_for` is for integration tests of a service:

        async def test_something(database_for): database = await database_for("wallet")     #
        wallet's migrations, empty tables, this test's alone ... database.url ...
        # the service's role; also .owner_url and .admin_url
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import resources
from itertools import count
from pathlib import Path

import hypothesis
import msgspec
import psycopg
import pytest
from psycopg import sql

from chassis.migrate import migrate
from embedded import databases, provision
from embedded.nats import NatsServer, running_nats
from embedded.passwords import make_password
from embedded.postgres import PostgresServer, running_postgres
from embedded.valkey import ValkeyServer, running_valkey

# How long an example takes says something about the machine that day.
hypothesis.settings.register_profile("qrpay", deadline=None)
hypothesis.settings.load_profile("qrpay")


class TestDatabase(msgspec.Struct, frozen=True, kw_only=True):
    """A database with the tables of one service, for one test."""

    __test__ = False  # pytest collects classes by name

    name: str
    url: str
    """As the service's process sees it."""
    owner_url: str
    """As its migrations see it."""
    admin_url: str
    """As the superuser sees it."""


DatabaseFor = Callable[[str], Awaitable[TestDatabase]]


@pytest.fixture(scope="session")
async def postgres_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[PostgresServer]:
    """One PostgreSQL for all tests, which forgets everything when its machine crashes."""
    async with running_postgres(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server


@pytest.fixture(scope="session")
async def nats_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NatsServer]:
    """One NATS for all tests, with the users of the stack (`url_for("payment")`); `url` may do
    everything."""
    async with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(scope="session")
async def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ValkeyServer]:
    """One Valkey for all tests: `barcode_url` is the service's user, `url` may do everything."""
    async with running_valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


class TemplateDatabases:
    """Migrates one database per service and session, and clones it for each test that asks."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._passwords: dict[str, databases.ServicePasswords] = {}
        self._numbers = count(1)
        self._making = asyncio.Lock()

    async def clone(self, service: str) -> TestDatabase:
        """A new database with the tables of a service."""
        async with self._making:
            if service not in self._passwords:
                await self._make_template(service)
            name = f"{service}_{next(self._numbers)}"
            async with await self._administrator() as connection:
                await provision.provision_database(
                    connection, service=service, database=name, template=f"{service}_template"
                )
        return self._database(service, name)

    async def drop(self, database: TestDatabase) -> None:
        """Remove a clone, whoever is still connected to it."""
        statement = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database.name))
        async with await self._administrator() as connection:
            await connection.execute(statement)

    async def _make_template(self, service: str) -> None:
        passwords = databases.ServicePasswords(owner=make_password(), service=make_password())
        name = f"{service}_template"
        async with await self._administrator() as connection:
            await provision.provision_roles(connection, service=service, passwords=passwords)
            await provision.provision_database(connection, service=service, database=name)
        self._passwords[service] = passwords
        migrations = Path(str(resources.files(f"{service}_svc"))) / "migrations"
        await migrate(self._database(service, name).owner_url, migrations)

    async def _administrator(self) -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(self._server.admin_url, autocommit=True)

    def _database(self, service: str, name: str) -> TestDatabase:
        passwords = self._passwords[service]
        roles = {
            databases.service_role(service): passwords.service,
            databases.owner_role(service): passwords.owner,
        }
        url, owner_url = (
            databases.url_for(self._server.admin_url, user=role, password=password, database=name)
            for role, password in roles.items()
        )
        admin_url = self._server.admin_url.rpartition("/")[0] + f"/{name}"
        return TestDatabase(name=name, url=url, owner_url=owner_url, admin_url=admin_url)


@pytest.fixture(scope="session")
async def template_databases(postgres_server: PostgresServer) -> TemplateDatabases:
    """The session's templates; tests use `database_for`."""
    return TemplateDatabases(postgres_server)


@pytest.fixture
async def database_for(template_databases: TemplateDatabases) -> AsyncIterator[DatabaseFor]:
    """Makes databases of a service ("wallet", "payment", "ledger", "barcode"), dropped after the
    test."""
    databases: list[TestDatabase] = []

    async def make(service: str) -> TestDatabase:
        database = await template_databases.clone(service)
        databases.append(database)
        return database

    yield make
    for database in databases:
        await template_databases.drop(database)
