"""Processes that fall, that do not stop, and that lose their supervisor."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from embedded.child import Command
from embedded.errors import AlreadyRunning, NotReady, StartFailed
from embedded.layout import Layout
from embedded.ports import LOOPBACK, find_free_port
from embedded.stack import stop_orphans, stop_stack
from embedded.state import (
    Member,
    ProcessIdentity,
    State,
    identify,
    is_alive,
    read_state,
    supervisor_lock,
    write_state,
)
from embedded.supervisor import Announcement, Program, Supervisor

LISTENS = """
import signal, socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()[0].close()
"""
IGNORES_SIGTERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + LISTENS


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A data directory."""
    layout = Layout(tmp_path / "data")
    layout.create()
    return layout


async def connect(port: int) -> None:
    """Ready means that somebody listens."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError as error:
        raise NotReady(str(error)) from error
    writer.close()


def make_program(
    layout: Layout, name: str, source: str = LISTENS, *, stop_seconds: float = 5
) -> Program:
    """A program that listens on a port of its own."""
    port = find_free_port()
    command = Command(
        name=name,
        arguments=(sys.executable, "-c", source, str(port)),
        log_file=layout.log_file(name),
        directory=layout.root,
        stop_seconds=stop_seconds,
    )
    return Program(command=command, kind="process", check=partial(connect, port), port=port)


def make_supervisor(
    layout: Layout, announce: Callable[[Announcement], None], *, ready_seconds_max: float = 20
) -> Supervisor:
    """A supervisor in this very process."""
    identity = identify(os.getpid())
    assert identity is not None
    return Supervisor(
        layout=layout,
        identity=identity,
        announce=announce,
        ready_seconds_max=ready_seconds_max,
    )


class Watched:
    """A supervisor whose announcements can be waited for."""

    def __init__(self, layout: Layout) -> None:
        self.announcements: asyncio.Queue[Announcement] = asyncio.Queue()
        self.supervisor = make_supervisor(layout, self.announcements.put_nowait)

    async def next(self, kind: str) -> Announcement:
        """The next announcement of a kind."""
        async with asyncio.timeout(20):
            while True:
                announcement = await self.announcements.get()
                if announcement.kind == kind:
                    return announcement


@pytest.fixture
async def watched(layout: Layout) -> AsyncIterator[Watched]:
    """A supervisor; whatever it still runs is killed."""
    watched = Watched(layout)
    yield watched
    await watched.supervisor.kill_all()


def pid_of(layout: Layout, name: str) -> int:
    """A member's process number, as `status` sees it."""
    state = read_state(layout)
    assert state is not None
    member = state.member(name)
    assert member is not None
    assert member.identity is not None
    return member.identity.pid


async def test_what_falls_is_started_again(layout: Layout, watched: Watched) -> None:
    """Goal: a killed process comes back as another one, which is said; the state stays true."""
    program = make_program(layout, "victim")
    await watched.supervisor.start(program)
    first = pid_of(layout, "victim")
    os.kill(first, signal.SIGKILL)
    warning = await watched.next("warning")
    assert (warning.name, warning.text) == (
        "victim",
        "was killed by SIGKILL; it starts again in 0.25 s",
    )
    # The first "ready" is that of the first start.
    await watched.next("ready")
    await program.check()
    assert pid_of(layout, "victim") != first


async def test_what_keeps_falling_is_started_less_often(layout: Layout, watched: Watched) -> None:
    """Goal: each pause is twice as long as the one before."""
    await watched.supervisor.start(make_program(layout, "victim"))
    for pause in ("0.25 s", "0.5 s"):
        await watched.next("ready")
        os.kill(pid_of(layout, "victim"), signal.SIGKILL)
        assert (await watched.next("warning")).text.endswith(pause)


async def test_a_start_that_fails_says_why(layout: Layout, watched: Watched) -> None:
    """Goal: the error names the process and shows the end of its log."""
    program = make_program(layout, "broken", "raise SystemExit('no such setting')")
    with pytest.raises(StartFailed, match=r"broken ended with status 1; its log is .*\nno such"):
        await watched.supervisor.start(program)


async def test_a_start_that_takes_too_long_fails(layout: Layout) -> None:
    """Goal: a process that never becomes ready does not keep its user waiting for ever."""
    supervisor = make_supervisor(layout, lambda _: None, ready_seconds_max=0.2)
    silent = make_program(layout, "silent", "import time; time.sleep(60)")
    with pytest.raises(
        StartFailed, match=r"silent was not ready after 0\.2 seconds: .*Connect call failed"
    ):
        await supervisor.start(silent)
    await supervisor.stop()


async def test_stopping_ends_the_stubborn_too(layout: Layout, watched: Watched) -> None:
    """Goal: after `stop` nothing runs, also what does not listen to SIGTERM; and nothing comes
    back."""
    await watched.supervisor.start(make_program(layout, "polite"))
    await watched.supervisor.start(
        make_program(layout, "stubborn", IGNORES_SIGTERM, stop_seconds=0.2)
    )
    identities = [identify(pid_of(layout, name)) for name in ("polite", "stubborn")]
    await watched.supervisor.stop()
    for identity in identities:
        assert identity is not None
        assert not is_alive(identity)
    state = read_state(layout)
    assert state is not None
    assert state.members == ()


def start_lone_supervisor(layout: Layout, permission: Path) -> subprocess.Popen[bytes]:
    """A supervisor in a process of its own, whose child obeys SIGTERM only if that file exists."""
    script = Path(__file__).with_name("lone_supervisor.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(layout.root), str(permission)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    return process


async def test_nothing_outlives_a_killed_supervisor(layout: Layout, tmp_path: Path) -> None:
    """Goal: when the supervisor is killed, the kernel asks its children to end."""
    process = start_lone_supervisor(layout, permission=tmp_path)
    child = identify(pid_of(layout, "survivor"))
    process.kill()
    process.communicate()
    assert child is not None
    async with asyncio.timeout(20):
        await gone(child)


async def test_what_a_killed_supervisor_left_is_ended(layout: Layout, tmp_path: Path) -> None:
    """Goal: a child that did not listen to the kernel's request is found and ended by the next
    `up` or `down`; then there is nothing more to end."""
    permission = tmp_path / "permission"
    process = start_lone_supervisor(layout, permission)
    child = identify(pid_of(layout, "survivor"))
    process.kill()
    process.communicate()
    assert child is not None
    async with asyncio.timeout(20):
        while "SIGTERM" not in layout.log_file("survivor").read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert is_alive(child)
    permission.touch()
    announcements: list[Announcement] = []
    assert await stop_orphans(layout, announce=announcements.append)
    assert not is_alive(child)
    assert [item.text for item in announcements] == [
        "ending what an interrupted run left: survivor"
    ]
    assert not await stop_orphans(layout, announce=announcements.append)


async def test_strangers_are_left_alone(layout: Layout) -> None:
    """Goal: a process that has the number of one of ours, from an old state, is not touched."""
    mine = identify(os.getpid())
    assert mine is not None
    stranger = ProcessIdentity(pid=mine.pid, birth="another boot/1")
    member = Member(name="postgres", kind="server", identity=stranger, stop_signal=signal.SIGKILL)
    write_state(layout, State(supervisor=stranger, ready=True, members=(member,)))
    assert not await stop_stack(layout, announce=lambda _: None)
    assert read_state(layout) is None


async def test_down_ends_a_running_supervisor(layout: Layout, tmp_path: Path) -> None:
    """Goal: `down` asks the supervisor, waits until it is gone, and ends what it left."""
    process = start_lone_supervisor(layout, permission=tmp_path)
    child = identify(pid_of(layout, "survivor"))
    assert child is not None
    with pytest.raises(AlreadyRunning, match=str(process.pid)), supervisor_lock(layout):
        pass
    status, stopped = await asyncio.gather(
        asyncio.to_thread(process.wait), stop_stack(layout, announce=lambda _: None)
    )
    assert (status, stopped) == (-signal.SIGTERM, True)
    assert not is_alive(child)
    process.communicate()


async def gone(identity: ProcessIdentity) -> None:
    """Wait until a process is gone."""
    while is_alive(identity):  # noqa: ASYNC110  # nothing tells us of a process that is not ours
        await asyncio.sleep(0.01)
