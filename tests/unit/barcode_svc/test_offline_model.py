"""Which uses of offline codes are allowed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from barcode_svc import offline_codes, offline_model
from barcode_svc.errors import (
    BarcodeExpired,
    BarcodeUnknown,
    BarcodeUsed,
    OfflineLimitExceeded,
)
from barcode_svc.offline_model import Device, OfflineLimits, SpendingKey, Use

NOW = datetime(2026, 5, 30, 23, 59, 50, tzinfo=UTC)
LIMITS = OfflineLimits(code_minor_max={"EUR": 50, "USD": 70}, day_minor_max={"EUR": 120})
DEVICE = Device(
    id="dev_01JD3Q9V7N8R4T2W6X0YZABCDE",
    owner_id="usr_alice",
    name="phone",
    handle=7,
    key_id="key",
    sealed_secret=b"",
    create_time=NOW - timedelta(days=7),
    expire_time=NOW + timedelta(microseconds=1),
    revoke_time=None,
)
USE = Use(
    device_id=DEVICE.id,
    time_window=offline_codes.window_of(NOW),
    owner_id="usr_alice",
    code_digest="digest",
    redemption_token="one",
    merchant_id="mer_cafe",
    amount_minor=50,
    currency_code="EUR",
    use_time=NOW,
)


class Day:
    """What was used and spent before."""

    def __init__(self, *uses: Use, spent_minor: int = 0) -> None:
        self.uses = {(use.device_id, use.time_window): use for use in uses}
        self.spent_minor: dict[SpendingKey, int] = dict.fromkeys(
            [USE.spending_key, replace(USE, currency_code="USD").spending_key], spent_minor
        )

    def decide(self, use: Use = USE, device: Device = DEVICE) -> bool:
        """Whether it is new."""
        return offline_model.decide_use(
            use, device, uses=self.uses, spent_minor=self.spent_minor, limits=LIMITS
        )


def test_a_new_use_counts() -> None:
    """Goal: it is remembered, and so is what it spends."""
    day = Day()
    assert day.decide()
    assert list(day.uses.values()) == [USE]
    assert day.spent_minor[USE.spending_key] == 50


def test_a_window_is_used_once() -> None:
    """Goal: a repeat is no new use and spends nothing; another use of the window is refused, and
    only the merchant of the first is told why."""
    day = Day(USE)
    assert not day.decide(replace(USE, use_time=NOW + timedelta(days=1)))
    with pytest.raises(BarcodeUsed):
        day.decide(replace(USE, redemption_token="two"))
    with pytest.raises(BarcodeUnknown):
        day.decide(replace(USE, redemption_token="two", merchant_id="mer_other"))
    assert day.spent_minor[USE.spending_key] == 0


@pytest.mark.parametrize(
    ("changes", "spent_minor", "allowed"),
    [
        ({"amount_minor": 51}, 0, False),
        ({"amount_minor": 50}, 70, True),
        ({"amount_minor": 50}, 71, False),
        ({"amount_minor": 1}, 120, False),
        ({"amount_minor": 1, "currency_code": "USD"}, 0, False),
    ],
)
def test_limits_are_exact(changes: dict[str, object], spent_minor: int, allowed: bool) -> None:
    """Goal: up to the limit of a code and of the day, not a unit more; without a limit of the day
    nothing; and what is refused uses nothing up."""
    day = Day(spent_minor=spent_minor)
    use = replace(USE, **changes)  # type: ignore[arg-type]
    if allowed:
        assert day.decide(use)
    else:
        with pytest.raises(OfflineLimitExceeded):
            day.decide(use)
        assert day.uses == {}
        assert set(day.spent_minor.values()) == {spent_minor}


@pytest.mark.parametrize(
    ("use_time", "refusal"),
    [
        (NOW, None),
        (DEVICE.expire_time, BarcodeExpired),
        (NOW - timedelta(seconds=60), BarcodeExpired),
        (NOW + timedelta(seconds=60), BarcodeExpired),
    ],
)
def test_times(use_time: datetime, refusal: type[Exception] | None) -> None:
    """Goal: until the enrolment ends, and within a window of the code's own."""
    if refusal is None:
        assert Day().decide(replace(USE, use_time=use_time))
    else:
        with pytest.raises(refusal):
            Day().decide(replace(USE, use_time=use_time))


def test_a_revoked_device_pays_nothing() -> None:
    """Goal: from the moment on at which its owner says so."""
    with pytest.raises(BarcodeUnknown):
        Day().decide(device=replace(DEVICE, revoke_time=NOW))


def test_the_day_is_that_of_greenwich() -> None:
    """Goal: one day for all processes, wherever they run; a person's, whichever device it was."""
    later = replace(USE, use_time=NOW + timedelta(seconds=10), device_id="dev_other")
    assert USE.spending_key == ("usr_alice", NOW.date(), "EUR")
    assert later.spending_key == ("usr_alice", NOW.date() + timedelta(days=1), "EUR")


def test_issuance_ids_are_the_windows_own() -> None:
    """Goal: payments are unique by it for ever."""
    assert USE.issuance_id == f"off_01JD3Q9V7N8R4T2W6X0YZABCDE_{USE.time_window}"
    assert replace(USE, time_window=1).issuance_id != USE.issuance_id


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("phone", True),
        ("Zoë's 電話", True),
        ("", False),
        (" x", False),
        ("x" * 64, True),
        ("x" * 65, False),
        ("a\nb", False),
        ("\u200b", False),
    ],
)
def test_names(name: str, good: bool) -> None:
    """Goal: what can be read in a list."""
    assert offline_model.is_device_name(name) == good
