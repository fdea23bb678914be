"""How many scans miss: all merchants together, and by merchant where there are many."""

from __future__ import annotations

import pytest

from barcode_svc import scans
from barcode_svc.barcodes import RedeemedBarcode
from barcode_svc.errors import BarcodeExpired, BarcodeUnknown, BarcodeUsed
from barcode_svc.scans import ScanMeter

MERCHANT = "mer_1"
PAID = RedeemedBarcode(issuance_id="iss_1", owner_id="usr_1")


class Time:
    """Seconds, moved by the test."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def count(meter: ScanMeter, *outcomes: object, merchant_id: str = MERCHANT) -> None:
    """One merchant's scans."""
    meter.count([merchant_id] * len(outcomes), outcomes)


def misses() -> dict[str, float]:
    """Misses by the name under which they were counted, since the process began."""
    return {point.attributes["qrpay.merchant"]: point.value for point in scans._MISSES.points()}


def test_only_unknown_codes_are_misses() -> None:
    """Goal: what is told as used or expired was shown by somebody, and is no guess."""
    meter = ScanMeter(monotonic=Time())
    assert meter.miss_ratio() == 0
    count(meter, PAID, BarcodeUnknown(), BarcodeUsed(), BarcodeExpired())
    assert meter.miss_ratio() == pytest.approx(1 / 4)


def test_it_forgets() -> None:
    """Goal: a night of guessing shows while it lasts and a minute longer, and then no more."""
    time = Time()
    meter = ScanMeter(monotonic=time)
    count(meter, *[BarcodeUnknown()] * 3)
    time.now += 60
    count(meter, PAID)
    assert meter.miss_ratio() == pytest.approx(3 / 4)
    time.now += 60
    assert meter.miss_ratio() == 0
    count(meter, BarcodeUnknown())
    assert meter.miss_ratio() == pytest.approx(1 / 2)
    time.now += 1000
    assert meter.miss_ratio() == 0


def test_a_merchant_is_named_where_many_codes_miss() -> None:
    """Goal: five unknown codes within a minute name a merchant, from then on; one a minute, or
    codes that were only used before, never do."""
    time = Time()
    meter = ScanMeter(monotonic=time)
    before = misses()
    count(meter, *[BarcodeUnknown()] * 7, merchant_id="mer_guessed")
    count(meter, *[BarcodeUsed()] * 9, merchant_id="mer_slow")
    for _ in range(9):
        count(meter, BarcodeUnknown(), merchant_id="mer_rare")
        time.now += 61
    after = misses()
    # The five that named it were counted before it had a name.
    assert {name: after[name] - before.get(name, 0) for name in after} == {
        **dict.fromkeys(before, 0),
        "mer_guessed": 2,
        "other": 5 + 9,
    }


def test_never_more_than_fifty_names() -> None:
    """Goal: guessing at a thousand merchants makes 50 series, and not one miss is lost."""
    meter = ScanMeter(monotonic=Time())
    before = misses()
    for number in range(1_000):
        count(meter, *[BarcodeUnknown()] * 6, merchant_id=f"mer_many_{number}")
    after = misses()
    assert len(set(after) - set(before)) == 49
    assert sum(after.values()) - sum(before.values()) == 6_000
