"""Pages of AIP-158: the size of a page, and the opaque token that says where the next one begins.

A token holds the position after the last row of a page. It authorises nothing -- every page checks
its caller again -- so it is not signed, only protected against accidents: a checksum bound to its
``kind`` refuses a token that was cut, edited, or made for another list.

    encode_page_token("ledger.accounts", [last.id])
    (after_id,) = decode_page_token("ledger.accounts", request.page_token, tuple[str])
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from chassis.errors import InvalidArgument

Values = TypeVar("Values", bound=tuple[object, ...])

PAGE_TOKEN_FIELD = "page_token"  # noqa: S105 - the name of a field
PAGE_SIZE_FIELD = "page_size"

_CHECKSUM_BYTES = 6
_TOKEN_CHARACTERS_MAX = 1024
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


def page_size_of(requested: int, *, default: int = 50, maximum: int = 500) -> int:
    """How many rows a page has: 0 means ``default``, more than ``maximum`` is taken as ``maximum``.

    Raises ``InvalidArgument`` if negative (AIP-158).
    """
    if requested < 0:
        raise InvalidArgument([(PAGE_SIZE_FIELD, "is negative")])
    return min(requested, maximum) or default


def encode_page_token(kind: str, values: Sequence[str | int]) -> str:
    """The token of a position: text that fits a URL as it is.

    ``kind`` names the list (``"payment.payments"``); whatever narrows the list (a filter, its
    owner) belongs into ``values`` or ``kind`` too: a position in another list means nothing.
    """
    payload = msgspec.json.encode(values)
    token = _text(_checksum(kind, payload) + payload)
    assert len(token) <= _TOKEN_CHARACTERS_MAX, "a position is a handful of ids and numbers"
    return token


def decode_page_token(kind: str, token: str, shape: type[Values]) -> Values:
    """The position inside a token of this ``kind``, as a tuple of the given shape.

    ``shape`` is for example ``tuple[str, int]``; msgspec's constraints work in it. The values are
    fit for a query: integers of 64 bits, texts without NUL. Raises ``InvalidArgument`` for any text
    that ``encode_page_token`` did not make for this kind and shape.
    """
    try:
        values = msgspec.json.decode(_payload(kind, token), type=shape)
        # Anybody can compute a checksum, so what PostgreSQL would choke on must not come through.
        if all(map(_is_storable, values)):
            return values
    except ValueError:  # the kin of binascii.Error, UnicodeError and msgspec.DecodeError
        pass
    raise InvalidArgument([(PAGE_TOKEN_FIELD, "is not a token of this list")])


def _payload(kind: str, token: str) -> bytes:
    if len(token) > _TOKEN_CHARACTERS_MAX:
        raise ValueError("too long")
    data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    checksum, payload = data[:_CHECKSUM_BYTES], data[_CHECKSUM_BYTES:]
    # The decoder skips foreign characters and ignores spare bits; the one true spelling does not.
    if _text(data) != token or _checksum(kind, payload) != checksum:
        raise ValueError("not made here")
    return payload


def _is_storable(value: object) -> bool:
    if isinstance(value, int):
        return _INT64_MIN <= value <= _INT64_MAX
    return isinstance(value, str) and "\0" not in value


def _checksum(kind: str, payload: bytes) -> bytes:
    return hashlib.sha256(kind.encode() + b"\0" + payload).digest()[:_CHECKSUM_BYTES]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
