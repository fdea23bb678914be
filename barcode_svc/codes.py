"""The digits of a barcode, and the two disguises in which Valkey sees them.

A code is 18 digits that nobody can predict. Valkey never holds one in clear: a *digest* names the
record of a code, a *seed* waits in the pool until it becomes one, and neither gives the digits away
without the key. So whoever can read Valkey, its memory dump or its backup cannot pay with it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from typing import NamedTuple

from chassis.settings import Secret

CODE_DIGITS = 18
ONLINE_PREFIX = "8"
"""What a code that was issued begins with; 17 random digits follow. Among a million live codes, a
thousand guesses per second hit one in three years, and a merchant has ten in a minute."""
OFFLINE_PREFIX = "9"
"""What a code that a device made by itself begins with: see ``offline_codes``.

Neither is another wallet's: tills that take several tell them apart by their first two digits (10
to 15 WeChat Pay, 25 to 30 Alipay, 62 UnionPay).
"""

_RANDOM_DIGITS = CODE_DIGITS - len(ONLINE_PREFIX)

_SEED_BYTES = 16
_DIGEST_BYTES = 16


class InertCode(NamedTuple):
    """A code that belongs to nobody yet, in its two disguises: hexadecimal, lower case."""

    digest: str
    seed: str


class CodeSeal:
    """Makes codes and disguises them under one key.

    All processes of the service share the key; a new key makes the codes of the old one unknown.
    """

    def __init__(self, key: Secret, *, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._key = key.reveal().encode()
        self._random_bytes = random_bytes

    def make(self) -> InertCode:
        """A new code, from the operating system's random numbers."""
        seed = self._random_bytes(_SEED_BYTES).hex()
        return InertCode(digest=self.digest_of(self.unseal(seed)), seed=seed)

    def unseal(self, seed: str) -> Secret:
        """The 18 digits that a seed stands for."""
        # 256 bits modulo 10^17: the bias is beyond measure.
        number = int.from_bytes(self._keyed_hash(b"digits", seed), "big") % 10**_RANDOM_DIGITS
        return Secret(f"{ONLINE_PREFIX}{number:0{_RANDOM_DIGITS}}")

    def digest_of(self, code: Secret) -> str:
        """The name of the code's record. Any text has one; only a code's own finds a record."""
        return self._keyed_hash(b"record", code.reveal())[:_DIGEST_BYTES].hex()

    def _keyed_hash(self, purpose: bytes, text: str) -> bytes:
        return hmac.digest(self._key, purpose + b":" + text.encode(), hashlib.sha256)
