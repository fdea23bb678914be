"""Has tasks executed: a batch of transfers to wallet, the outcomes to the results stream, then the
ack.

Every step may be repeated: wallet executes a payment's transfer once and answers a repeat with the
stored outcome, and the consumers of results are idempotent. So the order is: execute, publish,
acknowledge -- a crash in between costs a repeat and no money.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.batching import count_batch, is_outage, isolate
from chassis.channel import call
from chassis.clock import Clock
from chassis.errors import ServiceError, Unavailable, from_item_error
from chassis.jetstream import Message
from chassis.logs import get_logger
from payment_svc.messages import timestamp
from payment_svc.retries import Failure, Retries, Try, try_of
from payment_svc.traces import RETRIES_STREAM, TASKS_STREAM, Steps, processing
from qrpay.payment.v1 import payment_queue_pb2
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc

_LOG = get_logger(__name__)

TRANSFERS_MAX = 256
"""ExecuteTransfers takes no more."""

_DEPLOYMENT_FAULTS = {
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNIMPLEMENTED,
}
"""What wallet answers when it and we do not fit together: nothing that a payment could help."""


class Executor:
    """Turns tasks into results."""

    def __init__(
        self,
        *,
        wallets: wallet_pb2_grpc.WalletServiceStub,
        publish_results: Callable[[Sequence[payment_queue_pb2.TransferResult]], Awaitable[None]],
        retries: Retries,
        execute_seconds_max: float,
        clock: Clock,
    ) -> None:
        self._wallets = wallets
        self._publish_results = publish_results
        self._retries = retries
        self._execute_seconds_max = execute_seconds_max
        self._clock = clock

    async def handle(self, messages: Sequence[Message[payment_queue_pb2.TaskBatch]]) -> None:
        """Execute the tasks of these messages and publish their results.

        Raises an outage while wallet or the queue is away: the messages are then kept and handled
        again, which uses up nothing and can change no outcome.
        """
        with processing(
            TASKS_STREAM,
            "executor",
            [(message.timestamp, message.value.tasks) for message in messages],
        ) as steps:
            await self._execute(
                [
                    Try(task, message.timestamp)
                    for message in messages
                    for task in message.value.tasks
                ],
                steps,
            )

    async def handle_retries(
        self, messages: Sequence[Message[payment_queue_pb2.RetryTask]]
    ) -> None:
        """Let each task rest after its first delivery, and try it at a later one. Raises as
        ``handle``."""
        due = []
        for message in messages:
            if message.delivered == 1:
                await message.nak(delay_seconds=message.value.delay_milliseconds / 1000)
            else:
                due.append(message)
        with processing(
            RETRIES_STREAM,
            "executor-retries",
            [(message.timestamp, [message.value.task]) for message in due],
        ) as steps:
            await self._execute(
                [try_of(message.value, message.timestamp) for message in due], steps
            )

    async def _execute(self, tries: Sequence[Try], steps: Steps) -> None:
        """Execute tasks, publish what became of them, and see to those that led to nothing."""
        results: list[payment_queue_pb2.TransferResult] = []
        failures: list[Failure] = []
        outage: ServiceError | None = None
        for start in range(0, len(tries), TRANSFERS_MAX):
            batch = tries[start : start + TRANSFERS_MAX]
            count_batch("execute", len(batch))
            began = self._clock.now()
            began_message = timestamp(began)
            for tried, answer in zip(batch, await self._ask(batch, steps), strict=True):
                if not isinstance(answer, ServiceError):
                    results.append(_result(tried, answer, began_message))
                    continue
                steps.fail(tried.task, answer.reason)
                if is_outage(answer):
                    outage = answer
                else:
                    failures.append(Failure(tried, answer, began))
        if results:
            await self._publish_results(results)
        if outage is not None:
            # The whole batch comes again; what was executed is answered as it was, and what failed
            # has used up nothing.
            raise outage
        await self._retries.take_over(failures)

    async def _ask(
        self, tries: Sequence[Try], steps: Steps
    ) -> list[wallet_pb2.TransferOutcome | ServiceError]:
        """The outcome of each, or why there is none."""

        async def ask(
            tasks: Sequence[payment_queue_pb2.TransferTask],
        ) -> list[wallet_pb2.TransferOutcome | ServiceError]:
            return await self._call([transfer_message(task, steps.context(task)) for task in tasks])

        answers = await isolate([tried.task for tried in tries], ask)
        refused = sum(isinstance(answer, _CallFailed) for answer in answers)
        if refused == len(answers) > 1:
            # Not one got through: that says something about wallet and nothing about payments.
            _LOG.error("wallet answers nothing but errors", tasks=refused)
            return [Unavailable()] * refused
        return answers

    async def _call(
        self, transfers: Sequence[wallet_pb2.Transfer]
    ) -> list[wallet_pb2.TransferOutcome | ServiceError]:
        request = wallet_pb2.ExecuteTransfersRequest(transfers=transfers)
        try:
            response = await call(
                self._wallets.ExecuteTransfers, request, timeout_seconds=self._execute_seconds_max
            )
        except ServiceError as error:
            if is_outage(error):
                raise
            if error.code in _DEPLOYMENT_FAULTS:
                raise Unavailable from error
            raise _CallFailed(error.reason) from error
        return [
            from_item_error(answer.error) if answer.HasField("error") else answer.outcome
            for answer in response.results
        ]


class _CallFailed(ServiceError):
    """The call that executes the transfer failed as a whole."""

    reason = "EXECUTE_FAILED"
    retryable = True


async def stored_outcome(
    wallets: wallet_pb2_grpc.WalletServiceStub, payment_id: str, *, timeout_seconds: float
) -> wallet_pb2.TransferOutcome | None:
    """What wallet has done with a payment; None if nothing yet. Raises ``ServiceError``."""
    found = await call(
        wallets.BatchGetTransfers,
        wallet_pb2.BatchGetTransfersRequest(payment_ids=[payment_id]),
        timeout_seconds=timeout_seconds,
    )
    return found.transfers[0].outcome if found.transfers else None


def transfer_message(
    task: payment_queue_pb2.TransferTask, traceparent: str = ""
) -> wallet_pb2.Transfer:
    """What wallet is asked to do for a task, in this trace context."""
    return wallet_pb2.Transfer(
        payment_id=task.payment_id,
        debit_wallet_id=task.debit_wallet_id,
        credit_wallet_id=task.credit_wallet_id,
        money=task.money,
        kind=task.kind,
        traceparent=traceparent,
    )


def _result(
    tried: Try, outcome: wallet_pb2.TransferOutcome, began: Timestamp
) -> payment_queue_pb2.TransferResult:
    return payment_queue_pb2.TransferResult(
        task=tried.task,
        failure_code=outcome.failure_code,
        debit_entry_number=outcome.debit_entry_number,
        credit_entry_number=outcome.credit_entry_number,
        execute_time=outcome.execute_time,
        queue_time=timestamp(tried.queue_time),
        try_time=began,
    )
