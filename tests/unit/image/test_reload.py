"""The watcher of live development: a changed file starts the command anew."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from k8s.image.reload import Runner, fingerprint, watch


class Tally(Runner):
    """Counts, and runs nothing."""

    def __init__(self) -> None:
        super().__init__([])
        self.calls: list[str] = []

    def start(self) -> None:
        """Noted."""
        self.calls.append("start")

    def stop(self) -> int:
        """Noted."""
        self.calls.append("stop")
        return 0


def watched(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """What is done when these files are written, one at each look."""
    tally = Tally()
    coming: Iterator[tuple[str, str]] = iter(changes)

    def pause() -> bool:
        change = next(coming, None)
        if change is not None:
            path = folder / change[0]
            path.parent.mkdir(exist_ok=True)
            path.write_text(change[1])
            # As if a second had passed: a file system's clock may be coarse.
            found = path.stat()
            os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 10**9))
        return change is not None

    watch(tally, folder, pause=pause)
    return tally.calls


def test_a_change_starts_it_anew(tmp_path: Path) -> None:
    """Goal: a new file, a changed one of the same length, SQL too; once for each."""
    (tmp_path / "a.py").write_text("1")

    changes = (("b/c.py", "x"), ("a.py", "2"), ("b/0001_pre_x.sql", "SELECT 1"))
    assert watched(tmp_path, *changes) == ["start"] + 3 * ["stop", "start"]


def test_what_is_no_code_changes_nothing(tmp_path: Path) -> None:
    """Goal: bytecode and logs, which the process itself may write, do not restart it for ever."""
    assert watched(tmp_path, ("a.pyc", "x"), ("b.log", "y"), ("c", "z")) == ["start"]


def test_a_file_that_is_removed_is_a_change(tmp_path: Path) -> None:
    """Goal: what is gone is noticed."""
    (tmp_path / "a.py").write_text("1")
    before = fingerprint(tmp_path)
    (tmp_path / "a.py").unlink()

    assert list(before) == [str(tmp_path / "a.py")]
    assert fingerprint(tmp_path) == {}


def test_a_command_that_will_not_end_is_ended(tmp_path: Path) -> None:
    """Goal: one that ignores SIGTERM cannot keep new code from running."""
    ready = tmp_path / "ready"
    code = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    runner = Runner([sys.executable, "-c", code], stop_seconds_max=0.2)
    runner.start()
    while not ready.exists():
        os.sched_yield()

    assert runner.stop() == -9
