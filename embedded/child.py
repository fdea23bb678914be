"""One operating-system process of the local stack: start it, see it ready, stop it, and never lose
it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from embedded.errors import NotReady, StartFailed
from embedded.layout import show_path
from embedded.privileges import AS_IS, Privilege, launch_arguments

LOG_SIZE_MAX_BYTES = 10 * 1024 * 1024
"""A log longer than this is set aside as `<name>.log.1` when its process starts."""

_POLL_SECONDS = 0.05
_CHECK_TIMEOUT_SECONDS = 5.0
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "SSL_CERT_FILE")

Check = Callable[[], Awaitable[None]]
"""Returns when the process is ready for work, raises NotReady otherwise."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """How to start and stop one process."""

    name: str
    arguments: tuple[str, ...]
    """The program's absolute path and its arguments."""
    log_file: Path
    directory: Path
    """The working directory."""
    environment: Mapping[str, str] = {}
    """What is inherited is little (PATH, HOME, ...): a child sees what its command says."""
    stop_signal: int = signal.SIGTERM
    """Asks it to end in good order. The kernel sends it too, should the supervisor die."""
    stop_seconds: float = 10.0
    """From the stop signal to SIGKILL."""
    privilege: Privilege = AS_IS


class Child:
    """A running process that was started from a Command."""

    def __init__(self, *, command: Command, process: asyncio.subprocess.Process) -> None:
        self.command = command
        self._process = process

    @property
    def pid(self) -> int:
        """The operating system's number of the process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Wait until it ends; its exit status, negative for a signal."""
        return await self._process.wait()

    def send(self, signal_number: int) -> None:
        """Send a signal, if it still runs."""
        with suppress(ProcessLookupError):
            if self.running:
                self._process.send_signal(signal_number)

    async def stop(self) -> None:
        """Ask it to end, wait, and kill it if it does not."""
        self.send(self.command.stop_signal)
        try:
            await asyncio.wait_for(self.wait(), timeout=self.command.stop_seconds)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        self.send(signal.SIGKILL)
        await self.wait()


async def start_child(command: Command, *, inside: Sequence[str] = ()) -> Child:
    """Start a process; it gets its own process group, so that a terminal's Ctrl-C is the
    supervisor's alone.

    `inside` begins the command line: a program that changes where it runs and then becomes the rest
    of the line, in the same process. Must be called from the main thread: the kernel's death signal
    follows the thread that forked.
    """
    with open_log(command.log_file) as log:
        process = await asyncio.create_subprocess_exec(
            *inside,
            *launch_arguments(
                command.arguments,
                directory=command.directory,
                privilege=command.privilege,
                death_signal=command.stop_signal,
            ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**inherited_environment(), **command.environment},
            process_group=0,
        )
    return Child(command=command, process=process)


def inherited_environment() -> dict[str, str]:
    """The little that every child gets from our own environment."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def open_log(log_file: Path) -> BinaryIO:
    """Open a log to append to it; one that has grown too long is set aside first."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if log_file.stat().st_size > LOG_SIZE_MAX_BYTES:
            log_file.replace(log_file.with_name(log_file.name + ".1"))
    return log_file.open("ab")


def last_lines(log_file: Path, *, count: int = 15) -> str:
    """The end of a log, for a message about its process."""
    try:
        with log_file.open("rb") as log:
            log.seek(max(0, log_file.stat().st_size - 16_384))
            lines = log.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(lines[-count:])


def describe_exit(status: int) -> str:
    """An exit status in words: "was killed by SIGKILL", "ended with status 1"."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


async def wait_until_ready(child: Child, check: Check, *, timeout_seconds: float) -> None:
    """Ask a child until it is ready.

    Raises StartFailed, with the last lines of its log, if it ends or stays unready for too long.
    """
    deadline = time.monotonic() + timeout_seconds
    reason = "it gave no answer"
    while True:
        if not child.running:
            raise StartFailed(_failure(child.command, describe_exit(await child.wait())))
        try:
            await run_check(check)
        except NotReady as error:
            reason = str(error)
        else:
            return
        if time.monotonic() > deadline:
            waited = f"was not ready after {timeout_seconds:g} seconds: {reason}"
            raise StartFailed(_failure(child.command, waited))
        await asyncio.sleep(_POLL_SECONDS)


async def run_check(check: Check) -> None:
    """Run a check within its time. Raises NotReady."""
    try:
        await asyncio.wait_for(check(), timeout=_CHECK_TIMEOUT_SECONDS)
    except TimeoutError as error:
        raise NotReady("no answer in time") from error
    except OSError as error:
        raise NotReady(str(error)) from error


def _failure(command: Command, what: str) -> str:
    tail = last_lines(command.log_file)
    return f"{command.name} {what}; its log is {show_path(command.log_file)}\n{tail}".strip()


class ServerProcess:
    """One server that can be killed and started again: what tests of faults hold in their hands."""

    def __init__(self, *, command: Command, check: Check, ready_seconds: float = 30.0) -> None:
        self.command = command
        self._check = check
        self._ready_seconds = ready_seconds
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """Its process number while it runs."""
        return self._child.pid if self._child is not None and self._child.running else None

    async def start(self) -> None:
        """Start it and wait until it is ready. Raises StartFailed."""
        self._child = await start_child(self.command)
        try:
            await wait_until_ready(self._child, self._check, timeout_seconds=self._ready_seconds)
        except BaseException:
            await self._child.kill()
            raise

    async def stop(self) -> None:
        """End it in good order."""
        if self._child is not None:
            await self._child.stop()

    async def kill(self) -> None:
        """End it as a crash would."""
        if self._child is not None:
            await self._child.kill()


@asynccontextmanager
async def running(command: Command, check: Check) -> AsyncIterator[ServerProcess]:
    """Start a process, wait until it is ready, and stop it at the end."""
    server = ServerProcess(command=command, check=check)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
