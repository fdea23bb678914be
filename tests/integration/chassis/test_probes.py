"""The probe port as kubelet sees it: a plain gRPC client, no certificate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis.server import Background, Serving, serve
from chassis.settings import ProcessSettings
from embedded.certificates import ensure_certificates, tls_files
from tests.integration.gateway.fakes import first_done

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with everybody's certificates."""
    directory = tmp_path_factory.mktemp("tls")
    ensure_certificates(directory, now=datetime.now(UTC))
    return directory


class Worker:
    """A process without services: its readiness, and background work that ends when allowed to."""

    def __init__(self) -> None:
        self.ready = True
        self.may_end = asyncio.Event()
        self.told_to_stop = asyncio.Event()

    async def work(self, stop: asyncio.Event) -> None:
        """Until told to stop; then it has something to finish."""
        await stop.wait()
        self.told_to_stop.set()
        await self.may_end.wait()

    async def is_ready(self) -> bool:
        """As the test says."""
        return self.ready


@asynccontextmanager
async def running(
    certificates: Path, worker: Worker, **changed: Any
) -> AsyncIterator[tuple[Serving, asyncio.Task[None]]]:
    """The process, stopped at the end."""
    tls = tls_files(certificates, "payment")
    started: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
    settings = ProcessSettings(
        tls_cert_file=tls.cert_file,
        tls_key_file=tls.key_file,
        tls_ca_file=tls.ca_file,
        **{"probe_listen": "127.0.0.1:0", **changed},
    )
    task = asyncio.create_task(
        serve(
            settings=settings,
            background=[Background("work", worker.work)],
            readiness=worker.is_ready,
            on_started=started.set_result,
        )
    )
    await first_done(started, task)
    serving = started.result()
    try:
        yield serving, task
    finally:
        worker.may_end.set()
        serving.stopping.set()
        await task


Ask = Callable[[str], Awaitable[Any]]


@asynccontextmanager
async def kubelet(port: int) -> AsyncIterator[Ask]:
    """Asks as kubelet does."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)

        async def ask(name: str) -> Any:
            response = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
            return response.status

        yield ask


async def becomes(ask: Ask, name: str, status: Any) -> None:
    """Wait until a probe answers so."""
    async with asyncio.timeout(10):
        while await ask(name) != status:  # noqa: ASYNC110 - over gRPC
            await asyncio.sleep(0.02)


async def test_a_worker_is_probed(certificates: Path) -> None:
    """Readiness follows what the process says of itself, liveness and startup do not."""
    worker = Worker()
    async with (
        running(certificates, worker) as (serving, _),
        kubelet(serving.probe_port) as ask,
    ):
        await becomes(ask, "readiness", SERVING)
        worker.ready = False
        await becomes(ask, "readiness", NOT_SERVING)
        assert [await ask(name) for name in ("startup", "liveness", "")] == [SERVING] * 3
        worker.ready = True
        await becomes(ask, "readiness", SERVING)


async def test_a_draining_process_lives_and_is_not_ready(certificates: Path) -> None:
    """To the end: a liveness probe that failed would kill it in the middle of its work."""
    worker = Worker()
    async with (
        running(certificates, worker) as (serving, task),
        kubelet(serving.probe_port) as ask,
    ):
        await becomes(ask, "readiness", SERVING)
        serving.stopping.set()
        await worker.told_to_stop.wait()
        assert await ask("readiness") == NOT_SERVING
        assert await ask("liveness") == SERVING
        assert await ask("startup") == SERVING
        assert not task.done()


async def test_nothing_else_is_there(certificates: Path) -> None:
    """An unknown name is NOT_FOUND, as the protocol says; nothing is watched or described here."""
    async with (
        running(certificates, Worker()) as (serving, _),
        kubelet(serving.probe_port) as ask,
        grpc.aio.insecure_channel(f"127.0.0.1:{serving.probe_port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask("qrpay.payment.v1.PaymentService")
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        health: Any = health_pb2_grpc.HealthStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await health.Watch(health_pb2.HealthCheckRequest(), timeout=5).read()
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
        described: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]
        asking = reflection_pb2.ServerReflectionRequest(list_services="")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await described.ServerReflectionInfo(iter([asking]), timeout=5).read()
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_without_an_address_nobody_is_asked(certificates: Path) -> None:
    """The default: no port."""
    async with running(certificates, Worker(), probe_listen="") as (serving, _):
        assert serving.probe_port == 0


async def test_an_address_that_is_taken_is_told(certificates: Path) -> None:
    """At the start: kubelet would kill the process later, and nobody would know why."""
    async with running(certificates, Worker()) as (serving, _):
        with pytest.raises(RuntimeError, match="Failed to bind"):
            async with running(
                certificates, Worker(), probe_listen=f"127.0.0.1:{serving.probe_port}"
            ):
                pass
