"""What clients asked for and were answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Outcome(StrEnum):
    """What one answer says, as Jepsen has it."""

    OK = "ok"
    """The payment exists; it has an id and a status."""
    REFUSED = "refused"
    """A rule was broken; there is no payment."""
    UNKNOWN = "unknown"
    """No answer, or one that leaves it open: it may or may not have happened."""


class Answer(NamedTuple):
    """One answer to one try."""

    outcome: Outcome
    http_status: int = 0
    """0: the connection failed, or time was over."""
    payment_id: str = ""
    payment_status: str = ""
    failure: str = ""
    """The failure code of a FAILED payment, or the problem code of a refusal."""


@dataclass(eq=False)
class Operation:
    """One request with one key and one body, tried once or several times."""

    kind: str
    user: str
    key: str
    path: str
    body: dict[str, Any]
    barcode: str = ""
    """The one-time code that it charges, if it does."""
    answers: list[Answer] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome:
        """The best that is known of it."""
        known = {answer.outcome for answer in self.answers}
        return next(
            (item for item in (Outcome.OK, Outcome.REFUSED) if item in known), Outcome.UNKNOWN
        )

    @property
    def is_settled(self) -> bool:
        """Whether its last answer was a definite one, and of a payment that is done if there is
        one."""
        if not self.answers:
            return False
        last = self.answers[-1]
        return last.outcome is Outcome.REFUSED or last.payment_status in ("COMPLETED", "FAILED")


def read_answer(http_status: int, body: Any) -> Answer:
    """What an HTTP answer says."""
    if http_status in (200, 202) and isinstance(body, dict):
        failure = body.get("failure") or {}
        return Answer(
            Outcome.OK,
            http_status,
            body.get("id", ""),
            body.get("status", ""),
            failure.get("code", ""),
        )
    code = body.get("code", "") if isinstance(body, dict) else ""
    # In flight and over the limit are no verdict: the same request may still go through.
    if 400 <= http_status < 500 and code not in ("idempotency-key-in-flight", "rate-limited"):
        return Answer(Outcome.REFUSED, http_status, failure=code)
    return Answer(Outcome.UNKNOWN, http_status, failure=code)
