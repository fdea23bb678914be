"""The wallet process: owners, wallets, transfers. ``migrate`` brings its database up to date."""

from __future__ import annotations

from pathlib import Path

from chassis.audit import rpc as audit_rpc
from chassis.audit.trail import open_audit_trail
from chassis.clock import SystemClock
from chassis.database import open_database
from chassis.ids import IdMaker
from chassis.logs import configure_logs
from chassis.observing import observing
from chassis.process import run
from chassis.server import Background, serve
from chassis.settings import load_settings
from wallet_svc.readings import Readings
from wallet_svc.rpc import WalletServicer, rpc_service
from wallet_svc.settings import WalletSettings

_NAME = "wallet"


async def main() -> None:
    """Serve until told to stop."""
    settings = load_settings(WalletSettings)
    configure_logs(service_name=_NAME, level=settings.log_level)
    clock = SystemClock()
    ids = IdMaker(clock=clock)
    async with (
        observing(settings, service_name=_NAME),
        open_database(
            settings.database_url,
            application_name=_NAME,
            pool_size=settings.database_pool_size,
        ) as database,
        open_audit_trail(database=database, ids=ids) as trail,
    ):
        servicer = WalletServicer(
            database=database,
            clock=clock,
            ids=ids,
            balance_minor_max=settings.balance_minor_max,
            execute_concurrency_max=settings.execute_concurrency_max,
        )
        readings = Readings(database, every_seconds=settings.readings_every_seconds)
        await serve(
            settings=settings,
            services=[rpc_service(servicer), audit_rpc.rpc_service(database=database)],
            background=[Background("readings", readings.run)],
            readiness=database.ping,
            trail=trail,
        )


if __name__ == "__main__":
    run(main, migrations=Path(__file__).parent / "migrations")
