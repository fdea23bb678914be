"""Payments in numbers: accepted, refused, done, and how long that took.

Counted by the process that did it, a batch at a time, after its commit. What another process has
committed before is not counted again, so after a crash a few are missing: these are for watching;
what adds up to the cent is the books.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from chassis.errors import ServiceError
from chassis.metrics import SECONDS, Counter, Histogram
from payment_svc.model import KIND_OF_MOVE, Kind, NewPayment, Request, StoredPayment
from payment_svc.operations import Accepted

_KIND = "qrpay.payment.kind"
_REASON = "qrpay.payment.reason"
_OTHER = "_OTHER"
_DONE_SECONDS = sorted((*SECONDS, 2.0, 30.0, 60.0, 300.0, 3600.0))
"""With 2 s, which is what is promised (k8s/observability/rules.yaml)."""

_ACCEPTED = Counter(
    "qrpay.payment.accepted",
    unit="{payment}",
    description="Payments that were stored: from then on they are promised.",
    attributes=(_KIND,),
)
_REPLAYED = Counter(
    "qrpay.payment.replayed",
    unit="{payment}",
    description="Requests that were answered with the payment they had made before.",
    attributes=(_KIND,),
)
_REFUSED = Counter(
    "qrpay.payment.refused",
    unit="{payment}",
    description="Requests that made no payment, by reason.",
    attributes=(_KIND, _REASON),
)
_COMPLETED = Counter(
    "qrpay.payment.completed",
    unit="{payment}",
    description="Payments that ended: their money moved, or it did not, for a reason.",
    attributes=(_KIND, "qrpay.payment.outcome", _REASON),
)
_DONE = Histogram(
    "qrpay.payment.done.duration",
    unit="s",
    description="From the acceptance of a payment to its end.",
    bounds=_DONE_SECONDS,
    attributes=(_KIND,),
)
_KIND_NAMES: dict[str, str] = {kind: kind.lower() for kind in Kind}

for _name in _KIND_NAMES.values():
    _ACCEPTED.add(0, _name)
    _COMPLETED.add(0, _name, "completed", "")


def count_answers(requests: Sequence[Request], answers: Iterable[Accepted | ServiceError]) -> None:
    """Count what became of requests; in the same order."""
    refused: Tally[tuple[str, str]] = Tally()
    replayed: Tally[str] = Tally()
    accepted: Tally[str] = Tally()
    for request, answer in zip(requests, answers, strict=True):
        if isinstance(answer, ServiceError):
            kind = _KIND_NAMES[KIND_OF_MOVE[request.move]] if request.move else _OTHER
            refused[kind, answer.reason.lower()] += 1
        elif answer.replayed or not isinstance(answer.payment, NewPayment):
            replayed[_KIND_NAMES[answer.payment.kind]] += 1
        else:
            accepted[_KIND_NAMES[answer.payment.kind]] += 1
    for name, number in accepted.items():
        _ACCEPTED.add(number, name)
    for name, number in replayed.items():
        _REPLAYED.add(number, name)
    for (name, reason), number in refused.items():
        _REFUSED.add(number, name, reason)


def count_ended(payments: Sequence[StoredPayment]) -> None:
    """Count payments that have just ended."""
    ends: Tally[tuple[str, str, str | None]] = Tally()
    for payment in payments:
        ends[payment.kind, payment.status, payment.failure_code] += 1
        if payment.complete_time is not None:
            # Two clocks: the process that accepted it, and the database.
            seconds = (payment.complete_time - payment.create_time).total_seconds()
            _DONE.record(max(0.0, seconds), _KIND_NAMES[payment.kind])
    for (kind, status, code), number in ends.items():
        _COMPLETED.add(number, _KIND_NAMES[kind], status.lower(), (code or "").lower())
