"""Metrics leave a process: received by a collector as OTLP prescribes."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2,
    metrics_service_pb2_grpc,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

PROGRAM = """
import sys
from chassis.telemetry import telemetry
from payment_svc import filing, sweeper
with telemetry(service_name="payment", endpoint=sys.argv[1], sample_ratio=1, slow_seconds=2):
    filing._FILED.add(2, "exhausted")
    sweeper._OPEN_LETTERS.set(3)
"""


class Collector(
    metrics_service_pb2_grpc.MetricsServiceServicer, trace_service_pb2_grpc.TraceServiceServicer
):
    """Takes what processes export."""

    def __init__(self) -> None:
        self.metrics: dict[str, Any] = {}

    async def Export(self, request: Any, context: Any) -> Any:
        """Metrics or spans."""
        if isinstance(request, trace_service_pb2.ExportTraceServiceRequest):
            return trace_service_pb2.ExportTraceServiceResponse()
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                self.metrics |= {metric.name: metric for metric in scope.metrics}
        return metrics_service_pb2.ExportMetricsServiceResponse()


async def test_dead_letters_reach_the_operators() -> None:
    """Goal: what pages people -- letters that arrive and letters that wait -- leaves the process
    with its values, also when the process ends at once."""
    collector, server = Collector(), grpc.aio.server()
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, f"http://127.0.0.1:{port}"
    )
    async with asyncio.timeout(60):
        assert await process.wait() == 0
    await server.stop(None)

    filed = {
        point.attributes[0].value.string_value: point.as_int
        for point in collector.metrics["qrpay.dead_letters.filed"].sum.data_points
    }
    assert filed["exhausted"] == 2
    assert sum(filed.values()) == 2
    (waiting,) = collector.metrics["qrpay.dead_letters.open"].gauge.data_points
    assert waiting.as_int == 3
