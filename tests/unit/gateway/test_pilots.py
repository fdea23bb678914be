"""Which payments go to the canary, and what happens when it does not answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from barcode_svc.merchant_qr import MerchantQr, write
from chassis.errors import DeadlineExceeded, InvalidArgument, Overloaded, ServiceError, Unavailable
from gateway import pilots
from gateway.pilots import Canary, Outcome, merchant_in
from qrpay.payment.v1 import payment_pb2
from tests.unit.gateway.conftest import FakeClock

PILOT = "mer_01JD3Q9V7N8R4T2W6X0YZABCDE"
OTHER = "mer_other"

Requests = Sequence[payment_pb2.PaymentRequest]


class Track:
    """A payment_svc: answers each item with its name, or as told."""

    def __init__(self, name: str, clock: FakeClock) -> None:
        self._name = name
        self._clock = clock
        self.calls: list[list[str]] = []
        self.seconds: list[float] = []
        self.takes_seconds = 0.0
        self.raises: ServiceError | None = None
        self.items: dict[str, ServiceError] = {}
        """Request id -> what is said of the item."""

    async def submit(self, requests: Requests, seconds: float) -> list[Outcome]:
        """Answer."""
        self.calls.append([request.request_id for request in requests])
        self.seconds.append(seconds)
        self._clock.seconds += self.takes_seconds
        if self.raises is not None:
            raise self.raises
        return [
            self.items.get(
                request.request_id,
                payment_pb2.SubmitPaymentResult(payment=payment_pb2.Payment(id=self._name)),
            )
            for request in requests
        ]


class Scene:
    """Both tracks, the pilots, and the canary's health."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.canary, self.stable = Track("canary", self.clock), Track("stable", self.clock)
        self.pilots: Sequence[str] | ServiceError = [PILOT]
        self.serving = True
        self.subject = Canary(
            submit_canary=self.canary.submit,
            submit_stable=self.stable.submit,
            list_pilots=self._list,
            is_serving=self._is_serving,
            monotonic=self.clock.monotonic,
        )

    async def look(self) -> None:
        """As it does from time to time."""
        await self.subject.look()
        await self.subject.probe()

    async def submit(self, *ids: str) -> list[str]:
        """Who answered, for each request; or the error's reason."""
        requests = [payment_pb2.PaymentRequest(request_id=it) for it in ids]
        outcomes = await self.subject.submit(requests, 4.0)
        return [
            outcome.reason if isinstance(outcome, ServiceError) else outcome.payment.id
            for outcome in outcomes
        ]

    async def _list(self) -> Sequence[str]:
        if isinstance(self.pilots, ServiceError):
            raise self.pilots
        return self.pilots

    async def _is_serving(self) -> bool:
        return self.serving


@pytest.fixture
async def scene() -> Scene:
    """A healthy canary, and one pilot."""
    scene = Scene()
    await scene.look()
    return scene


def code_of(merchant_id: str, **more: object) -> str:
    """A code as barcode_svc writes it."""
    fields: dict[str, object] = {
        "merchant_id": merchant_id,
        "name": "Cafe Aurora",
        "city": "Lisbon",
        "category_code": "5814",
        "country_code": "PT",
        "currency_code": "EUR",
        "static": True,
        **more,
    }
    qr = MerchantQr(**fields)  # type: ignore[arg-type]
    return write(qr, key_id="k" * 8, sign=lambda _: bytes(64))


def by_qr(text: str) -> payment_pb2.PaymentRequest:
    """A customer's payment by a code."""
    request = payment_pb2.PaymentRequest(caller_id="usr_alice")
    request.qr.text = text
    return request


def by_barcode(caller_id: str) -> payment_pb2.PaymentRequest:
    """A merchant's scan."""
    request = payment_pb2.PaymentRequest(caller_id=caller_id)
    request.barcode.code = "281004327719356024"
    return request


def test_the_merchant_is_found_in_our_codes() -> None:
    """With and without store, till, amount: where barcode_svc writes the id, it is found."""
    for more in (
        {},
        {"store_id": "harbour", "terminal_id": "1", "serial": 3},
        {"amount_minor": 1250, "reference": "order 1", "static": False},
    ):
        assert merchant_in(code_of(PILOT, **more)) == PILOT
    assert merchant_in(code_of("mer_x")) == "mer_x"


@pytest.mark.parametrize("text", ["", "x" * 512, "0009dev.qrpay01", "0009dev.qrpay019", "mer_x"])
def test_other_texts_have_none(text: str) -> None:
    """Whatever is scanned, it is only a way that is not taken."""
    assert merchant_in(text) == ""


async def test_what_goes_to_the_canary(scene: Scene) -> None:
    """Payments by a pilot's code, and a pilot's scans; nobody else's, and no other moves."""
    takes = scene.subject.takes
    assert takes(by_qr(code_of(PILOT)))
    assert takes(by_barcode(PILOT))
    assert not takes(by_qr(code_of(OTHER)))
    assert not takes(by_qr(""))
    assert not takes(by_barcode(OTHER))
    sent = payment_pb2.PaymentRequest(caller_id=PILOT)
    sent.send.recipient = PILOT
    assert not takes(sent)


async def test_nothing_goes_to_a_canary_that_does_not_serve(scene: Scene) -> None:
    """From the look that finds it out, to the one that finds it well."""
    scene.serving = False
    await scene.look()
    assert not scene.subject.takes(by_barcode(PILOT))
    scene.serving = True
    await scene.look()
    assert scene.subject.takes(by_barcode(PILOT))


async def test_pilots_come_and_go(scene: Scene) -> None:
    """At the next look; while nobody can say who they are, they are who they were."""
    scene.pilots = Unavailable()
    await scene.look()
    assert scene.subject.takes(by_barcode(PILOT))
    scene.pilots = [OTHER]
    await scene.look()
    assert scene.subject.takes(by_barcode(OTHER))
    assert not scene.subject.takes(by_barcode(PILOT))


async def test_a_healthy_canary_answers(scene: Scene) -> None:
    """Stable is not asked."""
    assert await scene.submit("1", "2") == ["canary", "canary"]
    assert scene.stable.calls == []


@pytest.mark.parametrize("error", [Unavailable(), DeadlineExceeded(), Overloaded(), ServiceError()])
async def test_stable_answers_for_a_canary_that_does_not(scene: Scene, error: ServiceError) -> None:
    """For all of the batch, with the time that is left; until the canary says that it is well,
    nothing more goes there."""
    scene.canary.raises, scene.canary.takes_seconds = error, 1.5
    assert await scene.submit("1", "2") == ["stable", "stable"]
    assert scene.stable.calls == [["1", "2"]]
    assert scene.canary.seconds == [2.0]
    assert scene.stable.seconds == [2.5]
    assert not scene.subject.takes(by_barcode(PILOT))
    await scene.look()
    assert scene.subject.takes(by_barcode(PILOT))


async def test_only_what_was_not_answered_goes_to_stable(scene: Scene) -> None:
    """A refusal is an answer. Order is kept."""
    scene.canary.items = {"2": InvalidArgument([("amount", "is odd")]), "3": Unavailable()}
    assert await scene.submit("1", "2", "3", "4") == [
        "canary",
        "INVALID_ARGUMENT",
        "stable",
        "canary",
    ]
    assert scene.stable.calls == [["3"]]
    assert scene.subject.takes(by_barcode(PILOT))


async def test_when_nobody_answers(scene: Scene) -> None:
    """The error is stable's, as if there were no canary."""
    scene.canary.raises, scene.stable.raises = Unavailable(), DeadlineExceeded()
    with pytest.raises(DeadlineExceeded):
        await scene.submit("1")


async def test_who_answered_is_counted(scene: Scene) -> None:
    """By payments, not by batches."""

    def counted() -> dict[str, float]:
        points = pilots._PAYMENTS.points()
        return {point.attributes["qrpay.submitted_to"]: point.value for point in points}

    before = counted()
    scene.canary.items = {"2": Unavailable()}
    await scene.submit("1", "2", "3")
    after = counted()
    assert {whom: after[whom] - before[whom] for whom in after} == {"canary": 2, "stable": 1}
