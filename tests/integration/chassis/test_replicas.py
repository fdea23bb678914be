"""Two replicas behind one name, restarted in turn: callers through the channel see nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chassis.channel import call, open_channel
from chassis.clock import SystemClock
from chassis.server import Serving, serve
from chassis.settings import ProcessSettings
from chassis.tls import TlsFiles
from embedded.certificates import ensure_certificates, tls_files
from embedded.ports import find_free_port
from qrpay.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from tests.integration.chassis.test_server import Servicer, service

_CALLERS = 8


class Replica:
    """One of them: it can be stopped as SIGTERM stops it, and started again at the same place."""

    def __init__(self, tls: TlsFiles) -> None:
        self._tls = tls
        self.port = find_free_port()
        self.servicer = Servicer()
        self.servicer.behaviour = self._take_a_moment
        self._serving: Serving | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve."""
        started: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
        settings = ProcessSettings(
            grpc_listen=f"127.0.0.1:{self.port}",
            tls_cert_file=self._tls.cert_file,
            tls_key_file=self._tls.key_file,
            tls_ca_file=self._tls.ca_file,
            # Shorter than a caller waits: what a stopping server accepted and never got to is
            # cancelled then, and asked of the other one.
            drain_seconds=2,
        )
        self._task = asyncio.create_task(
            serve(
                settings=settings, services=[service(self.servicer)], on_started=started.set_result
            )
        )
        self._serving = await started

    async def stop(self) -> None:
        """Drain, and end."""
        assert self._serving is not None
        assert self._task is not None
        self._serving.stopping.set()
        await self._task

    async def is_called(self, times: int = 30) -> None:
        """Return when it has been called so many times more."""
        goal = self.servicer.calls + times
        async with asyncio.timeout(20):
            while self.servicer.calls < goal:  # noqa: ASYNC110 - over the wire
                await asyncio.sleep(0.01)

    async def _take_a_moment(self) -> None:
        await asyncio.sleep(0.005)  # so that a call is always in flight


@asynccontextmanager
async def calling(target: str, tls: TlsFiles) -> AsyncIterator[None]:
    """Several callers who ask without a break, for the time of the block; none may fail."""
    stop = asyncio.Event()

    async def ask(stub: Any, name: int) -> None:
        number = 0
        while not stop.is_set():
            request = ledger_pb2.GetTransactionRequest(payment_id=f"{name}-{number}")
            response = await call(stub.GetTransaction, request, timeout_seconds=5)
            assert response.transaction.payment_id == f"{name}-{number}"
            number += 1

    async with open_channel(target, identity="ledger", tls=tls) as channel:
        stub = ledger_pb2_grpc.LedgerServiceStub(channel)
        async with asyncio.TaskGroup() as callers:
            for name in range(_CALLERS):
                callers.create_task(ask(stub, name))
            try:
                yield
            finally:
                stop.set()


@pytest.fixture
def tls_of(tmp_path: Path) -> Callable[[str], TlsFiles]:
    """Gives the certificate of an identity."""
    ensure_certificates(tmp_path, now=SystemClock().now())
    return lambda identity: tls_files(tmp_path, identity)


async def test_replicas_that_restart_in_turn_are_not_noticed(
    tls_of: Callable[[str], TlsFiles],
) -> None:
    """Goal: of a thousand calls without a break not one fails while each replica is drained and
    comes back, because what a draining server refuses goes to the other."""
    replicas = [Replica(tls_of("ledger")), Replica(tls_of("ledger"))]
    for replica in replicas:
        await replica.start()
    target = "ipv4:" + ",".join(f"127.0.0.1:{replica.port}" for replica in replicas)
    async with calling(target, tls_of("gateway")):
        for _ in range(3):
            for replica, other in (replicas, replicas[::-1]):
                await replica.is_called()
                await replica.stop()
                await other.is_called()
                await replica.start()
                await replica.is_called()
    for replica in replicas:
        await replica.stop()
