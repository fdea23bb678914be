"""PostgreSQL, NATS and Valkey of one stack: started here, or an outside one where a URL says so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from embedded import nats, postgres, valkey
from embedded.child import Check, run_check
from embedded.databases import service_passwords, service_role, url_for
from embedded.errors import NotReady, StartFailed
from embedded.jobs import run_job
from embedded.layout import Layout
from embedded.passwords import remembered_password, write_private
from embedded.state import Member
from embedded.supervisor import Announce, Announcement, Program, Supervisor

POSTGRES_VARIABLE = "QRPAY_POSTGRES_URL"
NATS_VARIABLE = "QRPAY_NATS_URL"
VALKEY_VARIABLE = "QRPAY_VALKEY_URL"


class Servers(msgspec.Struct, frozen=True, kw_only=True):
    """How the services reach their servers. Every URL carries a password."""

    database_urls: Mapping[str, str]
    """By service: as its own role."""
    nats_urls: Mapping[str, str]
    """By user: payment, ledger, gateway."""
    valkey_url: str
    """As barcode_svc's user."""


class ServerStarter:
    """Starts the servers of a stack under a supervisor."""

    def __init__(
        self,
        *,
        layout: Layout,
        supervisor: Supervisor,
        ports: Mapping[str, int],
        environment: Mapping[str, str],
        announce: Announce,
    ) -> None:
        self._layout = layout
        self._supervisor = supervisor
        self._ports = ports
        self._environment = environment
        self._announce = announce

    async def start(self) -> Servers:
        """Start (or find) all three, with roles, databases and tables. Raises StackError."""
        async with asyncio.TaskGroup() as group:
            database_urls = group.create_task(self._databases())
            nats_urls = group.create_task(self._nats())
            valkey_url = group.create_task(self._valkey())
        return Servers(
            database_urls=database_urls.result(),
            nats_urls=nats_urls.result(),
            valkey_url=valkey_url.result(),
        )

    async def _databases(self) -> dict[str, str]:
        admin_url = await self._postgres()
        write_private(self._layout.secret_file("postgres-admin.url"), admin_url + "\n")
        applied = msgspec.json.decode(
            await run_job(self._layout, "embedded.prepare"), type=dict[str, int]
        )
        for service, count in applied.items():
            if count > 0:
                text = f"{count} migration{'s' if count > 1 else ''} applied"
                self._announce(Announcement(kind="note", name=service, text=text))
        return {
            service: url_for(
                admin_url,
                user=service_role(service),
                password=passwords.service,
                database=service,
            )
            for service, passwords in service_passwords(self._layout).items()
        }

    async def _postgres(self) -> str:
        if outside := self._environment.get(POSTGRES_VARIABLE):
            # Whether it answers is found out by signing in, which preparing it begins with: what it
            # takes to reach it (TLS, several hosts) is between its URL and the driver.
            self._use("postgres", outside)
            return outside
        port, password = self._ports["postgres"], self._password("postgres-admin")
        url = postgres.postgres_url(
            user=postgres.ADMINISTRATOR, password=password, port=port, database="postgres"
        )
        command = await postgres.postgres_command(
            cluster=self._layout.postgres,
            port=port,
            admin_password=password,
            log_file=self._layout.log_file("postgres"),
        )
        await self._supervisor.start(
            Program(
                command=command,
                kind="server",
                check=lambda: postgres.check_postgres(url),
                port=port,
                url=url,
            )
        )
        return url

    async def _nats(self) -> dict[str, str]:
        if outside := self._environment.get(NATS_VARIABLE):
            await self._ask("nats", lambda: nats.check_nats(outside))
            self._use("nats", outside)
            return dict.fromkeys(nats.PERMISSIONS, outside)
        port = self._ports["nats"]
        names = (nats.ADMINISTRATOR, *nats.PERMISSIONS)
        passwords = {name: self._password(f"nats-{name}") for name in names}
        urls = {
            name: nats.nats_url(user=name, password=password, port=port)
            for name, password in passwords.items()
        }
        command = nats.nats_command(
            directory=self._layout.nats,
            port=port,
            monitor_port=self._ports["nats-monitor"],
            users=nats.service_users(passwords),
            log_file=self._layout.log_file("nats"),
        )
        admin_url = urls[nats.ADMINISTRATOR]
        await self._supervisor.start(
            Program(
                command=command,
                kind="server",
                check=lambda: nats.check_nats(admin_url),
                port=port,
                url=admin_url,
            )
        )
        return urls

    async def _valkey(self) -> str:
        if outside := self._environment.get(VALKEY_VARIABLE):
            await self._ask("valkey", lambda: valkey.check_valkey(outside))
            self._use("valkey", outside)
            return outside
        port = self._ports["valkey"]
        passwords = {user: self._password(f"valkey-{user}") for user in valkey.RULES}
        urls = {
            user: valkey.valkey_url(user=user, password=password, port=port)
            for user, password in passwords.items()
        }
        command = valkey.valkey_command(
            directory=self._layout.valkey,
            port=port,
            passwords=passwords,
            log_file=self._layout.log_file("valkey"),
        )
        admin_url = urls[valkey.ADMINISTRATOR]
        await self._supervisor.start(
            Program(
                command=command,
                kind="server",
                check=lambda: valkey.check_valkey(admin_url),
                port=port,
                url=admin_url,
            )
        )
        return urls["barcode"]

    async def _ask(self, name: str, check: Check) -> None:
        try:
            await run_check(check)
        except NotReady as error:
            raise StartFailed(f"the {name} server from outside does not answer: {error}") from error

    def _use(self, name: str, url: str) -> None:
        """Take somebody else's server."""
        self._supervisor.add_outside(Member(name=name, kind="server", url=url))
        self._announce(Announcement(kind="note", name=name, text="is an outside server"))

    def _password(self, name: str) -> str:
        return remembered_password(self._layout.secret_file(f"{name}.password"))
