"""Secrets of devices under the service's key, and the change of that key."""

from __future__ import annotations

from barcode_svc.device_keys import DeviceKeys
from chassis.settings import Secret

OLD, NEW = Secret("o" * 32), Secret("n" * 32)
DEVICE_SECRET = bytes(range(32))


def test_a_sealed_secret_opens_for_its_device_only() -> None:
    """Goal: a row that was copied to another device, or changed by one bit, opens nothing."""
    keys = DeviceKeys(NEW)
    key_id, sealed = keys.seal(DEVICE_SECRET, "dev_a")
    assert keys.open(key_id, sealed, "dev_a") == DEVICE_SECRET
    assert keys.open(key_id, sealed, "dev_b") is None
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        assert keys.open(key_id, bytes(changed), "dev_a") is None


def test_nothing_shows_the_secret_or_the_key() -> None:
    """Goal: who reads the database has neither; equal secrets do not look equal."""
    keys = DeviceKeys(NEW)
    key_id, sealed = keys.seal(DEVICE_SECRET, "dev_a")
    assert DEVICE_SECRET[:8] not in sealed
    assert NEW.reveal() not in key_id + repr(keys) + repr(vars(keys.current))
    assert sealed != keys.seal(DEVICE_SECRET, "dev_a")[1]
    assert keys.current.permutation_key != DeviceKeys(OLD).current.permutation_key


def test_a_change_of_the_key() -> None:
    """Goal: with the old key as previous its secrets still open; new ones are sealed with the new
    key; once the old one is gone so are they."""
    key_id, sealed = DeviceKeys(OLD).seal(DEVICE_SECRET, "dev_a")
    both = DeviceKeys(NEW, [OLD])
    assert both.open(key_id, sealed, "dev_a") == DEVICE_SECRET
    assert {key.id for key in both.all()} == {key_id, both.current.id}
    again, _ = both.seal(DEVICE_SECRET, "dev_a")
    assert again == DeviceKeys(NEW).current.id != key_id
    assert DeviceKeys(NEW).open(key_id, sealed, "dev_a") is None
