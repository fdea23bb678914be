"""TimelineService: checks who asks, gathers what is known of a payment, builds the answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from chassis.database import Database
from chassis.errors import PermissionDenied, ServiceError
from chassis.logs import get_logger
from payment_svc import operations
from payment_svc.errors import PaymentNotFound
from payment_svc.executor import stored_outcome
from payment_svc.messages import failure_name, payment_message, timestamp
from payment_svc.timeline import Execution, Step, steps_for_payer, steps_of
from qrpay.payment.v1 import timeline_pb2, timeline_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2_grpc

_LOG = get_logger(__name__)

ALLOWED_CALLERS: Mapping[str, frozenset[str]] = {
    "GetTimeline": frozenset({"gateway", "gateway-reader", "operator"})
}

_STEPS_MAX = 500


class TimelineServicer(timeline_pb2_grpc.TimelineServiceServicer):
    """The gRPC face of timelines."""

    def __init__(
        self,
        *,
        database: Database,
        wallets: wallet_pb2_grpc.WalletServiceStub,
        call_seconds_max: float,
    ) -> None:
        self._database = database
        self._wallets = wallets
        self._call_seconds_max = call_seconds_max

    async def GetTimeline(
        self, request: timeline_pb2.GetTimelineRequest, context: Any
    ) -> timeline_pb2.GetTimelineResponse:
        """Every step of a payment; for its payer, the moments that matter."""
        life = await operations.read_life(self._database, request.payment_id)
        payment, viewer_id = life.payment, request.viewer_id
        if viewer_id and viewer_id not in (payment.payer_id, payment.payee_id):
            raise PaymentNotFound(payment_id=request.payment_id)
        if viewer_id and viewer_id != payment.payer_id:
            raise PermissionDenied
        try:
            execution, silent = await self._execution(payment.id), False
        except ServiceError as error:
            # What is known here is worth most while something is wrong elsewhere.
            _LOG.warning("timeline without wallet", payment_id=payment.id, reason=error.reason)
            execution, silent = None, True
        steps = steps_of(payment, life.recorded, life.letter_steps, execution)
        if viewer_id:
            steps = steps_for_payer(steps)
        return timeline_pb2.GetTimelineResponse(
            payment=payment_message(payment),
            steps=[step_message(step) for step in steps[-_STEPS_MAX:]],
            wallet_silent=silent,
            event_number=payment.event_number or 0,
        )

    async def _execution(self, payment_id: str) -> Execution | None:
        """What wallet did with a payment; None if nothing yet. Raises ``ServiceError``."""
        outcome = await stored_outcome(
            self._wallets, payment_id, timeout_seconds=self._call_seconds_max
        )
        if outcome is None:
            return None
        code = outcome.failure_code
        return Execution(
            outcome.execute_time.ToDatetime(tzinfo=UTC), failure_name(code) if code else ""
        )


def step_message(step: Step) -> timeline_pb2.TimelineStep:
    """A step as its readers see it."""
    return timeline_pb2.TimelineStep(
        kind=f"TIMELINE_STEP_KIND_{step.kind}",
        start_time=timestamp(step.start_time),
        end_time=None if step.end_time is None else timestamp(step.end_time),
        attempt=step.attempt,
        reason=step.reason,
        actor=step.actor,
        why=step.why,
    )
