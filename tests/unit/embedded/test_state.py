"""The written state, and who a process is."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.errors import AlreadyRunning
from embedded.layout import Layout
from embedded.state import (
    Member,
    ProcessIdentity,
    State,
    identify,
    is_alive,
    read_state,
    signal_process,
    supervisor_lock,
    write_state,
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A data directory."""
    layout = Layout(tmp_path / "data")
    layout.create()
    return layout


def test_a_process_is_known_by_its_birth_too() -> None:
    """Goal: a number that was given to another process is not taken for the first one."""
    mine = identify(os.getpid())
    assert mine is not None
    assert is_alive(mine)
    assert not is_alive(ProcessIdentity(pid=mine.pid, birth="another"))


def test_a_stranger_is_never_signalled() -> None:
    """Goal: a signal meant for a dead process does not reach the one that has its number now."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        signal_process(ProcessIdentity(pid=process.pid, birth="another"), signal.SIGKILL)
        process.communicate(b"\n")
    assert process.returncode == 0


def test_a_zombie_is_gone() -> None:
    """Goal: a process that ended but was not collected does not keep `down` waiting."""
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read() == b""
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert identify(process.pid) is None


def test_the_state_is_read_as_written_and_private(layout: Layout) -> None:
    """Goal: `status` and `down` see what the supervisor wrote; nobody else does, for it holds
    passwords."""
    me = ProcessIdentity(pid=1, birth="b")
    member = Member(name="nats", kind="server", identity=me, port=4222, url="nats://a:b@c:1")
    state = State(supervisor=me, ready=True, members=(member,), gateway="http://127.0.0.1:8080")
    assert read_state(layout) is None
    write_state(layout, state)
    assert read_state(layout) == state
    assert stat.S_IMODE(layout.state_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(layout.root.stat().st_mode) == 0o700


def test_one_supervisor_per_directory(layout: Layout) -> None:
    """Goal: a second supervisor is refused while the first holds the directory, and let in
    after."""
    with supervisor_lock(layout), pytest.raises(AlreadyRunning), supervisor_lock(layout):
        pass
    with supervisor_lock(layout):
        pass
