"""Who is too many hears so before anything was done for them.

Under a flood the time goes into refusing, and what is left is what can still be sold. A refusal
after the token was checked, the body read and the queue looked at costs nearly as much as the first
half of a payment; so this one is made when a request's head is there, by a number.
"""

from __future__ import annotations

from collections.abc import Callable

from chassis.logs import get_logger

_LOG_EVERY_SECONDS = 1.0
_LOG = get_logger(__name__)

_BODY_BYTES_MAX = 999_999
_CHANGES_THE_END = {b"transfer-encoding", b"connection", b"expect", b"upgrade"}
"""Fields with which the end of a request, or of its connection, is not told by its length alone."""


def is_whole_payment(received: bytes) -> bool:
    """Whether these bytes are one whole HTTP request that posts a payment, and nothing else.

    Looks only for what could move the request's end (RFC 9112 section 6), at a fraction of what a
    parser costs: good enough to refuse it, not to serve it. Says no when in doubt.
    """
    if not received.startswith(b"POST /payments/"):
        return False
    head, _, body = received.partition(b"\r\n\r\n")
    first, *fields = head.lower().split(b"\r\n")
    length = b""
    for field in fields:
        name, _, value = field.partition(b":")
        if (name := name.strip()) in _CHANGES_THE_END:
            return False
        if name == b"content-length":
            if length:
                return False
            length = value.strip(b" \t")
    if not first.endswith(b" http/1.1") or not length.isdigit():
        return False
    return len(length) <= len(str(_BODY_BYTES_MAX)) and len(body) == int(length)


class Intake:
    """Counts the payments that are between their head and payment_svc's answer."""

    def __init__(self, *, payments_max: int, monotonic: Callable[[], float]) -> None:
        self._payments_max = payments_max
        self._monotonic = monotonic
        self._payments = 0
        self._refused = 0
        self._logged_at = monotonic()

    @property
    def payments(self) -> int:
        """How many there are."""
        return self._payments

    @property
    def is_full(self) -> bool:
        """Whether the next one would be refused."""
        return self._payments >= self._payments_max

    def admit(self) -> bool:
        """Take one more in, to be released later; False if there are too many."""
        if self.is_full:
            self._refused += 1
            return False
        self._payments += 1
        if self._refused:
            self._log()
        return True

    def release(self) -> None:
        """One that was taken in has its answer from payment_svc, or will get none."""
        self._payments -= 1

    def _log(self) -> None:
        """Say how many were refused, once in a while: a line for each would cost more than all
        the rest of the refusal."""
        now = self._monotonic()
        if now - self._logged_at >= _LOG_EVERY_SECONDS:
            _LOG.warning("payments_shed", payments=self._refused)
            self._refused = 0
            self._logged_at = now
