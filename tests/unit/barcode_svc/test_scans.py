"""How many scans miss, all merchants together."""

from __future__ import annotations

import pytest

from barcode_svc.barcodes import RedeemedBarcode
from barcode_svc.errors import BarcodeExpired, BarcodeUnknown, BarcodeUsed
from barcode_svc.scans import ScanMeter

PAID = RedeemedBarcode(issuance_id="iss_1", owner_id="usr_1")


class Time:
    """Seconds, moved by the test."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_only_unknown_codes_are_misses() -> None:
    """Goal: what is told as used or expired was shown by somebody, and is no guess."""
    meter = ScanMeter(monotonic=Time())
    assert meter.miss_ratio() == 0
    meter.count([PAID, BarcodeUnknown(), BarcodeUsed(), BarcodeExpired()])
    assert meter.miss_ratio() == pytest.approx(1 / 4)


def test_it_forgets() -> None:
    """Goal: a night of guessing shows while it lasts and a minute longer, and then no more."""
    time = Time()
    meter = ScanMeter(monotonic=time)
    meter.count([BarcodeUnknown()] * 3)
    time.now += 60
    meter.count([PAID])
    assert meter.miss_ratio() == pytest.approx(3 / 4)
    time.now += 60
    assert meter.miss_ratio() == 0
    meter.count([BarcodeUnknown()])
    assert meter.miss_ratio() == pytest.approx(1 / 2)
    time.now += 1000
    assert meter.miss_ratio() == 0
