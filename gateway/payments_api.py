"""Money moves, and reading payments."""

from __future__ import annotations

import asyncio
from datetime import datetime
from time import monotonic

from google.protobuf.timestamp_pb2 import Timestamp

from chassis import channel
from chassis.errors import ServiceError
from chassis.ids import is_id
from gateway import answers
from gateway.bodies import AMOUNT_MAX, PayBarcodeBody, PayQrBody, SendBody, WithdrawBody
from gateway.operation import Call, Headers, Reply
from gateway.payment_events import PaymentEvents
from gateway.payment_view import KINDS, STATUSES, is_terminal, payment_answer
from gateway.preferences import preferred_wait_seconds
from gateway.problems import Problem, invalid_request
from gateway.queries import PaymentQuery, PaymentsQuery
from gateway.replies import json_reply
from gateway.submitter import Submitter
from gateway.traces import context_of_request
from gateway.upstream import Upstream
from qrpay.payment.v1 import payment_pb2
from qrpay.type.v1 import money_pb2

_REPLAYED = (b"idempotent-replayed", b"true")
_KIND_NUMBERS = {name: number for number, name in KINDS.items()}
_STATUS_NUMBERS = {name: number for number, name in STATUSES.items()}


class PaymentsApi:
    """Handlers of /payments and what is below it."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        submitter: Submitter,
        events: PaymentEvents,
        wait_seconds_max: int,
    ) -> None:
        self._upstream = upstream
        self._submitter = submitter
        self._events = events
        self._wait_seconds_max = wait_seconds_max

    async def send(self, call: Call) -> Reply:
        """POST /payments/send."""
        body: SendBody = call.body
        request = _request(call)
        request.send.recipient = body.to
        _set_money(request.money, body.amount, body.currency)
        request.note = body.note or ""
        return await self._move(call, request)

    async def pay(self, call: Call) -> Reply:
        """POST /payments/pay: a customer scans a merchant's code, or a merchant a customer's."""
        body: PayQrBody | PayBarcodeBody = call.body
        request = _request(call)
        if isinstance(body, PayBarcodeBody):
            request.barcode.code = body.barcode
            _set_money(request.money, body.amount, body.currency)
            request.order_ref = body.order_ref or ""
        else:
            request.qr.text = body.qr
            request.note = body.note or ""
            if body.amount is not None and body.currency is not None:
                _set_money(request.money, body.amount, body.currency)
            elif body.amount is not None or body.currency is not None:
                missing = "currency" if body.currency is None else "amount"
                raise invalid_request((missing, "is required: amount and currency go together"))
        return await self._move(call, request)

    async def withdraw(self, call: Call) -> Reply:
        """POST /payments/withdraw."""
        body: WithdrawBody = call.body
        request = _request(call)
        request.withdraw.bank_account_id = body.bank_account
        _set_money(request.money, body.amount, body.currency)
        return await self._move(call, request)

    async def read(self, call: Call) -> Reply:
        """GET /payments/{payment_id}."""
        query: PaymentQuery = call.query
        payment_id = call.path["payment_id"]
        if not is_id(payment_id, "pay"):
            raise Problem("payment-not-found")
        viewer_id = "" if call.user.role == "operator" else call.user.id
        payment = await self._read(payment_id, viewer_id)
        if query.wait and not is_terminal(payment):
            payment = await self._wait(call, payment, min(query.wait, self._wait_seconds_max))
        return json_reply(payment_answer(payment))

    async def list_payments(self, call: Call) -> Reply:
        """GET /payments."""
        query: PaymentsQuery = call.query
        request = payment_pb2.ListPaymentsRequest(
            owner_id=call.user.id, page_size=query.limit, page_token=query.cursor or ""
        )
        if query.status:
            request.status = _STATUS_NUMBERS[query.status]
        if query.kind:
            request.kind = _KIND_NUMBERS[query.kind]
        for time, target in ((query.start, request.start_time), (query.end, request.end_time)):
            if time is not None:
                target.CopyFrom(_timestamp(time))
        page = await self._upstream.call(self._upstream.payment.ListPayments, request)
        return json_reply(
            answers.Payments(
                items=[payment_answer(payment) for payment in page.payments],
                next_cursor=page.next_page_token or None,
            )
        )

    async def _move(self, call: Call, request: payment_pb2.PaymentRequest) -> Reply:
        result = await self._submitter.submit(request)
        call.connection.release_intake()
        payment = result.payment
        headers: Headers = [(b"location", b"/payments/" + payment.id.encode())]
        if result.replayed:
            headers.append(_REPLAYED)
        status = 202
        prefer = call.headers.get(b"prefer")
        if prefer is not None and (
            seconds := preferred_wait_seconds(prefer, seconds_max=self._wait_seconds_max)
        ):
            headers.append((b"preference-applied", b"wait=%d" % seconds))
            if not is_terminal(payment):
                payment = await self._wait(call, payment, seconds)
            if is_terminal(payment):
                status = 200
        return json_reply(payment_answer(payment), status=status, headers=headers)

    async def _wait(
        self, call: Call, payment: payment_pb2.Payment, seconds: float
    ) -> payment_pb2.Payment:
        """The payment as soon as it is terminal, or as it is when time is over."""
        began = monotonic()
        done = await self._events.wait(payment.id, seconds)
        call.waited_seconds = monotonic() - began
        if done is not None:
            return done
        # Its event may have been lost: look once more before saying that it is not done.
        channel.deadline.set(asyncio.get_running_loop().time() + self._upstream.seconds)
        try:
            return await self._read(payment.id, viewer_id="")
        except ServiceError:
            return payment

    async def _read(self, payment_id: str, viewer_id: str) -> payment_pb2.Payment:
        response = await self._upstream.call(
            self._upstream.payment.GetPayment,
            payment_pb2.GetPaymentRequest(payment_id=payment_id, viewer_id=viewer_id),
        )
        return response.payment


def _request(call: Call) -> payment_pb2.PaymentRequest:
    return payment_pb2.PaymentRequest(
        caller_id=call.user.id,
        request_id=call.idempotency_key,
        traceparent=context_of_request(call.headers.get(b"traceparent")),
    )


def _set_money(money: money_pb2.Money, amount: int, currency: str) -> None:
    if amount > AMOUNT_MAX:
        raise Problem("amount-out-of-range")
    money.amount_minor = amount
    money.currency_code = currency


def _timestamp(time: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp
