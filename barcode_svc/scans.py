"""How many scans miss, all merchants together: guessing in many places at a time shows only here.

Two instruments: ``qrpay.barcodes.scans``, a counter by outcome, and ``qrpay.barcodes.miss_ratio``,
the share of unknown codes among the scans of this process's last minute or two. No attribute says
whose code or which merchant it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from barcode_svc.errors import BarcodeUnknown
from chassis.errors import ServiceError

_WINDOW_SECONDS = 60.0


class ScanMeter:
    """Counts outcomes. ``monotonic`` is in seconds."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._start = monotonic()
        self._before = (0, 0)
        self._scans = 0
        self._misses = 0
        meter = metrics.get_meter("qrpay.barcode")
        self._counter = meter.create_counter(
            "qrpay.barcodes.scans",
            unit="{scan}",
            description="Scanned codes by what became of them.",
        )
        meter.create_observable_gauge(
            "qrpay.barcodes.miss_ratio",
            callbacks=[self._observe],
            unit="1",
            description="Unknown codes among those scanned in the last minute or two.",
        )

    def count(self, outcomes: Iterable[object]) -> None:
        """Count what became of scans: a ``ServiceError`` or anything else, which is a success."""
        self._turn()
        for reason, number in Counter(map(_reason, outcomes)).items():
            self._scans += number
            if reason == BarcodeUnknown.reason:
                self._misses += number
            self._counter.add(number, {"outcome": reason.lower()})

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

    def _observe(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self.miss_ratio())]


def _reason(outcome: object) -> str:
    return outcome.reason if isinstance(outcome, ServiceError) else "REDEEMED"
