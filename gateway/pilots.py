"""Payments of pilot merchants go to the canary first, and to everybody's payment_svc if it fails.

Which payment is a pilot's is guessed here, cheaply, and decides nothing but the way: the canary and
everybody's payment_svc share their database and their rules, and read the code anew. A merchant
that scans a barcode is the caller. A merchant's QR code has the id at a fixed place (our own
template: our GUID, then the id), so finding it is no decoding and takes no table of the codec's: a
text that is no code of ours, or is forged, finds no pilot or the wrong way to the same answer.

Repeating a payment at the other place is safe: it carries the caller's idempotency key and a
fingerprint of its content, which are unique in the one database. What the canary had accepted
before it failed is answered as a replay, and moves money once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence

import grpc

from chassis.errors import ServiceError
from chassis.logs import get_logger
from chassis.metrics import Counter
from qrpay.payment.v1 import payment_pb2

_LOG = get_logger(__name__)

Outcome = payment_pb2.SubmitPaymentResult | ServiceError
SubmitBatch = Callable[[Sequence[payment_pb2.PaymentRequest], float], Awaitable[Sequence[Outcome]]]
"""Requests and the seconds there are -> one outcome each, in order."""

_PILOTS_EVERY_SECONDS = 5.0
"""How often it is asked who the pilots are."""
_HEALTH_EVERY_SECONDS = 1.0
_SHARE = 0.5
"""Of the time that a payment has, the canary gets this much: the rest is enough for the others."""
_QR_MERCHANT = re.compile(r"0009dev\.qrpay01([0-9]{2})")
_NO_ANSWER = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
"""Errors of an item that say nothing about the payment, but about who was asked."""

_PAYMENTS = Counter(
    "qrpay.canary.payments",
    unit="{payment}",
    description="Payments of pilot merchants, by who answered: the canary, or stable instead.",
    attributes=("qrpay.submitted_to",),
)
for _whom in ("canary", "stable"):
    _PAYMENTS.add(0, _whom)


class Canary:
    """Knows the pilots and whether the canary is well, and submits their payments."""

    def __init__(
        self,
        *,
        submit_canary: SubmitBatch,
        submit_stable: SubmitBatch,
        list_pilots: Callable[[], Awaitable[Iterable[str]]],
        is_serving: Callable[[], Awaitable[bool]],
        monotonic: Callable[[], float],
    ) -> None:
        self._submit_canary = submit_canary
        self._submit_stable = submit_stable
        self._list_pilots = list_pilots
        self._is_serving = is_serving
        self._monotonic = monotonic
        self._pilots: frozenset[str] = frozenset()
        self._healthy = False

    def takes(self, request: payment_pb2.PaymentRequest) -> bool:
        """Whether this payment goes to the canary, as things are now."""
        if not self._healthy or not self._pilots:
            return False
        move = request.WhichOneof("move")
        if move == "barcode":
            return request.caller_id in self._pilots
        return move == "qr" and merchant_in(request.qr.text) in self._pilots

    async def submit(
        self, requests: Sequence[payment_pb2.PaymentRequest], seconds: float
    ) -> Sequence[Outcome]:
        """Submit a batch to the canary; what it does not answer, to stable. One outcome each, in
        order. Raises ``ServiceError`` if stable does not answer either."""
        ends_at = self._monotonic() + seconds
        try:
            outcomes = list(await self._submit_canary(requests, seconds * _SHARE))
        except ServiceError as error:
            outcomes = [error] * len(requests)
            self._look_away(error)
        missing = [index for index, outcome in enumerate(outcomes) if _is_no_answer(outcome)]
        if len(missing) < len(requests):
            _PAYMENTS.add(len(requests) - len(missing), "canary")
        if missing:
            again = [requests[index] for index in missing]
            _PAYMENTS.add(len(again), "stable")
            answers = await self._submit_stable(again, ends_at - self._monotonic())
            for index, answer in zip(missing, answers, strict=True):
                outcomes[index] = answer
        return outcomes

    async def run(self) -> None:
        """Follow the pilots and the canary's health until cancelled."""
        await asyncio.gather(self._follow_pilots(), self._follow_health())

    async def look(self) -> None:
        """Ask who the pilots are. If nobody answers, they are who they were."""
        try:
            self._pilots = frozenset(await self._list_pilots())
        except ServiceError as error:
            _LOG.warning("pilots not read", reason=error.reason)

    async def probe(self) -> None:
        """Ask the canary whether it serves."""
        healthy = await self._is_serving()
        if healthy != self._healthy:
            self._healthy = healthy
            _LOG.info("canary", healthy=healthy)

    async def _follow_pilots(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_PILOTS_EVERY_SECONDS)

    async def _follow_health(self) -> None:
        while True:
            await self.probe()
            await asyncio.sleep(_HEALTH_EVERY_SECONDS)

    def _look_away(self, error: ServiceError) -> None:
        """Until it says again that it is well."""
        _LOG.warning("canary failed: payments go to stable", reason=error.reason)
        self._healthy = False


def merchant_in(text: str) -> str:
    """The id that stands where our codes have the merchant's; empty if there is no such place."""
    found = _QR_MERCHANT.search(text)
    return text[found.end() : found.end() + int(found[1])] if found else ""


def _is_no_answer(outcome: Outcome) -> bool:
    return isinstance(outcome, ServiceError) and outcome.code in _NO_ANSWER
