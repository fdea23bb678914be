"""What must be true of the answers that people had. Pure: books and history in, broken rules
out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from tests.chaos.history import Operation, Outcome
from tests.chaos.snapshot import Row, Snapshot

_REFUSALS = {
    "nonsense": {"same-wallet", "recipient-not-found"},
    "other body": {"idempotency-key-reused"},
    "charge": {"barcode-used", "barcode-expired", "barcode-unknown"},
}
"""What each kind of request may be refused for; a kind that is not here may not be refused."""
_MAY_FAIL = {"too much", "tight"}
"""Of these kinds a payment may fail, for want of money only."""


def _answers_hold(snapshot: Snapshot, history: Sequence[Operation]) -> Iterator[str]:
    """A key has one payment for ever, and a terminal answer never changes."""
    for operation in history:
        ok = [answer for answer in operation.answers if answer.outcome is Outcome.OK]
        if len({answer.payment_id for answer in ok}) > 1:
            yield f"{operation.key} was answered with several payments"
        ends = {
            (answer.payment_status, answer.failure)
            for answer in ok
            if answer.payment_status != "PENDING"
        }
        if len(ends) > 1:
            yield f"{operation.key} ended as {sorted(ends)}"
        definite = [
            answer.outcome for answer in operation.answers if answer.outcome is not Outcome.UNKNOWN
        ]
        # A code that the cache forgot is refused, and good again when the cache remembers.
        may_turn_good = operation.kind == "charge"
        for before, after in pairwise(definite):
            if before is not after and not (after is Outcome.OK and may_turn_good):
                yield f"{operation.kind} {operation.key} was {before}, then {after}"


def _ok_exists_once(snapshot: Snapshot, history: Sequence[Operation]) -> Iterator[str]:
    """I4: what was answered with a payment is there once, as answered and as asked."""
    by_key: defaultdict[str, list[Row]] = defaultdict(list)
    for row in snapshot.payments:
        by_key[row["key"]].append(row)
    for operation in history:
        ok = [answer for answer in operation.answers if answer.outcome is Outcome.OK]
        rows = by_key[operation.key]
        if len(rows) > 1:
            yield f"{operation.key} has {len(rows)} payments"
        if not ok:
            continue
        if not rows or rows[0]["id"] != ok[-1].payment_id:
            yield f"{operation.key} was answered {ok[-1].payment_id}, which is not there"
        elif rows[0]["amount_minor"] != operation.body["amount"]:
            yield f"{operation.key} asked for {operation.body['amount']}"
        else:
            yield from _last_answer_is_true(operation, rows[0])


def _last_answer_is_true(operation: Operation, row: Row) -> Iterator[str]:
    for answer in operation.answers:
        if answer.payment_status not in ("", "PENDING") and answer.payment_status != row["status"]:
            yield f"{operation.key} was told {answer.payment_status} and is {row['status']}"


def _refused_is_nothing(snapshot: Snapshot, history: Sequence[Operation]) -> Iterator[str]:
    """What was refused and never accepted left nothing, and what is open was settled."""
    keys = {row["key"] for row in snapshot.payments}
    accepted = {item.key for item in history if item.outcome is Outcome.OK}
    for operation in history:
        if operation.outcome is Outcome.REFUSED and operation.key in keys - accepted:
            yield f"{operation.key} was refused and is there"
        if not operation.is_settled:
            yield f"{operation.kind} {operation.key} has no definite answer"


def _refusals_are_right(snapshot: Snapshot, history: Sequence[Operation]) -> Iterator[str]:
    """I8: only what deserves it fails, and for the right reason."""
    for operation in history:
        for answer in operation.answers:
            if operation.kind == "too much" and answer.payment_status == "COMPLETED":
                yield f"{operation.key} spent what was not there"
            elif operation.kind not in _MAY_FAIL and answer.payment_status == "FAILED":
                yield f"{operation.kind} {operation.key} failed: {answer.failure}"
            elif answer.payment_status == "FAILED" and answer.failure != "insufficient-funds":
                yield f"{operation.kind} {operation.key} failed for {answer.failure}"
            may_be = _REFUSALS.get(operation.kind, set())
            if answer.outcome is Outcome.REFUSED and answer.failure not in may_be:
                yield f"{operation.kind} {operation.key} was refused: {answer.failure}"
        if operation.kind == "nonsense" and operation.outcome is Outcome.OK:
            yield f"{operation.key} was accepted and makes no sense"


def _one_body_per_key(snapshot: Snapshot, history: Sequence[Operation]) -> Iterator[str]:
    """A key that was used with two bodies paid one of them."""
    accepted = Counter(item.key for item in history if item.outcome is Outcome.OK)
    yield from (f"{key} was accepted with both bodies" for key, n in accepted.items() if n > 1)


def _one_payment_per_barcode(snapshot: Snapshot, history: Sequence[Operation]) -> Iterator[str]:
    """I5: of several terminals that charged one code, at most one was paid."""
    paid = Counter(item.barcode for item in history if item.barcode and item.outcome is Outcome.OK)
    yield from (f"a code was paid {n} times" for n in paid.values() if n > 1)


def _used_is_paid(snapshot: Snapshot, history: Sequence[Operation]) -> Iterator[str]:
    """A code that is refused as used was paid by somebody, unless the cache forgot it meanwhile:
    whoever redeemed it comes again with the same key, and must be known."""
    charges: defaultdict[str, set[str]] = defaultdict(set)
    for operation in history:
        if operation.barcode:
            charges[operation.barcode] |= {answer.failure for answer in operation.answers}
            charges[operation.barcode].add(operation.outcome)
    for refusals in charges.values():
        if refusals - {"", "temporarily-unavailable"} == {"barcode-used", Outcome.REFUSED}:
            yield "a code was refused as used, and nobody was paid with it"


HISTORY_CHECKS: dict[str, Callable[[Snapshot, Sequence[Operation]], Iterable[str]]] = {
    "answers hold": _answers_hold,
    "I4 ok exists once": _ok_exists_once,
    "I9 refused is nothing": _refused_is_nothing,
    "I8 refusals are right": _refusals_are_right,
    "one body per key": _one_body_per_key,
    "I5 code pays once": _one_payment_per_barcode,
    "I5 used is paid": _used_is_paid,
}
