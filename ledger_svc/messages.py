"""Queue messages and rows as each other: results to bookings, rows to accounts and transactions."""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.message import DecodeError

from ledger_svc.model import Booking, fault_of, is_id
from qrpay.payment.v1 import payment_queue_pb2
from qrpay.wallet.v1 import wallet_pb2


class MalformedMessage(ValueError):
    """A message that is no batch of results."""


class RefusedResult(NamedTuple):
    """A result that no book could hold."""

    payment_id: str
    field: str
    """The first field that is wrong."""


class Reading(NamedTuple):
    """What a message says."""

    batch_id: str
    bookings: list[Booking]
    traceparents: list[str]
    """Of the bookings, in their order; empty where the payment is not traced."""
    failed_payment_ids: list[str]
    """Payments whose money did not move: nothing to book."""
    refused: list[RefusedResult]

    @property
    def result_count(self) -> int:
        """How many results the message has."""
        return len(self.bookings) + len(self.failed_payment_ids) + len(self.refused)


def read_message(data: bytes) -> Reading:
    """Read a ResultBatch. Raises ``MalformedMessage`` if it is not one; a single bad result does
    not spoil its neighbours."""
    try:
        batch = payment_queue_pb2.ResultBatch.FromString(data)
    except DecodeError as error:
        raise MalformedMessage("not a ResultBatch") from error
    # Almost any bytes are a valid protobuf of something; one without results is not of us.
    if not batch.results:
        raise MalformedMessage("a ResultBatch without results")
    reading = Reading(batch.batch_id, [], [], [], [])
    for result in batch.results:
        task = result.task
        if result.failure_code:
            if is_id(task.payment_id):
                reading.failed_payment_ids.append(task.payment_id)
            else:
                reading.refused.append(RefusedResult(task.payment_id, "payment_id"))
            continue
        booking = _booking(result, task)
        if fault := fault_of(booking):
            reading.refused.append(RefusedResult(booking.payment_id, fault))
            continue
        reading.bookings.append(booking)
        reading.traceparents.append(task.traceparent)
    return reading


def booking_of_transfer(item: wallet_pb2.ExecutedTransfer) -> Booking:
    """What the journal says of a transfer that moved money."""
    transfer, time = item.transfer, item.outcome.execute_time
    return Booking(
        transfer.payment_id,
        transfer.kind,
        transfer.debit_wallet_id,
        transfer.credit_wallet_id,
        transfer.money.currency_code,
        transfer.money.amount_minor,
        time.seconds * 1_000_000 + time.nanos // 1000,
    )


def _booking(
    result: payment_queue_pb2.TransferResult, task: payment_queue_pb2.TransferTask
) -> Booking:
    money, time = task.money, result.execute_time
    return Booking(
        task.payment_id,
        task.kind,
        task.debit_wallet_id,
        task.credit_wallet_id,
        money.currency_code,
        money.amount_minor,
        time.seconds * 1_000_000 + time.nanos // 1000,
    )
