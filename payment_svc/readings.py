"""How long payments have been waiting, for those who watch."""

from __future__ import annotations

from chassis.clock import Clock
from chassis.database import Database
from chassis.ids import milliseconds_of
from chassis.metrics import Gauge
from chassis.repeating import Look
from payment_svc.store import pending as store

_OLDEST_AGE = Gauge(
    "qrpay.payment.pending.oldest.age",
    unit="s",
    description="Age of the oldest payment that has not ended and waits for no person; 0: none.",
)


class Readings(Look):
    """Looks for the oldest again and again."""

    def __init__(self, database: Database, *, clock: Clock, every_seconds: float) -> None:
        super().__init__(
            self._read_oldest, forget=_forget, name="readings", every_seconds=every_seconds
        )
        self._database = database
        self._clock = clock

    async def _read_oldest(self) -> None:
        found = await self._database.read(store.oldest_pending)
        if found is None:
            _OLDEST_AGE.set(0.0)
        else:
            # Two clocks: that of the process that accepted it, and ours.
            age_seconds = self._clock.now().timestamp() - milliseconds_of(found) / 1000
            _OLDEST_AGE.set(max(0.0, age_seconds))


def _forget() -> None:
    _OLDEST_AGE.replace({})
