"""Payments on their way to payment_svc: what arrives while a call is in flight shares the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from chassis import tracing
from chassis.batching import Batcher
from chassis.errors import DeadlineExceeded, ServiceError
from gateway.pilots import Canary, Outcome, SubmitBatch
from qrpay.payment.v1 import payment_pb2

_WORTHWHILE_SECONDS = 0.25
"""With less time left than this a payment is not sent any more: its answer would come too late, and
the call would take away what those who still have time need."""


class _Item(NamedTuple):
    request: payment_pb2.PaymentRequest
    ends_at: float
    began_ns: int
    """When it came, since 1970; 0 if it is not traced."""


class Submitter:
    """Submits single payments in natural batches, each with a deadline from its arrival.

    Payments by a code travel apart from the others: accepting them asks barcode too, and while
    barcode hangs, nobody else must wait with them. Those of pilot merchants travel apart again:
    while the canary hangs, nobody else must wait with them, and no batch is of both.

    The deadline, ``seconds``, counts the time in the queue. It is kept by the calls and not by a
    timer per payment, which would cost more than the rest of this class: an item is in a call whose
    deadline is that of its oldest item, or waits behind such calls, or is refused when its turn
    comes.
    """

    def __init__(
        self,
        submit_batch: SubmitBatch,
        *,
        size_max: int,
        queue_max: int,
        wait_seconds_max: float,
        concurrency: int,
        patience_seconds: float,
        seconds: float,
        monotonic: Callable[[], float],
        canary: Canary | None = None,
    ) -> None:
        self._canary = canary
        self._seconds = seconds
        self._monotonic = monotonic
        ways = {"submit": submit_batch, "submit by code": submit_batch}
        if canary is not None:
            ways["submit to canary"] = canary.submit
        self._batchers = {
            name: Batcher[_Item, payment_pb2.SubmitPaymentResult](
                partial(self._process, submit),
                name=name,
                size_max=size_max,
                queue_max=queue_max,
                wait_seconds_max=wait_seconds_max,
                concurrency=concurrency,
                patience_seconds=patience_seconds,
            )
            for name, submit in ways.items()
        }

    async def submit(self, request: payment_pb2.PaymentRequest) -> payment_pb2.SubmitPaymentResult:
        """Submit one payment. Raises the item's own ``ServiceError``; ``Unavailable``,
        ``DeadlineExceeded`` or ``Overloaded`` if it could not be asked or was not answered."""
        way = "submit"
        if request.HasField("qr") or request.HasField("barcode"):
            to_canary = self._canary is not None and self._canary.takes(request)
            way = "submit to canary" if to_canary else "submit by code"
        began_ns = time.time_ns() if request.traceparent else 0
        return await self._batchers[way].submit(
            _Item(request, self._monotonic() + self._seconds, began_ns)
        )

    async def close(self) -> None:
        """Refuse new payments, and return when all that waited have their answer."""
        await asyncio.gather(*(batcher.close() for batcher in self._batchers.values()))

    async def _process(self, submit: SubmitBatch, items: Sequence[_Item]) -> Sequence[Outcome]:
        latest = self._monotonic() + _WORTHWHILE_SECONDS
        in_time = [item for item in items if item.ends_at >= latest]
        if not in_time:
            return [DeadlineExceeded()] * len(items)
        # They come in the order of their arrival: the first has the least time left.
        seconds = in_time[0].ends_at - latest + _WORTHWHILE_SECONDS
        with tracing.batch(
            "submit payments", (item.request.traceparent for item in in_time)
        ) as batch:
            outcomes = await submit([item.request for item in in_time], seconds)
            for item, outcome in zip(in_time, outcomes, strict=False) if batch.is_traced else ():
                batch.show(
                    "submit payment",
                    item.request.traceparent,
                    start_ns=item.began_ns,
                    error=outcome.reason if isinstance(outcome, ServiceError) else "",
                )
        if len(in_time) == len(items) or len(outcomes) != len(in_time):
            return outcomes
        answered = iter(outcomes)
        return [next(answered) if item.ends_at >= latest else DeadlineExceeded() for item in items]
