"""CorrectionService: messages in, operations, messages out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import refuse
from chassis.ids import IdMaker
from chassis.pagination import decode_page_token, encode_page_token, page_size_of
from chassis.server import RpcService
from chassis.tls import peer_identity
from ledger_svc.audit import CORRECTION_ACTS
from ledger_svc.corrections import operations
from ledger_svc.corrections.model import Correction, Proposal, State, postings_faults
from ledger_svc.model import DraftPosting, is_id
from ledger_svc.rpc import posting_message, transaction_id
from qrpay.ledger.v1 import correction_pb2 as pb
from qrpay.ledger.v1 import correction_pb2_grpc

_OPERATORS = frozenset({"operator"})
ALLOWED_CALLERS: Mapping[str, frozenset[str]] = {
    "ProposeCorrection": _OPERATORS,
    "ApproveCorrection": _OPERATORS,
    "RejectCorrection": _OPERATORS,
    "GetCorrection": _OPERATORS,
    "ListCorrections": _OPERATORS,
}
"""Who may call what."""

_TRANSACTION_ID = re.compile(r"txn_([1-9][0-9]{0,17})")
_NAME_CHARACTERS_MAX = 64
_REASON_CHARACTERS_MAX = 500
_PAGE_SIZE_DEFAULT, _PAGE_SIZE_MAX = 50, 200


class CorrectionServicer(correction_pb2_grpc.CorrectionServiceServicer):
    """Answers the RPCs."""

    def __init__(self, *, database: Database, clock: Clock, ids: IdMaker) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def ProposeCorrection(
        self, request: pb.ProposeCorrectionRequest, context: Any
    ) -> pb.ProposeCorrectionResponse:
        """File what somebody wants to be booked."""
        proposal = _proposal(request, caller=_caller(context), now=self._clock.now())
        shown = await operations.propose(proposal, database=self._database, ids=self._ids)
        return pb.ProposeCorrectionResponse(
            correction=_correction_message(shown.correction), warnings=_warnings(shown)
        )

    async def ApproveCorrection(
        self, request: pb.ApproveCorrectionRequest, context: Any
    ) -> pb.ApproveCorrectionResponse:
        """Approve and book."""
        refuse(
            {
                "correction_id": _id_fault(request.correction_id),
                "actor": _text_fault(request.actor, _NAME_CHARACTERS_MAX),
            }
        )
        correction = await operations.approve(
            request.correction_id,
            actor=request.actor,
            caller=_caller(context),
            database=self._database,
        )
        return pb.ApproveCorrectionResponse(correction=_correction_message(correction))

    async def RejectCorrection(
        self, request: pb.RejectCorrectionRequest, context: Any
    ) -> pb.RejectCorrectionResponse:
        """Reject."""
        refuse(
            {
                "correction_id": _id_fault(request.correction_id),
                "actor": _text_fault(request.actor, _NAME_CHARACTERS_MAX),
                "reason": _text_fault(request.reason, _REASON_CHARACTERS_MAX),
            }
        )
        correction = await operations.reject(
            request.correction_id,
            actor=request.actor,
            caller=_caller(context),
            reason=request.reason,
            database=self._database,
        )
        return pb.RejectCorrectionResponse(correction=_correction_message(correction))

    async def GetCorrection(
        self, request: pb.GetCorrectionRequest, context: Any
    ) -> pb.GetCorrectionResponse:
        """One correction."""
        refuse({"correction_id": _id_fault(request.correction_id)})
        shown = await operations.show(request.correction_id, database=self._database)
        return pb.GetCorrectionResponse(
            correction=_correction_message(shown.correction), warnings=_warnings(shown)
        )

    async def ListCorrections(
        self, request: pb.ListCorrectionsRequest, context: Any
    ) -> pb.ListCorrectionsResponse:
        """A page of corrections."""
        known = request.state in pb.CorrectionState.values()
        refuse({"state": None if known else "is no state of a correction"})
        size = page_size_of(request.page_size, default=_PAGE_SIZE_DEFAULT, maximum=_PAGE_SIZE_MAX)
        kind = f"ledger.corrections/{request.state:d}"
        before_id = None
        if request.page_token:
            (before_id,) = decode_page_token(kind, request.page_token, tuple[str])
        # One more than asked for tells whether there is another page.
        found = await operations.list_corrections(
            before_id,
            state=State(request.state) if request.state else None,
            count_max=size + 1,
            database=self._database,
        )
        page = found[:size]
        return pb.ListCorrectionsResponse(
            corrections=map(_correction_message, page),
            next_page_token=encode_page_token(kind, [page[-1].id]) if len(found) > size else "",
        )


def rpc_service(servicer: CorrectionServicer) -> RpcService:
    """The service as ``chassis.server.serve`` takes it."""
    return RpcService(
        descriptor=pb.DESCRIPTOR.services_by_name["CorrectionService"],
        register=correction_pb2_grpc.add_CorrectionServiceServicer_to_server,
        servicer=servicer,
        allowed_callers=ALLOWED_CALLERS,
        acts=CORRECTION_ACTS,
    )


def _proposal(request: pb.ProposeCorrectionRequest, *, caller: str, now: datetime) -> Proposal:
    """What is proposed. Raises ``InvalidArgument``."""
    postings = tuple(
        DraftPosting(
            item.account_id, item.direction, item.money.currency_code, item.money.amount_minor
        )
        for item in request.postings
    )
    effective_time, time_fault = _effective_time(request, now)
    taken_back = _TRANSACTION_ID.fullmatch(request.reverses)
    faults: dict[str, str | None] = {
        "request_id": _text_fault(request.request_id, _NAME_CHARACTERS_MAX),
        "actor": _text_fault(request.actor, _NAME_CHARACTERS_MAX),
        "reason": _text_fault(request.reason, _REASON_CHARACTERS_MAX),
        "effective_time": time_fault,
    }
    if not request.reverses:
        faults |= postings_faults(postings)
    else:
        faults["reverses"] = None if taken_back else "must be the id of a transaction"
        faults["postings"] = "must be empty: a reversal has its own" if postings else None
    refuse(faults)
    return Proposal(
        request_id=request.request_id,
        actor=request.actor,
        caller=caller,
        reason=request.reason,
        effective_time=effective_time,
        reverses_number=int(taken_back[1]) if taken_back else None,
        postings=postings,
    )


def _effective_time(
    request: pb.ProposeCorrectionRequest, now: datetime
) -> tuple[datetime | None, str | None]:
    """When it happened, and what is wrong with that."""
    if not request.HasField("effective_time"):
        return None, None
    try:
        moment = request.effective_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None, "is not a time"
    if not datetime(1970, 1, 1, tzinfo=UTC) < moment <= now:
        return None, "must be after 1970, and not later than now"
    return moment, None


def _caller(context: Any) -> str:
    """Whose certificate a request came with."""
    return peer_identity(context.auth_context()) or ""


def _id_fault(text: str) -> str | None:
    return None if is_id(text) else "must be the id of a correction"


def _text_fault(text: str, characters_max: int) -> str | None:
    if text.strip() and len(text) <= characters_max and text.isprintable():
        return None
    return f"must be 1 to {characters_max} printable characters"


def _warnings(shown: operations.Shown) -> list[pb.CorrectionWarning]:
    return [
        pb.CorrectionWarning(account_id=account_id, change_minor=change)
        for account_id, change in shown.drifts.items()
    ]


def _correction_message(correction: Correction) -> pb.Correction:
    message = pb.Correction(
        id=correction.id,
        state=int(correction.state),  # type: ignore[arg-type]
        proposer=correction.actor,
        reason=correction.reason,
        effective_time=correction.effective_time,
        reverses=_transaction_id(correction.reverses_number),
        postings=map(posting_message, correction.postings),
        propose_time=correction.propose_time,
        transaction_id=_transaction_id(correction.transaction_number),
    )
    if (decision := correction.decision) is not None:
        message.decider = decision.actor
        message.decision_reason = decision.reason
        message.decide_time.FromDatetime(decision.time)
    return message


def _transaction_id(number: int | None) -> str:
    return transaction_id(number) if number else ""
