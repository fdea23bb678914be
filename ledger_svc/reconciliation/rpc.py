"""ReconciliationService: checks the message, runs the pass or the use case, builds the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast

from chassis.channel import call
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import InvalidArgument
from chassis.pagination import decode_page_token, encode_page_token, page_size_of
from chassis.server import RpcService
from ledger_svc.audit import RECONCILIATION_ACTS
from ledger_svc.reconciliation import cases
from ledger_svc.reconciliation.explanations import EXPLANATIONS
from ledger_svc.reconciliation.healing import Treated
from ledger_svc.reconciliation.model import Difference, Kind
from ledger_svc.reconciliation.reconciler import Pass, Reconciler
from ledger_svc.store.cases import Case, CaseRecord
from qrpay.ledger.v1 import reconciliation_pb2 as pb
from qrpay.ledger.v1 import reconciliation_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc

_OPERATORS = frozenset({"operator"})
ALLOWED_CALLERS: Mapping[str, frozenset[str]] = {
    "Reconcile": _OPERATORS,
    "ListCases": _OPERATORS,
    "GetCase": _OPERATORS,
    "ResolveCase": _OPERATORS,
}

_PAGE_KIND = "ledger.cases"
_WAIT_SECONDS_MAX = 5.0
_ACTOR_CHARACTERS_MAX = 64
_WHY_CHARACTERS_MAX = 500


class ReconciliationServicer(reconciliation_pb2_grpc.ReconciliationServiceServicer):
    """The gRPC face of reconciliation."""

    def __init__(
        self,
        *,
        database: Database,
        reconciler: Reconciler,
        wallets: wallet_pb2_grpc.WalletServiceStub,
        clock: Clock,
        call_seconds_max: float,
    ) -> None:
        self._database = database
        self._reconciler = reconciler
        self._wallets = wallets
        self._clock = clock
        self._seconds = call_seconds_max

    async def Reconcile(self, request: pb.ReconcileRequest, context: Any) -> pb.ReconcileResponse:
        """Begin a pass or wait on for one."""
        if request.pass_id:
            item = self._reconciler.find(request.pass_id)
        else:
            item = self._reconciler.begin(since=_since(request), heal=request.heal)
        seconds = max(0.0, min(request.wait_seconds, _WAIT_SECONDS_MAX))
        with suppress(TimeoutError):
            await asyncio.wait_for(item.done.wait(), seconds)
        done = item.done.is_set()
        if done and item.error is not None:
            raise item.error
        return pb.ReconcileResponse(
            pass_id=item.id,
            done=done,
            progress=1.0 if done else item.report.progress,
            report=_report_message(item),
            open_case_count=await self._reconciler.open_case_count() if done else 0,
        )

    async def ListCases(self, request: pb.ListCasesRequest, context: Any) -> pb.ListCasesResponse:
        """A page of cases, newest first."""
        page_size = page_size_of(request.page_size, maximum=200)
        before_id = None
        if request.page_token:
            (before_id,) = decode_page_token(_PAGE_KIND, request.page_token, tuple[str])
        rows = await cases.list_cases(
            self._database,
            state=_state(request.state),
            subject_id=request.subject_id or None,
            before_id=before_id,
            count_max=page_size + 1,
        )
        page, more = rows[:page_size], len(rows) > page_size
        return pb.ListCasesResponse(
            cases=map(_case_message, page),
            next_page_token=encode_page_token(_PAGE_KIND, [page[-1].id]) if more else "",
        )

    async def GetCase(self, request: pb.GetCaseRequest, context: Any) -> pb.GetCaseResponse:
        """One case with its history."""
        shown = await cases.show_case(self._database, request.case_id)
        return pb.GetCaseResponse(
            case=_case_message(shown.case), records=map(_record_message, shown.records)
        )

    async def ResolveCase(
        self, request: pb.ResolveCaseRequest, context: Any
    ) -> pb.ResolveCaseResponse:
        """Close a case: a person has seen to it."""
        _check_person(request.actor, request.why)
        case = await cases.resolve_case(
            self._database,
            request.case_id,
            actor=request.actor,
            why=request.why,
            unfreeze=self._unfreeze if request.unfreeze else None,
            clock=self._clock,
        )
        return pb.ResolveCaseResponse(case=_case_message(case))

    async def _unfreeze(self, wallet_id: str) -> None:
        await call(
            self._wallets.UnfreezeWallet,
            wallet_pb2.UnfreezeWalletRequest(wallet_id=wallet_id),
            timeout_seconds=self._seconds,
        )


def rpc_service(servicer: ReconciliationServicer) -> RpcService:
    """The service as ``chassis.server.serve`` takes it."""
    return RpcService(
        descriptor=pb.DESCRIPTOR.services_by_name["ReconciliationService"],
        register=reconciliation_pb2_grpc.add_ReconciliationServiceServicer_to_server,
        servicer=servicer,
        allowed_callers=ALLOWED_CALLERS,
        acts=RECONCILIATION_ACTS,
    )


def _since(request: pb.ReconcileRequest) -> datetime | None:
    if not request.HasField("since_time"):
        return None
    try:
        return request.since_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidArgument([("since_time", "is not a time")]) from error


def _state(number: int) -> str | None:
    """The name of a state to filter by; None: all."""
    if number not in pb.CaseState.values():
        raise InvalidArgument([("state", "is no state of a case")])
    name = pb.CaseState.Name(cast("pb.CaseState", number)).removeprefix("CASE_STATE_")
    return name if number else None


def _check_person(actor: str, why: str) -> None:
    found = []
    if not 1 <= len(actor) <= _ACTOR_CHARACTERS_MAX or not actor.isprintable():
        found.append(("actor", f"must be 1 to {_ACTOR_CHARACTERS_MAX} printable characters"))
    if not why.strip() or len(why) > _WHY_CHARACTERS_MAX or not why.isprintable():
        found.append(("why", f"must be 1 to {_WHY_CHARACTERS_MAX} printable characters"))
    if found:
        raise InvalidArgument(found)


def _report_message(item: Pass) -> pb.ReconciliationReport:
    report = item.report
    return pb.ReconciliationReport(
        checked=pb.Checked(**report.checked._asdict()),
        buckets=pb.Buckets(compared=report.buckets_compared, differing=report.buckets_differing),
        differences=map(_treated_message, item.treated),
        seconds=report.seconds,
    )


def _treated_message(treated: Treated) -> pb.Difference:
    message = _difference_message(treated.difference)
    message.action = _action(treated.action)
    message.case_id = treated.case_id
    return message


def _difference_message(difference: Difference | Case) -> pb.Difference:
    return pb.Difference(
        kind=f"DIFFERENCE_KIND_{difference.kind}",
        payment_id=difference.payment_id,
        wallet_id=difference.wallet_id,
        expected=difference.expected,
        found=difference.found,
    )


def _case_message(case: Case) -> pb.Case:
    message = pb.Case(
        id=case.id,
        state=f"CASE_STATE_{case.state}",
        difference=_difference_message(case),
        explanation=EXPLANATIONS[Kind(case.kind)],
        first_seen_time=case.first_seen_time,
        last_seen_time=case.last_seen_time,
        resolved_by=case.resolved_by,
        reason=case.reason,
    )
    message.difference.action = _action(case.action)
    message.difference.case_id = case.id
    return message


def _action(name: str) -> pb.DifferenceAction:
    return cast("pb.DifferenceAction", pb.DifferenceAction.Value(f"DIFFERENCE_ACTION_{name}"))


def _record_message(record: CaseRecord) -> pb.CaseRecord:
    return pb.CaseRecord(
        act=f"CASE_ACT_{record.act}", actor=record.actor, why=record.why, time=record.time
    )
