"""Answers with a JSON body."""

from __future__ import annotations

import msgspec

from gateway.operation import Headers, Reply

_encode = msgspec.json.Encoder().encode
_CONTENT_TYPE = (b"content-type", b"application/json")


def json_reply(
    answer: msgspec.Struct, *, status: int = 200, headers: Headers | None = None
) -> Reply:
    """The answer as JSON."""
    body = _encode(answer)
    return Reply(
        status,
        body,
        [_CONTENT_TYPE, (b"content-length", b"%d" % len(body)), *(headers or ())],
    )
