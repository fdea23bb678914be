"""The order of a payment's steps, from what is kept of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from payment_svc.model import StepKind, StoredPayment
from payment_svc.store.dead_letters import LetterRecord
from payment_svc.store.steps import LetterStep, RecordedStep
from payment_svc.timeline import Execution, Step, steps_for_payer, steps_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So long after acceptance."""
    return NOW + timedelta(seconds=seconds)


def payment(**changes: object) -> StoredPayment:
    """A payment that was executed at its first try, a second after acceptance."""
    values: dict[str, object] = dict.fromkeys(StoredPayment._fields, "x")
    values |= {
        "id": "pay_1",
        "status": "COMPLETED",
        "failure_code": None,
        "create_time": NOW,
        "queue_time": at(0.1),
        "try_time": at(0.5),
        "attempt": 1,
        "result_time": at(1.1),
        "complete_time": at(1.5),
    }
    return StoredPayment(**{**values, **changes})  # type: ignore[arg-type]


def tried(attempt: int, queued: float, began: float, ended: float) -> RecordedStep:
    """A try that led to nothing."""
    return RecordedStep(
        "pay_1", StepKind.TRIED, attempt, at(queued), at(began), at(ended), "WALLET_BUSY"
    )


def swept(seconds: float) -> RecordedStep:
    """Put into the queue again."""
    return RecordedStep("pay_1", StepKind.SWEPT, 0, None, at(seconds), at(seconds), "")


def letter(act: str, seconds: float) -> LetterStep:
    """A line of a dead letter's history."""
    actor = "payment_svc" if act == "FILED" else "ann"
    return LetterStep(LetterRecord(act, actor, "", at(seconds)), "EXHAUSTED", "executor")


def names(steps: list[Step]) -> list[str]:
    """What happened, in order."""
    return [step.kind for step in steps]


def test_the_ordinary_life() -> None:
    """Goal: every step that an ordinary payment takes, each with its times."""
    assert steps_of(payment(), [], [], Execution(at(1), "")) == [
        Step(StepKind.ACCEPTED, NOW),
        Step(StepKind.QUEUED, at(0.1), at(0.5), 1),
        Step(StepKind.EXECUTED, at(0.5), at(1), 1),
        Step(StepKind.REPORTED, at(1.1), at(1.5)),
        Step(StepKind.TOLD, at(1.5)),
    ]


def test_a_payment_that_has_not_ended() -> None:
    """Goal: what has not happened is not told; money that moved is, although the payment does not
    know yet."""
    pending = payment(
        status="PENDING",
        **dict.fromkeys(("queue_time", "try_time", "attempt", "result_time", "complete_time")),
    )
    assert names(steps_of(pending, [], [], None)) == ["ACCEPTED"]
    moved = steps_of(pending, [], [], Execution(at(1), ""))
    assert moved[1:] == [Step(StepKind.EXECUTED, at(1), at(1))]


def test_retries_dead_letters_and_people() -> None:
    """Goal: detours come in the order of their times, before the try that succeeded."""
    late = payment(queue_time=at(70), try_time=at(71), attempt=1, complete_time=at(73))
    steps = steps_of(
        late,
        [tried(1, 0.1, 0.2, 0.3), tried(2, 0.4, 4, 5), swept(69)],
        [letter("FILED", 6), letter("REDRIVEN", 60)],
        Execution(at(72), ""),
    )
    assert names(steps) == [
        *("ACCEPTED", "QUEUED", "TRIED", "RESTED", "TRIED", "DEAD_LETTERED", "REDRIVEN", "SWEPT"),
        *("QUEUED", "EXECUTED", "REPORTED", "TOLD"),
    ]
    assert steps[3] == Step(StepKind.RESTED, at(0.4), at(4), 2)
    assert (steps[2].reason, steps[5].reason) == ("WALLET_BUSY", "EXHAUSTED")
    assert (steps[5].actor, steps[6].actor) == ("executor", "ann")


def test_what_is_done_after_the_end_comes_after_it() -> None:
    """Goal: a letter that settles by itself, or a sweep that came too late, is no part of the way
    there."""
    steps = steps_of(payment(), [], [letter("FILED", 1), letter("SETTLED", 9)], None)
    assert names(steps) == ["ACCEPTED", "DEAD_LETTERED", "QUEUED", "REPORTED", "TOLD", "SETTLED"]


def test_sweeps_in_a_row_are_one_step() -> None:
    """Goal: an outage of an hour does not fill the screen."""
    steps = steps_of(payment(), [swept(0.2), swept(0.3), swept(0.4)], [], None)
    assert steps[1] == Step(StepKind.SWEPT, at(0.2), at(0.4), attempt=3)


def test_a_repeated_try_tells_when_the_money_really_moved() -> None:
    """Goal: a try that was repeated after a crash is answered with the first outcome: the step ends
    when the money moved and does not begin after its end."""
    steps = steps_of(payment(try_time=at(9)), [], [], Execution(at(1), ""))
    assert steps[2] == Step(StepKind.EXECUTED, at(1), at(1), 1)


def test_a_refusal_says_why() -> None:
    """Goal: a failed payment's reason is in both steps that show it."""
    failed = payment(status="FAILED", failure_code="INSUFFICIENT_FUNDS")
    steps = steps_of(failed, [], [], Execution(at(1), "INSUFFICIENT_FUNDS"))
    assert {step.kind: step.reason for step in steps if step.reason} == {
        StepKind.EXECUTED: "INSUFFICIENT_FUNDS",
        StepKind.TOLD: "INSUFFICIENT_FUNDS",
    }


def test_the_payer_sees_neither_tries_nor_people() -> None:
    """Goal: moments only, and no name of ours."""
    steps = steps_of(
        payment(), [tried(1, 0.1, 0.2, 0.3)], [letter("DISCARDED", 1)], Execution(at(1), "")
    )
    assert steps_for_payer(steps) == [
        Step(StepKind.ACCEPTED, NOW),
        Step(StepKind.EXECUTED, at(1)),
        Step(StepKind.TOLD, at(1.5)),
    ]
