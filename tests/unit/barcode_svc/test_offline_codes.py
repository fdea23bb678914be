"""Codes that a device makes: the derivation, the permutation, and which windows count."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barcode_svc import offline_codes
from barcode_svc.offline_codes import Pair
from chassis.settings import Secret

DOCUMENT = Path(__file__).parents[3] / "docs" / "barcodes.md"
SECRET, KEY = bytes(range(32)), bytes(range(32, 64))
NOW = datetime(2026, 5, 30, 12, 0, 15, tzinfo=UTC)

pairs = st.builds(Pair, st.integers(0, 10**9 - 1), st.integers(0, 10**8 - 1))
keys = st.binary(min_size=32, max_size=32)
windows = st.integers(0, 2**40)


def vectors() -> list[list[str]]:
    """The rows of the table in the document: secret, key, handle, window, password, code."""
    row = re.compile(
        r"^\| ([0-9a-f]{64}) \| ([0-9a-f]{64}) \| (\d{9}) \| (\d+) \| (\d{8}) \| (\d{18}) \|$"
    )
    return [
        list(found.groups())
        for line in DOCUMENT.read_text().splitlines()
        if (found := row.match(line))
    ]


def by_the_document(secret: bytes, key: bytes, handle: int, window: int) -> str:
    """The derivation once more, written from the document's words and not from the module."""

    def number(of: bytes, message: bytes) -> int:
        return int(hmac.new(of, message, hashlib.sha256).hexdigest()[:16], 16)

    right = number(secret, b"qrpay offline password" + window.to_bytes(8, "big")) % 100_000_000
    left = handle
    for turn in range(4):
        label = b"qrpay offline round"
        left += number(key, label + bytes([2 * turn]) + right.to_bytes(8, "big"))
        left %= 1_000_000_000
        right += number(key, label + bytes([2 * turn + 1]) + left.to_bytes(8, "big"))
        right %= 100_000_000
    return f"9{left:09d}{right:08d}"


def test_the_vectors_of_the_document() -> None:
    """Goal: who writes an app after the document makes the codes that we take."""
    rows = vectors()
    assert len(rows) >= 6
    for secret, key, handle, window, password, code in rows:
        made = offline_codes.make_code(
            secret=bytes.fromhex(secret),
            handle=int(handle),
            permutation_key=bytes.fromhex(key),
            window=int(window),
        )
        assert made.reveal() == code
        expected = offline_codes.password_of(bytes.fromhex(secret), int(window))
        assert f"{expected:08}" == password


@given(secret=keys, key=keys, handle=st.integers(0, 10**9 - 1), window=windows)
def test_a_second_implementation_agrees(
    secret: bytes, key: bytes, handle: int, window: int
) -> None:
    """Goal: the words of the document are enough: no detail is known to the module alone."""
    made = offline_codes.make_code(secret=secret, handle=handle, permutation_key=key, window=window)
    assert made.reveal() == by_the_document(secret, key, handle, window)


@given(pair=pairs, key=keys)
def test_the_permutation_can_be_taken_off(pair: Pair, key: bytes) -> None:
    """Goal: every code of 17 digits is one pair's and every pair has one: nothing is lost, and no
    two devices can ever make the same code in the same state."""
    there = offline_codes.permute(pair, key)
    assert 0 <= there.handle < 10**9
    assert 0 <= there.password < 10**8
    assert offline_codes.restore(there, key) == pair
    assert offline_codes.permute(offline_codes.restore(pair, key), key) == pair


@given(handle=st.integers(0, 10**9 - 1), window=windows)
def test_what_is_made_is_read(handle: int, window: int) -> None:
    """Goal: a code says its device and its password, and has the form that routes it."""
    code = offline_codes.make_code(secret=SECRET, handle=handle, permutation_key=KEY, window=window)
    assert offline_codes.has_form(code)
    pair = offline_codes.read_code(code, KEY)
    assert pair == (handle, offline_codes.password_of(SECRET, window))


def test_codes_of_one_device_have_nothing_in_common() -> None:
    """Goal: who photographs two codes cannot see that they are one device's: at each place all
    digits come up alike."""
    codes = [
        offline_codes.make_code(secret=SECRET, handle=7, permutation_key=KEY, window=w).reveal()
        for w in range(2000)
    ]
    for place in range(1, 18):
        counts = [sum(code[place] == digit for code in codes) for digit in "0123456789"]
        assert min(counts) > 130
        assert max(counts) < 280


@pytest.mark.parametrize(
    "text",
    ["8" + "0" * 17, "9" * 17, "9" * 19, "9" + "\uff10" * 17, "9" * 18 + "\n", "", "9 " * 9],
)
def test_other_texts_are_no_offline_codes(text: str) -> None:
    """Goal: issued codes, labels, and digits of other scripts go another way."""
    assert not offline_codes.has_form(Secret(text))


@pytest.mark.parametrize(
    ("behind", "found", "current"),
    [
        (-2, False, False),
        (-1, True, True),
        (0, True, True),
        (1, True, True),
        (2, True, False),
        (11, True, False),
        (12, False, False),
    ],
)
def test_which_windows_count(behind: int, found: bool, current: bool) -> None:
    """Goal: one window of skew either way is taken, a few older ones are known to be old, and what
    is still to come is not known at all."""
    window = offline_codes.window_of(NOW) - behind
    password = offline_codes.password_of(SECRET, window)
    matched = offline_codes.matching_window(SECRET, password, now=NOW)
    assert matched == (window if found else None)
    assert offline_codes.is_current(window, now=NOW) == current


def test_a_window_begins_on_its_microsecond() -> None:
    """Goal: server and device count the same windows: floor(unix time / 30)."""
    start = datetime.fromtimestamp(59_333_334 * 30, UTC)
    assert offline_codes.window_of(start) == 59_333_334
    assert offline_codes.window_of(start - timedelta(microseconds=1)) == 59_333_333


def test_another_secret_has_other_passwords() -> None:
    """Goal: a device's secret is what counts, not its handle."""
    window = offline_codes.window_of(NOW)
    password = offline_codes.password_of(bytes(32), window)
    assert offline_codes.matching_window(SECRET, password, now=NOW) is None
