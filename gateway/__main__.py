"""The gateway process: the public HTTP API."""

from __future__ import annotations

from chassis.clock import SystemClock
from chassis.logs import configure_logs
from chassis.process import run
from chassis.settings import load_settings
from chassis.telemetry import telemetry
from gateway.serving import serve
from gateway.settings import GatewaySettings

_NAME = "gateway"


async def main() -> None:
    """Serve until told to stop."""
    settings = load_settings(GatewaySettings)
    configure_logs(service_name=_NAME, level=settings.log_level)
    with telemetry(
        service_name=_NAME,
        endpoint=settings.otel_exporter_otlp_endpoint,
        sample_ratio=settings.otel_traces_sampler_arg,
    ):
        await serve(settings=settings, clock=SystemClock())


if __name__ == "__main__":
    run(main)
