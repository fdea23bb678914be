"""What runs, written down: how `down` and `status` find a stack, and what a crash left behind.

A process number alone may be a stranger's; a process is known by its number and its birth.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from embedded.errors import AlreadyRunning, NotRunning
from embedded.layout import Layout, show_path
from embedded.passwords import write_private


class ProcessIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """One process of one boot of one machine, never another."""

    pid: int
    birth: str


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A server or process of the stack, as last seen by its supervisor."""

    name: str
    kind: Literal["server", "process"]
    identity: ProcessIdentity | None = None
    """None for a server from outside and for a process that is down at the moment."""
    port: int | None = None
    url: str | None = None
    """A server's URL for its administrator, with password if it asks for one."""
    admin: str | None = None
    """Address and port of a process's admin port."""
    stop_signal: int = 15


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A stack that runs, or that was running when its supervisor died."""

    supervisor: ProcessIdentity
    ready: bool
    """False while it starts and stops."""
    members: tuple[Member, ...] = ()
    gateway: str | None = None
    """URL of the HTTP API."""

    @property
    def ports(self) -> dict[str, int]:
        """The port of every member that listens on one, by name."""
        return {member.name: member.port for member in self.members if member.port is not None}

    def member(self, name: str) -> Member | None:
        """The member of that name."""
        return next((member for member in self.members if member.name == name), None)


def identify(pid: int) -> ProcessIdentity | None:
    """Who has this process number now; None if nobody, or a zombie."""
    try:
        process = psutil.Process(pid)
        # A zombie with threads left is not gone yet: they still hold its files, and our lock.
        if process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1:
            return None
        return ProcessIdentity(pid=pid, birth=_birth(process))
    except psutil.NoSuchProcess:
        return None


def is_uncollected(identity: ProcessIdentity) -> bool:
    """Whether this very process is still in the process list, be it as a zombie."""
    try:
        return _birth(psutil.Process(identity.pid)) == identity.birth
    except psutil.NoSuchProcess:
        return False


def _birth(process: psutil.Process) -> str:
    """When a process began, in a form that does not move when the clock is set."""
    try:
        line = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            raise psutil.NoSuchProcess(process.pid) from None
        return str(process.create_time())
    # proc_pid_stat(5): field 22, counted after the command's name, which may hold anything.
    ticks = line.rpartition(")")[2].split()[19]
    return f"{boot}/{ticks}"


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether this very process still runs."""
    return identify(identity.pid) == identity


def signal_process(identity: ProcessIdentity, signal_number: int) -> None:
    """Send a signal to this very process; nothing happens if it is gone."""
    if is_alive(identity):
        with suppress(ProcessLookupError):
            os.kill(identity.pid, signal_number)


def read_state(layout: Layout) -> State | None:
    """The state written last; None if there is none (or none that can be understood)."""
    try:
        return msgspec.json.decode(layout.state_file.read_bytes(), type=State)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def running_state(layout: Layout) -> State:
    """The state of the stack that runs on a data directory. Raises NotRunning."""
    state = read_state(layout)
    if state is None:
        raise NotRunning(f"nothing runs on {show_path(layout.root)}; qrpay up starts it")
    if not is_alive(state.supervisor):
        raise NotRunning(
            f"the supervisor of {show_path(layout.root)} was killed; "
            "qrpay up starts everything anew, qrpay down clears up"
        )
    return state


def write_state(layout: Layout, state: State) -> None:
    """Replace the state; readers see the old one or the new one."""
    text = msgspec.json.format(msgspec.json.encode(state)).decode()
    write_private(layout.state_file, text + "\n")


def forget_state(layout: Layout) -> None:
    """Nothing runs any more."""
    layout.state_file.unlink(missing_ok=True)


@contextmanager
def supervisor_lock(layout: Layout) -> Iterator[None]:
    """Hold the data directory as its only supervisor. The kernel lets go if this process dies.

    Raises AlreadyRunning.
    """
    with layout.lock_file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            state = read_state(layout)
            where = f" (process {state.supervisor.pid})" if state else ""
            raise AlreadyRunning(
                f"qrpay is already running on {show_path(layout.root)}{where}"
            ) from error
        yield
