"""The issuer's keys: which are usable, and when they are read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from chassis.errors import Unavailable
from gateway.keys import FileKeySource, KeySet, KeySetError, UrlKeySource, parse_key_set
from tests.unit.gateway.conftest import FakeClock, Issuer, public_jwk

ED = {**public_jwk(ed25519.Ed25519PrivateKey.generate()), "kid": "ed"}


def document(*keys: Any) -> bytes:
    """A key set."""
    return json.dumps({"keys": keys}).encode()


def test_what_cannot_be_used_is_passed_over() -> None:
    """Secrets, other curves, short RSA keys, encryption keys and keys without an id do not count,
    and do not keep the good ones from counting."""
    strong = {**public_jwk(rsa.generate_private_key(65537, 2048)), "kid": "rsa"}
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    weak = {**public_jwk(short), "kid": "weak"}
    others = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
        {**public_jwk(ec.generate_private_key(ec.SECP256R1())), "kid": "ec"},
        {**public_jwk(ed448.Ed448PrivateKey.generate()), "kid": "ed448"},
        {**ED, "use": "enc", "kid": "encryption"},
        {**ED, "alg": "HS256", "kid": "liar"},
        {name: value for name, value in ED.items() if name != "kid"},
        {**ED, "x": "!!!", "kid": "broken"},
        {**ED, "kid": 7},
        "not a key",
        None,
    ]
    keys = parse_key_set(document(*others, ED, weak, strong))
    assert {key_id: key.algorithm_name for key_id, key in keys.items()} == {
        "ed": "EdDSA",
        "rsa": "RS256",
    }


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"null", b'{"keys":{}}', b'{"keys":[]}', b"\xff"]
)
def test_what_is_no_key_set(raw: bytes) -> None:
    """Broken documents, and those that leave nothing to verify with."""
    with pytest.raises(KeySetError):
        parse_key_set(raw)


async def test_an_unknown_key_id_is_looked_for_but_not_each_time(
    issuer: Issuer, keys: KeySet, clock: FakeClock
) -> None:
    """A key that was added is found at its first token. A flood of invented ids reads the keys once
    per interval."""
    await keys.refresh()
    clock.seconds += 60
    issuer.add("new", ed25519.Ed25519PrivateKey.generate())
    assert await keys.find("new") is not None
    reads = issuer.source.reads
    for number in range(100):
        assert await keys.find(f"invented {number}") is None
    assert issuer.source.reads == reads
    clock.seconds += 10
    await keys.find("invented")
    assert issuer.source.reads == reads + 1


async def test_many_who_ask_share_one_read(issuer: Issuer, keys: KeySet) -> None:
    """At a start everybody's key is unknown: one read answers all of them."""
    found = await asyncio.gather(*(keys.find("ed") for _ in range(50)))
    assert None not in found
    assert issuer.source.reads == 1


@pytest.mark.parametrize("fault", [OSError("gone"), KeySetError("odd"), ValueError("bad URL")])
async def test_a_failed_read_keeps_the_keys(issuer: Issuer, keys: KeySet, fault: Exception) -> None:
    """An issuer that is away, or talks nonsense, changes nothing for those who have a token."""
    await keys.refresh()
    issuer.source.fault = fault
    await keys.refresh()
    assert await keys.find("ed") is not None
    issuer.source.fault, issuer.source.document = None, b"<html>"
    await keys.refresh()
    assert await keys.find("ed") is not None


async def test_no_keys_at_all(issuer: Issuer, keys: KeySet) -> None:
    """Until the first read succeeds nobody can be told apart."""
    issuer.source.fault = OSError("gone")
    assert not keys.loaded
    with pytest.raises(Unavailable):
        await keys.find("ed")


async def test_who_listens_hears_of_changes_only(issuer: Issuer, keys: KeySet) -> None:
    """The same document again is no change."""
    changes = []
    keys.on_change = lambda: changes.append(1)
    await keys.refresh()
    await keys.refresh()
    assert len(changes) == 1
    issuer.add("new", ed25519.Ed25519PrivateKey.generate())
    await keys.refresh()
    assert len(changes) == 2


async def test_a_file(tmp_path: Path) -> None:
    """Keys in a file are read each time, so that a mounted secret can change."""
    file = tmp_path / "keys.json"
    file.write_bytes(b"one")
    source = FileKeySource(file)
    assert await source.read() == b"one"
    file.write_bytes(b"two")
    assert await source.read() == b"two"


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/keys",
        "http://127.0.0.1.evil.example/keys",
        "http://10.0.0.1/keys",
        "file:///etc/passwd",
        "ftp://127.0.0.1/keys",
        "",
    ],
)
def test_urls_that_are_not_fetched(url: str) -> None:
    """Keys come over TLS, or from this machine."""
    with pytest.raises(KeySetError):
        UrlKeySource(url)


@pytest.mark.parametrize(
    "url", ["https://issuer.example/keys", "http://127.0.0.1:9/keys", "http://[::1]:9/keys"]
)
def test_urls_that_are(url: str) -> None:
    """TLS anywhere, plain on loopback."""
    UrlKeySource(url)
