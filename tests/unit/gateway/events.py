"""Payments and events for tests, and a payment_svc that only lists them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from qrpay.payment.v1 import payment_pb2, payment_queue_pb2

ME, OTHER, STRANGER = "usr_me", "usr_other", "usr_stranger"


def payment(
    payment_id: str,
    *,
    payer: str = ME,
    payee: str = OTHER,
    status: payment_pb2.PaymentStatus = payment_pb2.PAYMENT_STATUS_COMPLETED,
) -> payment_pb2.Payment:
    """A payment."""
    return payment_pb2.Payment(
        id=payment_id,
        status=status,
        payer=payment_pb2.Party(id=payer, name=payer),
        payee=payment_pb2.Party(id=payee, name=payee),
    )


def event(
    number: int, *, payer: str = ME, payee: str = OTHER, failed: bool = False
) -> payment_pb2.PaymentEvent:
    """The event with this number; the payer's entry has number 1000, the payee's 2000."""
    status = payment_pb2.PAYMENT_STATUS_FAILED if failed else payment_pb2.PAYMENT_STATUS_COMPLETED
    return payment_pb2.PaymentEvent(
        number=number,
        payment=payment(f"pay_{number}", payer=payer, payee=payee, status=status),
        payer_entry_number=0 if failed else 1000,
        payee_entry_number=0 if failed else 2000,
    )


def batch(*events: payment_pb2.PaymentEvent) -> payment_queue_pb2.EventBatch:
    """A message with these events."""
    numbers = [it.number for it in events if it.number]
    return payment_queue_pb2.EventBatch(
        first_number=min(numbers, default=0), last_number=max(numbers, default=0), events=events
    )


class ListingUpstream:
    """Stands where ``Upstream`` stands, for who lists events: pages of three, and other things
    happen while it is being asked."""

    def __init__(self) -> None:
        self.payment = self
        self.ListPaymentEvents = "ListPaymentEvents"
        self.events: list[payment_pb2.PaymentEvent] = []
        self.fault: Exception | None = None
        self.calls = 0

    async def call(self, method: Any, request: Any, *, seconds: float | None = None) -> Any:
        """Answer ListPaymentEvents."""
        self.calls += 1
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        mine = self._listed(request.owner_id, request.after_number)
        size = min(3, request.page_size)
        answer = payment_pb2.ListPaymentEventsResponse(
            events=mine[:size],
            more=len(mine) > size,
            head_number=self.events[-1].number if self.events else 0,
        )
        await asyncio.sleep(0)
        return answer

    def _listed(self, owner_id: str, after: int) -> Sequence[payment_pb2.PaymentEvent]:
        return [
            it
            for it in self.events
            if it.number > after and owner_id in {it.payment.payer.id, it.payment.payee.id}
        ]
