"""Makes payments terminal when their results arrive, and tells it: Payment Done."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from chassis import tracing
from chassis.batching import count_batch
from chassis.database import Database
from chassis.jetstream import Message
from chassis.logs import get_logger
from payment_svc import operations
from payment_svc.messages import event_message, result_of
from payment_svc.meters import count_ended
from payment_svc.model import StoredPayment
from payment_svc.traces import RESULTS_STREAM, processing, sending, show_end
from qrpay.payment.v1 import payment_queue_pb2

_LOG = get_logger(__name__)


class Results:
    """Applies results to payments."""

    def __init__(
        self,
        *,
        database: Database,
        tell: Callable[[payment_queue_pb2.EventBatch], Awaitable[None]],
    ) -> None:
        self._database = database
        self._tell = tell

    async def handle(self, messages: Sequence[Message[payment_queue_pb2.ResultBatch]]) -> None:
        """Apply the results of these messages and tell the payments' ends.

        Raises ``Unavailable`` while the database is away: the messages are then kept and handled
        again.
        """
        received = [
            (result, message.timestamp) for message in messages for result in message.value.results
        ]
        if not received:
            return
        with processing(
            RESULTS_STREAM,
            "payment-results",
            [
                (message.timestamp, [result.task for result in message.value.results])
                for message in messages
            ],
        ):
            await self._apply(received)

    async def _apply(
        self, received: Sequence[tuple[payment_queue_pb2.TransferResult, datetime]]
    ) -> None:
        handled_ns = time.time_ns()
        results = [result_of(result, stored=stored) for result, stored in received]
        count_batch("results", len(results))
        rows, ended_ids = await operations.apply_results(self._database, results)
        count_ended([row for row in rows if row.id in ended_ids])
        if len(rows) < len({result.payment_id for result in results}):
            known = {row.id for row in rows}
            lost = [item.payment_id for item in results if item.payment_id not in known]
            # Money moved for a payment that this database does not have: a person must look.
            _LOG.error("results without a payment", payment_ids=lost)
        if rows:
            by_id = {result.task.payment_id: result for result, _ in received}
            await self._tell_ends(rows, by_id)
            for row in rows if tracing.is_on() else []:
                if row.id in ended_ids:
                    show_end(row, by_id[row.id], handled_ns=handled_ns)

    async def _tell_ends(
        self,
        rows: Sequence[StoredPayment],
        results: Mapping[str, payment_queue_pb2.TransferResult],
    ) -> None:
        numbers = [row.event_number for row in rows if row.event_number]
        events = payment_queue_pb2.EventBatch(
            first_number=min(numbers, default=0),
            last_number=max(numbers, default=0),
            events=[event_message(row) for row in rows],
        )
        with sending("payments.event", [results[row.id].task for row in rows]):
            await self._tell(events)
