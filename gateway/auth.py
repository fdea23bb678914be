"""Who is calling: the bearer token (RFC 6750), a JWT (RFC 7519) checked as RFC 8725 asks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import jwt
import msgspec

from chassis.clock import Clock
from gateway.keys import KeySet
from gateway.problems import Problem
from gateway.recent import RecentlyUsed

Role = Literal["customer", "merchant", "operator"]
ROLES: tuple[Role, ...] = get_args(Role)

TOKEN_CHARACTERS_MAX = 8192

_SUBJECT = re.compile(r"[\x21-\x7e]{1,128}")
_BEARER = re.compile(rb"bearer +([A-Za-z0-9_.=-]+)", re.IGNORECASE)
_ALGORITHMS = ["EdDSA", "RS256"]


class Caller(NamedTuple):
    """Who is calling, and until when (monotonic seconds) we know it."""

    id: str
    role: Role
    token_ends_at: float


class Claims(msgspec.Struct, frozen=True):
    """The claims of a token that count here; others are ignored."""

    sub: str
    role: Role
    exp: float
    iss: str
    aud: str | list[str]
    nbf: float = 0


class Authenticator:
    """Turns an Authorization header into a caller.

    A verification is remembered by the whole header until the token ends, ``cache_seconds_max`` at
    the most: a signature costs more than everything else that a request does here.
    """

    def __init__(
        self,
        keys: KeySet,
        *,
        issuer: str,
        audience: str,
        leeway_seconds: float,
        cache_seconds_max: float,
        cache_size: int,
        clock: Clock,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._leeway_seconds = leeway_seconds
        self._cache_seconds_max = cache_seconds_max
        self._clock = clock
        self._monotonic: Callable[[], float] = clock.monotonic
        self._verified: RecentlyUsed[bytes, tuple[Caller, float]] = RecentlyUsed(cache_size)
        self._signatures = jwt.PyJWS(
            algorithms=_ALGORITHMS, options={"enforce_minimum_key_length": True}
        )
        # A key that was withdrawn must not live on in what we remember.
        keys.on_change = self._verified.clear

    def recall(self, header: bytes) -> Caller | None:
        """The caller, if this very header was verified a short while ago."""
        found = self._verified.get(header)
        if found is None or self._monotonic() >= found[1]:
            return None
        return found[0]

    async def authenticate(self, header: bytes | None) -> Caller:
        """The caller. Raises ``Problem`` unauthenticated or token-expired, ``Unavailable`` while
        there are no keys to check with."""
        if header is None:
            raise _refused()
        if (caller := self.recall(header)) is not None:
            return caller
        bearer = _BEARER.fullmatch(header.strip())
        if bearer is None or len(bearer[1]) > TOKEN_CHARACTERS_MAX:
            raise _refused("invalid_request" if bearer else None)
        claims = await self._verify(bearer[1])
        caller = self._check(claims)
        until = min(caller.token_ends_at, self._monotonic() + self._cache_seconds_max)
        self._verified.put(header, (caller, until))
        return caller

    async def _verify(self, token: bytes) -> Claims:
        try:
            key_id = self._signatures.get_unverified_header(token).get("kid")
            key = await self._keys.find(key_id) if isinstance(key_id, str) else None
            if key is None:
                raise _refused("invalid_token")
            payload = self._signatures.decode(token, key, algorithms=[key.algorithm_name])
            return msgspec.json.decode(payload, type=Claims)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise _refused("invalid_token") from None

    def _check(self, claims: Claims) -> Caller:
        now = self._clock.now().timestamp()
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        if claims.iss != self._issuer or self._audience not in audiences:
            raise _refused("invalid_token")
        if not _SUBJECT.fullmatch(claims.sub):
            raise _refused("invalid_token")
        if claims.nbf > now + self._leeway_seconds:
            raise _refused("invalid_token")
        remaining = claims.exp + self._leeway_seconds - now
        if not remaining > 0:
            raise Problem("token-expired", headers=[_challenge("invalid_token")])
        return Caller(claims.sub, claims.role, self._monotonic() + remaining)


def _refused(error: str | None = None) -> Problem:
    return Problem("unauthenticated", headers=[_challenge(error)])


def _challenge(error: str | None) -> tuple[bytes, bytes]:
    # Without a token there is no error to name (RFC 6750, section 3.1).
    suffix = f', error="{error}"' if error else ""
    return (b"www-authenticate", f'Bearer realm="qrpay"{suffix}'.encode())
