"""One zone's programs: started there, killed together, started again."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import psutil

from embedded.child import Check, Child, Command, run_check, start_child
from embedded.errors import NotReady
from tests.zones.network import in_zone

_READY_SECONDS_MAX = 60.0
_POLL_SECONDS = 0.1


class Place:
    """What runs in a zone."""

    def __init__(self, zone: str, directory: Path) -> None:
        self.zone = zone
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._children: dict[str, Child] = {}

    async def start(self, command: Command, check: Check | None = None) -> None:
        """Start a program in the zone, and wait until it is ready if there is a check."""
        self._children[command.name] = await start_child(command, inside=in_zone(self.zone))
        if check is not None:
            await until_ready(check, command.name)

    async def kill(self, *names: str) -> None:
        """End programs as a power cut does; without names, all."""
        children = [self._children.pop(name) for name in names or tuple(self._children)]
        await asyncio.gather(*(child.kill() for child in children))

    def stop_replication(self) -> int:
        """Have PostgreSQL send nothing more to those that follow it now, until it is killed.
        Answers how many those are."""
        server = psutil.Process(self._children["postgres"].pid)
        senders = [
            child for child in server.children() if " walsender " in " ".join(child.cmdline())
        ]
        for sender in senders:
            sender.send_signal(signal.SIGSTOP)
        return len(senders)

    def runs(self, name: str) -> bool:
        """Whether a program is there."""
        return name in self._children and self._children[name].running

    def fallen(self) -> list[str]:
        """Programs that ended though nobody ended them."""
        return [name for name, child in self._children.items() if not child.running]


async def until_ready(check: Check, name: str) -> None:
    """Ask until it is ready. Raises ``TimeoutError``."""
    deadline, reason = time.monotonic() + _READY_SECONDS_MAX, ""
    while time.monotonic() < deadline:
        try:
            await run_check(check)
        except (NotReady, OSError) as error:
            reason = str(error)
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return
    raise TimeoutError(f"{name} is not ready: {reason}")
