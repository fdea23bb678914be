"""One gateway process from start to drain: what it is made of, in the order in which it is made."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from starlette.types import ASGIApp

from chassis.clock import Clock
from chassis.jetstream import JetStream, connect
from chassis.logs import get_logger
from chassis.probes import Probes, probe_port
from chassis.server import Serving
from chassis.settings import SettingsError
from chassis.studio import Studio, open_studio
from gateway.app import build_app
from gateway.auth import Authenticator
from gateway.bank_accounts_api import BankAccountsApi
from gateway.barcodes_api import BarcodesApi
from gateway.devices_api import DevicesApi
from gateway.docs_api import DocsApi
from gateway.endpoint import Endpoint
from gateway.event_feed import EventFeed, watch_for_lost_events
from gateway.events_api import EventsApi, StreamLimits, read_head
from gateway.health_api import HealthApi, Readiness
from gateway.http_server import HttpServer, listen
from gateway.intake import Intake
from gateway.keys import FileKeySource, KeySet, KeySetError, KeySource, UrlKeySource
from gateway.logos_api import LogosApi
from gateway.merchant_records_api import MerchantRecordsApi
from gateway.merchants_api import MerchantsApi
from gateway.meters import watch
from gateway.operation import Operation
from gateway.payment_events import PaymentEvents
from gateway.payments_api import PaymentsApi
from gateway.pilots import Canary
from gateway.rate_limit import RateLimiter
from gateway.receipts_api import ReceiptsApi
from gateway.routes import Handlers, operations
from gateway.settings import GatewaySettings
from gateway.statements_api import StatementsApi
from gateway.submitter import Submitter
from gateway.timelines_api import TimelinesApi
from gateway.upstream import Upstream, open_upstream
from gateway.wallets_api import WalletsApi
from qrpay.payment.v1 import payment_pb2

_LOG = get_logger(__name__)


async def serve(
    *,
    settings: GatewaySettings,
    clock: Clock,
    on_started: Callable[[Serving], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT (or until ``Serving.stopping`` is set), then drain and return.

    Raises ``SettingsError``, ``OSError`` if the address cannot be had, and what a background task
    raised: a gateway that has lost a part of itself does not go on.
    """
    settings.check()
    async with (
        probe_port(settings.probe_listen) as probes,
        open_upstream(settings) as upstream,
        connect(settings.nats_url, name="gateway", tls=settings.tls) as queue,
        open_studio(
            processes_max=1,
            waiting_max=settings.statements_max,
            seconds_max=settings.statement_pdf_seconds_max,
        ) as studio,
    ):
        gateway = _Gateway(
            settings=settings, clock=clock, upstream=upstream, queue=queue, studio=studio
        )
        await gateway.run(probes, on_started)


class _Gateway:
    """The parts of one process."""

    def __init__(
        self,
        *,
        settings: GatewaySettings,
        clock: Clock,
        upstream: Upstream,
        queue: JetStream,
        studio: Studio,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._upstream = upstream
        self._studio = studio
        self._keys = KeySet(
            _key_source(settings),
            refresh_seconds=settings.jwks_refresh_seconds,
            refresh_seconds_min=settings.jwks_refresh_seconds_min,
            monotonic=clock.monotonic,
        )
        self._events = PaymentEvents(
            recent_max=settings.recent_payments_max,
            waiters_max=settings.waiters_max,
            queue_max=settings.stream_queue_max,
        )
        self._feed = EventFeed(queue, events=self._events)
        self._readiness = Readiness(
            upstream=upstream,
            keys_loaded=lambda: self._keys.loaded,
            events_seen=lambda: self._feed.connected_once,
        )
        self._canary = _canary(upstream, clock) if settings.canary_payment_target else None
        self._submitter = Submitter(
            upstream.submit,
            size_max=settings.submit_batch_max,
            queue_max=settings.submit_queue_max,
            wait_seconds_max=settings.submit_wait_seconds_max,
            concurrency=settings.submit_concurrency,
            patience_seconds=settings.submit_patience_seconds,
            seconds=settings.upstream_seconds,
            monotonic=clock.monotonic,
            canary=self._canary,
        )

    async def run(self, probes: Probes, on_started: Callable[[Serving], None] | None) -> None:
        """Serve until told to stop, then drain."""
        settings = self._settings
        listener = listen(settings.http_listen)
        intake = Intake(payments_max=settings.intake_payments_max, monotonic=self._clock.monotonic)
        server = HttpServer(self._app(), settings=settings, intake=intake)
        stop_watching = watch(intake, self._events)
        serving = Serving(listener.getsockname()[1], probe_port=probes.port)
        _stop_on_signals(serving.stopping)
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(self._keys.run(), name="keys"),
                tasks.create_task(self._feed.run(), name="events"),
                tasks.create_task(self._readiness.run(probes), name="readiness"),
                tasks.create_task(self._events.recheck_waiters(self._read), name="recheck"),
                tasks.create_task(self._watch(), name="lost events"),
            ]
            if self._canary is not None:
                background.append(tasks.create_task(self._canary.run(), name="canary"))
            http = tasks.create_task(server.serve(sockets=[listener]), name="http")
            probes.started = True
            _LOG.info("serving", port=serving.port)
            if on_started:
                on_started(serving)
            await serving.stopping.wait()
            _LOG.info("draining")
            self._readiness.draining = probes.draining = True
            server.drain()
            await asyncio.sleep(settings.drain_delay_seconds)
            # First no new connections, then nobody waits any longer: a stream that ends now comes
            # back to another gateway.
            server.should_exit = True
            self._events.close()
            await http
            await self._submitter.close()
            for task in background:
                task.cancel()
        stop_watching()
        _LOG.info("stopped")

    def _app(self) -> ASGIApp:
        settings, upstream = self._settings, self._upstream
        docs = DocsApi(version=version("qrpay"))
        limits = StreamLimits(
            streams_max=settings.streams_max,
            streams_per_caller_max=settings.streams_per_caller_max,
            heartbeat_seconds=settings.heartbeat_seconds,
            send_seconds=settings.stream_send_seconds,
        )
        table = operations(
            Handlers(
                payments=PaymentsApi(
                    upstream=upstream,
                    submitter=self._submitter,
                    events=self._events,
                    wait_seconds_max=settings.wait_seconds_max,
                ),
                wallets=WalletsApi(upstream=upstream),
                statements=StatementsApi(
                    upstream=upstream, studio=self._studio, clock=self._clock, settings=settings
                ),
                receipts=ReceiptsApi(upstream=upstream),
                timelines=TimelinesApi(upstream=upstream),
                barcodes=BarcodesApi(upstream=upstream),
                devices=DevicesApi(upstream=upstream),
                merchants=MerchantsApi(upstream=upstream),
                records=MerchantRecordsApi(upstream=upstream),
                logos=LogosApi(upstream=upstream),
                bank_accounts=BankAccountsApi(upstream=upstream),
                events=EventsApi(
                    upstream=upstream,
                    events=self._events,
                    limits=limits,
                    monotonic=self._clock.monotonic,
                ),
                health=HealthApi(readiness=self._readiness),
                docs=docs,
            )
        )
        if settings.qrpay_read_only:
            docs.publish([operation for operation in table if operation.method == "GET"])
        else:
            docs.publish(table)
        return build_app(table, endpoint=self._endpoint_maker(), settings=settings)

    def _endpoint_maker(self) -> Callable[[Operation], Endpoint]:
        settings, clock = self._settings, self._clock
        authenticator = Authenticator(
            self._keys,
            issuer=settings.token_issuer,
            audience=settings.token_audience,
            leeway_seconds=settings.token_leeway_seconds,
            cache_seconds_max=settings.token_cache_seconds_max,
            cache_size=settings.token_cache_size,
            clock=clock,
        )
        callers = RateLimiter(
            per_second=settings.caller_requests_per_second,
            burst=settings.caller_requests_burst,
            callers_max=settings.callers_max,
            monotonic=clock.monotonic,
        )
        addresses = RateLimiter(
            per_second=settings.address_requests_per_second,
            burst=settings.address_requests_burst,
            callers_max=settings.callers_max,
            monotonic=clock.monotonic,
        )

        def endpoint(operation: Operation) -> Endpoint:
            return Endpoint(
                operation,
                authenticator=authenticator,
                callers=callers,
                addresses=addresses,
                body_bytes_max=settings.body_bytes_max,
                body_seconds=settings.body_seconds,
                answer_seconds=settings.upstream_seconds,
                uploads_max=settings.uploads_max,
            )

        return endpoint

    async def _read(self, payment_ids: Sequence[str]) -> Iterable[payment_pb2.Payment]:
        response = await self._upstream.call(
            self._upstream.payment.BatchGetPayments,
            payment_pb2.BatchGetPaymentsRequest(payment_ids=payment_ids),
        )
        return response.payments

    async def _watch(self) -> None:
        await watch_for_lost_events(
            self._events,
            lambda owner_id: read_head(self._upstream, owner_id),
            every_seconds=self._settings.heartbeat_seconds,
        )


def _canary(upstream: Upstream, clock: Clock) -> Canary:
    return Canary(
        submit_canary=upstream.submit_to_canary,
        submit_stable=upstream.submit,
        list_pilots=upstream.list_pilots,
        is_serving=upstream.canary_is_serving,
        monotonic=clock.monotonic,
    )


def _key_source(settings: GatewaySettings) -> KeySource:
    if settings.jwks_file:
        return FileKeySource(Path(settings.jwks_file))
    try:
        return UrlKeySource(settings.jwks_url)
    except KeySetError as error:
        raise SettingsError([str(error)]) from error


def _stop_on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # PID 1 of a container has no default handler for SIGTERM: without this it would not stop.
        loop.add_signal_handler(number, stopping.set)
