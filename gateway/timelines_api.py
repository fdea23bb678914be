"""Timelines: where a payment has been, for its two sides in short and for operators in full."""

from __future__ import annotations

from msgspec import UNSET

from chassis.errors import ServiceError
from chassis.ids import is_id
from gateway import answers
from gateway.operation import Call, Reply
from gateway.payment_view import payment_answer, time_of
from gateway.problems import Problem
from gateway.replies import json_reply
from gateway.upstream import Upstream
from qrpay.ledger.v1 import ledger_pb2
from qrpay.payment.v1 import timeline_pb2

_KIND_PREFIX = "TIMELINE_STEP_KIND_"
_KNOWN_KINDS = set(timeline_pb2.TimelineStepKind.values())
"""A newer payment_svc may tell others."""


class TimelinesApi:
    """Handlers of /payments/{payment_id}/timeline."""

    def __init__(self, *, upstream: Upstream) -> None:
        self._upstream = upstream

    async def read(self, call: Call) -> Reply:
        """GET /payments/{payment_id}/timeline: for whoever may read the payment."""
        payment_id = call.path["payment_id"]
        if not is_id(payment_id, "pay"):
            raise Problem("payment-not-found")
        is_operator = call.user.role == "operator"
        found = await self._upstream.call(
            self._upstream.timeline.GetTimeline,
            timeline_pb2.GetTimelineRequest(
                payment_id=payment_id, viewer_id="" if is_operator else call.user.id
            ),
        )
        steps = [_step_answer(step) for step in found.steps if step.kind in _KNOWN_KINDS]
        silent = ["wallet"] if found.wallet_silent else []
        if is_operator:
            try:
                steps += await self._posted(payment_id)
            except ServiceError:
                # What the others know is worth most while something is wrong.
                silent.append("ledger")
        return json_reply(
            answers.Timeline(
                payment=payment_answer(found.payment), steps=steps, silent=silent or UNSET
            )
        )

    async def _posted(self, payment_id: str) -> list[answers.TimelineStep]:
        """The booking of a payment, if there is one by now. Raises ``ServiceError``."""
        try:
            found = await self._upstream.call(
                self._upstream.ledger.GetTransaction,
                ledger_pb2.GetTransactionRequest(payment_id=payment_id),
            )
        except ServiceError as error:
            if error.reason == "TRANSACTION_NOT_FOUND":
                return []
            raise
        return [answers.TimelineStep(step="posted", at=time_of(found.transaction.book_time))]


def _step_answer(step: timeline_pb2.TimelineStep) -> answers.TimelineStep:
    name = timeline_pb2.TimelineStepKind.Name(step.kind).removeprefix(_KIND_PREFIX)
    return answers.TimelineStep(
        step=_words(name),
        at=time_of(step.start_time),
        until=time_of(step.end_time) if step.HasField("end_time") else UNSET,
        attempt=step.attempt or UNSET,
        reason=_words(step.reason) if step.reason else UNSET,
        by=step.actor or UNSET,
        why=step.why or UNSET,
    )


def _words(name: str) -> str:
    return name.lower().replace("_", "-")
