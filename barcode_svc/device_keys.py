"""The keys around offline codes, all from one setting: what hides handles, what seals secrets.

To verify a code the service must know its device's secret, so secrets cannot be stored as hashes.
They are stored under AES-256-GCM, bound to the device's id: who reads the database or its backup
cannot make codes, and a sealed secret moved to another row does not open.

The setting can be changed: with the old one as ``previous`` old devices go on; each takes over the
new key when it renews itself, and after the longest enrolment nobody needs the old one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.settings import Secret

_NONCE_BYTES = 12
_KEY_BYTES = 32


class DeviceKey:
    """What follows from one value of the setting."""

    def __init__(self, text: Secret) -> None:
        self.id = _derive(text, b"key id", 8).hex()
        """Says in the database which key sealed a secret; gives nothing away."""
        self.permutation_key = _derive(text, b"permutation", _KEY_BYTES)
        """Every enrolled device gets it."""
        self._cipher = AESGCM(_derive(text, b"device secrets", _KEY_BYTES))

    def seal(self, secret: bytes, device_id: str, *, nonce: bytes) -> bytes:
        """Nonce, ciphertext and tag."""
        return nonce + self._cipher.encrypt(nonce, secret, device_id.encode())

    def open(self, sealed: bytes, device_id: str) -> bytes | None:
        """The secret; None if this is not what was sealed for this device with this key."""
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, rest, device_id.encode())
        except InvalidTag:
            return None


class DeviceKeys:
    """The current key and those before it."""

    def __init__(
        self,
        current: Secret,
        previous: Sequence[Secret] = (),
        *,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.current = DeviceKey(current)
        self._by_id = {key.id: key for key in map(DeviceKey, previous)}
        self._by_id[self.current.id] = self.current
        self._random_bytes = random_bytes

    def all(self) -> list[DeviceKey]:
        """Each of them."""
        return list(self._by_id.values())

    def seal(self, secret: bytes, device_id: str) -> tuple[str, bytes]:
        """Under the current key: its id, and the sealed secret."""
        nonce = self._random_bytes(_NONCE_BYTES)
        return self.current.id, self.current.seal(secret, device_id, nonce=nonce)

    def open(self, key_id: str, sealed: bytes, device_id: str) -> bytes | None:
        """A device's secret; None if its key is gone or the row was tampered with."""
        key = self._by_id.get(key_id)
        return key.open(sealed, device_id) if key else None


def _derive(text: Secret, purpose: bytes, length: int) -> bytes:
    # RFC 5869. The setting is random already; what matters is that the purposes are apart.
    derivation = HKDF(algorithm=SHA256(), length=length, salt=None, info=b"qrpay " + purpose)
    return derivation.derive(text.reveal().encode())
