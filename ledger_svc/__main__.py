"""The ledger process: ``python -m ledger_svc``, or ``python -m ledger_svc migrate``."""

from __future__ import annotations

from pathlib import Path

from chassis.audit.trail import open_audit_trail
from chassis.channel import open_channel
from chassis.clock import SystemClock
from chassis.database import open_database
from chassis.ids import IdMaker
from chassis.jetstream import connect
from chassis.logs import configure_logs
from chassis.observing import observing
from chassis.process import run
from chassis.server import serve
from chassis.settings import load_settings
from ledger_svc.heads import heads_stream
from ledger_svc.settings import LedgerSettings
from ledger_svc.wiring import Parts
from qrpay.payment.v1 import payment_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2_grpc

MIGRATIONS = Path(__file__).parent / "migrations"


async def main() -> None:
    """Read settings, open what is needed, serve."""
    settings = load_settings(LedgerSettings)
    configure_logs(service_name="ledger", level=settings.log_level)
    async with observing(settings, service_name="ledger"):
        clock = SystemClock()
        ids = IdMaker(clock=clock)
        async with (
            open_database(
                settings.database_url,
                application_name="ledger",
                pool_size=settings.database_connections_max,
            ) as database,
            open_audit_trail(database=database, ids=ids) as trail,
            connect(
                settings.nats_url,
                name="ledger",
                streams=[heads_stream(replicas=settings.nats_replicas)],
                tls=settings.tls,
            ) as jetstream,
            open_channel(
                settings.payment_target,
                identity="payment",
                tls=settings.tls,
                reload_seconds=settings.tls_reload_seconds,
            ) as payment_channel,
            open_channel(
                settings.wallet_target,
                identity="wallet",
                tls=settings.tls,
                reload_seconds=settings.tls_reload_seconds,
            ) as wallet_channel,
        ):
            parts = Parts(
                settings,
                database=database,
                jetstream=jetstream,
                payments=payment_pb2_grpc.PaymentServiceStub(payment_channel),
                wallets=wallet_pb2_grpc.WalletServiceStub(wallet_channel),
                clock=clock,
                ids=ids,
            )
            await serve(
                settings=settings,
                services=parts.services,
                background=parts.background,
                readiness=parts.is_ready,
                trail=trail,
            )


if __name__ == "__main__":
    run(main, migrations=MIGRATIONS)
