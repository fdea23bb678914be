"""The stack's own token issuer: an Ed25519 key, its public half as a JWKS file, and tokens.

Tokens are JWTs (RFC 7519) signed with EdDSA (RFC 8037); the key set is RFC 7517, and a key's id is
its RFC 7638 thumbprint.

The libraries that sign are imported where they are used: the supervisor, which stays, needs only
the names.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from embedded.passwords import write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ISSUER = "https://tokens.qrpay.internal"
AUDIENCE = "qrpay"

Role = Literal["customer", "merchant", "operator"]


class TokenIssuer:
    """Makes tokens with the key in a directory."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._key_id = _public_jwk(key)["kid"]

    def issue(self, *, subject: str, role: Role, now: datetime, life: timedelta) -> str:
        """A token for the owner with id `subject`, valid from `now` for `life`."""
        import jwt

        claims = {
            "sub": subject,
            "role": role,
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + life,
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._key_id})


def jwks_file(directory: Path) -> Path:
    """Where the public keys are, for whoever verifies tokens."""
    return directory / "jwks.json"


def ensure_issuer(directory: Path) -> None:
    """Make the issuer's key if there is none, and write the key set."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key_file = directory / "issuer.key"
    if not key_file.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_private(key_file, pem.decode())
    keys = {"keys": [_public_jwk(_load_key(directory))]}
    write_private(jwks_file(directory), msgspec.json.encode(keys).decode() + "\n")


def load_issuer(directory: Path) -> TokenIssuer:
    """The issuer whose key is in the directory. Raises FileNotFoundError."""
    return TokenIssuer(_load_key(directory))


def _load_key(directory: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    pem = (directory / "issuer.key").read_bytes()
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, Ed25519PrivateKey), "the issuer's key is not of our making"
    return key


def _public_jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    raw = key.public_key().public_bytes_raw()
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": _base64(raw)}
    # RFC 7638: the required members in alphabetical order, without spaces.
    thumbprint = hashlib.sha256(msgspec.json.encode(jwk, order="sorted")).digest()
    return {**jwk, "kid": _base64(thumbprint), "alg": "EdDSA", "use": "sig"}


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
