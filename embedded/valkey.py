"""Valkey from the wheel: configuration, access list, start, readiness."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from embedded.binaries import VALKEY_DISTRIBUTION, find_binary
from embedded.child import Command, ServerProcess, running
from embedded.errors import NotReady
from embedded.passwords import make_password, write_private
from embedded.ports import LOOPBACK, find_free_port

ADMINISTRATOR = "admin"

RULES = {
    ADMINISTRATOR: "~* &* +@all",
    "barcode": "resetchannels ~barcode:* +@all -@admin -@dangerous",
}
"""What each user may do. Valkey's own default user is off."""


class ValkeyServer(msgspec.Struct, frozen=True, kw_only=True):
    """A running Valkey."""

    url: str
    """URL of the administrator, with password."""
    barcode_url: str
    """URL of barcode_svc's user, with password: keys `barcode:*` only."""
    port: int
    process: ServerProcess
    """To kill it and start it again."""


def valkey_url(*, user: str, password: str, port: int) -> str:
    """The URL of a server on this machine's loopback."""
    return f"redis://{user}:{password}@{LOOPBACK}:{port}/0"


def valkey_command(
    *, directory: Path, port: int, passwords: Mapping[str, str], log_file: Path
) -> Command:
    """Write configuration and access list into `directory` and say how to start the server.

    `passwords` has one for each user of RULES.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    lines = ["user default reset off"]
    for user, rules in RULES.items():
        digest = hashlib.sha256(passwords[user].encode()).hexdigest()
        lines.append(f"user {user} reset on #{digest} {rules}")
    write_private(directory / "users.acl", "\n".join(lines) + "\n")
    configuration = directory / "valkey.conf"
    write_private(configuration, _configuration(directory, port))
    return Command(
        name="valkey",
        arguments=(str(find_binary(VALKEY_DISTRIBUTION, "valkey-server")), str(configuration)),
        log_file=log_file,
        directory=directory,
    )


def _configuration(directory: Path, port: int) -> str:
    return f"""\
bind {LOOPBACK}
port {port}
daemonize no
dir "{directory}"
aclfile "{directory / "users.acl"}"
databases 1
# Codes live for a minute; a crash may forget the last second of them, and then they cannot be used.
save ""
appendonly yes
appendfsync everysec
# Full means refused, never silently forgotten.
maxmemory 256mb
maxmemory-policy noeviction
# The directory's name stays in the process list, where people look for it.
set-proc-title no
"""


async def check_valkey(url: str) -> None:
    """Sign in as the user of the URL and ping. Raises NotReady."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(
        parts.hostname or LOOPBACK, parts.port or 6379, ssl=parts.scheme == "rediss" or None
    )
    try:
        if parts.password is not None:
            user, password = unquote(parts.username or "default"), unquote(parts.password)
            await _command(reader, writer, "AUTH", user, password)
        await _command(reader, writer, "PING")
    finally:
        writer.close()


async def _command(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *words: str) -> None:
    """Send one command in RESP and read its one-line answer."""
    request = f"*{len(words)}\r\n"
    request += "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
    writer.write(request.encode())
    await writer.drain()
    answer = await reader.readline()
    if not answer.startswith(b"+"):
        raise NotReady(f"Valkey: {answer.decode(errors='replace').strip() or 'connection closed'}")


@asynccontextmanager
async def running_valkey(directory: Path) -> AsyncIterator[ValkeyServer]:
    """Start a Valkey in an existing directory; stop it at the end.

    The directory gets `valkey/` and `valkey.log`. Raises StackError, StartFailed.
    """
    port = find_free_port()
    passwords = {user: make_password() for user in RULES}
    command = valkey_command(
        directory=directory / "valkey",
        port=port,
        passwords=passwords,
        log_file=directory / "valkey.log",
    )
    urls = {user: valkey_url(user=user, password=passwords[user], port=port) for user in RULES}
    async with running(command, lambda: check_valkey(urls[ADMINISTRATOR])) as process:
        yield ValkeyServer(
            url=urls[ADMINISTRATOR], barcode_url=urls["barcode"], port=port, process=process
        )
