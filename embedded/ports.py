"""TCP ports on loopback: found once per data directory, kept over restarts."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Container
from pathlib import Path

import msgspec

from embedded.errors import StackError

LOOPBACK = "127.0.0.1"

_FIRST_PORT = 18_000
_LAST_PORT = 32_000
"""Below the range from which kernels take the ports of outgoing connections (Linux: from 32768), so
that a port that is free now is not lent to somebody's connection before its server listens."""
_TRIES_MAX = 200


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: without it, the connections of the last run would block the port for a
        # minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


async def check_listening(port: int) -> None:
    """Connect, and leave again. Raises OSError if nobody listens."""
    _, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.close()


def find_free_port(*, taken: Container[int] = ()) -> int:
    """Find a free port outside of `taken`. Raises StackError if there seems to be none."""
    chance = random.SystemRandom()
    for _ in range(_TRIES_MAX):
        port = chance.randrange(_FIRST_PORT, _LAST_PORT)
        if port not in taken and port_is_free(port):
            return port
    raise StackError("no free TCP port was found on 127.0.0.1")


def remembered_ports(file: Path, names: tuple[str, ...]) -> dict[str, int]:
    """A free port for each name: the one written in `file` if it is still free, else a new one,
    written there."""
    known: dict[str, int] = {}
    if file.exists():
        known = msgspec.json.decode(file.read_bytes(), type=dict[str, int])
    ports: dict[str, int] = {}
    for name in names:
        port = known.get(name)
        if port is None or port in ports.values() or not port_is_free(port):
            port = find_free_port(taken={*known.values(), *ports.values()})
        ports[name] = port
    file.write_bytes(msgspec.json.format(msgspec.json.encode({**known, **ports})) + b"\n")
    return ports
