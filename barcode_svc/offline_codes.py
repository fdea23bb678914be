"""Codes that a device makes by itself while it has no network. Pure; docs/barcodes.md has the rules
once more for those who write apps, with vectors that a test compares with this module.

    "9" and 17 digits: a handle (9 digits) that names the device and a password (8 digits) of the
    current window, behind a permutation of all pairs of the two.

The password comes from a secret that the device and this service share, so a code cannot be made by
anybody else; the permutation hides which digits are the handle, so two codes of one device have
nothing in common that a till or a neighbour could see.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from barcode_svc.codes import CODE_DIGITS, OFFLINE_PREFIX
from chassis.settings import Secret

WINDOW_SECONDS = 30
SKEW_WINDOWS = 1
"""So many windows may a device's clock be behind or ahead."""
STALE_WINDOWS = 10
"""So many more back a code is recognised, to be told that it is too old."""
SECRET_BYTES = 32
HANDLES = 10**9
PASSWORDS = 10**8

_HANDLE_DIGITS = 9
_ROUNDS = 8
_PASSWORD_LABEL = b"qrpay offline password"
_ROUND_LABEL = b"qrpay offline round"
_FORM = re.compile(f"{OFFLINE_PREFIX}[0-9]{{{CODE_DIGITS - len(OFFLINE_PREFIX)}}}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Pair(NamedTuple):
    """What an offline code says once the permutation is taken off."""

    handle: int
    password: int


def has_form(code: Secret) -> bool:
    """Whether a scanned text claims to be an offline code."""
    return _FORM.fullmatch(code.reveal()) is not None


def window_of(moment: datetime) -> int:
    """The number of the window that a moment lies in: 0 began with 1970."""
    return (moment - _EPOCH) // timedelta(seconds=WINDOW_SECONDS)


def make_code(*, secret: bytes, handle: int, permutation_key: bytes, window: int) -> Secret:
    """The code of a device in a window: what an app shows."""
    pair = permute(Pair(handle, password_of(secret, window)), permutation_key)
    return Secret(f"{OFFLINE_PREFIX}{pair.handle:0{_HANDLE_DIGITS}}{pair.password:08}")


def read_code(code: Secret, permutation_key: bytes) -> Pair:
    """Whose code this would be, and with which password. It has the form."""
    digits = code.reveal()[len(OFFLINE_PREFIX) :]
    pair = Pair(int(digits[:_HANDLE_DIGITS]), int(digits[_HANDLE_DIGITS:]))
    return restore(pair, permutation_key)


def password_of(secret: bytes, window: int) -> int:
    """What proves that whoever shows a code knows the secret, now."""
    return _number(secret, _PASSWORD_LABEL + window.to_bytes(8, "big")) % PASSWORDS


def matching_window(secret: bytes, password: int, *, now: datetime) -> int | None:
    """The window whose password this is, among those that are or lately were current.

    All of them are compared, whichever matches: how long it takes says nothing.
    """
    current = window_of(now)
    found = None
    for window in range(current - SKEW_WINDOWS - STALE_WINDOWS, current + SKEW_WINDOWS + 1):
        expected = password_of(secret, window).to_bytes(8, "big")
        if hmac.compare_digest(expected, password.to_bytes(8, "big")):
            found = window
    return found


def is_current(window: int, *, now: datetime) -> bool:
    """Whether codes of this window are taken."""
    return abs(window - window_of(now)) <= SKEW_WINDOWS


def permute(pair: Pair, key: bytes) -> Pair:
    """A Feistel network with sides of unequal size, as in NIST SP 800-38G: each round adds to one
    side a keyed hash of the other."""
    left, right = pair
    for number in range(_ROUNDS):
        if number % 2 == 0:
            left = (left + _round(key, number, right)) % HANDLES
        else:
            right = (right + _round(key, number, left)) % PASSWORDS
    return Pair(left, right)


def restore(pair: Pair, key: bytes) -> Pair:
    """The pair that ``permute`` was given."""
    left, right = pair
    for number in reversed(range(_ROUNDS)):
        if number % 2 == 0:
            left = (left - _round(key, number, right)) % HANDLES
        else:
            right = (right - _round(key, number, left)) % PASSWORDS
    return Pair(left, right)


def _round(key: bytes, number: int, side: int) -> int:
    return _number(key, _ROUND_LABEL + bytes([number]) + side.to_bytes(8, "big"))


def _number(key: bytes, message: bytes) -> int:
    """The first eight bytes of HMAC-SHA256. Modulo 10^9 or less they have no bias to speak of."""
    return int.from_bytes(hmac.digest(key, message, hashlib.sha256)[:8], "big")
