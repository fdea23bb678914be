"""Makes payments terminal when their results arrive, and tells it: Payment Done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from chassis.database import Database
from chassis.jetstream import Message
from chassis.logs import get_logger
from payment_svc import operations
from payment_svc.messages import event_message, result_of
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
        results = [result_of(result) for message in messages for result in message.value.results]
        if not results:
            return
        rows = await operations.apply_results(self._database, results)
        if len(rows) < len({result.payment_id for result in results}):
            known = {row.id for row in rows}
            lost = [item.payment_id for item in results if item.payment_id not in known]
            # Money moved for a payment that this database does not have: a person must look.
            _LOG.error("results without a payment", payment_ids=lost)
        if rows:
            numbers = [row.event_number for row in rows if row.event_number]
            await self._tell(
                payment_queue_pb2.EventBatch(
                    first_number=min(numbers, default=0),
                    last_number=max(numbers, default=0),
                    events=[event_message(row) for row in rows],
                )
            )
