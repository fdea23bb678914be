"""What one entry of the route table is: everything that is true of one method on one path.

The same entry is served (``endpoint``) and documented (``openapi``): they cannot differ.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from msgspec import Struct
from starlette.types import Receive, Send

from gateway.auth import ROLES, Caller, Role
from gateway.bodies import BodyDecoder
from gateway.problems import PROBLEM_TYPES
from gateway.queries import NoQuery

Headers = list[tuple[bytes, bytes]]


class Reply(NamedTuple):
    """An answer, ready to be sent."""

    status: int
    body: bytes
    headers: Headers


class Stream(NamedTuple):
    """An answer that is written bit by bit: ``write`` sends all of it, from start to end."""

    write: Callable[[Receive, Send], Awaitable[None]]


class Connection(Protocol):
    """What our HTTP server can do beyond ASGI; offered as extension ``CONNECTION``."""

    @property
    def body_is_complete(self) -> bool:
        """Whether the whole body of the newest request is there already."""
        ...

    def abort(self) -> None:
        """Cut the connection off, whatever still waits to be sent."""
        ...

    def release_intake(self) -> None:
        """The payment that is being served is payment_svc's now: another one may come in."""
        ...


CONNECTION = "qrpay.connection"


@dataclass(slots=True)
class Call:
    """One request, after everything about it was checked that can be checked by a rule."""

    headers: Mapping[bytes, bytes]
    path: Mapping[str, str]
    address: str
    connection: Connection
    caller: Caller | None = None
    query: Any = None
    body: Any = None
    idempotency_key: str = ""
    version: int = 0
    """From If-Match; 0: whatever is there (``*``)."""
    waited_seconds: float = 0.0
    """How long the client itself asked us to wait."""

    @property
    def user(self) -> Caller:
        """The caller of an operation that needs one."""
        assert self.caller is not None, "only public operations have no caller"
        return self.caller


Handler = Callable[[Call], Awaitable[Reply | Stream]]


@dataclass(frozen=True, kw_only=True)
class Success:
    """One way in which an operation succeeds."""

    status: int
    description: str
    shape: type[Struct] | None = None
    media_types: tuple[str, ...] = ("application/json",)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Response header -> what it says."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A body that is a file."""

    media_types: tuple[str, ...]
    bytes_max: int
    seconds: float
    """How long a client may take to send it."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method on one path."""

    method: Literal["GET", "POST", "PUT", "PATCH"]
    path: str
    tag: str
    summary: str
    description: str = ""
    handler: Handler
    roles: tuple[Role, ...] | None = ROLES
    """Who may call; None: anybody, without a token."""
    query: type[Struct] = NoQuery
    bodies: Mapping[Role, BodyDecoder[Any]] = field(default_factory=dict)
    body_optional: bool = False
    moves_money: bool = False
    """Needs an Idempotency-Key and understands Prefer: wait."""
    creates: bool = False
    """Needs an Idempotency-Key: a repeat finds what the first request made."""
    edits: bool = False
    """Needs If-Match with the version that was read, and takes a merge patch (RFC 7396)."""
    upload: Upload | None = None
    """Takes a file instead of JSON."""
    streams: bool = False
    """Answers for as long as the client listens."""
    successes: tuple[Success, ...]
    problems: tuple[str, ...] = ()
    """Problem codes beyond those that follow from the fields above."""
    request_headers: Mapping[str, str] = field(default_factory=dict)
    """Optional request header -> what it does."""
    limited: bool = True
    """Counts against the caller's rate."""

    def __post_init__(self) -> None:
        unknown = set(self.problems) - PROBLEM_TYPES.keys()
        assert not unknown, f"no such problems: {unknown}"
        assert self.roles is not None or not self.bodies, "a body is read from known callers only"

    @property
    def needs_key(self) -> bool:
        """Whether an Idempotency-Key must be there."""
        return self.moves_money or self.creates

    @property
    def name(self) -> str:
        """For logs and as operationId: ``get_payments_payment_id``."""
        words = self.path.replace("{", "").replace("}", "").replace("-", "_").split("/")
        return "_".join([self.method.lower(), *filter(None, words)])

    def all_problems(self) -> list[str]:
        """Every problem code that this operation may answer, by status and name."""
        codes = set(self.problems)
        if self.roles is not None:
            codes |= {"unauthenticated", "token-expired", "temporarily-unavailable"}
            if set(self.roles) != set(ROLES):
                codes.add("forbidden")
        if self.limited:
            codes.add("rate-limited")
        if self.upload is not None:
            codes |= {"body-too-large", "unsupported-media-type", "invalid-request"}
        if self.edits:
            codes |= {"precondition-required", "precondition-failed"}
        if self.bodies:
            codes |= {"malformed-json", "invalid-request", "body-too-large"}
            codes.add("unsupported-media-type")
        if self.query is not NoQuery:
            codes.add("invalid-request")
        if self.needs_key:
            codes |= {"idempotency-key-missing", "idempotency-key-invalid"}
            codes.add("idempotency-key-reused")
        if self.moves_money:
            codes.add("idempotency-key-in-flight")
        return sorted(codes, key=lambda code: (PROBLEM_TYPES[code].status, code))
