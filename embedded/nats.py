"""NATS from the wheel: configuration with exact permissions per user, start, readiness."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from chassis.tls import TlsFiles
from embedded.binaries import NATS_DISTRIBUTION, find_binary
from embedded.child import Command, ServerProcess, running
from embedded.errors import NotReady
from embedded.passwords import make_password, write_private
from embedded.ports import LOOPBACK, find_free_port

ADMINISTRATOR = "admin"

STREAMS = (
    "PAYMENT_TASKS",
    "PAYMENT_RETRIES",
    "PAYMENT_RESULTS",
    "PAYMENT_DEAD_LETTERS",
    "ADVISORIES",
)
"""The streams of the payment queue. Named one by one: a NATS wildcard stands for a whole token
only."""


class Permissions(msgspec.Struct, frozen=True, kw_only=True):
    """Subjects that one user may use; nothing else is allowed."""

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()


class NatsUser(msgspec.Struct, frozen=True, kw_only=True):
    """One user of the server."""

    name: str
    password: str
    permissions: Permissions | None = None
    """None allows everything."""


def _consumer_subjects(stream: str, consumer: str) -> tuple[str, ...]:
    """What it takes to declare one consumer, or all (`*`) of a stream, to pull from it and to
    acknowledge."""
    return (
        f"$JS.API.CONSUMER.CREATE.{stream}.{consumer}",
        f"$JS.API.CONSUMER.CREATE.{stream}.{consumer}.>",
        f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{consumer}",
        f"$JS.API.CONSUMER.INFO.{stream}.{consumer}",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}",
        f"$JS.ACK.{stream}.{consumer}.>",
    )


def _payment_permissions() -> Permissions:
    publish = ["payments.>", "$JS.API.INFO"]
    for stream in STREAMS:
        publish += [f"$JS.API.STREAM.{verb}.{stream}" for verb in ("CREATE", "UPDATE", "INFO")]
        publish += _consumer_subjects(stream, "*")
    # The desk reads what the server gave up, and removes letters that were dealt with. And of all
    # streams it is told how old the oldest message is.
    publish += [f"$JS.API.STREAM.MSG.GET.{stream}" for stream in STREAMS]
    publish.append("$JS.API.STREAM.PURGE.PAYMENT_DEAD_LETTERS")
    return Permissions(publish=tuple(publish), subscribe=("_INBOX_payment.>",))


PERMISSIONS = {
    "payment": _payment_permissions(),
    "ledger": Permissions(
        publish=(
            "$JS.API.INFO",
            "$JS.API.STREAM.INFO.PAYMENT_RESULTS",
            "$JS.API.STREAM.MSG.GET.PAYMENT_RESULTS",
            *_consumer_subjects("PAYMENT_RESULTS", "ledger-posting"),
            "ledger.head",
            *(f"$JS.API.STREAM.{verb}.LEDGER_HEADS" for verb in ("CREATE", "UPDATE", "INFO")),
        ),
        subscribe=("_INBOX_ledger.>",),
    ),
    "gateway": Permissions(subscribe=("payments.event", "_INBOX_gateway.>")),
}
"""What each service may do; the administrator may do everything."""


class NatsServer(msgspec.Struct, frozen=True, kw_only=True):
    """A running NATS server with JetStream."""

    url: str
    """URL of the administrator, with password."""
    port: int
    users: tuple[NatsUser, ...]
    process: ServerProcess
    """To kill it and start it again."""
    encrypted: bool = False
    """Whether it demands TLS, and a certificate."""

    def url_for(self, name: str) -> str:
        """The URL of one user ("payment", "ledger", "gateway"). Raises KeyError."""
        passwords = {user.name: user.password for user in self.users}
        scheme = "tls" if self.encrypted else "nats"
        return nats_url(user=name, password=passwords[name], port=self.port, scheme=scheme)


def nats_url(*, user: str, password: str, port: int, scheme: str = "nats") -> str:
    """The URL of a server on this machine's loopback."""
    return f"{scheme}://{user}:{password}@{LOOPBACK}:{port}"


def service_users(passwords: dict[str, str]) -> tuple[NatsUser, ...]:
    """The administrator and every service, with the passwords given by name."""
    services = [
        NatsUser(name=name, password=passwords[name], permissions=permissions)
        for name, permissions in PERMISSIONS.items()
    ]
    return (NatsUser(name=ADMINISTRATOR, password=passwords[ADMINISTRATOR]), *services)


def nats_command(
    *,
    directory: Path,
    port: int,
    monitor_port: int,
    users: Sequence[NatsUser],
    log_file: Path,
    durable: bool = True,
    tls: TlsFiles | None = None,
) -> Command:
    """Write the configuration into `directory` and say how to start the server.

    `durable=False` is for tests: the disk is written when the system likes. With `tls` it demands
    a certificate of everybody.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    configuration = directory / "nats.conf"
    # JSON is a subset of the configuration language.
    settings: dict[str, Any] = {
        "server_name": "qrpay",
        "listen": f"{LOOPBACK}:{port}",
        "http": f"{LOOPBACK}:{monitor_port}",
        "max_payload": 1024 * 1024,
        "jetstream": {
            "store_dir": str(directory / "store"),
            # An acknowledged message has reached the disk; the server's default is two minutes
            # later.
            "sync_interval": "always" if durable else "2m",
            "max_memory_store": 64 * 1024 * 1024,
            "max_file_store": 8 * 1024 * 1024 * 1024,
        },
        "authorization": {"users": [user_entry(user) for user in users]},
    }
    if tls is not None:
        names = ("cert_file", "key_file", "ca_file")
        settings["tls"] = {name: str(file) for name, file in zip(names, tls, strict=True)}
        settings["tls"]["verify"] = True
    write_private(configuration, msgspec.json.format(msgspec.json.encode(settings)).decode() + "\n")
    server = find_binary(NATS_DISTRIBUTION, "nats-server")
    return Command(
        name="nats",
        arguments=(str(server), "--config", str(configuration)),
        log_file=log_file,
        directory=directory,
    )


def user_entry(user: NatsUser) -> dict[str, object]:
    """A user as the server's configuration has him."""
    entry: dict[str, object] = {"user": user.name, "password": user.password}
    if user.permissions is not None:
        entry["permissions"] = {
            "publish": _allowed(user.permissions.publish),
            "subscribe": _allowed(user.permissions.subscribe),
        }
    return entry


def _allowed(subjects: tuple[str, ...]) -> dict[str, list[str]]:
    # An empty list of allowed subjects would allow everything.
    return {"allow": list(subjects)} if subjects else {"deny": [">"]}


async def check_nats(url: str) -> None:
    """Connect as the user of the URL and ask JetStream about itself. Raises NotReady.

    Of several URLs, the first is asked. A server that wants TLS is only asked whether it is there.
    """
    parts = urlsplit(url.partition(",")[0])
    reader, writer = await asyncio.open_connection(parts.hostname or LOOPBACK, parts.port or 4222)
    try:
        about = await _expect(reader, b"INFO ")
        if b'"tls_required":true' in about:
            return
        inbox = f"_INBOX_{unquote(parts.username or 'check')}.{os.urandom(8).hex()}"
        hello = msgspec.json.encode(
            {
                "user": unquote(parts.username or ""),
                "pass": unquote(parts.password or ""),
                "verbose": False,
                "pedantic": False,
            }
        )
        writer.write(b"CONNECT " + hello + b"\r\n")
        writer.write(f"SUB {inbox} 1\r\nPUB $JS.API.INFO {inbox} 0\r\n\r\n".encode())
        await writer.drain()
        await _expect(reader, b"MSG ")
        answer = await reader.readline()
        if b'"error"' in answer:
            raise NotReady("NATS: JetStream is not ready")
    except (asyncio.IncompleteReadError, ValueError) as error:
        raise NotReady("NATS: no sensible answer") from error
    finally:
        writer.close()


async def _expect(reader: asyncio.StreamReader, start: bytes) -> bytes:
    """Read lines until one starts so, and answer it; pings are no answer and need none here."""
    while True:
        line = await reader.readline()
        if line.startswith(start):
            return line
        if not line or line.startswith(b"-ERR"):
            raise NotReady(f"NATS: {line.decode(errors='replace').strip() or 'connection closed'}")


@asynccontextmanager
async def running_nats(
    directory: Path,
    *,
    users: Sequence[NatsUser] | None = None,
    durable: bool = False,
    tls: TlsFiles | None = None,
) -> AsyncIterator[NatsServer]:
    """Start a NATS server with JetStream in an existing directory; stop it at the end.

    `users` None means those of the stack: the administrator and every service with its exact
    permissions. The directory gets `nats/` and `nats.log`. Raises StackError, StartFailed.
    """
    if users is None:
        users = service_users({name: make_password() for name in (ADMINISTRATOR, *PERMISSIONS)})
    port = find_free_port()
    command = nats_command(
        directory=directory / "nats",
        port=port,
        monitor_port=find_free_port(taken={port}),
        users=users,
        log_file=directory / "nats.log",
        durable=durable,
        tls=tls,
    )
    url = nats_url(
        user=users[0].name,
        password=users[0].password,
        port=port,
        scheme="tls" if tls is not None else "nats",
    )
    async with running(command, lambda: check_nats(url)) as process:
        yield NatsServer(
            url=url, port=port, users=tuple(users), process=process, encrypted=tls is not None
        )
