"""Puts back into the queue what has been PENDING too long: whatever the queue lost, this finds.

A payment is PENDING until its result was applied, so a task or a result that got lost -- the whole
queue, for that matter -- leaves its payment here. Executing it again gives the stored outcome. What
is PENDING for longer than a payment may take goes to the dead letters: it is never forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from chassis import tracing
from chassis.clock import Clock
from chassis.database import Database
from chassis.logs import get_logger
from chassis.metrics import Counter, Gauge
from chassis.repeating import repeat
from payment_svc import desk, operations
from payment_svc.dead_letters import LetterReason, payment_letter
from payment_svc.messages import task_message
from payment_svc.model import StoredPayment, is_too_late
from payment_svc.traces import showing
from qrpay.payment.v1 import payment_queue_pb2

_LOG = get_logger(__name__)
_REPUBLISHED = Counter(
    "qrpay.sweeper.republished",
    unit="{payment}",
    description="Payments that were put into the queue again.",
)
_OPEN_LETTERS = Gauge(
    "qrpay.dead_letters.open", unit="{letter}", description="Dead letters that wait for a person."
)
_OLDEST_LETTER = Gauge(
    "qrpay.dead_letters.oldest.age", unit="s", description="Age of the oldest open dead letter."
)

_PAYMENTS_MAX = 256
"""How many payments go back at a time: one message."""
_DESK_EVERY_SWEEPS = 5
"""Letters are looked at this much more rarely than payments."""


class Sweeper:
    """Looks for overdue payments, again and again. Several may run: one takes each payment."""

    def __init__(
        self,
        *,
        database: Database,
        publish_tasks: Callable[[Sequence[StoredPayment]], Awaitable[None]],
        publish_dead_letter: Callable[[payment_queue_pb2.DeadLetter], Awaitable[None]],
        clock: Clock,
        every_seconds: float,
        again_after_seconds: float,
        deadline_seconds: float,
    ) -> None:
        self._database = database
        self._publish_tasks = publish_tasks
        self._publish_dead_letter = publish_dead_letter
        self._clock = clock
        self._every_seconds = every_seconds
        self._again_after_seconds = again_after_seconds
        self._deadline_seconds = deadline_seconds
        self._turns = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep until told to stop."""
        await repeat(self.take_turn, name="sweep", every_seconds=self._every_seconds, stop=stop)

    async def take_turn(self) -> None:
        """Sweep, and at every fifth turn look at letters too."""
        await self.sweep()
        if self._turns % _DESK_EVERY_SWEEPS == 0:
            await self.look_at_letters()
        self._turns += 1

    async def sweep(self) -> int:
        """Put one message's worth of overdue payments back; answer how many."""
        rows = await operations.take_overdue(
            self._database,
            again_after_seconds=self._again_after_seconds,
            count_max=_PAYMENTS_MAX,
        )
        if not rows:
            return 0
        now = self._clock.now()
        late = {
            row.id
            for row in rows
            if is_too_late(row.create_time, now=now, deadline_seconds=self._deadline_seconds)
        }
        again = [row for row in rows if row.id not in late]
        if again:
            oldest = min(row.create_time for row in again)
            _LOG.info("swept", payments=len(again), oldest=oldest.isoformat())
            _REPUBLISHED.add(len(again))
            with showing("sweep", [task_message(row) for row in again] if tracing.is_on() else []):
                await self._publish_tasks(again)
        for row in rows:
            if row.id in late:
                await self._publish_dead_letter(self._overdue(row))
        return len(rows)

    async def look_at_letters(self) -> None:
        """Close letters that have become void, and tell how many wait for a person."""
        await desk.settle_letters(self._database, clock=self._clock)
        count, oldest_seconds = await desk.count_open(self._database)
        _OPEN_LETTERS.set(count)
        _OLDEST_LETTER.set(oldest_seconds)

    def _overdue(self, row: StoredPayment) -> payment_queue_pb2.DeadLetter:
        return payment_letter(
            task_message(row),
            reason=LetterReason.OVERDUE,
            attempts=0,
            first_failure_time=row.create_time,
            last_failure_time=self._clock.now(),
            last_error=f"not executed within {self._deadline_seconds:.0f} s",
            consumer="sweeper",
        )
