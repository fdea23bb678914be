"""How many scans miss: guessing in many places at a time shows only here.

``qrpay.barcodes.scans`` is a counter by outcome, ``qrpay.barcodes.miss_ratio`` the share of unknown
codes among the scans of this process's last minute or two, all merchants together.
``qrpay.barcodes.misses`` names the merchants where many codes miss, those only: a scanner that is
broken, or somebody who guesses. No attribute says whose code it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from barcode_svc.errors import BarcodeUnknown
from chassis import metrics
from chassis.errors import ServiceError

_WINDOW_SECONDS = 60.0
_NAMED_MISSES = 5
"""A merchant is named from this many misses in a window on: fewer happen everywhere."""
_NAMED_MAX = 49
"""Merchants that are named, of those who came first to it; the misses of all others are counted
together."""
_REMEMBERED_MAX = 10_000
"""Merchants whose misses are counted in a window."""
_OTHERS = "other"

_SCANS = metrics.Counter(
    "qrpay.barcodes.scans",
    unit="{scan}",
    description="Scanned codes by what became of them.",
    attributes=("outcome",),
)
_MISSES = metrics.Counter(
    "qrpay.barcodes.misses",
    unit="{scan}",
    description="Unknown codes that were scanned, by merchant where there are many.",
    attributes=("qrpay.merchant",),
)
_MISS_RATIO = metrics.Gauge(
    "qrpay.barcodes.miss_ratio",
    unit="1",
    description="Unknown codes among those scanned in the last minute or two.",
)
_MISSES.add(0, _OTHERS)


class ScanMeter:
    """Counts outcomes. ``monotonic`` is in seconds."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._start = monotonic()
        self._before = (0, 0)
        self._scans = 0
        self._misses = 0
        self._missed: Counter[str] = Counter()
        """Misses in this window of merchants that are not named."""
        self._named: set[str] = set()
        _MISS_RATIO.watch(lambda: {(): self.miss_ratio()})

    def count(self, merchant_ids: Sequence[str], outcomes: Sequence[object]) -> None:
        """Count what became of scans: a ``ServiceError`` or anything else, which is a success.
        ``merchant_ids``: whose scans they were, in the same order."""
        self._turn()
        reasons = [_reason(outcome) for outcome in outcomes]
        for reason, number in Counter(reasons).items():
            self._scans += number
            if reason == BarcodeUnknown.reason:
                self._misses += number
            _SCANS.add(number, reason.lower())
        for merchant_id, reason in zip(merchant_ids, reasons, strict=True):
            if reason == BarcodeUnknown.reason:
                _MISSES.add(1, self._name(merchant_id))

    def _name(self, merchant_id: str) -> str:
        """Under which name to count a miss of this merchant. Once named, always named: a counter
        must not fall."""
        if merchant_id in self._named:
            return merchant_id
        if len(self._named) < _NAMED_MAX:
            if len(self._missed) < _REMEMBERED_MAX or merchant_id in self._missed:
                self._missed[merchant_id] += 1
            if self._missed[merchant_id] >= _NAMED_MISSES:
                del self._missed[merchant_id]
                self._named.add(merchant_id)
        return _OTHERS

    def miss_ratio(self) -> float:
        """Between 0 and 1; 0 if nothing was scanned."""
        self._turn()
        scans, misses = self._before[0] + self._scans, self._before[1] + self._misses
        return misses / scans if scans else 0.0

    def _turn(self) -> None:
        """Begin a new window when it is time; the one before still counts."""
        windows = int((self._monotonic() - self._start) // _WINDOW_SECONDS)
        if windows:
            self._before = (self._scans, self._misses) if windows == 1 else (0, 0)
            self._start += windows * _WINDOW_SECONDS
            self._scans = self._misses = 0
            self._missed.clear()


def _reason(outcome: object) -> str:
    return outcome.reason if isinstance(outcome, ServiceError) else "REDEEMED"
