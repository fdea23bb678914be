"""What watches a process from the inside: its telemetry, its admin port, its event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.admin import admin_port
from chassis.metrics import SECONDS, Histogram
from chassis.settings import ProcessSettings
from chassis.telemetry import telemetry

_LOOK_SECONDS = 0.1
_LAG = Histogram(
    "qrpay.event_loop.lag",
    unit="s",
    description="How much later than asked the event loop gave a task its turn.",
    bounds=SECONDS,
)


@asynccontextmanager
async def observing(settings: ProcessSettings, *, service_name: str) -> AsyncIterator[None]:
    """Watch this process for the time of the block, as its settings say."""
    with telemetry(
        service_name=service_name,
        endpoint=settings.otel_exporter_otlp_endpoint,
        sample_ratio=settings.otel_traces_sampler_arg,
        slow_seconds=settings.trace_slow_seconds,
        track=settings.track,
        scraped=bool(settings.admin_listen),
    ) as collect:
        watching = asyncio.create_task(_watch_the_loop(), name="event loop lag")
        try:
            if settings.admin_listen:
                async with admin_port(settings.admin_listen, collect):
                    yield
            else:
                yield
        finally:
            watching.cancel()


async def _watch_the_loop() -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _LOOK_SECONDS
        await asyncio.sleep(_LOOK_SECONDS)
        _LAG.record(max(0.0, loop.time() - due))
