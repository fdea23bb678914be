"""payment_svc: accepts payments and sees them through. PAYMENT_ROLES says which part of it runs."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import grpc

from chassis.channel import open_channel
from chassis.clock import Clock, SystemClock
from chassis.database import Database, open_database
from chassis.ids import IdMaker
from chassis.jetstream import Consumer, JetStream, connect
from chassis.logs import configure_logs
from chassis.process import run
from chassis.server import Background, RpcService, serve
from chassis.settings import load_settings
from chassis.telemetry import telemetry
from payment_svc.acceptance import Acceptance
from payment_svc.codes import Codes
from payment_svc.executor import TRANSFERS_MAX, Executor
from payment_svc.parties import Parties
from payment_svc.queue import EXECUTOR, RESULTS, Publisher, streams
from payment_svc.results import Results
from payment_svc.rpc import ALLOWED_CALLERS, PaymentServicer
from payment_svc.settings import PaymentSettings
from payment_svc.sweeper import Sweeper
from qrpay.barcode.v1 import barcode_pb2_grpc
from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc, payment_queue_pb2
from qrpay.wallet.v1 import wallet_pb2_grpc

SERVICE_NAME = "payment"


async def main() -> None:
    """Read the settings, open what is needed, serve until told to stop."""
    settings = load_settings(PaymentSettings)
    configure_logs(service_name=SERVICE_NAME, level=settings.log_level)
    clock = SystemClock()
    ids = IdMaker(clock=clock)
    async with AsyncExitStack() as stack:
        stack.enter_context(
            telemetry(
                service_name=SERVICE_NAME,
                endpoint=settings.otel_exporter_otlp_endpoint,
                sample_ratio=settings.otel_traces_sampler_arg,
            )
        )
        database = await stack.enter_async_context(
            open_database(
                settings.database_url,
                application_name=SERVICE_NAME,
                pool_size=settings.database_connections_max,
            )
        )
        accepting = await stack.enter_async_context(
            open_database(
                settings.database_url,
                application_name=f"{SERVICE_NAME} accepting",
                pool_size=settings.accept_connections_max,
                lock_seconds_max=settings.key_lock_seconds_max,
            )
        )
        jetstream = await stack.enter_async_context(
            connect(
                settings.nats_url,
                name=SERVICE_NAME,
                streams=streams(replicas=settings.nats_replicas),
            )
        )
        wallets = wallet_pb2_grpc.WalletServiceStub(
            await _channel(stack, settings, settings.wallet_target, identity="wallet")
        )
        barcodes = barcode_pb2_grpc.BarcodeServiceStub(
            await _channel(stack, settings, settings.barcode_target, identity="barcode")
        )
        publisher = Publisher(
            jetstream=jetstream, ids=ids, in_flight_max=settings.publishes_in_flight_max
        )
        stack.push_async_callback(publisher.close)
        services = []
        if "api" in settings.payment_roles:
            services.append(
                _api(settings, database, accepting, publisher, wallets, barcodes, clock, ids)
            )
        await serve(
            settings=settings,
            services=services,
            background=_background(settings, database, jetstream, publisher, wallets, clock),
            # Without the queue payments are still accepted: it is not asked here.
            readiness=database.ping,
        )


async def _channel(
    stack: AsyncExitStack, settings: PaymentSettings, target: str, *, identity: str
) -> grpc.aio.Channel:
    channel = open_channel(target, identity=identity, tls=settings.tls)
    return await stack.enter_async_context(channel)


def _api(
    settings: PaymentSettings,
    database: Database,
    accepting: Database,
    publisher: Publisher,
    wallets: wallet_pb2_grpc.WalletServiceStub,
    barcodes: barcode_pb2_grpc.BarcodeServiceStub,
    clock: Clock,
    ids: IdMaker,
) -> RpcService:
    acceptance = Acceptance(
        database=accepting,
        parties=Parties(
            wallets=wallets,
            call_seconds_max=settings.call_seconds_max,
            cache_seconds=settings.party_cache_seconds,
            cache_entries_max=settings.party_cache_entries_max,
            timer=clock.monotonic,
        ),
        codes=Codes(barcodes=barcodes, call_seconds_max=settings.call_seconds_max),
        hand_over=publisher.hand_over,
        clock=clock,
        ids=ids,
        amount_minor_max=settings.amount_minor_max,
        sweep_after_seconds=settings.sweep_after_seconds,
    )
    return RpcService(
        descriptor=payment_pb2.DESCRIPTOR.services_by_name["PaymentService"],
        register=payment_pb2_grpc.add_PaymentServiceServicer_to_server,
        servicer=PaymentServicer(acceptance=acceptance, database=database, clock=clock, ids=ids),
        allowed_callers=ALLOWED_CALLERS,
    )


def _background(
    settings: PaymentSettings,
    database: Database,
    jetstream: JetStream,
    publisher: Publisher,
    wallets: wallet_pb2_grpc.WalletServiceStub,
    clock: Clock,
) -> list[Background]:
    found = []
    if "executor" in settings.payment_roles:
        executor = Executor(
            wallets=wallets,
            publish_results=publisher.publish_results,
            execute_seconds_max=settings.execute_seconds_max,
        )
        executing = Consumer(
            jetstream,
            EXECUTOR,
            decode=payment_queue_pb2.TaskBatch.FromString,
            handle=executor.handle,
            weight=lambda batch: len(batch.tasks),
            weight_max=TRANSFERS_MAX,
            concurrency=settings.executor_batches_max,
        )
        found.append(Background("executor", executing.run))
    if "results" in settings.payment_roles:
        results = Results(database=database, tell=publisher.tell, clock=clock)
        applying = Consumer(
            jetstream,
            RESULTS,
            decode=payment_queue_pb2.ResultBatch.FromString,
            handle=results.handle,
            weight=lambda batch: len(batch.results),
        )
        found.append(Background("results", applying.run))
    if "sweeper" in settings.payment_roles:
        sweeper = Sweeper(
            database=database,
            publish_tasks=publisher.publish_tasks,
            clock=clock,
            every_seconds=settings.sweep_every_seconds,
            again_after_seconds=settings.sweep_after_seconds,
        )
        found.append(Background("sweeper", sweeper.run))
    return found


if __name__ == "__main__":
    run(main, migrations=Path(__file__).parent / "migrations")
