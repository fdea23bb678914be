"""A payment's life, step by step: the order of its steps, from what is kept of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from payment_svc.dead_letters import LetterAct
from payment_svc.model import StepKind, StoredPayment
from payment_svc.store.steps import LetterStep, RecordedStep

_STEP_OF_ACT = {
    LetterAct.FILED: StepKind.DEAD_LETTERED,
    LetterAct.REDRIVEN: StepKind.REDRIVEN,
    LetterAct.DISCARDED: StepKind.DISCARDED,
    LetterAct.DISCARD_REFUSED: StepKind.DISCARD_REFUSED,
    LetterAct.SETTLED: StepKind.SETTLED,
}
_FOR_PAYER = {StepKind.ACCEPTED, StepKind.EXECUTED, StepKind.TOLD}


class Execution(NamedTuple):
    """What wallet did with a payment."""

    time: datetime
    failure: str
    """Why the money was refused; empty if it moved."""


class Step(NamedTuple):
    """One step. Times are those of whoever took it."""

    kind: StepKind
    start_time: datetime
    end_time: datetime | None = None
    attempt: int = 0
    """The number of the try; of sweeps, how many in a row."""
    reason: str = ""
    actor: str = ""
    why: str = ""


def steps_of(
    payment: StoredPayment,
    recorded: Sequence[RecordedStep],
    letter_steps: Sequence[LetterStep],
    execution: Execution | None,
) -> list[Step]:
    """All steps in their order: that of their times among those that come before the outcome, and
    that of the payment's life from there on, whatever the clocks say."""
    detours = [*_recorded_steps(recorded), *(_letter_step(item) for item in letter_steps)]
    detours.sort(key=lambda step: step.start_time)
    outcome = [*_way_to_outcome(payment, execution), *_way_to_end(payment, execution)]
    ended_at = payment.complete_time
    return [
        Step(StepKind.ACCEPTED, payment.create_time),
        *_without_repeats(
            step for step in detours if ended_at is None or step.start_time <= ended_at
        ),
        *outcome,
        *_without_repeats(step for step in detours if ended_at and step.start_time > ended_at),
    ]


def steps_for_payer(steps: Sequence[Step]) -> list[Step]:
    """What a payer is told: the moments, and why it failed; neither tries nor people."""
    return [
        Step(step.kind, step.end_time or step.start_time, reason=step.reason)
        for step in steps
        if step.kind in _FOR_PAYER
    ]


def _way_to_outcome(payment: StoredPayment, execution: Execution | None) -> Iterator[Step]:
    """Through the queue, to the try that led to the outcome."""
    attempt = payment.attempt or 0
    if payment.queue_time and payment.try_time:
        kind = StepKind.RESTED if attempt > 1 else StepKind.QUEUED
        yield Step(kind, payment.queue_time, payment.try_time, attempt)
    if execution is not None:
        began = payment.try_time or execution.time
        yield Step(
            StepKind.EXECUTED,
            # A repeated try gets the answer of the one that moved the money, before it.
            min(began, execution.time),
            execution.time,
            attempt,
            reason=execution.failure,
        )


def _way_to_end(payment: StoredPayment, execution: Execution | None) -> Iterator[Step]:
    if payment.complete_time is None:
        return
    stored = payment.result_time or (execution.time if execution else None)
    if stored is not None:
        yield Step(StepKind.REPORTED, stored, payment.complete_time)
    yield Step(StepKind.TOLD, payment.complete_time, reason=payment.failure_code or "")


def _recorded_steps(recorded: Sequence[RecordedStep]) -> Iterator[Step]:
    for row in recorded:
        if row.kind == StepKind.TRIED and row.queue_time is not None:
            kind = StepKind.RESTED if row.attempt > 1 else StepKind.QUEUED
            yield Step(kind, row.queue_time, row.start_time, row.attempt)
        yield Step(StepKind(row.kind), row.start_time, row.end_time, row.attempt, row.reason)


def _letter_step(item: LetterStep) -> Step:
    record = item.record
    kind = _STEP_OF_ACT[LetterAct(record.act)]
    filed = kind is StepKind.DEAD_LETTERED
    return Step(
        kind,
        record.time,
        reason=item.reason if filed else "",
        actor=item.consumer if filed else record.actor,
        why=record.why,
    )


def _without_repeats(steps: Iterator[Step]) -> Iterator[Step]:
    """Sweeps in a row become one step that says how many there were."""
    held: Step | None = None
    for step in steps:
        if step.kind is not StepKind.SWEPT:
            if held is not None:
                yield held
                held = None
            yield step
        elif held is None:
            held = step._replace(attempt=1)
        else:
            held = held._replace(end_time=step.end_time, attempt=held.attempt + 1)
    if held is not None:
        yield held
