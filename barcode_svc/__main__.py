"""The barcode process: one-time barcodes, devices, merchants and their QR codes."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from barcode_svc.settings import BarcodeSettings
from barcode_svc.valkey import open_valkey
from barcode_svc.wiring import Parts
from chassis.audit.trail import open_audit_trail
from chassis.clock import SystemClock
from chassis.database import open_database
from chassis.ids import IdMaker
from chassis.logs import configure_logs
from chassis.observing import observing
from chassis.process import run
from chassis.server import Background, serve
from chassis.settings import load_settings
from chassis.studio import open_studio


async def main() -> None:
    """Read the settings, open what is needed, serve until told to stop."""
    settings = load_settings(BarcodeSettings)
    configure_logs(service_name="barcode", level=settings.log_level)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(observing(settings, service_name="barcode"))
        database = await stack.enter_async_context(
            open_database(
                settings.database_url,
                application_name="barcode",
                pool_size=settings.database_connections_max,
            )
        )
        valkey = await stack.enter_async_context(
            open_valkey(
                settings.valkey_url,
                client_name="barcode",
                connections_max=settings.valkey_connections_max,
                seconds_max=settings.valkey_seconds_max,
                tls=settings.valkey_tls,
            )
        )
        studio = await stack.enter_async_context(
            open_studio(
                processes_max=settings.logo_processes_max,
                waiting_max=settings.logo_waiting_max,
                seconds_max=settings.logo_draw_seconds_max,
            )
        )
        clock = SystemClock()
        ids = IdMaker(clock=clock)
        trail = await stack.enter_async_context(open_audit_trail(database=database, ids=ids))
        parts = Parts(
            settings,
            database=database,
            valkey=valkey,
            studio=studio,
            clock=clock,
            ids=ids,
        )
        await serve(
            settings=settings,
            services=parts.services,
            background=[Background("code pool", parts.pool.keep_filled)],
            # The database alone: without Valkey the merchants' printed codes are still read, and
            # taking every process out of service would stop those payments, too.
            readiness=database.ping,
            trail=trail,
        )


if __name__ == "__main__":
    run(main, migrations=Path(__file__).with_name("migrations"))
