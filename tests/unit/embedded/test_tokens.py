"""Tokens of the stack's own issuer, read as the gateway reads them."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from embedded.tokens import AUDIENCE, ISSUER, ensure_issuer, jwks_file, load_issuer


def decode(directory: Path, token: str) -> dict[str, object]:
    """Verify a token against the key set, as anybody outside would."""
    keys = jwt.PyJWKSet.from_dict(json.loads(jwks_file(directory).read_bytes()))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, algorithms=["EdDSA"], audience=AUDIENCE, issuer=ISSUER)


def test_a_token_verifies_and_says_who(tmp_path: Path) -> None:
    """Goal: the key set alone is enough to verify a token; its claims are those asked for."""
    ensure_issuer(tmp_path)
    now = datetime.now(UTC).replace(microsecond=0)
    token = load_issuer(tmp_path).issue(
        subject="usr_1", role="customer", now=now, life=timedelta(hours=1)
    )
    claims = decode(tmp_path, token)
    assert claims == {
        "sub": "usr_1",
        "role": "customer",
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + 3600,
    }


def test_a_token_ends(tmp_path: Path) -> None:
    """Goal: after its life a token is refused."""
    ensure_issuer(tmp_path)
    token = load_issuer(tmp_path).issue(
        subject="usr_1",
        role="customer",
        now=datetime.now(UTC) - timedelta(hours=2),
        life=timedelta(hours=1),
    )
    with pytest.raises(jwt.ExpiredSignatureError):
        decode(tmp_path, token)


def test_the_key_is_kept_and_private(tmp_path: Path) -> None:
    """Goal: tokens outlive a restart, and the key set holds no private half."""
    ensure_issuer(tmp_path)
    before = jwks_file(tmp_path).read_bytes()
    ensure_issuer(tmp_path)
    assert jwks_file(tmp_path).read_bytes() == before
    assert set(json.loads(before)["keys"][0]) == {"crv", "kty", "x", "kid", "alg", "use"}
    assert stat.S_IMODE((tmp_path / "issuer.key").stat().st_mode) == 0o600
