"""The ``Idempotency-Key`` header: the caller's name for one attempt to move money."""

from __future__ import annotations

import re

from gateway.problems import Problem

_PLAIN = re.compile(rb"[\x21\x23-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
_QUOTED = re.compile(rb'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_ESCAPED = re.compile(rb'\\(["\\])')

KEY_CHARACTERS_MAX = 255


def parse_idempotency_key(header: bytes | None) -> str:
    """The key: 1 to 255 characters of printable ASCII.

    Plain (``abc``) or a structured-field string (``"abc"``, RFC 8941 section 3.3.3, the form of
    draft-ietf-httpapi-idempotency-key-header): both mean the same key. Spaces around it do not
    count. Raises ``Problem`` idempotency-key-missing or idempotency-key-invalid.
    """
    if header is None:
        raise Problem("idempotency-key-missing")
    value = header.strip(b" \t")
    if _PLAIN.fullmatch(value):
        return value.decode("ascii")
    quoted = _QUOTED.fullmatch(value)
    if quoted is None:
        raise Problem("idempotency-key-invalid")
    key = _ESCAPED.sub(rb"\1", quoted[1])
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX:
        raise Problem("idempotency-key-invalid")
    return key.decode("ascii")
