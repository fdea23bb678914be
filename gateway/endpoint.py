"""What happens to every request of an operation, in order. A plain ASGI application, so that the
hot routes are served by the same few lines as all others and not by a copy of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence

from starlette.types import Receive, Scope, Send

from chassis import channel
from gateway.auth import Authenticator, Caller
from gateway.idempotency import parse_idempotency_key
from gateway.operation import CONNECTION, Call, Operation, Reply, Stream, Upload
from gateway.preconditions import parse_if_match
from gateway.problems import Problem
from gateway.queries import parse_query
from gateway.rate_limit import RateLimiter

_UTF8 = rb'[ \t]*(?:;[ \t]*charset[ \t]*=[ \t]*(?:utf-8|"utf-8")[ \t]*)?;?'
_JSON = re.compile(rb"application/json" + _UTF8, re.IGNORECASE)
_PATCH = re.compile(rb"application/(?:merge-patch\+)?json" + _UTF8, re.IGNORECASE)
# Given twice, these could mean one thing to us and another to a proxy before us.
_GIVEN_ONCE: dict[bytes, str] = {
    b"authorization": "unauthenticated",
    b"idempotency-key": "idempotency-key-invalid",
    b"content-type": "unsupported-media-type",
    b"if-match": "precondition-failed",
}


HEADERS = "qrpay.headers"
"""Where in the scope the headers are as a dict, made once per request."""


class ClientGone(Exception):
    """The client went away before its request was complete: there is nobody to answer."""


def checked_headers(scope: Scope) -> Mapping[bytes, bytes]:
    """The request's headers by lower-case name. Raises ``Problem`` if one that decides something
    was given more than once; of others the last counts."""
    pairs: Sequence[tuple[bytes, bytes]] = scope["headers"]
    headers: Mapping[bytes, bytes] = scope[HEADERS]
    if len(headers) != len(pairs):
        names = [name for name, _ in pairs]
        for name, code in _GIVEN_ONCE.items():
            if names.count(name) > 1:
                raise Problem(code)
    return headers


async def read_body(call: Call, receive: Receive, *, bytes_max: int, seconds: float) -> bytes:
    """The whole body. Raises ``Problem`` body-too-large as soon as that is certain, also for a body
    without a length; invalid-request if it does not arrive in time; ``ClientGone``."""
    length = call.headers.get(b"content-length")
    if length is not None and int(length) > bytes_max:
        raise Problem("body-too-large")
    if call.connection.body_is_complete:
        # Nearly always. A clock that cannot run out would cost as much as decoding the body.
        return await _received(receive, bytes_max)
    try:
        async with asyncio.timeout(seconds):
            return await _received(receive, bytes_max)
    except TimeoutError:
        raise Problem(
            "invalid-request",
            detail="The body did not arrive in time.",
            headers=[(b"connection", b"close")],
        ) from None


async def _received(receive: Receive, bytes_max: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False) and len(body) <= bytes_max:
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientGone
    if len(body) > bytes_max:
        raise Problem("body-too-large")
    return body


class Endpoint:
    """One operation as an ASGI application. Raises ``Problem`` and ``ServiceError``; whoever
    stands outside makes answers of them."""

    def __init__(
        self,
        operation: Operation,
        *,
        authenticator: Authenticator,
        callers: RateLimiter,
        addresses: RateLimiter,
        body_bytes_max: int,
        body_seconds: float,
        answer_seconds: float,
        uploads_max: int,
    ) -> None:
        self.operation = operation
        self._authenticator = authenticator
        self._callers = callers
        self._addresses = addresses
        self._body_bytes_max = body_bytes_max
        self._body_seconds = body_seconds
        self._answer_seconds = answer_seconds
        self._uploads = asyncio.Semaphore(uploads_max)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        operation = self.operation
        client = scope["client"]
        call = Call(
            headers=checked_headers(scope),
            path=scope.get("path_params") or {},
            address=client[0] if client else "",
            connection=scope["extensions"][CONNECTION],
        )
        if operation.roles is not None:
            call.caller = await self._admitted(call)
        elif operation.limited:
            _refuse_if_early(self._addresses.admit(call.address))
        if operation.needs_key:
            call.idempotency_key = parse_idempotency_key(call.headers.get(b"idempotency-key"))
        if operation.edits:
            call.version = parse_if_match(call.headers.get(b"if-match"))
        call.query = parse_query(operation.query, scope["query_string"])
        if operation.upload is None:
            reply = await self._answer(call, receive)
        elif self._uploads.locked():
            # Each takes memory until it is answered: what is too many now is not in a moment.
            raise Problem("temporarily-unavailable")
        else:
            async with self._uploads:
                reply = await self._answer(call, receive)
        scope["qrpay.waited_seconds"] = call.waited_seconds
        if isinstance(reply, Reply):
            await send(
                {"type": "http.response.start", "status": reply.status, "headers": reply.headers}
            )
            await send({"type": "http.response.body", "body": reply.body})
        else:
            await reply.write(receive, send)

    async def _answer(self, call: Call, receive: Receive) -> Reply | Stream:
        operation = self.operation
        if operation.bodies:
            call.body = await self._body(call, receive)
        elif operation.upload is not None:
            call.body = await _uploaded(operation.upload, call, receive)
        # What is asked of other services for this request must be answered by then.
        channel.deadline.set(asyncio.get_running_loop().time() + self._answer_seconds)
        return await operation.handler(call)

    async def _admitted(self, call: Call) -> Caller:
        header = call.headers.get(b"authorization")
        caller = self._authenticator.recall(header) if header is not None else None
        if caller is None:
            caller = await self._authenticator.authenticate(header)
        if self.operation.limited:
            _refuse_if_early(self._callers.admit(caller.id))
        assert self.operation.roles is not None, "asked only where a role is needed"
        if caller.role not in self.operation.roles:
            raise Problem("forbidden")
        # What people do with what is theirs is on record there; operators act on what is others'.
        channel.acting_for.set(caller.id if caller.role == "operator" else "")
        return caller

    async def _body(self, call: Call, receive: Receive) -> object:
        decoder = self.operation.bodies[call.user.role]
        content_type = call.headers.get(b"content-type")
        if content_type is None and self.operation.body_optional:
            raw = await self._read(call, receive)
            if not raw:
                return decoder.body_type()
            raise Problem("unsupported-media-type")
        form = _PATCH if self.operation.edits else _JSON
        # The plain form first: it is what nearly everybody sends.
        if content_type != b"application/json" and not form.fullmatch(content_type or b""):
            raise Problem("unsupported-media-type")
        raw = await self._read(call, receive)
        if not raw and self.operation.body_optional:
            return decoder.body_type()
        return decoder.decode(raw)

    async def _read(self, call: Call, receive: Receive) -> bytes:
        return await read_body(
            call, receive, bytes_max=self._body_bytes_max, seconds=self._body_seconds
        )


async def _uploaded(upload: Upload, call: Call, receive: Receive) -> bytes:
    """The file. What it is, is told by its content; its type is looked at so that nobody sends us
    what we would refuse anyway."""
    content_type = call.headers.get(b"content-type", b"").decode("latin-1").lower()
    if content_type.strip() not in upload.media_types:
        raise Problem(
            "unsupported-media-type", detail=f"Send one of {', '.join(upload.media_types)}."
        )
    return await read_body(call, receive, bytes_max=upload.bytes_max, seconds=upload.seconds)


def _refuse_if_early(seconds: float) -> None:
    if seconds:
        raise Problem("rate-limited", retry_after_seconds=seconds)
