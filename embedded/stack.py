"""The whole local stack: up, watched, down again; and what a crash left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from embedded.errors import StackError
from embedded.layout import Layout
from embedded.ports import find_free_port, port_is_free, remembered_ports
from embedded.processes import MODULES, admin_port_name, make_programs
from embedded.prometheus import find_prometheus, prometheus_program
from embedded.servers import ServerStarter
from embedded.state import (
    Member,
    ProcessIdentity,
    State,
    forget_state,
    identify,
    is_alive,
    is_uncollected,
    read_state,
    signal_process,
    supervisor_lock,
)
from embedded.supervisor import Announce, Announcement, Program, Supervisor

HTTP_PORT_DEFAULT = 8080

_READY_SECONDS_MAX = 60.0
_POLL_SECONDS = 0.05
_COLLECT_SECONDS_MAX = 5.0
_ORPHAN_SECONDS_MAX = 15.0
_DOWN_SECONDS_MAX = 60.0
_SERVER_PORTS = ("postgres", "nats", "nats-monitor", "valkey", "prometheus")


class StackOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may choose."""

    data: Path
    """The data directory; made if it is missing."""
    http_port: int | None = None
    """The gateway's port; None: the usual one, or another if that is taken."""
    environment: Mapping[str, str] = {}
    """The user's environment variables: servers from outside, settings of processes."""
    observe: bool = False
    """Whether a Prometheus runs with it and reads every process."""


class RunningStack(msgspec.Struct, frozen=True, kw_only=True):
    """A stack in which everything runs and listens."""

    layout: Layout
    ports: Mapping[str, int]
    """By process: gateway, wallet, ..."""
    supervisor: Supervisor
    prometheus_url: str | None = None
    """Where its Prometheus is, if it has one."""

    @property
    def gateway_url(self) -> str:
        """URL of the HTTP API."""
        return f"http://127.0.0.1:{self.ports['gateway']}"


@asynccontextmanager
async def running_stack(
    options: StackOptions, *, announce: Announce
) -> AsyncIterator[RunningStack]:
    """Start everything, keep it running, end everything.

    Cancelling ends everything in good order; cancelling again while it does kills what is left.
    Raises StackError (AlreadyRunning, StartFailed, ...) when that cannot be done; nothing is left
    running then.
    """
    observer = find_prometheus(options.environment) if options.observe else None
    layout = Layout(options.data)
    layout.create()
    with supervisor_lock(layout):
        await stop_orphans(layout, announce=announce)
        ports = choose_ports(layout, options.http_port, announce)
        identity = identify(os.getpid())
        assert identity is not None, "this process exists"
        supervisor = Supervisor(
            layout=layout,
            identity=identity,
            announce=announce,
            ready_seconds_max=_READY_SECONDS_MAX,
        )
        try:
            programs = await _start_all(layout, supervisor, ports, options.environment, announce)
            url = None
            if observer is not None:
                watcher = prometheus_program(
                    observer, layout=layout, port=ports["prometheus"], programs=programs
                )
                await supervisor.start(watcher)
                url = watcher.url
            yield RunningStack(
                layout=layout, ports=ports, supervisor=supervisor, prometheus_url=url
            )
        finally:
            try:
                await _stop_all(supervisor)
            except asyncio.CancelledError:
                # Somebody asked twice.
                await supervisor.kill_all()
                raise
            finally:
                forget_state(layout)


async def _start_all(
    layout: Layout,
    supervisor: Supervisor,
    ports: Mapping[str, int],
    environment: Mapping[str, str],
    announce: Announce,
) -> list[Program]:
    starter = ServerStarter(
        layout=layout,
        supervisor=supervisor,
        ports=ports,
        environment=environment,
        announce=announce,
    )
    try:
        servers = await starter.start()
        programs = make_programs(
            layout=layout, ports=ports, servers=servers, environment=environment
        )
        async with asyncio.TaskGroup() as group:
            for program in programs:
                group.create_task(supervisor.start(program))
    except BaseExceptionGroup as failures:
        # The first one is the cause: its neighbours were cancelled, or fell with it.
        raise _first(failures) from failures
    return programs


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


async def _stop_all(supervisor: Supervisor) -> None:
    """From the outside in: nobody loses what it still needs to finish its work."""
    await supervisor.stop(["gateway"])
    await supervisor.stop(MODULES)
    await supervisor.stop()


def choose_ports(layout: Layout, http_port: int | None, announce: Announce) -> dict[str, int]:
    """A port for every server and process: those of the last start, where they are free.

    The gateway's is `http_port`, or the usual one, or another if that is taken, which is announced.
    Raises StackError if `http_port` is taken.
    """
    admin_ports = map(admin_port_name, MODULES)
    ports = remembered_ports(layout.ports_file, (*_SERVER_PORTS, *MODULES, *admin_ports))
    if http_port is not None:
        if not port_is_free(http_port):
            raise StackError(f"port {http_port} is taken on 127.0.0.1; choose another --http-port")
        ports["gateway"] = http_port
    elif port_is_free(HTTP_PORT_DEFAULT):
        ports["gateway"] = HTTP_PORT_DEFAULT
    else:
        text = f"port {HTTP_PORT_DEFAULT} is taken; the gateway listens on {ports['gateway']}"
        announce(Announcement(kind="note", name="gateway", text=text))
    for name, port in ports.items():
        if name != "gateway" and port == ports["gateway"]:
            ports[name] = find_free_port(taken=set(ports.values()))
    return ports


async def stop_stack(layout: Layout, *, announce: Announce) -> bool:
    """End the stack that runs on a data directory, or what is left of it; wait until it is gone.

    Answers whether there was anything to end. Raises StackError if something cannot be ended.
    """
    state = read_state(layout)
    if state is None:
        return False
    found = is_alive(state.supervisor)
    if found:
        await _stop_supervisor(state.supervisor, announce)
    with supervisor_lock(layout):
        return await stop_orphans(layout, announce=announce) or found


async def _stop_supervisor(supervisor: ProcessIdentity, announce: Announce) -> None:
    signal_process(supervisor, signal.SIGTERM)
    if not await _wait_until_gone([supervisor], seconds=_DOWN_SECONDS_MAX):
        text = "does not stop; it is killed"
        announce(Announcement(kind="warning", name="supervisor", text=text))
        signal_process(supervisor, signal.SIGKILL)
        await _wait_until_gone([supervisor], seconds=_ORPHAN_SECONDS_MAX)


async def stop_orphans(layout: Layout, *, announce: Announce) -> bool:
    """End what a supervisor left running when it was killed; answers whether there was something.

    The caller knows that no supervisor runs. A process is recognised by number and birth, so that a
    stranger who got the number meanwhile is never touched.
    """
    state = read_state(layout)
    if state is None:
        return False
    orphans = [member for member in _processes_first(state) if _runs(member)]
    if orphans:
        names = ", ".join(member.name for member in orphans)
        text = f"ending what an interrupted run left: {names}"
        announce(Announcement(kind="note", text=text))
    # Servers last: a process that is finishing its work still needs them.
    for kind in ("process", "server"):
        await _end([member for member in orphans if member.kind == kind])
    forget_state(layout)
    return bool(orphans)


def _processes_first(state: State) -> list[Member]:
    return sorted(state.members, key=lambda member: member.kind != "process")


def _runs(member: Member) -> bool:
    return member.identity is not None and is_alive(member.identity)


async def _end(members: Sequence[Member]) -> None:
    identities = [member.identity for member in members if member.identity is not None]
    for member in members:
        if member.identity is not None:
            signal_process(member.identity, member.stop_signal)
    if await _wait_until_gone(identities, seconds=_ORPHAN_SECONDS_MAX):
        return
    for identity in identities:
        signal_process(identity, signal.SIGKILL)
    if not await _wait_until_gone(identities, seconds=_ORPHAN_SECONDS_MAX):
        left = ", ".join(str(identity.pid) for identity in identities if is_alive(identity))
        raise StackError(f"these processes cannot be ended: {left}")


async def _wait_until_gone(identities: Sequence[ProcessIdentity], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(is_alive(identity) for identity in identities):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    # What is left of them is for their parent (init, for orphans) to collect; usually it has.
    collected_at = time.monotonic() + _COLLECT_SECONDS_MAX
    while any(is_uncollected(identity) for identity in identities):
        if time.monotonic() > collected_at:
            break
        await asyncio.sleep(_POLL_SECONDS)
    return True
