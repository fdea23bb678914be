"""Ed25519 keys (RFC 8032) as settings hold them, and their ids.

A key's id is its JWK thumbprint (RFC 7638): it follows from the key, so that two can never be mixed
up.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.settings import Secret

_KEY_FORM = re.compile(r"[0-9A-Za-z_-]{43}")


def read_key(text: str) -> bytes:
    """A key, private or public: 32 bytes as 43 characters of base64url (RFC 8037: d, x).

    Raises ValueError, which does not quote it.
    """
    if not _KEY_FORM.fullmatch(text):
        raise ValueError("is not an Ed25519 key: 43 characters of base64url")
    return base64.urlsafe_b64decode(text + "=")


def encode_key(content: bytes) -> str:
    """Its base64url, without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def thumbprint(content: bytes) -> str:
    """The thumbprint of a public key (RFC 7638, RFC 8037 appendix A.3)."""
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": encode_key(content)}
    document = json.dumps(jwk, separators=(",", ":"), sort_keys=True)
    return encode_key(hashlib.sha256(document.encode()).digest())


class Signer:
    """Signs with one key. Raises ValueError, which does not quote it, if it is none."""

    def __init__(self, signing_key: Secret) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(read_key(signing_key.reveal()))
        self.public_key = self._key.public_key().public_bytes_raw()
        self.key_id = thumbprint(self.public_key)

    def sign(self, content: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(content)
