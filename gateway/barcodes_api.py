"""One-time barcodes that a customer shows."""

from __future__ import annotations

from gateway import answers
from gateway.operation import Call, Reply
from gateway.payment_view import time_of
from gateway.replies import json_reply
from gateway.upstream import Upstream
from qrpay.barcode.v1 import barcode_pb2


class BarcodesApi:
    """Handler of /barcodes."""

    def __init__(self, *, upstream: Upstream) -> None:
        self._upstream = upstream

    async def issue(self, call: Call) -> Reply:
        """POST /barcodes. The images come inline: a code is never in a URL."""
        issued = await self._upstream.call(
            self._upstream.barcode.IssueBarcode,
            barcode_pb2.IssueBarcodeRequest(owner_id=call.user.id),
        )
        return json_reply(
            answers.Barcode(
                code=issued.code,
                expires_at=time_of(issued.expire_time),
                ttl_seconds=issued.ttl_seconds,
                svg=answers.BarcodeImages(qr=issued.qr_svg, code128=issued.code128_svg),
            ),
            status=201,
        )
