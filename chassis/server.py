"""The one way a process serves: health, reflection, callers, background work, drain."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chassis.audit.acts import Act, check_acts
from chassis.audit.trail import AuditTrail
from chassis.interceptors import Shell
from chassis.logs import get_logger
from chassis.probes import Probes, probe_port
from chassis.settings import ProcessSettings
from chassis.tls import TlsWatch, server_credentials

_LOG = get_logger(__name__)

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_READINESS_SECONDS = 1.0
"""How often readiness is looked at, and how long a look may take."""
_OTHER_RPCS_MAX = 256
"""Calls that are served beside those of our services: health and reflection."""


@dataclass(frozen=True, kw_only=True)
class RpcService:
    """A gRPC service and who may call it."""

    descriptor: ServiceDescriptor
    """From the generated module: ``DESCRIPTOR.services_by_name["WalletService"]``."""
    register: Callable[[Any, Any], None]
    """The generated ``add_..._to_server``."""
    servicer: Any
    allowed_callers: Mapping[str, Collection[str]]
    """Method name -> identities. Every method of the service must be named: nothing is open by
    oversight, and a misspelt name does not start."""
    acts: Mapping[str, Act] = field(default_factory=dict)
    """Method name -> what is recorded of its calls; all of them, or none for a service without an
    audit trail."""

    def __post_init__(self) -> None:
        declared, named = set(self.descriptor.methods_by_name), set(self.allowed_callers)
        assert declared == named, f"allowed_callers differ from the methods: {declared ^ named}"
        if self.acts:
            check_acts(self.descriptor, self.acts)


@dataclass(frozen=True)
class Background:
    """Work that runs beside the server until told to stop."""

    name: str
    run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]
    """Runs until the event is set, then finishes what it has begun and returns."""


@dataclass
class Serving:
    """A server that runs: where it listens, and how to stop it."""

    port: int
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    probe_port: int = 0
    """Where probes are answered; 0 if nowhere."""


async def serve(
    *,
    settings: ProcessSettings,
    services: Sequence[RpcService] = (),
    background: Sequence[Background] = (),
    readiness: Callable[[], Awaitable[bool]] | None = None,
    trail: AuditTrail | None = None,
    on_started: Callable[[Serving], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return.

    ``readiness`` says whether the process can do its work now; it decides the health of each
    service by name, and the readiness probe. The health of the whole process (the empty name) is
    SERVING as long as it lives: a dependency that is down must not get us restarted. ``trail`` is
    where calls are recorded; without one, none are.

    Drain: health turns NOT_SERVING; after ``drain_delay_seconds`` new calls are refused, those
    begun are finished, background work stops; all within ``drain_seconds``. Raises what a
    background task raised.
    """
    async with probe_port(settings.probe_listen) as probes:
        await _serve(settings, services, background, readiness, trail, on_started, probes)


async def _serve(
    settings: ProcessSettings,
    services: Sequence[RpcService],
    background: Sequence[Background],
    readiness: Callable[[], Awaitable[bool]] | None,
    trail: AuditTrail | None,
    on_started: Callable[[Serving], None] | None,
    probes: Probes,
) -> None:
    server = _build_server(settings, services, trail)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    names = [service.descriptor.full_name for service in services]
    reflection.enable_server_reflection(
        [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server
    )
    watch_tls = TlsWatch(settings.tls)
    port = server.add_secure_port(settings.grpc_listen, server_credentials(watch_tls))
    for name in names:
        await health_servicer.set(name, _NOT_SERVING)
    await health_servicer.set("", _SERVING)
    await server.start()
    serving = Serving(port, probe_port=probes.port)
    _stop_on_signals(serving.stopping)
    _LOG.info("serving", port=port, services=names, background=[item.name for item in background])
    if on_started:
        on_started(serving)
    stop_background = asyncio.Event()
    tasks = [asyncio.create_task(item.run(stop_background), name=item.name) for item in background]
    watch = asyncio.create_task(
        _watch_readiness(health_servicer, names, readiness, probes), name="ready"
    )
    renewing = asyncio.create_task(
        watch_tls.keep_looking(settings.tls_reload_seconds), name="certificate"
    )
    probes.started = True
    failed = await _until_stopped(serving.stopping, tasks)
    _LOG.info("draining")
    probes.draining = True
    watch.cancel()
    renewing.cancel()
    await health_servicer.enter_graceful_shutdown()
    if not failed:
        await asyncio.sleep(settings.drain_delay_seconds)
    stop_background.set()
    await asyncio.gather(
        server.stop(settings.drain_seconds),
        # The watch too: it may be in the middle of a question to the database.
        _finish([*tasks, watch], settings.drain_seconds),
    )
    _LOG.info("stopped")
    for task in failed:
        task.result()


def _build_server(
    settings: ProcessSettings, services: Sequence[RpcService], trail: AuditTrail | None
) -> grpc.aio.Server:
    acts = {
        f"/{service.descriptor.full_name}/{method}": act
        for service in services
        for method, act in service.acts.items()
    }
    callers = {
        f"/{service.descriptor.full_name}/{method}": allowed
        for service in services
        for method, allowed in service.allowed_callers.items()
    }
    # Connections end after a while so that clients look the name up again and find new replicas;
    # the jitter keeps a whole fleet from reconnecting at once.
    age_ms = int(300_000 * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret
    server = grpc.aio.server(
        interceptors=[Shell(callers, places=settings.rpcs_concurrent_max, acts=acts, trail=trail)],
        # The last resort, without a look at what is called.
        maximum_concurrent_rpcs=settings.rpcs_concurrent_max + _OTHER_RPCS_MAX,
        options=[
            ("grpc.so_reuseport", 0),
            # Under the name that grpc reads now; the older min_recv_... is ignored without a word.
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.max_connection_age_ms", age_ms),
            ("grpc.max_connection_age_grace_ms", 30_000),
        ],
    )
    for service in services:
        service.register(service.servicer, server)
    return server


def _stop_on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # PID 1 of a container has no default handler for SIGTERM: without this it would not stop.
        loop.add_signal_handler(number, stopping.set)


async def _until_stopped(
    stopping: asyncio.Event, tasks: Sequence[asyncio.Task[None]]
) -> list[asyncio.Task[None]]:
    """Wait for the signal to stop, or for a background task that ended by itself: a defect."""
    waiting = asyncio.create_task(stopping.wait(), name="stop")
    done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    failed = [task for task in tasks if task in done]
    for task in failed:
        _LOG.error("background work ended", task=task.get_name(), exc_info=task.exception())
    return failed


async def _finish(tasks: Sequence[asyncio.Task[None]], seconds: float) -> None:
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        _LOG.warning("background work did not stop in time", task=task.get_name())
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


async def _watch_readiness(
    health_servicer: health.aio.HealthServicer,
    names: Sequence[str],
    readiness: Callable[[], Awaitable[bool]] | None,
    probes: Probes,
) -> None:
    before: bool | None = None
    while True:
        ready = probes.ready = await is_ready(readiness)
        if ready != before:
            _LOG.info("readiness", ready=ready)
            for name in names:
                await health_servicer.set(name, _SERVING if ready else _NOT_SERVING)
        before = ready
        await asyncio.sleep(_READINESS_SECONDS if ready else _READINESS_SECONDS / 5)


async def is_ready(readiness: Callable[[], Awaitable[bool]] | None) -> bool:
    """Ask ``readiness``; a failure or no answer in time means no."""
    if readiness is None:
        return True
    try:
        async with asyncio.timeout(_READINESS_SECONDS):
            return await readiness()
    except Exception:  # noqa: BLE001 - whatever keeps it from answering, it is not ready
        return False
