"""Zones as network namespaces on one bridge, and what can happen to a zone's link.

Everything lies in a network and a process namespace of its own (see ``enter``), which the kernel
takes away with the last process in it: nothing of it can be left behind, or reach the machine's own
network.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

ZONES = ("a", "b", "c")
ADDRESSES = {zone: f"10.77.0.{11 + number}" for number, zone in enumerate(ZONES)}
HUB = "10.77.0.1"
"""Where people and the operator are: in none of the zones."""
NETWORK = "10.77.0.0/24"
POSTGRES = "10.77.0.100"
"""The address that the primary has, wherever it is: what a Kubernetes Service is to its pods."""
VALKEY = "10.77.0.101"

SLOW_BITS_PER_SECOND = "1500kbit"
SLOW_QUEUE = "400ms"
"""A slow zone's link, each way: so narrow, and what waits longer is lost."""

_INSIDE = "QRPAY_ZONES_INSIDE"
_NAMES = Path("/run/netns")
_TOOLS = ("ip", "bridge", "tc", "unshare", "nsenter")


class NoZones(Exception):
    """Zones cannot be made here; the text says what is missing."""


def enter(module: str) -> None:
    """Start this program again inside namespaces of its own, unless it is there already.

    Does not return from outside. Raises ``NoZones``.
    """
    if os.environ.get(_INSIDE):
        return
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise NoZones("zones are network namespaces: this needs Linux, and root")
    if missing := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        raise NoZones(f"install iproute2 and util-linux; there is no {', '.join(missing)}")
    os.environ[_INSIDE] = "1"
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    os.execvp(unshare[0], [*unshare, sys.executable, "-m", module, *sys.argv[1:]])  # noqa: S606


def in_zone(zone: str) -> list[str]:
    """What a command line begins with to run in a zone; it stays the same process."""
    return ["nsenter", f"--net={_NAMES / zone}"]


class Network:
    """The zones' links."""

    async def create(self) -> None:
        """Make the bridge and the zones."""
        await _run("mkdir", "-p", str(_NAMES))
        await _run("mount", "-t", "tmpfs", "zones", str(_NAMES))
        await _run("ip", "link", "set", "lo", "up")
        await _run("ip", "link", "add", "hub", "type", "bridge")
        await _run("ip", "addr", "add", f"{HUB}/24", "dev", "hub")
        await _run("ip", "link", "set", "hub", "up")
        for zone in ZONES:
            await _run("ip", "netns", "add", zone)
            await _run(
                *("ip", "link", "add", _port(zone), "type", "veth"),
                *("peer", "name", "eth0", "netns", zone),
            )
            await _run("ip", "link", "set", _port(zone), "master", "hub", "up")
            await self._inside(zone, "addr", "add", f"{ADDRESSES[zone]}/24", "dev", "eth0")
            await self._inside(zone, "link", "set", "eth0", "up")
            await self._inside(zone, "link", "set", "lo", "up")

    async def cut(self, zone: str) -> None:
        """From now on nothing reaches the zone and nothing leaves it; nobody is told."""
        await _run("bridge", "link", "set", "dev", _port(zone), "state", "0")

    async def slow(self, zone: str) -> None:
        """Make the zone's link narrow, both ways."""
        shape = ("root", "tbf", "rate", SLOW_BITS_PER_SECOND, "burst", "16kb")
        await _run("tc", "qdisc", "add", "dev", _port(zone), *shape, "latency", SLOW_QUEUE)
        await _run(
            *in_zone(zone),
            *("tc", "qdisc", "add", "dev", "eth0", *shape, "latency", SLOW_QUEUE),
        )

    async def heal(self, zone: str) -> None:
        """The link is as it was."""
        await _run("bridge", "link", "set", "dev", _port(zone), "state", "3")
        await _try("tc", "qdisc", "del", "dev", _port(zone), "root")
        await _try(*in_zone(zone), "tc", "qdisc", "del", "dev", "eth0", "root")

    async def give(self, address: str, zone: str) -> None:
        """Let a zone have an address that others have had, and everybody forget where it was."""
        await self._inside(zone, "addr", "replace", f"{address}/32", "dev", "eth0")
        await self.forget_neighbours()

    async def take(self, address: str, zone: str) -> None:
        """Take an address away from a zone."""
        await _try("ip", "-n", zone, "addr", "del", f"{address}/32", "dev", "eth0")

    async def forget_neighbours(self) -> None:
        """Have every zone ask anew who has which address."""
        await _run("ip", "neigh", "flush", "dev", "hub")
        for zone in ZONES:
            await self._inside(zone, "neigh", "flush", "dev", "eth0")

    async def _inside(self, zone: str, *words: str) -> None:
        await _run("ip", "-n", zone, *words)


def _port(zone: str) -> str:
    return f"zone-{zone}"


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise NoZones(f"{' '.join(command)}: {errors.decode(errors='replace').strip()}")


async def _try(*command: str) -> None:
    """Undo what may not be there."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    await process.wait()
