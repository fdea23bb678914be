"""Puts back into the queue what has been PENDING too long: whatever the queue lost, this finds.

A payment is PENDING until its result was applied, so a task or a result that got lost -- the whole
queue, for that matter -- leaves its payment here. Executing it again gives the stored outcome.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import ServiceError
from chassis.logs import get_logger
from payment_svc import operations
from payment_svc.model import StoredPayment

_LOG = get_logger(__name__)

_PAYMENTS_MAX = 256
"""How many payments go back at a time: one message."""


class Sweeper:
    """Looks for overdue payments, again and again. Several may run: one takes each payment."""

    def __init__(
        self,
        *,
        database: Database,
        publish_tasks: Callable[[Sequence[StoredPayment]], Awaitable[None]],
        clock: Clock,
        every_seconds: float,
        again_after_seconds: float,
    ) -> None:
        self._database = database
        self._publish_tasks = publish_tasks
        self._clock = clock
        self._every_seconds = every_seconds
        self._again_after_seconds = again_after_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep until told to stop. A sweep that fails is tried again at the next turn."""
        while not stop.is_set():
            try:
                await self.sweep()
            except ServiceError as error:
                _LOG.warning("sweep failed", reason=error.reason)
            try:
                await asyncio.wait_for(stop.wait(), self._every_seconds)
            except TimeoutError:
                continue

    async def sweep(self) -> int:
        """Put one message's worth of overdue payments back; answer how many."""
        rows = await operations.take_overdue(
            self._database,
            clock=self._clock,
            again_after_seconds=self._again_after_seconds,
            count_max=_PAYMENTS_MAX,
        )
        if rows:
            _LOG.info(
                "swept", payments=len(rows), oldest=min(row.create_time for row in rows).isoformat()
            )
            await self._publish_tasks(rows)
        return len(rows)
