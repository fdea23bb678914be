"""Payments on their way: shared calls, separate answers, and nobody waits too long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Any, TypeVar

import pytest

from chassis.errors import DeadlineExceeded, OutcomeUnknown, ServiceError, Unavailable
from gateway.pilots import Canary, Outcome
from gateway.submitter import Submitter
from qrpay.payment.v1 import payment_pb2
from tests.unit.gateway.conftest import FakeClock

Requests = Sequence[payment_pb2.PaymentRequest]
Value = TypeVar("Value")


class Service:
    """Stands for payment_svc: remembers its calls, answers when it may."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.seconds: list[float] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.called = asyncio.Event()
        self.fault: Callable[[Requests], ServiceError | None] = lambda _: None

    async def submit(self, requests: Requests, seconds: float) -> list[Outcome]:
        """Answer each request with its id."""
        self.calls.append([request.request_id for request in requests])
        self.seconds.append(seconds)
        self.called.set()
        await self.may_answer.wait()
        if (error := self.fault(requests)) is not None:
            raise error
        return [
            payment_pb2.SubmitPaymentResult(payment=payment_pb2.Payment(id=request.request_id))
            for request in requests
        ]


def submitter(service: Service, clock: FakeClock, **more: Any) -> Submitter:
    """A submitter of batches of at most four, one at a time, with four seconds for each payment."""
    return Submitter(
        service.submit,
        size_max=4,
        queue_max=100,
        wait_seconds_max=100.0,
        concurrency=1,
        patience_seconds=100.0,
        seconds=4.0,
        monotonic=clock.monotonic,
        **more,
    )


def request(number: int, *, barcode: str = "") -> payment_pb2.PaymentRequest:
    """A payment to somebody, or by a barcode."""
    made = payment_pb2.PaymentRequest(request_id=str(number))
    if barcode:
        made.barcode.code = barcode
    return made


async def test_everybody_gets_the_own_answer(clock: FakeClock) -> None:
    """What comes together travels together, and each gets what it asked for."""
    service = Service()
    submit = submitter(service, clock).submit
    results = await asyncio.gather(*(submit(request(number)) for number in range(10)))
    assert [result.payment.id for result in results] == [str(number) for number in range(10)]
    assert len(service.calls) <= 4


async def test_a_poisoned_payment_stands_alone(clock: FakeClock) -> None:
    """A payment that breaks its call fails; its neighbours are submitted without it."""
    service = Service()
    service.fault = lambda requests: (
        ServiceError() if any(it.request_id == "2" for it in requests) else None
    )
    submit = submitter(service, clock).submit
    results = await asyncio.gather(
        *(submit(request(number)) for number in range(4)), return_exceptions=True
    )
    assert [isinstance(result, ServiceError) for result in results] == [False, False, True, False]


async def test_codes_travel_apart(clock: FakeClock) -> None:
    """While payments by a code hang, the others go on."""
    service = Service()
    service.may_answer.clear()
    sending = submitter(service, clock)
    by_code = asyncio.create_task(sending.submit(request(1, barcode="1")))
    await service.called.wait()
    others = asyncio.create_task(sending.submit(request(2)))
    async with asyncio.timeout(10):
        while len(service.calls) < 2:  # noqa: ASYNC110 - both are in flight, or never will be
            await asyncio.sleep(0)
    assert service.calls == [["1"], ["2"]]
    service.may_answer.set()
    assert (await by_code).payment.id == "1"
    assert (await others).payment.id == "2"


async def test_pilots_travel_apart(clock: FakeClock) -> None:
    """What the canary takes goes to the canary, in batches of its own: never one of both tracks."""
    stable, canary = Service(), Service()
    pilots = Canary(
        submit_canary=canary.submit,
        submit_stable=stable.submit,
        list_pilots=answering(["mer_pilot"]),
        is_serving=answering(True),
        monotonic=clock.monotonic,
    )
    await pilots.look()
    await pilots.probe()
    submit = submitter(stable, clock, canary=pilots).submit
    requests = [request(number, barcode="1") for number in range(8)]
    for pilot in requests[::2]:
        pilot.caller_id = "mer_pilot"
    results = await asyncio.gather(*(submit(it) for it in requests))
    assert [result.payment.id for result in results] == [str(number) for number in range(8)]
    assert sorted(chain(*canary.calls)) == ["0", "2", "4", "6"]
    assert sorted(chain(*stable.calls)) == ["1", "3", "5", "7"]


def answering(value: Value) -> Callable[[], Awaitable[Value]]:
    """A question that is always answered so."""

    async def answer() -> Value:
        return value

    return answer


async def test_the_time_in_the_queue_counts(clock: FakeClock) -> None:
    """Behind a service that hangs nobody waits longer than the deadline: when the call in front is
    over, those whose time is over too are told so and not sent any more."""
    service = Service()
    service.may_answer.clear()
    submit = submitter(service, clock).submit
    waiting = [asyncio.create_task(submit(request(number))) for number in range(50)]
    await service.called.wait()
    clock.seconds += 3.9
    service.fault = lambda _: DeadlineExceeded()
    service.may_answer.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(result, DeadlineExceeded) for result in results)
    assert service.calls == [["0", "1", "2", "3"]]
    assert service.seconds == [4.0]


async def test_a_late_one_does_not_hurt_those_in_time(clock: FakeClock) -> None:
    """A batch with somebody whose time is nearly over is sent without that one; the call has the
    time of the oldest that is in it."""
    service = Service()
    service.may_answer.clear()
    sending = submitter(service, clock)
    first = [asyncio.create_task(sending.submit(request(number))) for number in range(4)]
    late = asyncio.create_task(sending.submit(request(4)))
    await service.called.wait()
    clock.seconds += 2
    in_time = [asyncio.create_task(sending.submit(request(number))) for number in (5, 6)]
    await asyncio.sleep(0)
    clock.seconds += 1.8
    service.may_answer.set()
    assert [(await task).payment.id for task in [*first, *in_time]] == [*"0123", *"56"]
    with pytest.raises(DeadlineExceeded):
        await late
    assert service.calls[1:] == [["5", "6"]]
    assert service.seconds[1] == pytest.approx(2.2)


@pytest.mark.parametrize("error", [Unavailable(), OutcomeUnknown(), DeadlineExceeded()])
async def test_an_outage_is_not_halved(clock: FakeClock, error: ServiceError) -> None:
    """When the service is away, everybody is told so after one call, not after many."""
    service = Service()
    service.fault = lambda _: error
    submit = submitter(service, clock).submit
    results = await asyncio.gather(
        *(submit(request(number)) for number in range(4)), return_exceptions=True
    )
    assert results == [error] * 4
    assert len(service.calls) == 1


async def test_closing(clock: FakeClock) -> None:
    """Those who wait get their answer, and nobody else is taken."""
    service = Service()
    service.may_answer.clear()
    sending = submitter(service, clock)
    waiting = [asyncio.create_task(sending.submit(request(number))) for number in range(9)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(sending.close())
    service.may_answer.set()
    await closing
    assert [(await task).payment.id for task in waiting] == [str(number) for number in range(9)]
    with pytest.raises(Unavailable):
        await sending.submit(request(10))
