"""The probe port: what Kubernetes asks a container, in plain text, because kubelet speaks no TLS.

``grpc.health.v1.Health/Check`` and nothing else: no reflection, no service of ours, no watching,
which would keep places that a probe needs. Three names, as kubelet has three kinds of probes:

- ``startup``: the process has opened what it needs, and serves.
- ``liveness``, and the empty name: the event loop turns. Never a dependency: a restart heals none.
- ``readiness``: the process can do its work now. Not while it is draining.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.logs import get_logger

_LOG = get_logger(__name__)

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_PROBES_MAX = 8
"""Probes that are answered at a time."""
_REQUEST_BYTES_MAX = 1_024
_IDLE_MS = 10_000
_AGE_MS = 60_000
"""kubelet makes a new connection for each probe; nobody needs one for long."""


class Probes:
    """What the probes are told. Without a probe port nobody asks."""

    def __init__(self) -> None:
        self.port = 0
        """Where they are asked; 0 if nowhere."""
        self.started = False
        """The process serves."""
        self.ready = False
        """It can do its work, as far as it knows."""
        self.draining = False
        """It was told to stop."""

    def answer_to(self, name: str) -> bool | None:
        """Whether this probe succeeds; None if there is none of the name."""
        match name:
            case "" | "liveness":
                return True
            case "startup":
                return self.started
            case "readiness":
                return self.started and self.ready and not self.draining
        return None


class _Servicer(health_pb2_grpc.HealthServicer):
    def __init__(self, probes: Probes) -> None:
        self._probes = probes

    async def Check(self, request: Any, context: Any) -> Any:
        """One probe. NOT_FOUND: there is none of this name."""
        answer = self._probes.answer_to(request.service)
        if answer is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return health_pb2.HealthCheckResponse(status=_SERVING if answer else _NOT_SERVING)

    async def List(self, _request: Any, context: Any) -> Any:
        """Nobody needs it."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "ask with Check")

    async def Watch(self, _request: Any, context: Any) -> Any:
        """Not here: those who watch use the mesh's port."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "ask with Check")


@asynccontextmanager
async def probe_port(address: str) -> AsyncIterator[Probes]:
    """Answer probes at ``host:port`` for the time of the block; an empty address: nowhere.

    Raises ``RuntimeError`` if the address cannot be had: a process whose probes are not answered
    would be killed anyway, and say less about why.
    """
    probes = Probes()
    if not address:
        yield probes
        return
    server = grpc.aio.server(
        maximum_concurrent_rpcs=_PROBES_MAX,
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", _REQUEST_BYTES_MAX),
            ("grpc.max_concurrent_streams", _PROBES_MAX),
            ("grpc.max_connection_idle_ms", _IDLE_MS),
            ("grpc.max_connection_age_ms", _AGE_MS),
        ],
    )
    health_pb2_grpc.add_HealthServicer_to_server(_Servicer(probes), server)
    probes.port = server.add_insecure_port(address)
    await server.start()
    _LOG.info("probe port", port=probes.port)
    try:
        yield probes
    finally:
        await server.stop(None)
