"""Starts processes, waits until they work, starts them again when they fall, and ends them all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from embedded.child import (
    Check,
    Child,
    Command,
    describe_exit,
    start_child,
    wait_until_ready,
)
from embedded.errors import StartFailed
from embedded.layout import Layout
from embedded.state import Member, ProcessIdentity, State, identify, write_state

_PAUSE_SECONDS_FIRST = 0.25
_PAUSE_SECONDS_MAX = 15.0
_STEADY_SECONDS = 60.0
"""A process that ran this long has recovered: its next fall is paused for as little as a first."""


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """Something that people who watch want to know."""

    kind: Literal["starting", "ready", "note", "warning"]
    name: str = ""
    """The server or process it is about."""
    text: str = ""
    seconds: float = 0.0
    """How long it took; with `ready`."""


Announce = Callable[[Announcement], None]


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A server or process: how to start it and how to know that it works."""

    command: Command
    kind: Literal["server", "process"]
    check: Check
    port: int
    url: str | None = None
    admin: str | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self.command.name


class Supervisor:
    """Keeps a set of programs running, and the state file true."""

    def __init__(
        self,
        *,
        layout: Layout,
        identity: ProcessIdentity,
        announce: Announce,
        ready_seconds_max: float,
    ) -> None:
        self._layout = layout
        self._identity = identity
        self._announce = announce
        self._ready_seconds_max = ready_seconds_max
        self._programs: dict[str, Program] = {}
        self._children: dict[str, Child] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._outside: dict[str, Member] = {}
        self._gateway: str | None = None
        self._ready = False
        self._save()

    def add_outside(self, member: Member) -> None:
        """Note a server that somebody else runs."""
        self._outside[member.name] = member
        self._save()

    def say_ready(self, *, gateway: str) -> None:
        """Note that the whole stack works."""
        self._gateway = gateway
        self._ready = True
        self._save()

    async def start(self, program: Program) -> None:
        """Start a program, wait until it works, and keep it running from then on.

        Raises StartFailed if it ends or does not work in time; then it is not started again.
        """
        began = time.monotonic()
        self._announce(Announcement(kind="starting", name=program.name))
        self._programs[program.name] = program
        child = await self._spawn(program)
        await wait_until_ready(child, program.check, timeout_seconds=self._ready_seconds_max)
        self._watchers[program.name] = asyncio.create_task(
            self._keep_running(program, child), name=f"watch {program.name}"
        )
        took = time.monotonic() - began
        self._announce(
            Announcement(
                kind="ready",
                name=program.name,
                text=f"is ready on port {program.port}",
                seconds=took,
            )
        )

    async def stop(self, names: Iterable[str] | None = None) -> None:
        """End the programs named (None: all that are left), in good order and all at a time."""
        if self._ready:
            self._ready = False
            self._save()
        chosen = set(self._programs) if names is None else set(names) & set(self._programs)
        for name in chosen:
            if watcher := self._watchers.pop(name, None):
                watcher.cancel()
                await asyncio.gather(watcher, return_exceptions=True)
        await asyncio.gather(*(self._stop_one(name) for name in chosen))
        self._save()

    async def kill_all(self) -> None:
        """End everything at once, without good order."""
        for watcher in self._watchers.values():
            watcher.cancel()
        await asyncio.gather(*(child.kill() for child in self._children.values()))

    async def _stop_one(self, name: str) -> None:
        if child := self._children.get(name):
            await child.stop()
        self._children.pop(name, None)
        del self._programs[name]

    async def _spawn(self, program: Program) -> Child:
        child = await start_child(program.command)
        self._children[program.name] = child
        self._save()
        return child

    async def _keep_running(self, program: Program, child: Child) -> None:
        pause_seconds = _PAUSE_SECONDS_FIRST
        began = time.monotonic()
        while True:
            status = await child.wait()
            fell = time.monotonic()
            if fell - began > _STEADY_SECONDS:
                pause_seconds = _PAUSE_SECONDS_FIRST
            self._warn(program, f"{describe_exit(status)}; it starts again in {pause_seconds:g} s")
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _PAUSE_SECONDS_MAX)
            began = time.monotonic()
            child = await self._spawn(program)
            await self._see_it_back(program, child, fell)

    async def _see_it_back(self, program: Program, child: Child, fell: float) -> None:
        try:
            await wait_until_ready(child, program.check, timeout_seconds=self._ready_seconds_max)
        except StartFailed as error:
            # Only its end leads to another start: as long as it runs, it may still become ready.
            if child.running:
                self._warn(program, f"is not back yet: {error}")
            return
        took = time.monotonic() - fell
        self._announce(
            Announcement(
                kind="ready",
                name=program.name,
                text=f"is back on port {program.port}",
                seconds=took,
            )
        )

    def _warn(self, program: Program, text: str) -> None:
        self._announce(Announcement(kind="warning", name=program.name, text=text))

    def _save(self) -> None:
        members = [self._member(program) for program in self._programs.values()]
        state = State(
            supervisor=self._identity,
            ready=self._ready,
            members=(*self._outside.values(), *members),
            gateway=self._gateway,
        )
        write_state(self._layout, state)

    def _member(self, program: Program) -> Member:
        child = self._children.get(program.name)
        return Member(
            name=program.name,
            kind=program.kind,
            identity=identify(child.pid) if child is not None and child.running else None,
            port=program.port,
            url=program.url,
            admin=program.admin,
            stop_signal=program.command.stop_signal,
        )
