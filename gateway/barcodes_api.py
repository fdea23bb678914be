"""One-time barcodes that a customer shows."""

from __future__ import annotations

from msgspec import UNSET

from chassis.batching import Batcher
from gateway import answers
from gateway.bodies import BarcodeBody
from gateway.operation import Call, Reply
from gateway.payment_view import time_of
from gateway.queries import BarcodeQuery
from gateway.replies import json_reply
from gateway.upstream import Upstream
from qrpay.barcode.v1 import barcode_pb2

_BATCH_MAX = 256
_QUEUE_MAX = 4_096
_WAIT_SECONDS_MAX = 0.5
"""Longer than this nobody waits for a batch: an answer now, to be asked again, is better."""
_CONCURRENCY = 2
"""One batch on the way while the next one collects what arrives."""


class BarcodesApi:
    """Handler of /barcodes."""

    def __init__(self, *, upstream: Upstream) -> None:
        self._issues = Batcher[barcode_pb2.BarcodeIssue, barcode_pb2.IssuedBarcode](
            upstream.issue,
            name="issue barcodes",
            size_max=_BATCH_MAX,
            queue_max=_QUEUE_MAX,
            wait_seconds_max=_WAIT_SECONDS_MAX,
            concurrency=_CONCURRENCY,
        )

    async def issue(self, call: Call) -> Reply:
        """POST /barcodes. The images come inline: a code is never in a URL."""
        body: BarcodeBody = call.body
        query: BarcodeQuery = call.query
        without_images = query.images == "none"
        issued = await self._issues.submit(
            barcode_pb2.BarcodeIssue(
                owner_id=call.user.id, device=body.device or "", without_images=without_images
            )
        )
        images = answers.BarcodeImages(qr=issued.qr_svg, code128=issued.code128_svg)
        return json_reply(
            answers.Barcode(
                code=issued.code,
                expires_at=time_of(issued.expire_time),
                ttl_seconds=issued.ttl_seconds,
                svg=UNSET if without_images else images,
            ),
            status=201,
        )
