"""More than can be served: who is too many hears so at once, and as soon as there is room again,
everybody is served."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc
from tests.integration.gateway.conftest import Gateway, Mesh, User, Wire, running_gateway, wire
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


def raw_payment(user: User, *headers: str, body: str = "") -> bytes:
    """A payment as it goes over the wire."""
    body = body or json.dumps(SEND)
    lines = [
        "POST /payments/send HTTP/1.1",
        "Host: gateway",
        "Content-Type: application/json",
        f"Authorization: Bearer {user.token}",
        f"Idempotency-Key: {IDS.make('key')}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


async def one_answer(connection: Wire) -> tuple[int, dict[str, str]]:
    """Status and headers of the next answer; its body is read too."""
    async with asyncio.timeout(10):
        head = (await connection.reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        await connection.reader.readexactly(int(headers["content-length"]))
    return int(lines[0].split()[1]), headers


@asynccontextmanager
async def full_gateway(mesh: Mesh, **changed: Any) -> AsyncIterator[tuple[Gateway, User]]:
    """A gateway that takes one payment at a time, and has it."""
    mesh.payments.faults.hangs = asyncio.Event()
    async with running_gateway(mesh, intake_payments_max=1, **changed) as gateway:
        user = await gateway.user()
        taken = asyncio.create_task(user.post("/payments/send", SEND))
        await until_called(mesh.payments, 1)
        yield gateway, user
        mesh.payments.faults.hangs.set()
        # A machine that stood still for seconds has let the deadline of the first one pass.
        assert (await taken).status_code in {202, 503}
        assert (await user.post("/payments/send", SEND)).status_code == 202


async def test_a_payment_too_many_goes_no_further_than_its_head(mesh: Mesh) -> None:
    """It is refused before anything is done for it; what moves no money is served, also on the
    same connection."""
    async with full_gateway(mesh) as (gateway, user), wire(gateway) as connection:
        for _ in range(3):
            await connection.send(raw_payment(user))
            status, headers = await one_answer(connection)
            assert (status, headers["content-type"]) == (503, "application/problem+json")
            assert int(headers["retry-after"]) >= 1
            assert headers["cache-control"] == "no-store"
            await connection.send(b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n")
            assert (await one_answer(connection))[0] == 200
        assert is_told_to_wait(await user.post("/payments/withdraw", {}))
        assert len(mesh.payments.faults.calls) == 1


async def test_a_refused_connection_stays_open_as_long_as_any(mesh: Mesh) -> None:
    """The clock of a request's head does not run after a refusal."""
    async with full_gateway(mesh, body_seconds=0.2) as (gateway, user), wire(gateway) as connection:
        await connection.send(raw_payment(user))
        assert (await one_answer(connection))[0] == 503
        await asyncio.sleep(0.5)
        await connection.send(raw_payment(user))
        assert (await one_answer(connection))[0] == 503


async def test_refused_on_every_kind_of_connection(mesh: Mesh) -> None:
    """Pipelined, to be closed, with a body in pieces, and with one that never ends."""
    async with full_gateway(mesh) as (gateway, user):
        async with wire(gateway) as connection:
            await connection.send(raw_payment(user) * 3)
            assert [(await one_answer(connection))[0] for _ in range(3)] == [503] * 3
        async with wire(gateway) as connection:
            await connection.send(raw_payment(user, "Connection: close"))
            text = await connection.everything()
            assert text.startswith(b"HTTP/1.1 503 ")
            assert b"connection: close" in text
        async with wire(gateway) as connection:
            content = raw_payment(user)
            for piece in (content[:30], content[30:-7], content[-7:]):
                await connection.send(piece)
                await asyncio.sleep(0.05)
            assert (await one_answer(connection))[0] == 503
        async with wire(gateway) as connection:
            head = raw_payment(user).partition(b"Content-Length")[0]
            await connection.send(head + b"Transfer-Encoding: chunked\r\n\r\n")
            pieces = (b"10000\r\n" + b"x" * 65_536 + b"\r\n" for _ in range(500))
            assert await connection.send_until_refused(pieces)


async def test_who_waits_to_send_the_body_is_answered(mesh: Mesh) -> None:
    """ "Expect: 100-continue": the answer does not wait for a body that waits for it."""
    async with (
        full_gateway(mesh, submit_queue_max=1) as (gateway, user),
        wire(gateway) as connection,
    ):
        content = raw_payment(user, "Expect: 100-continue")
        head, _, body = content.partition(b"\r\n\r\n")
        await connection.send(head + b"\r\n\r\n")
        async with asyncio.timeout(10):
            assert b" 100 " in await connection.reader.readuntil(b"\r\n\r\n")
        await connection.send(body)


async def test_who_never_reads_is_cut_off(mesh: Mesh) -> None:
    """Refusals for somebody who asks on and on and reads none do not pile up."""
    async with full_gateway(mesh) as (gateway, user), wire(gateway) as connection:
        many = raw_payment(user) * 200
        assert await connection.send_until_refused(many for _ in range(2_000))


async def test_every_end_of_a_request_gives_its_place_back(mesh: Mesh) -> None:
    """Refused for its own faults, without a token, hung up half way, or accepted and waiting for
    its result: the next one is taken in."""
    async with running_gateway(mesh, intake_payments_max=1) as gateway:
        user, stranger = await gateway.user(), await gateway.client()
        for _ in range(2):
            assert (await user.post("/payments/send", {"to": 1})).status_code == 400
            assert (await stranger.post("/payments/send", json=SEND)).status_code == 401
            async with wire(gateway) as connection:
                await connection.send(raw_payment(user)[:-5])
                await asyncio.sleep(0.05)
                assert is_told_to_wait(await user.post("/payments/send", SEND))
            await asyncio.sleep(0.05)
            waiting = asyncio.create_task(
                user.post("/payments/send", SEND, headers={"prefer": "wait=1"})
            )
            await asyncio.sleep(0.1)
            assert (await user.post("/payments/send", SEND)).status_code == 202
            assert (await waiting).status_code == 202
