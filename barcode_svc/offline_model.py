"""Which uses of offline codes are allowed. Pure: no I/O, no clock, no chance."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from barcode_svc import offline_codes
from barcode_svc.errors import BarcodeExpired, BarcodeUnknown, BarcodeUsed, OfflineLimitExceeded

SpendingKey = tuple[str, date, str]
"""Owner, day and currency."""

DEVICE_NAME_LENGTH_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that may make codes while it is offline."""

    id: str
    """"dev_..."."""
    owner_id: str
    name: str
    """The owner's word for it."""
    handle: int
    """How its codes name it: 9 digits."""
    key_id: str
    sealed_secret: bytes
    create_time: datetime
    expire_time: datetime
    """Until then it makes codes without having been online again."""
    revoke_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a code was used for."""

    device_id: str
    time_window: int
    owner_id: str
    code_digest: str
    redemption_token: str
    merchant_id: str
    amount_minor: int
    currency_code: str
    use_time: datetime

    @property
    def issuance_id(self) -> str:
        """Unique for ever to the device and the window: payments are unique by it."""
        return f"off_{self.device_id.removeprefix('dev_')}_{self.time_window}"

    @property
    def spending_key(self) -> SpendingKey:
        """Whose spending of which day (UTC) and currency it belongs to."""
        return self.owner_id, self.use_time.astimezone(UTC).date(), self.currency_code


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineLimits:
    """How much, by currency, in its minor unit. Another currency is not paid offline at all."""

    code_minor_max: Mapping[str, int]
    """One code."""
    day_minor_max: Mapping[str, int]
    """All of a person's codes in a day (UTC)."""


def is_device_name(text: str) -> bool:
    """Whether a device may be called so: 1 to 64 printable characters, no spaces at the ends."""
    return 1 <= len(text) <= DEVICE_NAME_LENGTH_MAX and text.isprintable() and text == text.strip()


def is_usable(device: Device, *, now: datetime) -> bool:
    """Whether its codes are taken."""
    return device.revoke_time is None and now < device.expire_time


def decide_use(
    use: Use,
    device: Device,
    *,
    uses: MutableMapping[tuple[str, int], Use],
    spent_minor: MutableMapping[SpendingKey, int],
    limits: OfflineLimits,
) -> bool:
    """Whether this is a new use, which then is among ``uses`` and ``spent_minor``; False for the
    repeat of one that is there.

    Raises ``BarcodeUsed`` (by the same merchant), ``BarcodeUnknown`` (by another one, or the device
    was revoked), ``BarcodeExpired``, ``OfflineLimitExceeded`` (and nothing is used up).
    """
    place = use.device_id, use.time_window
    before = uses.get(place)
    if before is not None:
        if before.redemption_token == use.redemption_token:
            return False
        raise BarcodeUsed if before.merchant_id == use.merchant_id else BarcodeUnknown
    if device.revoke_time is not None:
        raise BarcodeUnknown
    current = offline_codes.is_current(use.time_window, now=use.use_time)
    if not current or not is_usable(device, now=use.use_time):
        raise BarcodeExpired
    key = use.spending_key
    code_max = limits.code_minor_max.get(use.currency_code, 0)
    day_max = limits.day_minor_max.get(use.currency_code, 0)
    if use.amount_minor > code_max or spent_minor[key] + use.amount_minor > day_max:
        raise OfflineLimitExceeded
    uses[place] = use
    spent_minor[key] += use.amount_minor
    return True
