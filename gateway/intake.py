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


class Intake:
    """Counts the payments that are between their head and payment_svc's answer."""

    def __init__(self, *, payments_max: int, monotonic: Callable[[], float]) -> None:
        self._payments_max = payments_max
        self._monotonic = monotonic
        self._payments = 0
        self._refused = 0
        self._logged_at = monotonic()

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
