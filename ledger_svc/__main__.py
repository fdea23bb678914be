"""The ledger process: ``python -m ledger_svc``, or ``python -m ledger_svc migrate``."""

from __future__ import annotations

from pathlib import Path

from chassis.channel import open_channel
from chassis.clock import SystemClock
from chassis.database import open_database
from chassis.ids import IdMaker
from chassis.jetstream import connect
from chassis.logs import configure_logs
from chassis.process import run
from chassis.server import Background, serve
from chassis.settings import load_settings
from chassis.telemetry import telemetry
from ledger_svc.catching_up import CatchingUp
from ledger_svc.posting import Posting, posting_consumer
from ledger_svc.rpc import rpc_service
from ledger_svc.settings import LedgerSettings
from qrpay.payment.v1 import payment_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2_grpc

MIGRATIONS = Path(__file__).parent / "migrations"


async def main() -> None:
    """Read settings, open what is needed, serve."""
    settings = load_settings(LedgerSettings)
    configure_logs(service_name="ledger", level=settings.log_level)
    with telemetry(
        service_name="ledger",
        endpoint=settings.otel_exporter_otlp_endpoint,
        sample_ratio=settings.otel_traces_sampler_arg,
    ):
        clock = SystemClock()
        async with (
            open_database(
                settings.database_url,
                application_name="ledger",
                pool_size=settings.database_connections_max,
            ) as database,
            connect(settings.nats_url, name="ledger") as jetstream,
            open_channel(
                settings.payment_target, identity="payment", tls=settings.tls
            ) as payment_channel,
            open_channel(
                settings.wallet_target, identity="wallet", tls=settings.tls
            ) as wallet_channel,
        ):
            ids = IdMaker(clock=clock)
            posting = Posting(
                database=database,
                ids=ids,
                clock=clock,
                results_per_transaction_max=settings.results_per_transaction_max,
            )
            catching_up = CatchingUp(
                database=database,
                payments=payment_pb2_grpc.PaymentServiceStub(payment_channel),
                wallets=wallet_pb2_grpc.WalletServiceStub(wallet_channel),
                ids=ids,
                every_seconds=settings.catch_up_every_seconds,
                call_seconds_max=settings.call_seconds_max,
            )
            consumer = posting_consumer(jetstream, posting, settings=settings)
            await serve(
                settings=settings,
                services=[rpc_service(database=database)],
                background=[
                    Background("posting", consumer.run),
                    Background("catching up", catching_up.run),
                ],
                # Readers do not need the queue: without it the book is only behind.
                readiness=database.ping,
            )


if __name__ == "__main__":
    run(main, migrations=MIGRATIONS)
