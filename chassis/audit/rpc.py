"""AuditService over gRPC: messages in, a page of records out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.audit import store
from chassis.audit.acts import RESULTS, Act, read
from chassis.audit.store import Filter, Place, Record
from chassis.database import Database
from chassis.errors import refuse
from chassis.pagination import decode_page_token, encode_page_token, page_size_of
from chassis.server import RpcService
from qrpay.audit.v1 import audit_pb2 as pb
from qrpay.audit.v1 import audit_pb2_grpc

ALLOWED_CALLERS: Mapping[str, frozenset[str]] = {"ListAuditRecords": frozenset({"operator"})}
"""Who may call what."""
ACTS: Mapping[str, Act] = {"ListAuditRecords": read()}
"""What is recorded of it: also who reads this is on record. Not what was looked for: whoever looks
for a thing wants to see what was done with it, and not his own looks."""

_PAGE_SIZE_DEFAULT, _PAGE_SIZE_MAX = 50, 500
_TEXT_CHARACTERS_MAX = 200
_TEXTS = ("actor", "caller", "method", "thing_id")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """Answers the RPCs."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def ListAuditRecords(
        self, request: pb.ListAuditRecordsRequest, _context: Any
    ) -> pb.ListAuditRecordsResponse:
        """A page of records."""
        wanted = _filter(request)
        size = page_size_of(request.page_size, default=_PAGE_SIZE_DEFAULT, maximum=_PAGE_SIZE_MAX)
        kind = _list_name(wanted)
        before = None
        if request.page_token:
            micros, record_id = decode_page_token(kind, request.page_token, tuple[int, str])
            before = _place(micros, record_id)
        # One more than asked for tells whether there is another page.
        found = await self._database.read(
            lambda connection: store.newest(connection, wanted, before, count_max=size + 1)
        )
        page = found[:size]
        token = ""
        if len(found) > size:
            last = page[-1]
            token = encode_page_token(kind, [(last.record_time - _EPOCH) // _MICROSECOND, last.id])
        return pb.ListAuditRecordsResponse(
            records=map(_record_message, page), next_page_token=token
        )


def rpc_service(*, database: Database) -> RpcService:
    """The service as ``chassis.server.serve`` takes it."""
    return RpcService(
        descriptor=pb.DESCRIPTOR.services_by_name["AuditService"],
        register=audit_pb2_grpc.add_AuditServiceServicer_to_server,
        servicer=AuditServicer(database=database),
        allowed_callers=ALLOWED_CALLERS,
        acts=ACTS,
    )


def _filter(request: pb.ListAuditRecordsRequest) -> Filter:
    """What is asked for. Raises ``InvalidArgument``."""
    faults: dict[str, str | None] = {name: _text_fault(getattr(request, name)) for name in _TEXTS}
    known = not request.result or request.result in RESULTS
    faults["result"] = None if known else "is neither BEGUN nor the name of a gRPC status"
    times = {name: _moment(request, name, faults) for name in ("start_time", "end_time")}
    refuse(faults)
    return Filter(
        **times,
        actor=request.actor,
        caller=request.caller,
        method=request.method,
        thing_id=request.thing_id,
        result=request.result,
    )


def _moment(
    request: pb.ListAuditRecordsRequest, name: str, faults: dict[str, str | None]
) -> datetime | None:
    if not request.HasField(name):
        return None
    try:
        moment: datetime = getattr(request, name).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        faults[name] = "is not a time"
        return None
    return moment


def _text_fault(text: str) -> str | None:
    if len(text) <= _TEXT_CHARACTERS_MAX and (not text or text.isprintable()):
        return None
    return f"must be up to {_TEXT_CHARACTERS_MAX} printable characters"


def _list_name(wanted: Filter) -> str:
    """The name of a list for its page tokens: a place in another list means nothing."""
    digest = hashlib.sha256(repr(wanted).encode()).hexdigest()
    return f"audit.records/{digest[:16]}"


def _place(micros: int, record_id: str) -> Place:
    try:
        return Place(_EPOCH + micros * _MICROSECOND, record_id)
    except OverflowError:
        refuse({"page_token": "is not a token of this list"})
        raise AssertionError("unreachable") from None


def _record_message(record: Record) -> pb.AuditRecord:
    return pb.AuditRecord(
        id=record.id,
        record_time=record.record_time,
        caller=record.caller,
        actor=record.actor,
        peer=record.peer,
        method=record.method,
        things=[pb.AuditThing(kind=thing.kind, id=thing.id) for thing in record.things],
        result=record.result,
        reason=record.reason,
        trace_id=record.trace_id,
        duration_ms=record.duration_ms,
        item_count=record.item_count,
        refused_count=record.refused_count,
        begun_id=record.begun_id,
    )
