"""Offline codes against the database: whose they are, and using them up. A batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from barcode_svc import offline_codes, offline_model
from barcode_svc.barcodes import Finding, RedeemedBarcode, Redemption
from barcode_svc.codes import CodeSeal
from barcode_svc.device_keys import DeviceKeys
from barcode_svc.offline_codes import Pair
from barcode_svc.offline_model import Device, OfflineLimits, Use
from barcode_svc.store import devices as store
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import ServiceError
from chassis.settings import Secret

_DECOY = bytes(offline_codes.SECRET_BYTES)
"""A number that names no device is compared all the same: a miss takes as long as another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a scanned code says."""

    finding: Finding
    device_id: str = ""
    """Empty if it names none."""
    owner_id: str = ""
    window: int = 0
    replay: RedeemedBarcode | None = None
    """The answer of the first time, if this is a repeat."""


class OfflineCodes:
    """Reads and uses up. Keeps nothing that a restart or a flushed cache could forget."""

    def __init__(
        self,
        *,
        database: Database,
        keys: DeviceKeys,
        seal: CodeSeal,
        limits: OfflineLimits,
        clock: Clock,
    ) -> None:
        self._database = database
        self._keys = keys
        self._seal = seal
        self._limits = limits
        self._clock = clock

    async def read(self, items: Sequence[Redemption]) -> list[Reading]:
        """What each code says, in order; two queries for all of them. Raises ``Unavailable``."""
        digests = [self._seal.digest_of(item.code) for item in items]
        pairs = [self._pairs(item.code) for item in items]
        handles = {pair.handle for candidates in pairs for pair in candidates.values()}

        async def work(connection: AsyncConnection) -> tuple[dict[str, Use], dict[int, Device]]:
            uses = await store.select_uses_by_digest(connection, set(digests))
            return uses, await store.select_by_handle(connection, handles)

        uses, devices = await self._database.read(work)
        now = self._clock.now()
        readings = []
        for item, digest, candidates in zip(items, digests, pairs, strict=True):
            reading = self._reading(candidates, devices, now=now)
            use = uses.get(digest)
            readings.append(_reading_of_used(item, use) if use else reading)
        return readings

    async def use(
        self, items: Sequence[tuple[Redemption, Reading]]
    ) -> list[RedeemedBarcode | ServiceError]:
        """Use up codes that were read as sound, each for itself, in order, in one transaction.

        Outcomes as of ``offline_model.decide_use``. Raises ``Unavailable``: repeat with the same
        tokens.
        """
        now = self._clock.now()
        wanted = [self._use(item, reading, now=now) for item, reading in items]

        async def work(connection: AsyncConnection) -> list[RedeemedBarcode | ServiceError]:
            devices = await store.lock_devices(connection, {use.device_id for use in wanted})
            uses = await store.select_uses(
                connection, {(use.device_id, use.time_window) for use in wanted}
            )
            spent_minor = await store.lock_spending(
                connection,
                {use.spending_key for use in wanted},
            )
            before = dict(spent_minor)
            new: list[Use] = []
            outcomes: list[RedeemedBarcode | ServiceError] = []
            for use in wanted:
                device = devices[use.device_id]
                try:
                    is_new = offline_model.decide_use(
                        use, device, uses=uses, spent_minor=spent_minor, limits=self._limits
                    )
                except ServiceError as error:
                    outcomes.append(error)
                else:
                    outcomes.append(_redeemed(use))
                    new += [use] if is_new else []
            if new:
                await store.insert_uses(connection, new)
                await store.update_spending(
                    connection,
                    {key: minor for key, minor in spent_minor.items() if minor != before[key]},
                )
            return outcomes

        return await self._database.transaction(work)

    def _pairs(self, code: Secret) -> dict[str, Pair]:
        """By key: a code says something else under each."""
        return {
            key.id: offline_codes.read_code(code, key.permutation_key) for key in self._keys.all()
        }

    def _reading(
        self, candidates: dict[str, Pair], devices: dict[int, Device], *, now: datetime
    ) -> Reading:
        named = ""
        for key_id, pair in candidates.items():
            device = devices.get(pair.handle)
            if device is None or device.key_id != key_id or device.revoke_time is not None:
                offline_codes.matching_window(_DECOY, pair.password, now=now)
                continue
            secret = self._keys.open(device.key_id, device.sealed_secret, device.id) or _DECOY
            window = offline_codes.matching_window(secret, pair.password, now=now)
            if window is None or secret is _DECOY:
                named = device.id
                continue
            current = offline_codes.is_current(window, now=now)
            sound = current and offline_model.is_usable(device, now=now)
            return Reading(
                finding=Finding.SOUND if sound else Finding.STALE,
                device_id=device.id,
                owner_id=device.owner_id,
                window=window,
            )
        return Reading(finding=Finding.MISSED, device_id=named)

    def _use(self, item: Redemption, reading: Reading, *, now: datetime) -> Use:
        return Use(
            device_id=reading.device_id,
            time_window=reading.window,
            owner_id=reading.owner_id,
            code_digest=self._seal.digest_of(item.code),
            redemption_token=item.token,
            merchant_id=item.merchant_id,
            amount_minor=item.amount_minor,
            currency_code=item.currency_code,
            use_time=now,
        )


def _reading_of_used(item: Redemption, use: Use) -> Reading:
    # Its own use a merchant is told of (by ``use``, unless it is locked); another one's it is not.
    own = use.merchant_id == item.merchant_id
    return Reading(
        finding=Finding.SOUND if own else Finding.MISSED,
        device_id=use.device_id if own else "",
        owner_id=use.owner_id,
        window=use.time_window,
        replay=_redeemed(use) if use.redemption_token == item.token else None,
    )


def _redeemed(use: Use) -> RedeemedBarcode:
    return RedeemedBarcode(issuance_id=use.issuance_id, owner_id=use.owner_id)
