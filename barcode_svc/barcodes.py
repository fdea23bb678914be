"""Live barcodes in Valkey: issued once, redeemed once, forgotten after a while.

    barcode:pool:<process>      codes that belong to nobody yet (see ``pool``)
    barcode:code:<digest>       what became of a code: issuance_id, owner_id, expire_us, and token
                                once it is used
    barcode:owner:<owner id>    the digest of the owner's latest code
    barcode:misses:<merchant>   unknown codes that a merchant scanned in its current window

The two scripts decide; each runs as one step in Valkey. Time comes from the clock of this process:
the processes' clocks must agree to well within a code's life. Only how long things are *kept*
goes by Valkey's own clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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


@dataclass(frozen=True, slots=True, kw_only=True)
class BarcodeLimits:
    """How long and how often."""

    ttl_seconds: int = 60
    """A code's life."""
    expired_keep_seconds: int = 300
    """How long an unused code is told to be expired, before it is unknown."""
    used_keep_seconds: int = 3600
    """How long a used code is told to be used, and the answer is given again to the same token."""
    misses_per_window_max: int = 30
    """Unknown codes that a merchant may scan in a window before it has to wait for its end."""
    window_seconds: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedBarcode:
    """A code that its owner may show from now on."""

    code: Secret
    """18 digits."""
    expire_time: datetime
    """The last moment at which it is taken."""
    ttl_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """A code to use up."""

    code: Secret
    """What was scanned: any text."""
    token: str
    """Who uses it for what; a repeat has the same."""
    merchant_id: str
    """Who scanned it."""


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

    async def issue(self, owner_id: str) -> IssuedBarcode:
        """Issue a code to an owner and end the owner's earlier one, if it is unused.

        Raises ``Unavailable``; then nobody has seen the code, and it ends by itself.
        """
        expire_time = self._clock.now() + timedelta(seconds=self._limits.ttl_seconds)
        for _ in range(_BIND_ATTEMPTS_MAX):
            code = await self._bind(owner_id, expire_time)
            if code is not None:
                return IssuedBarcode(
                    code=code, expire_time=expire_time, ttl_seconds=self._limits.ttl_seconds
                )
        raise Unavailable

    async def redeem(self, items: Sequence[Redemption]) -> list[RedeemedBarcode | ServiceError]:
        """Use codes up, each for itself, in order; one outcome per item.

        The same token gets the same answer again for as long as the code is remembered, also after
        its expiry. Outcomes: ``BarcodeUnknown``, ``BarcodeUsed``, ``BarcodeExpired``,
        ``RateLimited``. Raises ``Unavailable``: repeat it with the same tokens.
        """
        merchant_ids = dict.fromkeys(item.merchant_id for item in items)
        counters = {merchant_id: number for number, merchant_id in enumerate(merchant_ids, 1)}
        keys = [_CODE_PREFIX + self._seal.digest_of(item.code) for item in items]
        keys += [f"barcode:misses:{merchant_id}" for merchant_id in merchant_ids]
        args: list[str | int] = [
            _microseconds(self._clock.now()),
            self._limits.misses_per_window_max,
            self._limits.window_seconds * 1_000_000,
            self._limits.used_keep_seconds * 1000,
            len(items),
        ]
        for item in items:
            args += [item.token, counters[item.merchant_id]]
        answers = await self._valkey.run(lambda _: self._redeem_script(keys=keys, args=args))
        return [_outcome(answer) for answer in answers]

    async def _bind(self, owner_id: str, expire_time: datetime) -> Secret | None:
        """Bind a code of the pool, or a fresh one. None if the fresh one exists by chance."""
        spare = self._seal.make()
        keep_seconds = self._limits.ttl_seconds + self._limits.expired_keep_seconds
        keys = [self._pool.key, f"barcode:owner:{owner_id}"]
        args: list[str | int] = [
            _CODE_PREFIX,
            self._pool.issued_through,
            spare.digest,
            self._ids.make("iss"),
            owner_id,
            _microseconds(expire_time),
            keep_seconds * 1000,
        ]
        number, seed, level = await self._valkey.run(
            lambda _: self._issue_script(keys=keys, args=args)
        )
        self._pool.issued(number=number, level=level)
        if number < 0:
            return None
        return self._seal.unseal(seed if number else spare.seed)


def _outcome(answer: list[str]) -> RedeemedBarcode | ServiceError:
    match answer:
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
