"""Work that is done again and again until the process stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from chassis.errors import ServiceError
from chassis.logs import get_logger

_LOG = get_logger(__name__)


async def repeat(
    work: Callable[[], Awaitable[object]],
    *,
    name: str,
    every_seconds: float,
    stop: asyncio.Event,
) -> None:
    """Do ``work``, rest for ``every_seconds``, do it again, until told to stop.

    Work that fails with a ``ServiceError`` is logged under its ``name`` and comes again at its next
    turn: what it needs is away for now. Any other error is a defect, and ends the process.
    """
    while not stop.is_set():
        try:
            await work()
        except ServiceError as error:
            _LOG.warning("turn failed", work=name, reason=error.reason)
        try:
            await asyncio.wait_for(stop.wait(), every_seconds)
        except TimeoutError:
            continue


class Look:
    """Reads something for the metrics, again and again. When it cannot be read, ``forget`` is
    called, and the metric has no value: that is to be seen, and not what was true before. Whatever
    goes wrong, the process goes on."""

    def __init__(
        self,
        read: Callable[[], Awaitable[object]],
        *,
        forget: Callable[[], object],
        name: str,
        every_seconds: float,
    ) -> None:
        self._read = read
        self._forget = forget
        self._name = name
        self._every_seconds = every_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Read until told to stop."""
        await repeat(self.look, name=self._name, every_seconds=self._every_seconds, stop=stop)

    async def look(self) -> None:
        """Read once."""
        try:
            await self._read()
        except ServiceError as error:
            self._forget()
            _LOG.warning("not read", work=self._name, reason=error.reason)
        except Exception as error:  # noqa: BLE001 - what is only watched must not end what works
            self._forget()
            _LOG.error("not read", work=self._name, exc_info=error)
