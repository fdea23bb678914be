"""qrpay in three zones: one of everything in each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec

from chassis.clock import SystemClock
from cli.demo import load_demo
from cli.mesh import Mesh
from cli.reports import Demo
from embedded import prepare
from embedded.databases import service_passwords, service_role, url_for
from embedded.health import check_http
from embedded.layout import Layout
from embedded.nats import ADMINISTRATOR, PERMISSIONS, check_nats
from embedded.passwords import write_private
from embedded.postgres import check_postgres
from embedded.processes import MODULES, admin_port_name, make_programs
from embedded.servers import Servers
from embedded.supervisor import Program
from embedded.tokens import Role, load_issuer
from tests.chaos.yard import NO_LIMITS
from tests.zones import engines
from tests.zones.engines import Secrets
from tests.zones.network import ADDRESSES, POSTGRES, ZONES, Network
from tests.zones.operator import Operator, Say
from tests.zones.places import Place, until_ready

PORTS = {
    name: 7000 + number for number, name in enumerate(("wallet", "barcode", "ledger", "payment"))
} | {"gateway": 8080}
_ADMIN_PORT = 9090
_ROLES: dict[str, Role] = {
    "alice": "customer",
    "bob": "customer",
    "cafe": "merchant",
    "ops": "operator",
}

_SETTINGS = {
    **NO_LIMITS,
    "QRPAY_PAYMENT_NATS_REPLICAS": "3",
    "QRPAY_LEDGER_NATS_REPLICAS": "3",
    "QRPAY_LEDGER_RECONCILE_EVERY_SECONDS": "5",
    "QRPAY_LEDGER_RECONCILE_SETTLE_SECONDS": "10",
}


class System:
    """All zones and what runs there."""

    def __init__(self, directory: Path, *, network: Network, say: Say) -> None:
        self.layout = Layout(directory / "shared")
        """What the zones share: secrets, certificates, the key of the tokens."""
        self.network = network
        self.secrets = Secrets()
        self.places = {zone: Place(zone, directory / f"zone-{zone}") for zone in ZONES}
        self.operator = Operator(self.places, network=network, secrets=self.secrets, say=say)
        self.demo: Demo

    @property
    def admin_url(self) -> str:
        """The primary's, wherever it is."""
        return self.secrets.postgres_url(POSTGRES)

    async def start(self) -> None:
        """Start everything everywhere, and make the people who pay."""
        self.layout.create()
        await self._start_engines()
        write_private(self.layout.secret_file("postgres-admin.url"), self.admin_url + "\n")
        await asyncio.to_thread(prepare.prepare, self.layout)
        await asyncio.gather(*(self.start_processes(zone) for zone in ZONES))
        async with self.mesh(ZONES[0]) as mesh:
            self.demo = await load_demo(mesh)

    async def start_nats(self, zone: str) -> None:
        """Start a zone's NATS server; it waits for the others to be a cluster."""
        place = self.places[zone]
        await place.start(engines.nats(zone, place.directory, self.secrets))

    async def start_processes(self, zone: str) -> None:
        """Start one copy of every process in a zone, and wait until its gateway takes work."""
        place = self.places[zone]
        for program in self._programs(zone):
            log_file = place.directory / f"{program.name}.log"
            await place.start(msgspec.structs.replace(program.command, log_file=log_file))
        await until_ready(
            lambda: check_http(address=ADDRESSES[zone], port=PORTS["gateway"], path="/readyz"),
            f"the gateway in zone {zone}",
        )

    def token(self, handle: str) -> str:
        """A token of a demo user."""
        return load_issuer(self.layout.tokens).issue(
            subject=self.demo.owner_ids[handle],
            role=_ROLES[handle],
            now=SystemClock().now(),
            life=timedelta(hours=2),
        )

    def mesh(self, zone: str) -> Mesh:
        """The services of a zone, called with the operator's certificate."""
        return Mesh(self.layout, PORTS, address=ADDRESSES[zone])

    def fallen(self) -> list[str]:
        """Programs that ended though nobody ended them."""
        return [
            f"{name} in zone {zone}"
            for zone, place in self.places.items()
            for name in place.fallen()
        ]

    async def _start_engines(self) -> None:
        first, *others = ZONES
        for zone in ZONES:
            await self.start_nats(zone)
        place = self.places[first]
        url = self.secrets.postgres_url(ADDRESSES[first])
        await place.start(
            await engines.postgres(first, place.directory, self.secrets),
            lambda: check_postgres(url),
        )
        await place.start(engines.valkey(first, place.directory, self.secrets))
        await engines.make_replicator(self.secrets, first)
        await self.operator.begin()
        for zone in others:
            await self.operator.take_back(zone)
        await until_ready(
            lambda: check_nats(self.secrets.nats_url(ADMINISTRATOR)), "the cluster of NATS"
        )

    def _programs(self, zone: str) -> list[Program]:
        ports = {
            **PORTS,
            **{admin_port_name(name): _ADMIN_PORT + n for n, name in enumerate(MODULES)},
        }
        passwords = service_passwords(self.layout)
        servers = Servers(
            database_urls={
                name: url_for(
                    self.admin_url, user=service_role(name), password=pair.service, database=name
                )
                for name, pair in passwords.items()
            },
            nats_urls={name: self.secrets.nats_url(name) for name in PERMISSIONS},
            valkey_url=self.secrets.valkey_url("barcode"),
        )
        return make_programs(
            layout=self.layout, ports=ports, servers=servers, environment=_environment(zone)
        )


def _environment(zone: str) -> Mapping[str, str]:
    """What makes the local stack's processes those of a zone: where they listen, and that they use
    the copies in all zones in turn."""
    found = dict(_SETTINGS)
    for name in MODULES:
        listen = "HTTP_LISTEN" if name == "gateway" else "GRPC_LISTEN"
        found[f"QRPAY_{name.upper()}_{listen}"] = f"{ADDRESSES[zone]}:{PORTS[name]}"
        for callee in ("wallet", "barcode", "ledger", "payment"):
            copies = ",".join(f"{ADDRESSES[other]}:{PORTS[callee]}" for other in ZONES)
            found[f"QRPAY_{name.upper()}_{callee.upper()}_TARGET"] = f"ipv4:{copies}"
    return found


@asynccontextmanager
async def running_system(directory: Path, *, say: Say) -> AsyncIterator[System]:
    """Everything in three zones, and the operator at work, for the time of the block."""
    network = Network()
    await network.create()
    system = System(directory, network=network, say=say)
    watching: asyncio.Task[None] | None = None
    try:
        await system.start()
        watching = asyncio.create_task(system.operator.run(), name="operator")
        yield system
    finally:
        if watching is not None:
            watching.cancel()
        for place in system.places.values():
            await place.kill()
