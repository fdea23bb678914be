"""Settings of the barcode process, and its callers."""

from __future__ import annotations

from pathlib import Path

import pytest

from barcode_svc import merchants_rpc
from barcode_svc.rpc import ALLOWED_CALLERS
from barcode_svc.settings import BarcodeSettings
from chassis.settings import SettingsError, load_settings
from qrpay.barcode.v1 import barcode_pb2, merchant_pb2


def environment(directory: Path, **changes: str) -> dict[str, str]:
    """What a process needs, and changes to it."""
    pem = directory / "any.pem"
    pem.touch()
    return {
        "TLS_CERT_FILE": str(pem),
        "TLS_KEY_FILE": str(pem),
        "TLS_CA_FILE": str(pem),
        "DATABASE_URL": "postgresql://barcode_svc:hidden-one@127.0.0.1/barcode",
        "VALKEY_URL": "redis://barcode:hidden-two@127.0.0.1/0",
        "CODE_HMAC_KEY": "hidden-three-" + "k" * 32,
        "QR_SIGNING_KEY": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        **changes,
    }


def test_the_defaults_are_enough(tmp_path: Path) -> None:
    """Goal: two addresses and two keys are all that a process must be told."""
    settings = load_settings(BarcodeSettings, environment(tmp_path))
    assert settings.limits.ttl_seconds == 60
    assert settings.pool_low < settings.pool_high
    assert "hidden" not in repr(settings)


def test_the_limits_are_those_that_were_set(tmp_path: Path) -> None:
    """Goal: every limit reaches the place where it is kept."""
    changes = {
        "CODE_TTL_SECONDS": "45",
        "CODE_EXPIRED_KEEP_SECONDS": "46",
        "CODE_USED_KEEP_SECONDS": "47",
        "MISSES_PER_MINUTE_MAX": "48",
    }
    limits = load_settings(BarcodeSettings, environment(tmp_path, **changes)).limits
    assert (limits.ttl_seconds, limits.expired_keep_seconds) == (45, 46)
    assert (limits.used_keep_seconds, limits.misses_per_window_max) == (47, 48)
    assert limits.window_seconds == 60


def test_a_short_key_and_crossed_marks_are_told_together(tmp_path: Path) -> None:
    """Goal: the process does not start with a key that could be guessed, nor shows it."""
    changes = {"CODE_HMAC_KEY": "hidden", "POOL_LOW": "9", "POOL_HIGH": "8"}
    with pytest.raises(SettingsError) as refusal:
        load_settings(BarcodeSettings, environment(tmp_path, **changes))
    assert [fault.split(":")[0] for fault in refusal.value.faults] == ["CODE_HMAC_KEY", "POOL_LOW"]
    assert "hidden" not in str(refusal.value)


def test_bad_keys_of_codes_are_told_without_being_shown(tmp_path: Path) -> None:
    """Goal: a process that could not sign, or would take any code, does not start."""
    changes = {
        "QR_SIGNING_KEY": "hidden",
        "QR_KEYS_ACCEPTED": ",".join(["hidden"] * 2 + ["A" * 43] * 14),
        "QR_LIFETIME_SECONDS": "90000",
    }
    with pytest.raises(SettingsError) as refusal:
        load_settings(BarcodeSettings, environment(tmp_path, **changes))
    assert [fault.split(":")[0] for fault in refusal.value.faults] == [
        "QR_SIGNING_KEY",
        *["QR_KEYS_ACCEPTED"] * 3,
        "QR_LIFETIME_SECONDS",
    ]
    assert "hidden" not in str(refusal.value)
    settings = load_settings(
        BarcodeSettings, environment(tmp_path, QR_KEYS_ACCEPTED="A" * 43 + ", " + "A" * 43)
    )
    assert settings.qr_keys_accepted == ("A" * 43,) * 2
    assert not settings.qr_unsigned_accepted


def test_every_rpc_says_who_may_call_it() -> None:
    """Goal: codes are issued for the gateway's customers and used up by payments only."""
    service = barcode_pb2.DESCRIPTOR.services_by_name["BarcodeService"]
    assert set(ALLOWED_CALLERS) == set(service.methods_by_name)
    assert ALLOWED_CALLERS["IssueBarcode"] == {"gateway"}
    assert ALLOWED_CALLERS["RedeemBarcodes"] == {"payment"}
    merchants = merchant_pb2.DESCRIPTOR.services_by_name["MerchantService"]
    assert set(merchants_rpc.ALLOWED_CALLERS) == set(merchants.methods_by_name)
    for method, callers in merchants_rpc.ALLOWED_CALLERS.items():
        reads = method in {"GetMerchant", "RenderLogo"}
        assert callers == {"gateway", "operator"} | ({"payment"} if reads else set()), method


def test_a_bucket_needs_its_keys(tmp_path: Path) -> None:
    """Goal: a process that could not store a logo does not start, and shows no key."""
    with pytest.raises(SettingsError) as refusal:
        load_settings(BarcodeSettings, environment(tmp_path, LOGO_S3_BUCKET="logos"))
    assert [fault.split(":")[0] for fault in refusal.value.faults] == [
        "LOGO_S3_KEY_ID",
        "LOGO_S3_KEY_SECRET",
    ]
    keys = {"LOGO_S3_KEY_ID": "hidden-id", "LOGO_S3_KEY_SECRET": "hidden-secret"}
    settings = load_settings(BarcodeSettings, environment(tmp_path, LOGO_S3_BUCKET="logos", **keys))
    assert "hidden" not in repr(settings)
