"""PostgreSQL, NATS and Valkey as one zone has them: the local stack's own, made part of a whole."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from embedded.binaries import POSTGRES_DISTRIBUTION, find_binary
from embedded.child import Command
from embedded.nats import ADMINISTRATOR as NATS_ADMINISTRATOR
from embedded.nats import PERMISSIONS, nats_command, service_users
from embedded.passwords import make_password
from embedded.postgres import ADMINISTRATOR, postgres_command
from embedded.valkey import RULES, valkey_command
from tests.zones.network import ADDRESSES, NETWORK, VALKEY, ZONES

POSTGRES_PORT, VALKEY_PORT, NATS_PORT = 5432, 6379, 4222
_MONITOR_PORT, _ROUTES_PORT = 8222, 6222
_REPLICATOR = "replicator"
_COPY_SECONDS_MAX = 60.0

_POSTGRES = f"""
listen_addresses = '*'
max_connections = 300             # three copies of every process
synchronous_commit = on
synchronous_standby_names = 'ANY 1 ({", ".join(f"zone_{zone}" for zone in ZONES)})'
wal_sender_timeout = 5s
wal_receiver_timeout = 5s
wal_receiver_status_interval = 1s
wal_keep_size = 512MB
shared_buffers = 256MB
"""
_HOST_RULES = f"""
host    all          all            {NETWORK}   scram-sha-256
host    replication  {_REPLICATOR}  {NETWORK}   scram-sha-256
"""


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """Passwords that the zones share."""

    postgres: str = msgspec.field(default_factory=make_password)
    replicator: str = msgspec.field(default_factory=make_password)
    nats: dict[str, str] = msgspec.field(
        default_factory=lambda: {
            name: make_password() for name in (NATS_ADMINISTRATOR, *PERMISSIONS)
        }
    )
    valkey: dict[str, str] = msgspec.field(
        default_factory=lambda: {name: make_password() for name in RULES}
    )

    def postgres_url(self, address: str, database: str = "postgres") -> str:
        """As the superuser."""
        return f"postgresql://{ADMINISTRATOR}:{self.postgres}@{address}:{POSTGRES_PORT}/{database}"

    def nats_url(self, user: str) -> str:
        """All three servers."""
        return ",".join(
            f"nats://{user}:{self.nats[user]}@{ADDRESSES[zone]}:{NATS_PORT}" for zone in ZONES
        )

    def valkey_url(self, user: str, address: str = VALKEY) -> str:
        """One server."""
        return f"redis://{user}:{self.valkey[user]}@{address}:{VALKEY_PORT}/0"


async def postgres(zone: str, directory: Path, secrets: Secrets, *, follows: str = "") -> Command:
    """How to start a zone's PostgreSQL: the first primary, or a fresh copy of the primary in the
    zone that it ``follows``."""
    cluster = directory / "postgres"
    if follows:
        shutil.rmtree(cluster, ignore_errors=True)
        await _copy(cluster, follows, secrets)
    command = await postgres_command(
        cluster=cluster,
        port=POSTGRES_PORT,
        admin_password=secrets.postgres,
        log_file=directory / "postgres.log",
    )
    with (cluster / "postgresql.conf").open("a") as file:
        file.write(_POSTGRES)
        if follows:
            file.write(f"primary_conninfo = '{conninfo(zone, follows, secrets)}'\n")
    with (cluster / "pg_hba.conf").open("a") as file:
        file.write(_HOST_RULES)
    return command


def conninfo(zone: str, primary: str, secrets: Secrets) -> str:
    """How a zone's standby reaches the primary."""
    return (
        f"host={ADDRESSES[primary]} port={POSTGRES_PORT} user={_REPLICATOR}"
        f" password={secrets.replicator} application_name=zone_{zone} connect_timeout=2"
    )


async def make_replicator(secrets: Secrets, primary: str) -> None:
    """The role as which standbys come."""
    url = secrets.postgres_url(ADDRESSES[primary])
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        # Nobody follows yet: this commit would wait for ever.
        await connection.execute("SET synchronous_commit = local")
        await connection.execute(
            f"CREATE ROLE {_REPLICATOR} REPLICATION LOGIN PASSWORD '{secrets.replicator}'".encode()
        )


async def _copy(cluster: Path, primary: str, secrets: Secrets) -> None:
    process = await asyncio.create_subprocess_exec(
        str(find_binary(POSTGRES_DISTRIBUTION, "pg_basebackup")),
        *("--host", ADDRESSES[primary], "--port", str(POSTGRES_PORT), "--username", _REPLICATOR),
        *("--pgdata", str(cluster), "--checkpoint", "fast", "--wal-method", "stream"),
        "--no-password",
        env={"PGPASSWORD": secrets.replicator, "LC_ALL": "C"},
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(_COPY_SECONDS_MAX):
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    (cluster / "standby.signal").touch()


def nats(zone: str, directory: Path, secrets: Secrets) -> Command:
    """How to start a zone's NATS server, a third of the cluster."""
    command = nats_command(
        directory=directory / "nats",
        port=NATS_PORT,
        monitor_port=_MONITOR_PORT,
        users=service_users(secrets.nats),
        log_file=directory / "nats.log",
    )
    file = directory / "nats" / "nats.conf"
    settings: dict[str, Any] = json.loads(file.read_text())
    settings["server_name"] = f"zone-{zone}"
    settings["server_tags"] = [f"az:{zone}"]
    settings["listen"] = f"{ADDRESSES[zone]}:{NATS_PORT}"
    settings["jetstream"]["unique_tag"] = "az:"
    settings["cluster"] = {
        "name": "qrpay",
        "listen": f"{ADDRESSES[zone]}:{_ROUTES_PORT}",
        "routes": [f"nats-route://{ADDRESSES[other]}:{_ROUTES_PORT}" for other in ZONES],
    }
    # A zone that is cut off is silent, not gone: it is found by a ping.
    settings["ping_interval"], settings["ping_max"] = "5s", 2
    file.write_text(json.dumps(settings, indent=2))
    return command


def valkey(zone: str, directory: Path, secrets: Secrets, *, follows: str = "") -> Command:
    """How to start a zone's Valkey: the first primary, or a copy of the one it ``follows``."""
    command = valkey_command(
        directory=directory / "valkey",
        port=VALKEY_PORT,
        passwords=secrets.valkey,
        log_file=directory / "valkey.log",
    )
    file = directory / "valkey" / "valkey.conf"
    lines = [
        line for line in file.read_text().splitlines() if not line.startswith(("bind ", "port "))
    ]
    lines += ["bind 0.0.0.0", f"port {VALKEY_PORT}", "protected-mode no"]
    lines += ["primaryuser admin", f"primaryauth {secrets.valkey['admin']}", "repl-timeout 5"]
    if follows:
        lines.append(f"replicaof {ADDRESSES[follows]} {VALKEY_PORT}")
    file.write_text("\n".join(lines) + "\n")
    return command
