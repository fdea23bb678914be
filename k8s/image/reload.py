"""Runs a command, and runs it anew whenever a Python or SQL file below /app changes.

For live development alone (stage ``live`` of the Dockerfile): ``python /opt/reload.py python -m
wallet_svc``. A command that ends by itself is not started again before something changes: its last
words stay the last ones in the log. Standard library only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

SUFFIXES = frozenset({".py", ".sql", ".lua", ".css"})
LOOK_EVERY_SECONDS = 0.5
STOP_SECONDS_MAX = 15.0


def fingerprint(folder: Path) -> dict[str, tuple[int, int]]:
    """When each file was written, and how long it is."""
    return {str(path): (found.st_mtime_ns, found.st_size) for path, found in _files(folder)}


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.rglob("*"):
        if path.suffix in SUFFIXES:
            try:
                yield path, path.stat()
            except FileNotFoundError:  # replaced while we look: the next look sees it
                continue


class Runner:
    """The command's process, started and stopped as told."""

    def __init__(self, command: list[str], *, stop_seconds_max: float = STOP_SECONDS_MAX) -> None:
        self._command = command
        self._stop_seconds_max = stop_seconds_max
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it shares our output."""
        self._process = subprocess.Popen(self._command)  # noqa: S603 - what we were told to run

    def stop(self) -> int:
        """Ask it to end, make it end after a while; answers its exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(self._stop_seconds_max)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def watch(runner: Runner, folder: Path, *, pause: Callable[[], bool]) -> None:
    """Run, and run anew after every change, until `pause` answers that it is over."""
    seen = fingerprint(folder)
    runner.start()
    while pause():
        found = fingerprint(folder)
        if found != seen:
            seen = found
            runner.stop()
            runner.start()


def main() -> None:
    """What the container runs."""
    if not sys.argv[1:]:
        raise SystemExit("reload: say which command to run")
    over = False

    def end(_signal: int, _frame: FrameType | None) -> None:
        nonlocal over
        over = True

    def pause() -> bool:
        time.sleep(LOOK_EVERY_SECONDS)
        return not over

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    runner = Runner(sys.argv[1:])
    watch(runner, Path("/app"), pause=pause)
    sys.exit(runner.stop())


if __name__ == "__main__":
    main()
