"""payment_svc: accepts payments and sees them through. PAYMENT_ROLES says which part of it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import grpc

from chassis.audit import rpc as audit_rpc
from chassis.audit.trail import open_audit_trail
from chassis.channel import open_channel
from chassis.clock import Clock, SystemClock
from chassis.database import Database, open_database
from chassis.ids import IdMaker
from chassis.jetstream import Consumer, ConsumerSpec, JetStream, QueueWatch, connect
from chassis.logs import configure_logs
from chassis.observing import observing
from chassis.process import run
from chassis.server import Background, RpcService, serve
from chassis.settings import load_settings
from payment_svc import desk_rpc, operations, timeline_rpc
from payment_svc.acceptance import Acceptance
from payment_svc.audit import DEAD_LETTER_ACTS, PAYMENT_ACTS, TIMELINE_ACTS
from payment_svc.codes import Codes
from payment_svc.dead_letters import read_letter, read_results, read_retry, read_tasks
from payment_svc.desk_rpc import DeadLetterServicer
from payment_svc.executor import TRANSFERS_MAX, Executor
from payment_svc.filing import Filing, read_advisory
from payment_svc.parties import Parties
from payment_svc.queue import (
    ADVISORIES,
    CANARY_EXECUTOR,
    CANARY_RETRIES,
    EXECUTOR,
    FILING,
    RESULTS,
    RETRIES,
    Publisher,
    streams,
)
from payment_svc.readings import Readings
from payment_svc.results import Results
from payment_svc.retries import Retries, RetryPolicy
from payment_svc.rpc import ALLOWED_CALLERS, PaymentServicer
from payment_svc.settings import PaymentSettings
from payment_svc.sweeper import Sweeper
from payment_svc.timeline_rpc import TimelineServicer
from qrpay.barcode.v1 import barcode_pb2_grpc
from qrpay.payment.v1 import (
    dead_letter_pb2,
    dead_letter_pb2_grpc,
    payment_pb2,
    payment_pb2_grpc,
    timeline_pb2,
    timeline_pb2_grpc,
)
from qrpay.wallet.v1 import wallet_pb2_grpc

SERVICE_NAME = "payment"


async def main() -> None:
    """Read the settings, open what is needed, serve until told to stop."""
    settings = load_settings(PaymentSettings)
    configure_logs(service_name=SERVICE_NAME, level=settings.log_level)
    clock = SystemClock()
    ids = IdMaker(clock=clock)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(observing(settings, service_name=SERVICE_NAME))
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
        trail = await stack.enter_async_context(open_audit_trail(database=database, ids=ids))
        jetstream = await stack.enter_async_context(
            connect(
                settings.nats_url,
                name=SERVICE_NAME,
                streams=streams(replicas=settings.nats_replicas),
                tls=settings.tls,
            )
        )
        wallets = wallet_pb2_grpc.WalletServiceStub(
            await _channel(stack, settings, settings.wallet_target, identity="wallet")
        )
        barcodes = barcode_pb2_grpc.BarcodeServiceStub(
            await _channel(stack, settings, settings.barcode_target, identity="barcode")
        )
        publisher = Publisher(
            jetstream=jetstream,
            ids=ids,
            in_flight_max=settings.publishes_in_flight_max,
            track=settings.track,
        )
        stack.push_async_callback(publisher.close)
        services = []
        if "api" in settings.payment_roles:
            services.append(
                _api(settings, database, accepting, publisher, wallets, barcodes, clock, ids)
            )
            services.append(_desk(settings, database, publisher, wallets, clock))
            services.append(_timelines(settings, database, wallets))
            services.append(audit_rpc.rpc_service(database=database))
        await serve(
            settings=settings,
            services=services,
            background=_background(settings, database, jetstream, publisher, wallets, clock),
            readiness=_readiness(settings, database, jetstream),
            trail=trail,
        )


def _readiness(
    settings: PaymentSettings, database: Database, jetstream: JetStream
) -> Callable[[], Awaitable[bool]]:
    """Without the queue payments are still accepted, so it is nothing that the api waits for. A
    worker gets its work from there; its readiness takes no calls away, but a new version that
    cannot reach the queue must not replace one that can."""
    if "api" in settings.payment_roles:
        return database.ping

    async def can_work() -> bool:
        return jetstream.is_connected and await database.ping()

    return can_work


async def _channel(
    stack: AsyncExitStack, settings: PaymentSettings, target: str, *, identity: str
) -> grpc.aio.Channel:
    channel = open_channel(
        target, identity=identity, tls=settings.tls, reload_seconds=settings.tls_reload_seconds
    )
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
        servicer=PaymentServicer(
            acceptance=acceptance,
            database=database,
            publish_tasks=publisher.publish_tasks,
            sweep_after_seconds=settings.sweep_after_seconds,
            clock=clock,
            ids=ids,
        ),
        allowed_callers=ALLOWED_CALLERS,
        acts=PAYMENT_ACTS,
    )


def _desk(
    settings: PaymentSettings,
    database: Database,
    publisher: Publisher,
    wallets: wallet_pb2_grpc.WalletServiceStub,
    clock: Clock,
) -> RpcService:
    return RpcService(
        descriptor=dead_letter_pb2.DESCRIPTOR.services_by_name["DeadLetterService"],
        register=dead_letter_pb2_grpc.add_DeadLetterServiceServicer_to_server,
        servicer=DeadLetterServicer(
            database=database,
            wallets=wallets,
            put_back=publisher.put_back,
            publish_results=publisher.publish_results,
            remove=publisher.remove_dead_letter,
            clock=clock,
            call_seconds_max=settings.call_seconds_max,
            sweep_after_seconds=settings.sweep_after_seconds,
        ),
        allowed_callers=desk_rpc.ALLOWED_CALLERS,
        acts=DEAD_LETTER_ACTS,
    )


def _timelines(
    settings: PaymentSettings, database: Database, wallets: wallet_pb2_grpc.WalletServiceStub
) -> RpcService:
    return RpcService(
        descriptor=timeline_pb2.DESCRIPTOR.services_by_name["TimelineService"],
        register=timeline_pb2_grpc.add_TimelineServiceServicer_to_server,
        servicer=TimelineServicer(
            database=database, wallets=wallets, call_seconds_max=settings.call_seconds_max
        ),
        allowed_callers=timeline_rpc.ALLOWED_CALLERS,
        acts=TIMELINE_ACTS,
    )


def _background(
    settings: PaymentSettings,
    database: Database,
    jetstream: JetStream,
    publisher: Publisher,
    wallets: wallet_pb2_grpc.WalletServiceStub,
    clock: Clock,
) -> list[Background]:
    filing = Filing(
        database=database,
        stored_message=jetstream.stored_message,
        publish_dead_letter=publisher.publish_dead_letter,
        clock=clock,
    )
    found = []
    if "executor" in settings.payment_roles:
        executor = Executor(
            wallets=wallets,
            publish_results=publisher.publish_results,
            retries=_retries(settings, database, publisher, clock),
            execute_seconds_max=settings.execute_seconds_max,
            clock=clock,
        )
        found += _executing(settings, jetstream, executor, filing)
    if "results" in settings.payment_roles:
        results = Results(database=database, tell=publisher.tell)
        applying = Consumer(
            jetstream,
            RESULTS,
            decode=read_results,
            handle=results.handle,
            reject=partial(filing.reject, consumer=RESULTS.name),
            weight=lambda batch: len(batch.results),
        )
        found.append(Background("results", applying.run))
    if "sweeper" in settings.payment_roles:
        sweeper = Sweeper(
            database=database,
            publish_tasks=publisher.publish_tasks,
            publish_dead_letter=publisher.publish_dead_letter,
            clock=clock,
            every_seconds=settings.sweep_every_seconds,
            again_after_seconds=settings.sweep_after_seconds,
            deadline_seconds=settings.execute_deadline_seconds,
        )
        letters = Consumer(jetstream, FILING, decode=read_letter, handle=filing.handle_letters)
        advisories = Consumer(
            jetstream, ADVISORIES, decode=read_advisory, handle=filing.handle_advisories
        )
        readings = Readings(database, clock=clock, every_seconds=settings.readings_every_seconds)
        found.append(Background("readings", readings.run))
        found.append(Background("sweeper", sweeper.run))
        found.append(Background("dead letters", letters.run))
        found.append(Background("advisories", advisories.run))
    if watched := _watched(settings):
        watch = QueueWatch(
            jetstream, watched, clock=clock, every_seconds=settings.readings_every_seconds
        )
        found.append(Background("queue watch", watch.run))
    return found


def _watched(settings: PaymentSettings) -> list[ConsumerSpec]:
    """The consumers that this process tells about: those of the canary are the canary's own, so
    that nobody misses them once it is gone."""
    watched = []
    if "sweeper" in settings.payment_roles:
        watched += [EXECUTOR, RESULTS, RETRIES, FILING, ADVISORIES]
    if "executor" in settings.payment_roles and settings.track == "canary":
        watched += [CANARY_EXECUTOR, CANARY_RETRIES]
    return watched


def _executing(
    settings: PaymentSettings, jetstream: JetStream, executor: Executor, filing: Filing
) -> list[Background]:
    firsts, laters = (
        (CANARY_EXECUTOR, CANARY_RETRIES) if settings.track == "canary" else (EXECUTOR, RETRIES)
    )
    first_tries = Consumer(
        jetstream,
        firsts,
        decode=read_tasks,
        handle=executor.handle,
        reject=partial(filing.reject, consumer=firsts.name),
        weight=lambda batch: len(batch.tasks),
        weight_max=TRANSFERS_MAX,
        concurrency=settings.executor_batches_max,
    )
    later_tries = Consumer(
        jetstream,
        laters,
        decode=read_retry,
        handle=executor.handle_retries,
        reject=partial(filing.reject, consumer=laters.name),
        concurrency=settings.executor_batches_max,
    )
    return [
        Background("executor", first_tries.run),
        Background("executor retries", later_tries.run),
    ]


def _retries(
    settings: PaymentSettings, database: Database, publisher: Publisher, clock: Clock
) -> Retries:
    return Retries(
        policy=RetryPolicy(
            tries_max=settings.tries_max,
            first_delay_seconds=settings.retry_first_seconds,
            factor=settings.retry_factor,
        ),
        publish_retry=publisher.publish_retry,
        publish_dead_letter=publisher.publish_dead_letter,
        record_failed_tries=partial(operations.record_failed_tries, database),
        sweep_after_seconds=settings.sweep_after_seconds,
        clock=clock,
    )


if __name__ == "__main__":
    run(main, migrations=Path(__file__).parent / "migrations")
