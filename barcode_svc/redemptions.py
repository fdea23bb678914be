"""Using scanned codes up, whichever kind they are: issued ones in Valkey, offline ones by table.

What an offline code says is read first, then Valkey is asked for all: only there it is known who
has missed too often. So nobody who is locked learns of a code whether it is sound, and many
attempts at a time are counted one by one. Without Valkey nothing is redeemed, since nobody would
count; without PostgreSQL issued codes still are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from barcode_svc import offline_codes
from barcode_svc.barcodes import Admitted, Barcodes, Finding, RedeemedBarcode, Redemption
from barcode_svc.errors import BarcodeUnknown
from barcode_svc.offline import OfflineCodes, Reading
from barcode_svc.scans import ScanMeter
from chassis.batching import count_batch
from chassis.errors import InvalidArgument, ServiceError

Outcome = RedeemedBarcode | ServiceError


class Redemptions:
    """Redeems batches of codes."""

    def __init__(self, *, barcodes: Barcodes, offline: OfflineCodes, meter: ScanMeter) -> None:
        self._barcodes = barcodes
        self._offline = offline
        self._meter = meter

    async def redeem(self, items: Sequence[Redemption]) -> list[Outcome]:
        """Use codes up, each for itself, in order; one outcome per item.

        The same token gets the same answer again. Outcomes: ``BarcodeUnknown``, ``BarcodeUsed``,
        ``BarcodeExpired``, ``OfflineLimitExceeded``, ``RateLimited``; ``InvalidArgument`` for an
        offline code without an amount; ``Unavailable`` if its half of the work could not be done.
        Raises ``Unavailable``: repeat it with the same tokens.
        """
        outcomes: dict[int, Outcome] = {}
        readings = await self._read(items, outcomes)
        asked = {
            place: self._with_finding(item, readings.get(place))
            for place, item in enumerate(items)
            if place not in outcomes
        }
        outcomes |= await self._ask(asked, readings)
        answers = [outcomes[place] for place in range(len(items))]
        count_batch("redeem", len(items))
        self._meter.count([item.merchant_id for item in items], answers)
        return answers

    async def _read(
        self, items: Sequence[Redemption], outcomes: dict[int, Outcome]
    ) -> dict[int, Reading]:
        """What the offline ones among the codes say; those that are answered by that go into
        ``outcomes``."""
        offline = []
        for place, item in enumerate(items):
            if not offline_codes.has_form(item.code):
                continue
            if item.amount_minor < 1 or not item.currency_code:
                outcomes[place] = InvalidArgument([("money", "is required for an offline code")])
            else:
                offline.append(place)
        if not offline:
            return {}
        try:
            found = await self._offline.read([items[place] for place in offline])
        except ServiceError as error:
            outcomes |= dict.fromkeys(offline, error)
            return {}
        readings = dict(zip(offline, found, strict=True))
        outcomes |= {place: it.replay for place, it in readings.items() if it.replay is not None}
        return readings

    def _with_finding(self, item: Redemption, reading: Reading | None) -> Redemption:
        if reading is None:
            return item
        return replace(item, finding=reading.finding, device_id=reading.device_id)

    async def _ask(
        self, asked: dict[int, Redemption], readings: dict[int, Reading]
    ) -> dict[int, Outcome]:
        if not asked:
            return {}
        answers = dict(zip(asked, await self._barcodes.redeem(list(asked.values())), strict=True))
        admitted = [place for place, answer in answers.items() if isinstance(answer, Admitted)]
        outcomes: dict[int, Outcome] = {
            place: answer for place, answer in answers.items() if not isinstance(answer, Admitted)
        }
        if not admitted:
            return outcomes
        try:
            used = await self._offline.use([(asked[place], readings[place]) for place in admitted])
        except ServiceError as error:
            return outcomes | dict.fromkeys(admitted, error)
        outcomes |= dict(zip(admitted, used, strict=True))
        # Another merchant was a moment faster: that costs what any unknown code costs.
        late = [place for place in admitted if isinstance(outcomes[place], BarcodeUnknown)]
        if late:
            missed = [replace(asked[place], finding=Finding.MISSED, device_id="") for place in late]
            await self._barcodes.redeem(missed)
        return outcomes
