"""Has tasks executed: a batch of transfers to wallet, the outcomes to the results stream, then the
ack.

Every step may be repeated: wallet executes a payment's transfer once and answers a repeat with the
stored outcome, and the consumers of results are idempotent. So the order is: execute, publish,
acknowledge -- a crash in between costs a repeat and no money.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from chassis.channel import call
from chassis.errors import from_item_error
from chassis.jetstream import Message
from chassis.logs import get_logger
from qrpay.payment.v1 import payment_queue_pb2
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc

_LOG = get_logger(__name__)

TRANSFERS_MAX = 256
"""ExecuteTransfers takes no more."""


class Executor:
    """Turns tasks into results."""

    def __init__(
        self,
        *,
        wallets: wallet_pb2_grpc.WalletServiceStub,
        publish_results: Callable[[Sequence[payment_queue_pb2.TransferResult]], Awaitable[None]],
        execute_seconds_max: float,
    ) -> None:
        self._wallets = wallets
        self._publish_results = publish_results
        self._execute_seconds_max = execute_seconds_max

    async def handle(self, messages: Sequence[Message[payment_queue_pb2.TaskBatch]]) -> None:
        """Execute the tasks of these messages and publish their results.

        Raises an outage while wallet or the queue is away: the messages are then kept and handled
        again, which uses up nothing and can change no outcome.
        """
        tasks = [task for message in messages for task in message.value.tasks]
        results = []
        for start in range(0, len(tasks), TRANSFERS_MAX):
            results += await self._execute(tasks[start : start + TRANSFERS_MAX])
        if results:
            await self._publish_results(results)

    async def _execute(
        self, tasks: Sequence[payment_queue_pb2.TransferTask]
    ) -> list[payment_queue_pb2.TransferResult]:
        request = wallet_pb2.ExecuteTransfersRequest(
            transfers=[
                wallet_pb2.Transfer(
                    payment_id=task.payment_id,
                    debit_wallet_id=task.debit_wallet_id,
                    credit_wallet_id=task.credit_wallet_id,
                    money=task.money,
                    kind=task.kind,
                )
                for task in tasks
            ]
        )
        response = await call(
            self._wallets.ExecuteTransfers, request, timeout_seconds=self._execute_seconds_max
        )
        return [
            _result(task, answer.outcome)
            for task, answer in zip(tasks, response.results, strict=True)
            if not _is_refused(task, answer)
        ]


def _is_refused(
    task: payment_queue_pb2.TransferTask, answer: wallet_pb2.ExecuteTransferResult
) -> bool:
    """Whether wallet has no outcome for this one. Its payment stays PENDING, and the sweeper brings
    it back: an error of ours must not become a refusal of theirs."""
    if not answer.HasField("error"):
        return False
    error = from_item_error(answer.error)
    _LOG.error(
        "transfer not executed",
        payment_id=task.payment_id,
        reason=error.reason,
        message=error.message,
    )
    return True


def _result(
    task: payment_queue_pb2.TransferTask, outcome: wallet_pb2.TransferOutcome
) -> payment_queue_pb2.TransferResult:
    return payment_queue_pb2.TransferResult(
        task=task,
        failure_code=outcome.failure_code,
        debit_entry_number=outcome.debit_entry_number,
        credit_entry_number=outcome.credit_entry_number,
        execute_time=outcome.execute_time,
    )
