"""The gateway process: the public HTTP API."""

from __future__ import annotations

from chassis.clock import SystemClock
from chassis.logs import configure_logs
from chassis.observing import observing
from chassis.process import run
from chassis.settings import load_settings
from gateway.serving import serve
from gateway.settings import GatewaySettings

_NAME = "gateway"


async def main() -> None:
    """Serve until told to stop."""
    settings = load_settings(GatewaySettings)
    configure_logs(service_name=_NAME, level=settings.log_level)
    async with observing(settings, service_name=_NAME):
        await serve(settings=settings, clock=SystemClock())


if __name__ == "__main__":
    run(main)
