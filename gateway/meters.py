"""HTTP requests in numbers, by route: how many, how they ended, how long they took.

Names and attributes are those of the semantic conventions for HTTP. A route is its template and
never a path: nobody knows what people put into a path. Two times are not counted, since they tell
of the client and not of us: what it asked us to wait for a result, and what a stream lasts.
"""

from __future__ import annotations

from collections.abc import Callable

from chassis.metrics import SECONDS, Counter, Gauge, Histogram
from gateway.intake import Intake
from gateway.payment_events import PaymentEvents

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_REQUESTS = Histogram(
    "http.server.request.duration",
    unit="s",
    description="How long requests took, without what the client itself asked us to wait.",
    bounds=SECONDS,
    attributes=("http.request.method", "http.route", "http.response.status_code", "error.type"),
    fixed={"url.scheme": "http"},
    series_max=1_000,
)
_SHED = Counter(
    "qrpay.http.requests.shed",
    unit="{request}",
    description="Payments that were refused as overload before anything was done for them. They "
    "are in no other metric.",
)
_STATUS_TEXTS = {status: str(status) for status in range(600)}

_INTAKE = Gauge(
    "qrpay.http.intake",
    unit="{payment}",
    description="Payments between their head and payment_svc's answer.",
    additive=True,
)
_WAITERS = Gauge(
    "qrpay.http.waiters",
    unit="{request}",
    description="Requests that wait for the result of a payment.",
    additive=True,
)
_STREAMS = Gauge(
    "qrpay.http.streams",
    unit="{stream}",
    description="Open event streams.",
    additive=True,
)


def known_method(method: str) -> str:
    """The method as the semantic conventions name it: clients may invent any number of others."""
    return method if method in _METHODS else "_OTHER"


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request that was answered; with status 499, one whose client went away. ``route`` is
    empty if there is none."""
    _REQUESTS.record(
        seconds,
        known_method(method),
        route,
        _STATUS_TEXTS[status],
        _STATUS_TEXTS[status] if status >= 500 else "",
    )


def count_shed() -> None:
    """Count a payment that was refused unread."""
    _SHED.add(1)


def watch(intake: Intake, events: PaymentEvents) -> Callable[[], None]:
    """Ask these for how many there are; answers how to stop that."""
    ends = [
        _INTAKE.watch(lambda: {(): intake.payments}),
        _WAITERS.watch(lambda: {(): events.waiting}),
        _STREAMS.watch(lambda: {(): events.streams}),
    ]

    def stop() -> None:
        for end in ends:
            end()

    return stop
