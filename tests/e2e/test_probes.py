"""The probe port of real processes, asked as kubelet asks: no certificate, no TLS."""

from __future__ import annotations

import asyncio
from pathlib import Path

from grpc_health.v1 import health_pb2

from tests.e2e.beside import beside
from tests.e2e.stack import Stack, free_port
from tests.integration.chassis.test_probes import becomes, kubelet

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
PROCESSES = {
    "wallet": {},
    "barcode": {},
    "ledger": {"LEDGER_ROLES": "posting"},
    "payment": {"PAYMENT_ROLES": "executor"},
    "gateway": {},
}
"""Every process, two of them as workers that serve no calls of their own."""


async def test_all_five_processes_are_probed(stack: Stack, tmp_path: Path) -> None:
    """Each starts, lives and becomes ready, whatever roles it has."""

    async def probed(name: str) -> None:
        port = free_port()
        changed = {"PROBE_LISTEN": f"127.0.0.1:{port}", **PROCESSES[name]}
        async with beside(stack, name, tmp_path / name, **changed), kubelet(port) as ask:
            await becomes(ask, "readiness", SERVING)
            assert await ask("startup") == SERVING
            assert await ask("liveness") == SERVING

    await asyncio.gather(*map(probed, PROCESSES))


async def test_who_works_for_the_queue_needs_it(stack: Stack, tmp_path: Path) -> None:
    """An executor that cannot reach the queue lives and is not ready, so that it does not replace
    one that can; a process that accepts payments is ready without it."""
    nowhere = tmp_path / "nats-url"
    nowhere.write_text(f"nats://payment:x@127.0.0.1:{free_port()}")

    async def probed(roles: str, readiness: int) -> None:
        port = free_port()
        changed = {
            "PROBE_LISTEN": f"127.0.0.1:{port}",
            "PAYMENT_ROLES": roles,
            "NATS_URL_FILE": str(nowhere),
        }
        log_file = tmp_path / roles
        async with beside(stack, "payment", log_file, **changed), kubelet(port) as ask:
            await becomes(ask, "startup", SERVING)
            await becomes(ask, "liveness", SERVING)
            async with asyncio.timeout(20):
                while '"ready":' not in log_file.read_text():  # noqa: ASYNC110 - its first look
                    await asyncio.sleep(0.05)
            await becomes(ask, "readiness", readiness)

    await asyncio.gather(probed("executor", NOT_SERVING), probed("api,executor", SERVING))
