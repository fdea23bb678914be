"""What the wallets add up to, for those who watch: the sum is zero in every currency, or money was
made or lost."""

from __future__ import annotations

from chassis.database import Database
from chassis.metrics import Gauge
from chassis.repeating import Look
from wallet_svc.store import sums as store

_SUM = Gauge(
    "qrpay.wallet.balance.sum",
    unit="{minor_unit}",
    description="Sum of all balances of a currency. Anything but 0 is money made or lost.",
    attributes=("qrpay.currency",),
)
_NEGATIVE = Gauge(
    "qrpay.wallet.negative",
    unit="{wallet}",
    description="Wallets of customers and merchants with less than nothing. Always 0.",
    attributes=("qrpay.currency",),
)
_COUNT = Gauge(
    "qrpay.wallet.count",
    unit="{wallet}",
    description="Wallets, those of the system included.",
    attributes=("qrpay.currency",),
)


class Readings(Look):
    """Reads the sums again and again."""

    def __init__(self, database: Database, *, every_seconds: float) -> None:
        super().__init__(
            self._read_sums, forget=_forget, name="readings", every_seconds=every_seconds
        )
        self._database = database

    async def _read_sums(self) -> None:
        found = await self._database.read(store.sums)
        _SUM.replace({(item.currency_code,): item.balance_minor for item in found})
        _NEGATIVE.replace({(item.currency_code,): item.negative for item in found})
        _COUNT.replace({(item.currency_code,): item.wallets for item in found})


def _forget() -> None:
    for gauge in (_SUM, _NEGATIVE, _COUNT):
        gauge.replace({})
