"""Where pictures and documents are drawn: processes beside ours, a few, started when first needed.

Not threads. What takes seconds of CPU would hold up the event loop all that time; and decoders of
pictures are the code that strangers' files break most often: a process of its own can run out of
memory, crash or spin without taking anything else with it.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from typing import TypeVar

from chassis.errors import Overloaded, Unavailable
from chassis.logs import get_logger

Result = TypeVar("Result")

_LOG = get_logger(__name__)

_MEMORY_BYTES_MAX = 1024 * 1024 * 1024
"""Address space of a drawing process: four times what the largest picture takes, the libraries
themselves included."""
_TASKS_PER_PROCESS = 256
"""Then it is replaced by a fresh one: what leaks, leaks that long."""


class Studio:
    """Runs functions of modules in at most ``processes_max`` processes.

    At most ``waiting_max`` calls are in it at a time; one that takes longer than ``seconds_max``
    is ended with its process.
    """

    def __init__(self, *, processes_max: int, waiting_max: int, seconds_max: float) -> None:
        self._processes_max = processes_max
        self._waiting_max = waiting_max
        self._seconds_max = seconds_max
        self._inside = 0
        self._pool: ProcessPoolExecutor | None = None

    async def run(self, function: Callable[..., Result], *arguments: object) -> Result:
        """What the function answers or raises.

        Raises ``Overloaded`` if too many wait already, ``Unavailable`` if the process that worked
        on it is gone: it crashed, or was ended.
        """
        if self._inside >= self._waiting_max:
            raise Overloaded
        self._inside += 1
        try:
            return await self._submit(function, *arguments)
        finally:
            self._inside -= 1

    async def close(self) -> None:
        """End the processes; what they work on is lost."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)

    async def _submit(self, function: Callable[..., Result], *arguments: object) -> Result:
        pool = self._pool = self._pool or ProcessPoolExecutor(
            self._processes_max,
            # Never fork: the threads of gRPC would be missing in the child.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            max_tasks_per_child=_TASKS_PER_PROCESS,
        )
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(pool, _timed, self._seconds_max, function, *arguments)
        except BrokenProcessPool as error:
            # Everybody who waited is told; the next one finds a new pool.
            if self._pool is pool:
                self._pool = None
            _LOG.error("a drawing process ended", function=function.__name__)
            raise Unavailable from error


@asynccontextmanager
async def open_studio(
    *, processes_max: int, waiting_max: int, seconds_max: float
) -> AsyncIterator[Studio]:
    """A studio for the time of the block."""
    studio = Studio(processes_max=processes_max, waiting_max=waiting_max, seconds_max=seconds_max)
    try:
        yield studio
    finally:
        await studio.close()


def _begin() -> None:
    """What a drawing process does first: nothing of it may outlive us, or eat the machine."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for our parent, who ends us
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES_MAX, _MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    parent = multiprocessing.parent_process()
    assert parent is not None, "runs in a child"

    def follow() -> None:
        # A parent that is killed cannot tell us to go.
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _timed(seconds: float, function: Callable[..., Result], *arguments: object) -> Result:
    """Run a function; SIGALRM ends the process if it takes too long."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return function(*arguments)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
