"""Who is calling: good tokens, bad tokens, and what is remembered."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.errors import Unavailable
from gateway.auth import Authenticator
from gateway.keys import KeySet
from gateway.problems import Problem
from tests.unit.gateway.conftest import AUDIENCE, ISSUER, FakeClock, Issuer, public_jwk


@pytest.fixture
def authenticator(keys: KeySet, clock: FakeClock) -> Authenticator:
    """Remembers a token for a minute; clocks may be two seconds apart."""
    return Authenticator(
        keys,
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway_seconds=2,
        cache_seconds_max=60,
        cache_size=10,
        clock=clock,
    )


async def refused(authenticator: Authenticator, header: bytes | None) -> Problem:
    """The problem that a header is refused with."""
    with pytest.raises(Problem) as caught:
        await authenticator.authenticate(header)
    return caught.value


def bearer(token: str) -> bytes:
    """The token as a header."""
    return b"Bearer " + token.encode()


def part(value: Any) -> str:
    """One part of a token made by hand."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def test_an_ed25519_token(authenticator: Authenticator, issuer: Issuer) -> None:
    """A good token names its caller and role, however the scheme is written."""
    token = issuer.token(sub="mer_7", role="merchant")
    for header in (bearer(token), b"bearer  " + token.encode(), b"BEARER " + token.encode() + b" "):
        caller = await authenticator.authenticate(header)
        assert (caller.id, caller.role) == ("mer_7", "merchant")


async def test_an_rsa_token(authenticator: Authenticator, issuer: Issuer) -> None:
    """RS256 works the same way, beside EdDSA."""
    issuer.add("rsa", rsa.generate_private_key(65537, 2048))
    token = issuer.token(key_id="rsa", algorithm="RS256", role="operator")
    assert (await authenticator.authenticate(bearer(token))).role == "operator"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["other", AUDIENCE]},
        {"nbf": 0},
        {"iat": 1, "jti": "x", "scope": ["anything"]},
        {"exp": 1e12},
    ],
)
async def test_claims_that_are_fine(
    authenticator: Authenticator, issuer: Issuer, claims: dict[str, Any]
) -> None:
    """A list of audiences, a begin in the past, claims that we do not know."""
    await authenticator.authenticate(bearer(issuer.token(**claims)))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a b"},
        {"sub": "usr\n"},
        {"sub": "\ud800"},
        {"sub": "x" * 129},
        {"role": None},
        {"role": "admin"},
        {"role": "Customer"},
        {"role": ["customer"]},
        {"iss": None},
        {"iss": "https://evil.example"},
        {"iss": ISSUER + "/"},
        {"aud": None},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": []},
        {"exp": None},
        {"exp": "3000000000"},
        {"exp": True},
        {"nbf": 4e9},
        {"nbf": "soon"},
    ],
)
async def test_claims_that_are_not(
    authenticator: Authenticator, issuer: Issuer, claims: dict[str, Any]
) -> None:
    """Missing, malformed and foreign claims: unauthenticated, with the challenge of RFC 6750."""
    problem = await refused(authenticator, bearer(issuer.token(**claims)))
    assert problem.code == "unauthenticated"
    assert problem.headers == (
        (b"www-authenticate", b'Bearer realm="qrpay", error="invalid_token"'),
    )


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Basic dXNlcjpwYXNz",
        b"Bearer a.b",
        b"Bearer a.b.c",
        b"Bearer ....",
        b"Bearer a.b.c.d.e",
        b"Bearer \xff\xfe",
        b"Bearer e30.e30.e30",
        b"Bearer bnVsbA.e30.",
        b"Bearer " + b"a" * 8193,
    ],
)
async def test_headers_that_are_no_token(authenticator: Authenticator, header: bytes) -> None:
    """Another scheme, broken tokens, far too long ones."""
    assert (await refused(authenticator, header)).code == "unauthenticated"


async def test_no_header(authenticator: Authenticator) -> None:
    """Without any token the challenge names no error (RFC 6750, section 3.1)."""
    problem = await refused(authenticator, None)
    assert problem.headers == ((b"www-authenticate", b'Bearer realm="qrpay"'),)


async def test_the_signature_decides(authenticator: Authenticator, issuer: Issuer) -> None:
    """A changed payload, a foreign key under a known id, a cut signature: refused."""
    head, body, signature = issuer.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = part({**claims, "role": "operator"})
    foreign = issuer.token(key=ed25519.Ed25519PrivateKey.generate())
    for token in (
        f"{head}.{forged}.{signature}",
        foreign,
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}",
        f"{head}.{body}.{part(bytes(64))}",
    ):
        assert (await refused(authenticator, bearer(token))).code == "unauthenticated"


async def test_a_token_cannot_choose_how_it_is_verified(
    authenticator: Authenticator, issuer: Issuer
) -> None:
    """No signature at all, a public key used as an HMAC secret, an algorithm that is not the
    key's: the classic confusions of RFC 8725 are refused."""
    rsa_key = rsa.generate_private_key(65537, 2048)
    issuer.add("rsa", rsa_key)
    body = issuer.token().split(".")[1]
    pem = rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    raw = issuer.keys["ed"][0].public_key().public_bytes_raw()
    forgeries = [
        f"{part({'alg': 'none', 'kid': 'ed'})}.{body}.",
        f"{part({'alg': 'None', 'kid': 'ed'})}.{body}.",
        f"{part({'kid': 'ed'})}.{body}.",
    ]
    for key_id, secret in (("rsa", pem), ("ed", raw)):
        signed = f"{part({'alg': 'HS256', 'kid': key_id})}.{body}"
        digest = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        forgeries.append(f"{signed}.{part(digest)}")
    forgeries += [
        issuer.token(key_id="ed", key=rsa_key, algorithm="RS256"),
        issuer.token(key_id="rsa", key=rsa_key, algorithm="PS256"),
        issuer.token(key_id="rsa", key=rsa_key, algorithm="RS512"),
        issuer.token(headers={"crit": ["unheard-of"]}),
        issuer.token(headers={"kid": "../../etc/passwd"}),
    ]
    for odd_id in (["ed"], None, 7, {"kid": "ed"}):
        signed = f"{part({'alg': 'EdDSA', 'kid': odd_id})}.{body}"
        forgeries.append(f"{signed}.{part(issuer.keys['ed'][0].sign(signed.encode()))}")
    for token in forgeries:
        assert (await refused(authenticator, bearer(token))).code == "unauthenticated", token


async def test_keys_inside_a_token_are_not_looked_at(
    authenticator: Authenticator, issuer: Issuer
) -> None:
    """A token that brings its own key, or says where to get one, convinces nobody."""

    mine = ed25519.Ed25519PrivateKey.generate()
    for headers in ({"jwk": public_jwk(mine)}, {"jku": "https://evil.example/keys"}):
        token = issuer.token(key=mine, headers={"kid": "mine", **headers})
        assert (await refused(authenticator, bearer(token))).code == "unauthenticated"


async def test_expiry(authenticator: Authenticator, issuer: Issuer, clock: FakeClock) -> None:
    """A token ends at exp plus the leeway, also while it is remembered; then it has expired, which
    is not the same as being bad."""
    header = bearer(issuer.token(exp=clock.now().timestamp() + 30))
    await authenticator.authenticate(header)
    clock.seconds += 31.9
    assert authenticator.recall(header) is not None
    clock.seconds += 0.2
    assert authenticator.recall(header) is None
    problem = await refused(authenticator, header)
    assert problem.code == "token-expired"
    assert problem.headers[0][0] == b"www-authenticate"


async def test_not_before(authenticator: Authenticator, issuer: Issuer, clock: FakeClock) -> None:
    """A token does not count before its time, but clocks may differ a little."""
    header = bearer(issuer.token(nbf=clock.now().timestamp() + 10))
    assert (await refused(authenticator, header)).code == "unauthenticated"
    clock.seconds += 8.5
    await authenticator.authenticate(header)


async def test_a_token_is_remembered_for_a_while(
    authenticator: Authenticator, issuer: Issuer, clock: FakeClock
) -> None:
    """A verified token is recalled by its header for the time that was set, and not longer."""
    header = bearer(issuer.token())
    assert authenticator.recall(header) is None
    caller = await authenticator.authenticate(header)
    clock.seconds += 59
    assert authenticator.recall(header) == caller
    clock.seconds += 2
    assert authenticator.recall(header) is None
    assert (await authenticator.authenticate(header)).id == caller.id


async def test_a_withdrawn_key_is_forgotten_with_its_tokens(
    authenticator: Authenticator, issuer: Issuer, keys: KeySet
) -> None:
    """When a key goes away, the tokens it signed are refused at once and not when their memory
    fades."""
    header = bearer(issuer.token())
    await authenticator.authenticate(header)
    issuer.add("new", ed25519.Ed25519PrivateKey.generate())
    issuer.remove("ed")
    await keys.refresh()
    assert authenticator.recall(header) is None
    assert (await refused(authenticator, header)).code == "unauthenticated"


async def test_without_keys_nobody_is_accused(authenticator: Authenticator, issuer: Issuer) -> None:
    """As long as no key could be read, a good token is neither accepted nor called bad."""
    issuer.source.fault = OSError("connection refused")
    with pytest.raises(Unavailable):
        await authenticator.authenticate(bearer(issuer.token()))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(header=st.binary(max_size=100) | st.from_regex(rb"\ABearer [\w-]*\.[\w-]*\.[\w-]*\Z"))
async def test_any_header_is_refused_in_an_orderly_way(
    authenticator: Authenticator, header: bytes
) -> None:
    """Whatever is sent as a token, the outcome is a problem and not a crash."""
    assert (await refused(authenticator, header)).code == "unauthenticated"
