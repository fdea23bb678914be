"""The public keys that tokens are verified with: a JSON Web Key Set (RFC 7517), kept fresh."""

from __future__ import annotations

import asyncio
import ipaddress
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol
from urllib.error import URLError
from urllib.parse import urlsplit

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from chassis.errors import Unavailable
from chassis.logs import get_logger

RSA_BITS_MIN = 2048
"""RFC 7518, section 3.3."""

_DOCUMENT_BYTES_MAX = 256 * 1024
_KEYS_MAX = 64
_FETCH_SECONDS = 5.0
_RETRY_SECONDS = 1.0

_LOG = get_logger(__name__)


class KeySetError(Exception):
    """The key set cannot be had or holds no key that we can use."""


class KeySource(Protocol):
    """Where a key set comes from."""

    async def read(self) -> bytes:
        """The document. Raises ``KeySetError`` or ``OSError``."""
        ...


class FileKeySource:
    """A key set in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> bytes:
        """The document. Raises ``OSError``."""
        return await asyncio.to_thread(self._path.read_bytes)


class UrlKeySource:
    """A key set at a URL: https, or http on a loopback address. Redirects are not followed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (
            parts.scheme == "http" and _is_loopback(parts.hostname or "")
        ):
            raise KeySetError("JWKS_URL must be https (http only on a loopback address)")
        self._url = url
        self._opener = urllib.request.build_opener(_NoRedirects)

    async def read(self) -> bytes:
        """The document. Raises ``KeySetError`` or ``OSError``."""
        return await asyncio.to_thread(self._fetch)

    def _fetch(self) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self._url, headers={"accept": "application/json"}
        )
        try:
            with self._opener.open(request, timeout=_FETCH_SECONDS) as response:
                document: bytes = response.read(_DOCUMENT_BYTES_MAX + 1)
        except HTTPException as error:  # not an OSError, unlike everything else that goes wrong
            raise KeySetError("the key set's server does not speak HTTP") from error
        if len(document) > _DOCUMENT_BYTES_MAX:
            raise KeySetError("the key set is too large")
        return document


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        raise URLError("the key set's address redirects")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_key_set(document: bytes) -> dict[str, jwt.PyJWK]:
    """The keys by id: Ed25519 for EdDSA and RSA for RS256. Others are passed over.

    A key's algorithm is its own, so a token cannot choose how it is verified (RFC 8725, section
    3.1). Raises ``KeySetError`` if nothing usable is left.
    """
    try:
        found = msgspec.json.decode(document)["keys"][:_KEYS_MAX]
    except (ValueError, KeyError, TypeError) as error:
        raise KeySetError("not a JSON Web Key Set") from error
    keys = {}
    for item in found:
        key = _usable(item) if isinstance(item, dict) else None
        if key is None:
            _LOG.warning("key_passed_over")
        else:
            keys[item["kid"]] = key
    if not keys:
        raise KeySetError("the key set holds no Ed25519 or RSA signing key with a key id")
    return keys


def _usable(item: dict[str, Any]) -> jwt.PyJWK | None:
    algorithm = {"OKP": "EdDSA", "RSA": "RS256"}.get(str(item.get("kty")))
    if algorithm is None or item.get("alg", algorithm) != algorithm:
        return None
    if item.get("use", "sig") != "sig" or not isinstance(item.get("kid"), str):
        return None
    try:
        key = jwt.PyJWK.from_dict(item, algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if isinstance(key.key, RSAPublicKey):
        return key if key.key.key_size >= RSA_BITS_MIN else None
    # Nothing else: not Ed448, and not a private key that somebody published by mistake.
    return key if isinstance(key.key, Ed25519PublicKey) else None


def _nothing() -> None:
    """Nobody wants to know."""


class KeySet:
    """The current keys. ``on_change`` is called when they are others than before."""

    def __init__(
        self,
        source: KeySource,
        *,
        refresh_seconds: float,
        refresh_seconds_min: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._source = source
        self._refresh_seconds = refresh_seconds
        self._refresh_seconds_min = refresh_seconds_min
        self._monotonic = monotonic
        self.on_change: Callable[[], None] = _nothing
        self._keys: dict[str, jwt.PyJWK] = {}
        self._document: bytes = b""
        self._not_before = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None

    @property
    def loaded(self) -> bool:
        """Whether there are keys at all."""
        return bool(self._keys)

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key with this id; None if there is none, also after a fresh look.

        Looks again at most once per ``refresh_seconds_min``, however many unknown ids come. Raises
        ``Unavailable`` as long as there are no keys at all: nobody can be told apart then.
        """
        if key_id not in self._keys and self._monotonic() >= self._not_before:
            await self.refresh()
        elif key_id not in self._keys and self._refreshing is not None:
            await asyncio.shield(self._refreshing)
        if not self._keys:
            raise Unavailable
        return self._keys.get(key_id)

    async def refresh(self) -> None:
        """Read the keys again; keep those we have if that fails."""
        if self._refreshing is None:
            self._not_before = self._monotonic() + self._refresh_seconds_min
            self._refreshing = asyncio.create_task(self._read(), name="read keys")
            self._refreshing.add_done_callback(self._refreshed)
        # Shielded: many requests may wait for the one look, and each may go away.
        await asyncio.shield(self._refreshing)

    async def run(self) -> None:
        """Read the keys now and from time to time, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._refresh_seconds if self._keys else _RETRY_SECONDS)

    def _refreshed(self, _task: asyncio.Task[None]) -> None:
        self._refreshing = None

    async def _read(self) -> None:
        try:
            document = await self._source.read()
            if document == self._document:
                return
            keys = parse_key_set(document)
        except (KeySetError, OSError, ValueError) as error:
            _LOG.warning("keys_not_read", error=str(error))
            return
        self._keys, self._document = keys, document
        self.on_change()
        _LOG.info("keys_read", key_ids=sorted(keys))
