"""What the book adds up to, for those who watch: debits and credits are equal in every currency."""

from __future__ import annotations

from chassis.database import Database
from chassis.metrics import Gauge
from chassis.repeating import Look
from ledger_svc.store import accounts as store

_TRIAL_BALANCE = Gauge(
    "qrpay.ledger.trial_balance",
    unit="{minor_unit}",
    description="Debits less credits of all accounts of a currency. Always 0.",
    attributes=("qrpay.currency",),
)
_TURNOVER = Gauge(
    "qrpay.ledger.turnover",
    unit="{minor_unit}",
    description="Debits of all accounts of a currency since the book was opened.",
    attributes=("qrpay.currency",),
)


class Readings(Look):
    """Reads the trial balance again and again."""

    def __init__(self, database: Database, *, every_seconds: float) -> None:
        super().__init__(
            self._read_balance, forget=_forget, name="readings", every_seconds=every_seconds
        )
        self._database = database

    async def _read_balance(self) -> None:
        lines = await self._database.read(store.trial_balance)
        _TRIAL_BALANCE.replace(
            {(line.currency_code,): line.debits_minor - line.credits_minor for line in lines}
        )
        _TURNOVER.replace({(line.currency_code,): line.debits_minor for line in lines})


def _forget() -> None:
    _TRIAL_BALANCE.replace({})
    _TURNOVER.replace({})
