"""Settings of the barcode process, and its callers."""

from __future__ import annotations

from pathlib import Path

import pytest

from barcode_svc import devices_rpc, merchants_rpc
from barcode_svc.rpc import ALLOWED_CALLERS
from barcode_svc.settings import BarcodeSettings
from chassis.settings import SettingsError, load_settings
from qrpay.barcode.v1 import barcode_pb2, device_pb2, merchant_pb2


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
        "OFFLINE_KEY": "hidden-four-" + "k" * 32,
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
        "CODE_GRACE_SECONDS": "4",
        "DEVICES_PER_OWNER_MAX": "3",
        "MISSES_PER_MINUTE_MAX": "48",
        "MISS_LOCK_SECONDS": "49",
        "MISS_LOCK_SECONDS_MAX": "50",
        "MISS_QUIET_SECONDS": "51",
        "DEVICE_MISSES_PER_DAY_MAX": "52",
    }
    limits = load_settings(BarcodeSettings, environment(tmp_path, **changes)).limits
    assert (limits.ttl_seconds, limits.expired_keep_seconds) == (45, 46)
    assert (limits.used_keep_seconds, limits.grace_seconds) == (47, 4)
    assert limits.devices_per_owner_max == 3
    second = 1_000_000
    assert limits.merchant_misses.arguments() == [
        *(48, 60 * second, 49 * second, 50 * second, 51 * second)
    ]
    assert limits.device_misses.arguments() == [52, *[86_400 * second] * 4]


def test_a_short_key_and_crossed_marks_are_told_together(tmp_path: Path) -> None:
    """Goal: the process does not start with a key that could be guessed, nor shows it."""
    changes = {
        "CODE_HMAC_KEY": "hidden",
        "POOL_LOW": "9",
        "POOL_HIGH": "8",
        "MISS_LOCK_SECONDS": "7200",
    }
    with pytest.raises(SettingsError) as refusal:
        load_settings(BarcodeSettings, environment(tmp_path, **changes))
    assert [fault.split(":")[0] for fault in refusal.value.faults] == [
        "CODE_HMAC_KEY",
        "POOL_LOW",
        "MISS_LOCK_SECONDS",
    ]
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


def test_offline_limits_are_those_that_were_set(tmp_path: Path) -> None:
    """Goal: amounts by currency; a currency that is not named pays nothing offline."""
    changes = {"OFFLINE_CODE_MAX": "EUR:70, CHF:8", "OFFLINE_DAY_MAX": "EUR:90"}
    limits = load_settings(BarcodeSettings, environment(tmp_path, **changes)).offline_limits
    assert limits.code_minor_max == {"EUR": 70, "CHF": 8}
    assert limits.day_minor_max == {"EUR": 90}


def test_faults_of_offline_settings(tmp_path: Path) -> None:
    """Goal: a key that could be guessed and an amount that cannot be read are told, not shown."""
    changes = {
        "OFFLINE_KEY": "hidden",
        "OFFLINE_KEY_PREVIOUS": "hidden",
        "OFFLINE_CODE_MAX": "EUR=70",
    }
    with pytest.raises(SettingsError) as refusal:
        load_settings(BarcodeSettings, environment(tmp_path, **changes))
    assert [fault.split(":")[0] for fault in refusal.value.faults] == list(changes)
    assert "hidden" not in str(refusal.value)


def test_the_previous_key_is_used_if_there_is_one(tmp_path: Path) -> None:
    """Goal: without one there is one key, with one there are two."""
    settings = load_settings(BarcodeSettings, environment(tmp_path))
    assert len(settings.device_keys.all()) == 1
    both = environment(tmp_path, OFFLINE_KEY_PREVIOUS="hidden-five-" + "p" * 32)
    assert len(load_settings(BarcodeSettings, both).device_keys.all()) == 2


def test_every_rpc_says_who_may_call_it() -> None:
    """Goal: codes are issued for the gateway's customers and used up by payments only."""
    service = barcode_pb2.DESCRIPTOR.services_by_name["BarcodeService"]
    assert set(ALLOWED_CALLERS) == set(service.methods_by_name)
    service = device_pb2.DESCRIPTOR.services_by_name["DeviceService"]
    assert set(devices_rpc.ALLOWED_CALLERS) == set(service.methods_by_name)
    for method, callers in devices_rpc.ALLOWED_CALLERS.items():
        readers = {"gateway-reader"} if method == "ListDevices" else set()
        assert callers == {"gateway"} | readers, method
    assert ALLOWED_CALLERS["IssueBarcode"] == ALLOWED_CALLERS["IssueBarcodes"] == {"gateway"}
    assert ALLOWED_CALLERS["RedeemBarcodes"] == {"payment"}
    merchants = merchant_pb2.DESCRIPTOR.services_by_name["MerchantService"]
    assert set(merchants_rpc.ALLOWED_CALLERS) == set(merchants.methods_by_name)
    for method, callers in merchants_rpc.ALLOWED_CALLERS.items():
        wanted = {"operator"} if method == "SetMerchantPilot" else {"gateway", "operator"}
        if method in {"GetMerchant", "RenderLogo", "ListMerchantChanges", "ListPlaces"}:
            wanted.add("gateway-reader")
        if method in {"GetMerchant", "RenderLogo"}:
            wanted.add("payment")
        assert callers == wanted, method


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
