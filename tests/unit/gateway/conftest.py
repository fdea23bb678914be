"""A clock that tests move, and an issuer of tokens whose keys they choose."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from gateway.keys import KeySet

ISSUER = "https://issuer.example"
AUDIENCE = "qrpay"


class FakeClock:
    """Time that only moves when told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        """The wall clock."""
        return datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """The steady clock."""
        return 5000.0 + self.seconds


class FakeKeySource:
    """A key set that tests change, and that counts how often it is read."""

    def __init__(self) -> None:
        self.document = b""
        self.reads = 0
        self.fault: Exception | None = None

    async def read(self) -> bytes:
        """The document."""
        self.reads += 1
        if self.fault is not None:
            raise self.fault
        return self.document


class Issuer:
    """Signs tokens and publishes keys."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.source = FakeKeySource()
        self.keys: dict[str, Any] = {}
        self.add("ed", ed25519.Ed25519PrivateKey.generate())

    def add(self, key_id: str, key: Any, **members: Any) -> None:
        """Publish one more key."""
        self.keys[key_id] = (key, members)
        self._publish()

    def remove(self, key_id: str) -> None:
        """Withdraw a key."""
        del self.keys[key_id]
        self._publish()

    def _publish(self) -> None:
        keys = [
            {**public_jwk(key), "kid": key_id, **members}
            for key_id, (key, members) in self.keys.items()
        ]
        self.source.document = json.dumps({"keys": keys}).encode()

    def token(
        self,
        *,
        key_id: str = "ed",
        key: Any = None,
        algorithm: str = "EdDSA",
        headers: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A good token, except for what is given; a claim of None is left out."""
        now = self.clock.now().timestamp()
        all_claims = {
            "sub": "usr_1",
            "role": "customer",
            "iss": ISSUER,
            "aud": AUDIENCE,
            "exp": now + 3600,
            **claims,
        }
        return jwt.encode(
            {name: value for name, value in all_claims.items() if value is not None},
            key if key is not None else self.keys[key_id][0],
            algorithm=algorithm,
            headers={"kid": key_id, **(headers or {})},
        )


def public_jwk(key: Any) -> dict[str, Any]:
    """The public half of a key as a JWK."""
    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": _encoded(numbers.n), "e": _encoded(numbers.e)}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        numbers = public.public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": _encoded(numbers.x), "y": _encoded(numbers.y)}
    curve = "Ed448" if isinstance(key, ed448.Ed448PrivateKey) else "Ed25519"
    return {"kty": "OKP", "crv": curve, "x": _encoded(public.public_bytes_raw())}


def _encoded(value: int | bytes) -> str:
    raw = value if isinstance(value, bytes) else value.to_bytes((value.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture
def clock() -> FakeClock:
    """A clock."""
    return FakeClock()


@pytest.fixture
def issuer(clock: FakeClock) -> Issuer:
    """An issuer with one Ed25519 key."""
    return Issuer(clock)


@pytest.fixture
def keys(issuer: Issuer, clock: FakeClock) -> KeySet:
    """The issuer's keys as the gateway keeps them; not read yet."""
    return KeySet(
        issuer.source,
        refresh_seconds=300,
        refresh_seconds_min=10,
        monotonic=clock.monotonic,
    )
