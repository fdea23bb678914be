"""More than can be served: who is too many hears so at once, and as soon as there is room again,
everybody is served."""

from __future__ import annotations

import asyncio

import httpx

from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc
from tests.integration.gateway.conftest import Mesh, User, running_gateway
from tests.integration.gateway.fakes import IDS, FakePayments, running_fake
from tests.integration.gateway.test_waiting import SEND


def is_told_to_wait(answer: httpx.Response) -> bool:
    """Whether an answer says: not now, but soon."""
    assert (answer.status_code, answer.json()["code"]) == (503, "temporarily-unavailable")
    return answer.json()["retryable"] is True and int(answer.headers["retry-after"]) >= 1


async def until_called(fake: FakePayments, times: int) -> None:
    """Return when the service works on so many calls."""
    async with asyncio.timeout(10):
        while len(fake.faults.calls) < times:  # noqa: ASYNC110 - over the wire
            await asyncio.sleep(0.01)


def read(user: User) -> asyncio.Task[httpx.Response]:
    """Ask for a payment that is not there: 404 when the service answers."""
    return asyncio.create_task(user.get(f"/payments/{IDS.make('pay')}"))


async def test_a_service_with_all_hands_full(mesh: Mesh) -> None:
    """Its server takes no more calls than it may work on; the gateway turns that into 503, for
    money moves and reads alike, while those that were taken get their answers."""
    fake = FakePayments()
    fake.faults.hangs = asyncio.Event()
    async with (
        running_fake(
            fake,
            module=payment_pb2,
            grpc_module=payment_pb2_grpc,
            service="PaymentService",
            tls=mesh.tls("payment"),
            rpcs_concurrent_max=2,
        ) as port,
        running_gateway(mesh, payment_target=f"127.0.0.1:{port}") as gateway,
    ):
        user = await gateway.user()
        taken = [read(user), read(user)]
        await until_called(fake, 2)

        assert is_told_to_wait(await read(user))
        assert is_told_to_wait(await user.post("/payments/send", SEND))
        assert len(fake.faults.calls) == 2

        fake.faults.hangs.set()
        assert [(await answer).status_code for answer in taken] == [404, 404]
        assert (await user.post("/payments/send", SEND)).status_code == 202
        assert (await read(user)).status_code == 404


async def test_a_full_queue_of_payments(mesh: Mesh) -> None:
    """The gateway lets no more payments wait than it may; the others are told at once, the waiting
    ones are served as soon as the service is, and there is room again."""
    mesh.payments.faults.hangs = asyncio.Event()
    async with running_gateway(
        mesh, submit_queue_max=2, submit_concurrency=1, submit_batch_max=1
    ) as gateway:
        user = await gateway.user()

        def send() -> asyncio.Task[httpx.Response]:
            return asyncio.create_task(user.post("/payments/send", SEND))

        taken = [send()]
        await until_called(mesh.payments, 1)
        more = [send() for _ in range(5)]
        refused, waiting = await asyncio.wait(more, return_when=asyncio.FIRST_COMPLETED)
        while len(refused) < 3:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            refused |= done
        assert all(is_told_to_wait(answer.result()) for answer in refused)
        assert len(waiting) == 2

        mesh.payments.faults.hangs.set()
        taken.extend(waiting)
        assert {answer.status_code for answer in await asyncio.gather(*taken)} == {202}
        assert (await send()).status_code == 202
