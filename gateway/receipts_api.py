"""Receipts: the proof that a payment is in the signed book, and the keys to check it with.

The ledger is behind the queue: it may be away while payments go on, and a receipt is there some
seconds after its payment. So nothing here may keep the gateway from being ready.
"""

from __future__ import annotations

import msgspec

from chassis.errors import ServiceError
from chassis.ids import is_id
from gateway import answers
from gateway.merchants_api import KEY_SET_TYPE
from gateway.operation import Call, Reply
from gateway.problems import Problem
from gateway.upstream import Upstream
from qrpay.ledger.v1 import ledger_pb2
from qrpay.payment.v1 import payment_pb2

RECEIPT_KEYS_SECONDS = 3600
"""How long the keys may be kept."""
_NOT_YET = {"TRANSACTION_NOT_FOUND", "RECEIPT_NOT_READY"}
_RETRY_AFTER_SECONDS = 5.0


class ReceiptsApi:
    """Handlers of /payments/{payment_id}/receipt and /receipts/keys."""

    def __init__(self, *, upstream: Upstream) -> None:
        self._upstream = upstream

    async def read(self, call: Call) -> Reply:
        """GET /payments/{payment_id}/receipt: for whoever may read the payment."""
        payment_id = call.path["payment_id"]
        if not is_id(payment_id, "pay"):
            raise Problem("payment-not-found")
        viewer_id = "" if call.user.role == "operator" else call.user.id
        found = await self._upstream.call(
            self._upstream.payment.GetPayment,
            payment_pb2.GetPaymentRequest(payment_id=payment_id, viewer_id=viewer_id),
        )
        if found.payment.status == payment_pb2.PAYMENT_STATUS_FAILED:
            raise Problem("no-receipt")
        try:
            response = await self._upstream.call(
                self._upstream.ledger.GetReceipt,
                ledger_pb2.GetReceiptRequest(payment_id=payment_id),
            )
        except ServiceError as error:
            if error.reason in _NOT_YET:
                raise Problem(
                    "receipt-not-ready", retry_after_seconds=_RETRY_AFTER_SECONDS
                ) from error
            raise
        content = response.receipt
        return Reply(
            200,
            content,
            [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(content)),
                (b"content-disposition", b'attachment; filename="%b.json"' % payment_id.encode()),
            ],
        )

    async def keys(self, call: Call) -> Reply:  # noqa: ARG002 - the same for everybody
        """GET /receipts/keys."""
        response = await self._upstream.call(
            self._upstream.ledger.ListReceiptKeys, ledger_pb2.ListReceiptKeysRequest()
        )
        keys = [answers.QrKey(kid=key.id, x=key.x) for key in response.keys]
        content = msgspec.json.encode(answers.QrKeys(keys=keys))
        return Reply(
            200,
            content,
            [
                (b"content-type", KEY_SET_TYPE.encode()),
                (b"content-length", b"%d" % len(content)),
                (b"cache-control", b"public, max-age=%d" % RECEIPT_KEYS_SECONDS),
            ],
        )
