"""Retries and letters: what is tried again, when, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import ServiceError
from payment_svc.dead_letters import (
    LetterReason,
    letter_of,
    message_letter,
    message_letter_id,
    read_letter,
    read_results,
    read_retry,
    read_tasks,
)
from payment_svc.filing import Advisory, read_advisory
from payment_svc.model import is_too_late
from payment_svc.operations import FailedTry
from payment_svc.retries import Failure, Retries, RetryPolicy, Try
from payment_svc.settings import PaymentSettings
from payment_svc.store.steps import RecordedStep
from qrpay.payment.v1 import payment_queue_pb2

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class StillClock:
    """Always the same moment."""

    def now(self) -> datetime:
        """That moment."""
        return NOW

    def monotonic(self) -> float:
        """No time goes by."""
        return 0.0


class Refusal(ServiceError):
    """Wallet has no outcome for this."""

    reason = "TRANSFER_NOT_EXECUTED"
    retryable = True


class FinalRefusal(Refusal):
    """And never will have."""

    reason = "WALLET_NOT_FOUND"
    retryable = False


class Desk:
    """Takes down what the retries send, in order."""

    def __init__(self) -> None:
        self.retries: list[payment_queue_pb2.RetryTask] = []
        self.letters: list[payment_queue_pb2.DeadLetter] = []
        self.postponed: dict[str, float] = {}
        self.failed: list[RecordedStep] = []

    async def retry(self, message: payment_queue_pb2.RetryTask) -> None:
        """To be tried again."""
        assert message.task.payment_id in self.postponed, "the sweeper is told first"
        self.retries.append(message)

    async def letter(self, message: payment_queue_pb2.DeadLetter) -> None:
        """Given up."""
        assert message.payment_id in self.postponed, "the sweeper is told first"
        self.letters.append(message)

    async def record(self, failed: Sequence[FailedTry]) -> None:
        """Tries that failed, and how long the sweeper waits."""
        self.failed += [item.step for item in failed]
        self.postponed.update({item.step.payment_id: item.sweep_after_seconds for item in failed})


def retries_to(desk: Desk) -> Retries:
    """Retries with the default policy and no jitter."""
    return Retries(
        policy=RetryPolicy(tries_max=5, first_delay_seconds=4, factor=3),
        publish_retry=desk.retry,
        publish_dead_letter=desk.letter,
        record_failed_tries=desk.record,
        sweep_after_seconds=10,
        clock=StillClock(),
        jitter=lambda: 0.5,
    )


def task(attempt: int = 1) -> payment_queue_pb2.TransferTask:
    """A task at its n-th try."""
    return payment_queue_pb2.TransferTask(payment_id="pay_1", attempt=attempt)


async def test_a_failed_try_rests_longer_each_time_and_is_given_up_at_last() -> None:
    """Goal: the default five tries within about three minutes, each told with its number, its rest
    and its error, and the sweeper kept away for as long."""
    desk = Desk()
    retries = retries_to(desk)
    tried = Try(task(), NOW)
    while not desk.letters:
        await retries.take_over([Failure(tried, Refusal("no"), NOW)])
        if not desk.letters:
            last = desk.retries[-1]
            assert desk.postponed["pay_1"] == last.delay_milliseconds / 1000 + 10
            tried = Try(last.task, NOW, last.first_failure_time.ToDatetime(tzinfo=UTC))

    assert [retry.delay_milliseconds for retry in desk.retries] == [4_000, 12_000, 36_000, 108_000]
    assert [retry.task.attempt for retry in desk.retries] == [2, 3, 4, 5]
    assert {retry.last_error for retry in desk.retries} == {"TRANSFER_NOT_EXECUTED: no"}
    assert [(step.attempt, step.reason) for step in desk.failed] == [
        (attempt, "TRANSFER_NOT_EXECUTED") for attempt in (1, 2, 3, 4, 5)
    ]
    letter = letter_of(desk.letters[0])
    assert (letter.reason, letter.attempts, letter.payment_id) == ("EXHAUSTED", 5, "pay_1")
    assert letter.first_failure_time == NOW
    (again,) = read_tasks(letter.payload).tasks
    assert again.attempt == 1, "a redrive starts anew"


async def test_what_no_repeat_can_help_is_given_up_at_once() -> None:
    """Goal: a task that makes no sense does not rest four times before a person sees it."""
    desk = Desk()
    await retries_to(desk).take_over([Failure(Try(task(), NOW), FinalRefusal(), NOW)])
    assert not desk.retries
    assert letter_of(desk.letters[0]).reason is LetterReason.MALFORMED


async def test_nothing_failed_costs_nothing() -> None:
    """Goal: the ordinary batch asks neither database nor queue for anything more."""
    desk = Desk()
    await retries_to(desk).take_over([])
    assert (desk.postponed, desk.retries, desk.letters) == ({}, [], [])


@given(
    attempt=st.integers(1, 20),
    tries_max=st.integers(1, 20),
    first=st.floats(0.01, 100),
    factor=st.floats(1, 5),
    jitter=st.floats(0, 1),
)
def test_rests_are_bounded_and_grow(
    attempt: int, tries_max: int, first: float, factor: float, jitter: float
) -> None:
    """Goal: a rest exists exactly for tries before the last, is within a fifth of its length, and
    without jitter never shorter than the one before."""
    policy = RetryPolicy(tries_max, first, factor)
    rest = policy.delay_seconds(attempt, jitter=jitter)
    assert (rest is None) == (attempt >= tries_max)
    if rest is not None:
        even = policy.delay_seconds(attempt, jitter=0.5)
        assert even is not None
        assert 0.79 * even <= rest <= 1.21 * even
        if attempt > 1:
            before = policy.delay_seconds(attempt - 1, jitter=0.5)
            assert before is not None
            assert even >= before * 0.999


def test_the_default_tries_take_about_three_minutes() -> None:
    """Goal: the settings say what the documentation says."""
    defaults = {item.name: item.default for item in msgspec.structs.fields(PaymentSettings)}
    policy = RetryPolicy(
        defaults["tries_max"], defaults["retry_first_seconds"], defaults["retry_factor"]
    )
    rests = [policy.delay_seconds(attempt, jitter=0.5) or 0 for attempt in range(1, 6)]
    assert rests[-1] == 0
    assert sum(rests) == 160


@pytest.mark.parametrize(("age", "late"), [(23, False), (24, True), (25, True)])
def test_the_deadline(age: int, late: bool) -> None:
    """Goal: a payment is escalated from the deadline on and not before."""
    made = NOW - timedelta(hours=age)
    assert is_too_late(made, now=NOW, deadline_seconds=24 * 3600) is late


@given(st.binary(max_size=300))
def test_junk_is_refused_and_never_raises_anything_else(data: bytes) -> None:
    """Goal: whatever bytes are on the queue, a reader answers with a message or a ValueError."""
    for read in (read_tasks, read_results, read_retry, read_letter, read_advisory):
        try:
            read(data)
        except ValueError:
            continue


@given(st.binary(min_size=1, max_size=50), st.text(max_size=400))
def test_a_letter_survives_the_wire(payload: bytes, error: str) -> None:
    """Goal: a letter is read as it was written, errors cut to a bounded length, and its id depends
    on nothing but the message."""
    letter = message_letter(
        subject="payments.task",
        payload=payload,
        reason=LetterReason.REFUSED,
        attempts=3,
        first_failure_time=NOW,
        last_failure_time=NOW,
        last_error=error,
        consumer="executor",
    )
    read = letter_of(read_letter(letter.SerializeToString()))
    assert (read.payload, read.reason, read.attempts) == (payload, LetterReason.REFUSED, 3)
    assert read.last_error == error[:300].replace("\0", "")
    assert read.id == message_letter_id("payments.task", payload)


def test_advisories_are_understood() -> None:
    """Goal: both kinds of advisories, as a server of the version in use writes them."""
    exhausted = b"""{"type":"io.nats.jetstream.advisory.v1.max_deliver","stream":"PAYMENT_TASKS",
        "consumer":"executor","stream_seq":7,"deliveries":20}"""
    terminated = b"""{"type":"io.nats.jetstream.advisory.v1.terminated","stream":"PAYMENT_TASKS",
        "consumer":"executor","consumer_seq":9,"stream_seq":7,"deliveries":1,"reason":"junk"}"""
    why = "delivered as often as it may be"
    assert read_advisory(exhausted) == Advisory("PAYMENT_TASKS", "executor", 7, 20, False, why)
    assert read_advisory(terminated) == Advisory("PAYMENT_TASKS", "executor", 7, 1, True, "junk")
