"""What is recorded of a call: decided from its method's declaration, and from nothing else in it.

    ACTS = {
        "FreezeWallet": change("wallet_id"),
        "GetPayment": read("payment_id"),
        "RedriveDeadLetters": change("dead_letter_ids", results="results"),
    }

A path names fields of the contract, through messages and repeated fields: ``wallets.id``. What is
not named is never looked at, so no name, code or token of a request gets into a record; and what is
sent in place of an id and does not look like one stays out as well.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import unquote

import grpc
from google.protobuf.descriptor import Descriptor, ServiceDescriptor
from google.protobuf.message import Message
from opentelemetry import trace

from chassis.channel import ACTOR_METADATA
from chassis.errors import ServiceError
from chassis.rpc_metrics import status_name
from chassis.telemetry import traceparent_of_metadata
from chassis.tls import peer_identity
from chassis.tracing import INSIDE, valid_traceparent

Metadata = Sequence[tuple[str, str | bytes]] | None

BEGUN = "BEGUN"
"""The result of an act that has not ended."""
RESULTS = frozenset({BEGUN, *(code.name for code in grpc.StatusCode)})
"""What a result may be."""
WITHHELD = "(withheld)"
"""In place of what may not be kept."""
THINGS_MAX = 256
"""Of a record: as many as a batch has items."""

_OPERATOR = "operator"
_THING = re.compile(r"[a-z]{3}_[0-9A-Za-z_-]{1,60}")
_MADE_ID = re.compile(r"[a-z]{3}_[0-9A-HJKMNP-TV-Z]{26}")
_TELLTALE = re.compile(r"[0-9]{16}|[A-Z]{2}[0-9]{2}[A-Z0-9]{11}")
"""Too many digits for a number of ours, but not for a code; or an IBAN (ISO 13616)."""
_ACTOR_CHARACTERS_MAX = 64
_MIXED = "MIXED"
_CODE_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


class Weight(Enum):
    """How surely a call leaves a trace."""

    READ = "read"
    """Recorded when it has ended, with others."""
    CHANGE = "change"
    """Recorded before it begins, or refused; and again when it has ended."""
    PAYMENT = "payment"
    """As a change if an operator does it. A partner's payments are rows that last, with the caller
    in them, so their record does not hold them up: as a reading."""


@dataclass(frozen=True, kw_only=True)
class Act:
    """What there is to say about the calls of a method."""

    weight: Weight
    things: Sequence[str] = ()
    """Paths in the request to the ids of what it is about."""
    made: Sequence[str] = ()
    """Paths in the response to the ids of what was made."""
    results: str = ""
    """The response's field with one message per item, each with an ``error`` if it was refused."""

    def is_recorded(self, caller: str, *, allowed: bool, for_person: bool = False) -> bool:
        """Whether a call is recorded at all; ``for_person``: the caller tells for whom it calls, as
        the gateway does for operators."""
        return not allowed or for_person or caller not in INSIDE

    def is_recorded_before(self, caller: str, *, allowed: bool, for_person: bool = False) -> bool:
        """Whether a call must not begin without a trace."""
        if not allowed or (caller in INSIDE and not for_person):
            return False
        if self.weight is Weight.PAYMENT:
            return caller == _OPERATOR
        return self.weight is Weight.CHANGE


def read(*things: str) -> Act:
    """The declaration of a method that changes nothing."""
    return Act(weight=Weight.READ, things=things)


def change(*things: str, made: Sequence[str] = (), results: str = "") -> Act:
    """The declaration of a method that changes something."""
    return Act(weight=Weight.CHANGE, things=things, made=made, results=results)


class Thing(NamedTuple):
    """Something that a call is about."""

    kind: str
    id: str


class Call(NamedTuple):
    """What is known of a call when it comes."""

    caller: str
    actor: str
    peer: str
    method: str
    trace_id: str
    things: tuple[Thing, ...]


class Outcome(NamedTuple):
    """How it ended."""

    result: str
    reason: str = ""
    item_count: int = 0
    refused_count: int = 0
    made: tuple[Thing, ...] = ()


def call_of(request: Message, context: Any, *, method: str, act: Act) -> Call:
    """What is recorded of a call that comes in. ``method`` without its first slash."""
    metadata = context.invocation_metadata()
    return Call(
        caller=peer_identity(context.auth_context()) or "",
        actor=actor_of(request, metadata),
        peer=host_of(context.peer()),
        method=method,
        trace_id=trace_id_of(metadata),
        things=things_at(request, act.things),
    )


def things_at(message: Message, paths: Sequence[str]) -> tuple[Thing, ...]:
    """The things that these paths lead to, each once, at most ``THINGS_MAX``."""
    found: dict[Thing, None] = {}
    for path in paths:
        kind, names = kind_of(path), path.split(".")
        for text in islice(_texts(message, names), THINGS_MAX - len(found)):
            found[Thing(kind, text if is_fit(text) else WITHHELD)] = None
    return tuple(found)


def kind_of(path: str) -> str:
    """What a path leads to, as the contract calls it: ``wallet`` for ``wallet_id``,
    ``wallet_ids`` and ``wallets.id``."""
    names = path.split(".")
    name = names[-1]
    if name == "id":
        name = names[-2].removesuffix("s")
    return name.removesuffix("_ids").removesuffix("_id")


def is_fit(text: str) -> bool:
    """Whether a text is an id as far as can be seen, and no code or number of an account."""
    if _MADE_ID.fullmatch(text):
        return True
    return _THING.fullmatch(text) is not None and _TELLTALE.search(text) is None


def actor_of(request: Message, metadata: Metadata) -> str:
    """The person for whom a call is made, as the request's ``actor`` or else the metadata tells."""
    text = ""
    if "actor" in request.DESCRIPTOR.fields_by_name:
        text = request.actor  # type: ignore[attr-defined]
    if not text:
        text = told_actor(metadata)
    if not text or is_fit(text):
        return text
    long = len(text) > _ACTOR_CHARACTERS_MAX
    squeezed = text.replace(" ", "").upper()
    return WITHHELD if long or not text.isprintable() or _TELLTALE.search(squeezed) else text


def told_actor(metadata: Metadata) -> str:
    """The person for whom a call is made, as the metadata tells; empty if it does not."""
    return unquote(str(next((value for key, value in metadata or () if key == ACTOR_METADATA), "")))


def trace_id_of(metadata: Metadata) -> str:
    """The trace that a call is part of: of the span that we are in, or else of the caller's."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        return f"{span.trace_id:032x}"
    return valid_traceparent(traceparent_of_metadata(metadata))[3:35]


def host_of(peer: str) -> str:
    """The address in gRPC's name of a peer (``ipv4:10.0.0.7:52114``), without the port."""
    kind, _, address = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return kind
    return address.rpartition(":")[0].strip("[]")


def outcome_of(response: Message, act: Act) -> Outcome:
    """How a call ended that was answered. If every item of it was refused, so was the call."""
    made = things_at(response, act.made)
    if not act.results:
        return Outcome("OK", made=made)
    items = list(getattr(response, act.results))
    refusals = [item.error for item in items if item.HasField("error")]
    if not refusals:
        return Outcome("OK", item_count=len(items), made=made)
    reasons = {error.reason for error in refusals}
    everything = len(refusals) == len(items)
    return Outcome(
        result=_CODE_NAMES.get(refusals[0].code, "UNKNOWN") if everything else "OK",
        reason=reasons.pop() if len(reasons) == 1 else _MIXED,
        item_count=len(items),
        refused_count=len(refusals),
        made=made,
    )


def outcome_of_error(error: BaseException, context: Any) -> Outcome:
    """How a call ended that was not answered. Never an error's text: that may have anything in
    it."""
    if isinstance(error, ServiceError):
        return Outcome(error.code.name, error.reason)
    if isinstance(error, asyncio.CancelledError):
        return Outcome("CANCELLED")
    if isinstance(error, grpc.aio.AbortError):
        return Outcome(status_name(context) or "UNKNOWN")
    return Outcome("INTERNAL", ServiceError.reason)


def check_acts(service: ServiceDescriptor, acts: Mapping[str, Act]) -> None:
    """Assert that every method is declared and every path leads to a text: nothing goes unrecorded
    by oversight, and a misspelt field does not start."""
    declared = set(service.methods_by_name)
    assert declared == set(acts), f"acts differ from the methods: {declared ^ set(acts)}"
    for method, act in acts.items():
        request = service.methods_by_name[method].input_type
        response = service.methods_by_name[method].output_type
        for message, paths in ((request, act.things), (response, act.made)):
            for path in paths:
                assert _leads_to_text(message, path.split(".")), f"{method}: no text at {path}"
        if act.results:
            item = response.fields_by_name[act.results].message_type
            fields = item.fields_by_name if item else {}
            assert "error" in fields, f"{method}: no errors in {act.results}"


def _texts(message: Any, names: Sequence[str]) -> Iterator[str]:
    value = getattr(message, names[0])
    for item in [value] if isinstance(value, str | Message) else value:
        if len(names) > 1:
            yield from _texts(item, names[1:])
        elif item:
            yield str(item)


def _leads_to_text(message: Descriptor | None, names: Sequence[str]) -> bool:
    for name in names[:-1]:
        field = message.fields_by_name.get(name) if message else None
        message = field.message_type if field else None
    last = message.fields_by_name.get(names[-1]) if message else None
    return last is not None and last.type == last.TYPE_STRING
