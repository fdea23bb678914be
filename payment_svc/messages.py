"""Payments as messages: rows to protobuf and back. The only place that knows both shapes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.tracing import valid_traceparent
from payment_svc.model import Kind, Move, NewPayment, Request, Result, Status, StoredPayment
from payment_svc.traces import context_of_payment
from qrpay.payment.v1 import payment_pb2, payment_queue_pb2
from qrpay.type.v1 import failure_code_pb2, money_pb2, transfer_kind_pb2

KINDS: Mapping[str, transfer_kind_pb2.TransferKind] = {
    Kind.SEND: transfer_kind_pb2.TRANSFER_KIND_SEND,
    Kind.PAY: transfer_kind_pb2.TRANSFER_KIND_PAY,
    Kind.WITHDRAW: transfer_kind_pb2.TRANSFER_KIND_WITHDRAW,
    Kind.TOP_UP: transfer_kind_pb2.TRANSFER_KIND_TOP_UP,
}
STATUSES: Mapping[str, payment_pb2.PaymentStatus] = {
    Status.PENDING: payment_pb2.PAYMENT_STATUS_PENDING,
    Status.COMPLETED: payment_pb2.PAYMENT_STATUS_COMPLETED,
    Status.FAILED: payment_pb2.PAYMENT_STATUS_FAILED,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_FAILURE_PREFIX = "FAILURE_CODE_"
_FAILURE_NAMES: Mapping[int, str] = {
    number: name.removeprefix(_FAILURE_PREFIX)
    for name, number in failure_code_pb2.FailureCode.items()
}
FAILURE_CODES: Mapping[str, int] = {name: number for number, name in _FAILURE_NAMES.items()}
"""Numbers of the contract by their names, as stored."""


def timestamp(time: datetime) -> Timestamp:
    """An aware datetime as a message; a third of the work of ``Timestamp.FromDatetime``."""
    seconds = (time - _EPOCH) // _SECOND
    return Timestamp(seconds=seconds, nanos=time.microsecond * 1000)


def request_of(item: payment_pb2.PaymentRequest, traceparent: str = "") -> Request:
    """One item of SubmitPayments; ``traceparent`` if it has no trace context of its own."""
    field = item.WhichOneof("move")
    move = Move(field) if field else None
    if move is Move.SEND:
        target = item.send.recipient
    elif move is Move.QR:
        target = item.qr.text
    elif move is Move.BARCODE:
        target = item.barcode.code
    elif move is Move.WITHDRAW:
        target = item.withdraw.bank_account_id
    else:
        target = item.top_up.recipient
    return Request(
        caller_id=item.caller_id,
        request_id=item.request_id,
        move=move,
        target=target,
        amount_minor=item.money.amount_minor,
        currency_code=item.money.currency_code,
        note=item.note,
        order_ref=item.order_ref,
        traceparent=valid_traceparent(item.traceparent) if item.traceparent else traceparent,
    )


def payment_message(payment: NewPayment | StoredPayment) -> payment_pb2.Payment:
    """A payment as its sides see it. One that was just stored is PENDING."""
    message = payment_pb2.Payment(
        id=payment.id,
        kind=KINDS[payment.kind],
        status=payment_pb2.PAYMENT_STATUS_PENDING,
        payer=payment_pb2.Party(id=payment.payer_id, name=payment.payer_name),
        payee=payment_pb2.Party(id=payment.payee_id, name=payment.payee_name),
        money=money_pb2.Money(
            currency_code=payment.currency_code, amount_minor=payment.amount_minor
        ),
        note=payment.note,
        order_ref=payment.order_ref,
        create_time=timestamp(payment.create_time),
    )
    if isinstance(payment, StoredPayment) and payment.complete_time is not None:
        message.status = STATUSES[payment.status]
        message.complete_time.CopyFrom(timestamp(payment.complete_time))
        if payment.failure_code:
            message.failure_code = FAILURE_CODES[payment.failure_code]  # type: ignore[assignment]
    return message


def event_message(row: StoredPayment) -> payment_pb2.PaymentEvent:
    """The Payment Done event of a terminal payment."""
    return payment_pb2.PaymentEvent(
        number=row.event_number or 0,
        payment=payment_message(row),
        payer_entry_number=row.payer_entry_number or 0,
        payee_entry_number=row.payee_entry_number or 0,
    )


def task_message(payment: NewPayment | StoredPayment) -> payment_queue_pb2.TransferTask:
    """The transfer that makes a payment happen."""
    return payment_queue_pb2.TransferTask(
        payment_id=payment.id,
        debit_wallet_id=payment.payer_wallet_id,
        credit_wallet_id=payment.payee_wallet_id,
        money=money_pb2.Money(
            currency_code=payment.currency_code, amount_minor=payment.amount_minor
        ),
        kind=KINDS[payment.kind],
        traceparent=context_of_payment(payment.id, payment.traceparent),
        attempt=1,
        accept_time=timestamp(payment.create_time),
    )


def failure_name(code: failure_code_pb2.FailureCode) -> str:
    """A code of the contract as it is stored."""
    return _FAILURE_NAMES[code]


def result_of(message: payment_queue_pb2.TransferResult, *, stored: datetime) -> Result:
    """What became of a payment's transfer, and when the queue stored it."""
    code = message.failure_code
    return Result(
        payment_id=message.task.payment_id,
        failure_code=failure_name(code) if code else None,
        debit_entry_number=message.debit_entry_number,
        credit_entry_number=message.credit_entry_number,
        attempt=message.task.attempt if message.HasField("try_time") else 0,
        queue_us=_microseconds(message.queue_time),
        try_us=_microseconds(message.try_time),
        result_us=(stored - _EPOCH) // _MICROSECOND,
    )


def _microseconds(time: Timestamp) -> int:
    return time.seconds * 1_000_000 + time.nanos // 1000
