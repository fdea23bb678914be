"""A payment of payment_svc as JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import UNSET

from gateway import answers
from qrpay.payment.v1 import payment_pb2
from qrpay.type.v1 import failure_code_pb2, transfer_kind_pb2

PENDING = payment_pb2.PAYMENT_STATUS_PENDING
COMPLETED = payment_pb2.PAYMENT_STATUS_COMPLETED
FAILED = payment_pb2.PAYMENT_STATUS_FAILED

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A status that a newer payment_svc may have and we do not know is not terminal for our clients.
STATUSES: dict[payment_pb2.PaymentStatus, answers.PaymentStatusName] = {
    PENDING: "PENDING",
    COMPLETED: "COMPLETED",
    FAILED: "FAILED",
}
KINDS: dict[transfer_kind_pb2.TransferKind, answers.KindName] = {
    transfer_kind_pb2.TRANSFER_KIND_SEND: "send",
    transfer_kind_pb2.TRANSFER_KIND_PAY: "pay",
    transfer_kind_pb2.TRANSFER_KIND_WITHDRAW: "withdraw",
    transfer_kind_pb2.TRANSFER_KIND_TOP_UP: "top-up",
}
"""What moved the money, as the outside calls it."""

FAILURE_MESSAGES: dict[str, str] = {
    "insufficient-funds": "There was not enough money in the wallet.",
    "wallet-closed": "One of the two wallets is closed.",
    "wallet-frozen": "One of the two wallets is frozen.",
    "limit-exceeded": "The payee's wallet may not hold that much.",
    "bank-rejected": "The bank refused the withdrawal.",
    "cancelled": "It could not be carried out. No money has moved; please pay again.",
}
_FAILURES: dict[int, answers.Failure] = {
    number: answers.Failure(code=code, message=FAILURE_MESSAGES.get(code, "The payment failed."))
    for number, code in (
        (value, name.removeprefix("FAILURE_CODE_").lower().replace("_", "-"))
        for name, value in failure_code_pb2.FailureCode.items()
    )
}
_UNKNOWN_FAILURE = answers.Failure(code="unknown", message="The payment failed.")


def is_terminal(payment: payment_pb2.Payment) -> bool:
    """Whether nothing will change any more."""
    return payment.status in {COMPLETED, FAILED}


def time_of(timestamp: Timestamp) -> datetime:
    """The timestamp as an aware datetime in UTC, to the microsecond."""
    return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)


def payment_answer(payment: payment_pb2.Payment) -> answers.Payment:
    """The payment as the contract shows it."""
    return answers.Payment(**_members(payment))


def event_answer(event: payment_pb2.PaymentEvent, *, for_payer: bool) -> answers.PaymentEvent:
    """The data of an event as the payer or the payee sees it."""
    number = event.payer_entry_number if for_payer else event.payee_entry_number
    completed = event.payment.status == COMPLETED
    return answers.PaymentEvent(**_members(event.payment), number=number if completed else UNSET)


def _members(payment: payment_pb2.Payment) -> dict[str, Any]:
    status = payment.status
    payer, payee, money = payment.payer, payment.payee, payment.money
    return {
        "id": payment.id,
        "kind": KINDS.get(payment.kind, "pay"),
        "status": STATUSES.get(status, "PENDING"),
        "failure": (
            _FAILURES.get(payment.failure_code, _UNKNOWN_FAILURE) if status == FAILED else UNSET
        ),
        "payer": answers.Party(id=payer.id, name=payer.name),
        "payee": answers.Party(id=payee.id, name=payee.name),
        "amount": money.amount_minor,
        "currency": money.currency_code,
        "note": payment.note or UNSET,
        "order_ref": payment.order_ref or UNSET,
        "created_at": time_of(payment.create_time),
        "completed_at": (
            time_of(payment.complete_time) if payment.HasField("complete_time") else None
        ),
    }
