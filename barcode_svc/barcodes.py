"""Live barcodes in Valkey: issued once, redeemed once, forgotten after a while.

    barcode:pool:<process>      codes that belong to nobody yet (see ``pool``)
    barcode:code:<digest>       what became of a code: issuance_id, owner_id, expire_us; retired
                                once a newer one replaces it; token and merchant once it is used
    barcode:devices:<owner id>  the latest code of each of the owner's devices
    barcode:misses:<id>         a merchant's (or an offline device's) misses and locks

The two scripts decide; each runs as one step in Valkey. Time comes from the clock of this process:
the processes' clocks must agree to well within a code's life. Only how long things are *kept*
goes by Valkey's own clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from barcode_svc.codes import CodeSeal
from barcode_svc.errors import BarcodeExpired, BarcodeUnknown, BarcodeUsed, RateLimited
from barcode_svc.pool import CodePool
from barcode_svc.valkey import Valkey
from chassis.clock import Clock
from chassis.errors import ServiceError, Unavailable
from chassis.ids import IdMaker
from chassis.settings import Secret

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CODE_PREFIX = "barcode:code:"
_BIND_ATTEMPTS_MAX = 3
_POOL_SHARE = 4
"""Other calls take from the pool too: who wants more than a fourth of it brings spare codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissBudget:
    """How many codes may be missed, and what then: nothing is answered for ``lock_seconds``, twice
    as long each further time up to ``lock_seconds_max``, and as at first after a quiet time."""

    misses_max: int
    """Within ``window_seconds``; the last of them sets the lock."""
    window_seconds: int
    lock_seconds: int
    lock_seconds_max: int
    quiet_seconds: int
    """Without a lock: the earlier ones are forgiven."""

    def arguments(self) -> list[int]:
        """As the redeem script takes them."""
        seconds = (
            *(self.window_seconds, self.lock_seconds, self.lock_seconds_max),
            self.quiet_seconds,
        )
        return [self.misses_max, *(second * 1_000_000 for second in seconds)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BarcodeLimits:
    """How long and how often."""

    ttl_seconds: int = 60
    """A code's life."""
    grace_seconds: int = 5
    """How long a code still pays after its device got a new one: it may be under the scanner."""
    devices_per_owner_max: int = 8
    """A further device takes the place of the one that asked the longest time ago."""
    expired_keep_seconds: int = 300
    """How long an unused code is told to be expired, before it is unknown."""
    used_keep_seconds: int = 3600
    """How long a used code is told to be used, and the answer is given again to the same token."""
    merchant_misses: MissBudget = MissBudget(
        misses_max=10,
        window_seconds=60,
        lock_seconds=60,
        lock_seconds_max=3600,
        quiet_seconds=4 * 3600,
    )
    """What a merchant may miss."""
    device_misses: MissBudget = MissBudget(
        misses_max=20,
        window_seconds=86_400,
        lock_seconds=86_400,
        lock_seconds_max=86_400,
        quiet_seconds=86_400,
    )
    """What all merchants together may miss of one device's offline codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A code to issue."""

    owner_id: str
    device: str = ""
    """Any name by which its owner's devices are told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedBarcode:
    """A code that its owner may show from now on."""

    code: Secret
    """18 digits."""
    expire_time: datetime
    """The last moment at which it is taken."""
    ttl_seconds: int


class Finding(Enum):
    """What is known of a scanned code before Valkey is asked."""

    ONLINE = "online"
    """Only Valkey knows."""
    SOUND = "sound"
    """A device made it, now."""
    STALE = "stale"
    """A device made it, a while ago or without having been online for too long."""
    MISSED = "missed"
    """It has the form of an offline code, and is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """A code to use up."""

    code: Secret
    """What was scanned: any text."""
    token: str
    """Who uses it for what; a repeat has the same."""
    merchant_id: str
    """Who scanned it."""
    finding: Finding = Finding.ONLINE
    device_id: str = ""
    """The device whose offline code it is or pretends to be."""
    amount_minor: int = 0
    """What it shall pay; 0 if that is not said, which will do for an issued code."""
    currency_code: str = ""


class Admitted:
    """An offline code may be used up: neither its merchant nor its device is locked."""


ADMITTED = Admitted()


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemedBarcode:
    """A code that was used up."""

    issuance_id: str
    owner_id: str


class Barcodes:
    """Issues and redeems. Neither loses anything if Valkey forgets: see the package's docstring."""

    def __init__(
        self,
        *,
        valkey: Valkey,
        pool: CodePool,
        seal: CodeSeal,
        clock: Clock,
        ids: IdMaker,
        limits: BarcodeLimits,
    ) -> None:
        self._valkey = valkey
        self._pool = pool
        self._seal = seal
        self._clock = clock
        self._ids = ids
        self._limits = limits
        self._issue_script = valkey.script("issue")
        self._redeem_script = valkey.script("redeem")

    async def issue(self, items: Sequence[Issue]) -> list[IssuedBarcode | ServiceError]:
        """Issue codes, each for itself, in order. A device's code before ends with the grace.

        Outcome of an item that got none: ``Unavailable``. Raises ``Unavailable``; then nobody has
        seen the codes, and they end by themselves.
        """
        now = self._clock.now()
        codes: list[Secret | None] = [None] * len(items)
        for attempt in range(_BIND_ATTEMPTS_MAX):
            open_places = [place for place, code in enumerate(codes) if code is None]
            if not open_places:
                break
            # A spare code costs as much to make as one of the pool: only where the pool may not do.
            spares = attempt > 0 or self._pool.level < _POOL_SHARE * len(items)
            bound = await self._bind([items[place] for place in open_places], now, spares=spares)
            for place, code in zip(open_places, bound, strict=True):
                codes[place] = code
        ttl_seconds = self._limits.ttl_seconds
        expire_time = now + timedelta(seconds=ttl_seconds)
        return [
            IssuedBarcode(code=code, expire_time=expire_time, ttl_seconds=ttl_seconds)
            if code is not None
            else Unavailable()
            for code in codes
        ]

    async def redeem(
        self, items: Sequence[Redemption]
    ) -> list[RedeemedBarcode | Admitted | ServiceError]:
        """Use codes up, each for itself, in order; one outcome per item.

        The same token gets the same answer again for as long as the code is remembered, also after
        its expiry. Outcomes: ``Admitted`` (of a sound offline code: now use it up),
        ``BarcodeUnknown``, ``BarcodeUsed`` (by the same merchant), ``BarcodeExpired``,
        ``RateLimited``. Raises ``Unavailable``: repeat it with the same tokens.
        """
        counted = [item.merchant_id for item in items] + [item.device_id for item in items]
        counters = {name: number for number, name in enumerate(dict.fromkeys(counted), 1)}
        keys = [_CODE_PREFIX + self._seal.digest_of(item.code) for item in items]
        keys += [f"barcode:misses:{name}" for name in counters]
        counters[""] = 0
        args: list[str | int] = [
            _microseconds(self._clock.now()),
            self._limits.used_keep_seconds * 1000,
            *self._limits.merchant_misses.arguments(),
            *self._limits.device_misses.arguments(),
            len(items),
        ]
        for item in items:
            args += [item.finding.value, item.token]
            args += [counters[item.merchant_id], counters[item.device_id]]
        answers = await self._valkey.run(lambda _: self._redeem_script(keys=keys, args=args))
        return [_outcome(answer) for answer in answers]

    async def _bind(
        self, items: Sequence[Issue], now: datetime, *, spares: bool
    ) -> list[Secret | None]:
        """Bind codes of the pool, or spare ones. None where there was neither."""
        made = [self._seal.make() if spares else None for _ in items]
        limits = self._limits
        now_us = _microseconds(now)
        args: list[str | int] = [
            _CODE_PREFIX,
            self._pool.issued_through,
            now_us,
            now_us + limits.ttl_seconds * 1_000_000,
            now_us + limits.grace_seconds * 1_000_000,
            (limits.ttl_seconds + limits.expired_keep_seconds) * 1000,
            limits.devices_per_owner_max,
        ]
        for item, spare in zip(items, made, strict=True):
            digest = spare.digest if spare else ""
            args += [digest, self._ids.make("iss"), item.owner_id, item.device]
        keys = [self._pool.key, *(f"barcode:devices:{item.owner_id}" for item in items)]
        level, *answers = await self._valkey.run(lambda _: self._issue_script(keys=keys, args=args))
        numbers, seeds = answers[::2], answers[1::2]
        self._pool.issued(number=max(numbers), level=level)
        bound = [
            spare.seed if spare is not None and number == 0 else seed
            for number, seed, spare in zip(numbers, seeds, made, strict=True)
        ]
        # The script gives no seed where it could bind nothing.
        return [self._seal.unseal(seed) if seed else None for seed in bound]


def _outcome(answer: list[str]) -> RedeemedBarcode | Admitted | ServiceError:
    match answer:
        case ["SOUND"]:
            return ADMITTED
        case ["OK", issuance_id, owner_id]:
            return RedeemedBarcode(issuance_id=issuance_id, owner_id=owner_id)
        case ["LIMITED", wait_us]:
            return RateLimited(retry_after_seconds=str(math.ceil(int(wait_us) / 1_000_000)))
        case ["UNKNOWN"]:
            return BarcodeUnknown()
        case ["USED"]:
            return BarcodeUsed()
        case ["EXPIRED"]:
            return BarcodeExpired()
    raise AssertionError("the redeem script has no other answers")


def _microseconds(moment: datetime) -> int:
    """Since 1970. Exact, which ``timestamp()``, a float, is not."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
