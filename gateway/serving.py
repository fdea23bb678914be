"""One gateway process from start to drain: what it is made of, in the order in which it is made."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable
from importlib.metadata import version
from pathlib import Path

from starlette.applications import Starlette

from chassis.clock import Clock
from chassis.logs import get_logger
from chassis.server import Serving
from gateway.app import build_app
from gateway.auth import Authenticator
from gateway.bank_accounts_api import BankAccountsApi
from gateway.barcodes_api import BarcodesApi
from gateway.docs_api import DocsApi
from gateway.endpoint import Endpoint
from gateway.event_feed import EventFeed, watch_for_lost_events
from gateway.events_api import EventsApi, StreamLimits, read_head
from gateway.health_api import HealthApi, Readiness
from gateway.http_server import HttpServer, listen
from gateway.keys import FileKeySource, KeySet, KeySource, UrlKeySource
from gateway.merchants_api import MerchantsApi
from gateway.operation import Operation
from gateway.payment_events import PaymentEvents
from gateway.payments_api import PaymentsApi, Submitter
from gateway.rate_limit import RateLimiter
from gateway.routes import Handlers, operations
from gateway.settings import GatewaySettings
from gateway.upstream import Upstream, open_submitter, open_upstream
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

    Raises what a background task raised: a gateway that has lost a part of itself does not go on.
    """
    settings.check()
    keys = KeySet(
        _key_source(settings),
        refresh_seconds=settings.jwks_refresh_seconds,
        refresh_seconds_min=settings.jwks_refresh_seconds_min,
        monotonic=clock.monotonic,
    )
    events = PaymentEvents(
        recent_max=settings.recent_payments_max,
        waiters_max=settings.waiters_max,
        queue_max=settings.stream_queue_max,
    )
    feed = EventFeed(settings.nats_url, events=events)
    async with open_upstream(settings) as upstream:
        readiness = Readiness(
            upstream=upstream,
            keys_loaded=lambda: keys.loaded,
            events_seen=lambda: feed.connected_once,
        )
        submitter = open_submitter(upstream, settings)
        app = _app(
            settings=settings,
            clock=clock,
            keys=keys,
            events=events,
            upstream=upstream,
            submitter=submitter,
            readiness=readiness,
        )
        stop = asyncio.Event()
        background = [
            keys.run(stop),
            feed.run(stop),
            readiness.run(stop),
            events.recheck_waiters(_reader(upstream), stop),
            watch_for_lost_events(
                events,
                lambda owner_id: read_head(upstream, owner_id),
                every_seconds=settings.heartbeat_seconds,
                stop=stop,
            ),
        ]
        listener = listen(settings.http_listen)
        server = HttpServer(app, settings=settings)
        serving = Serving(listener.getsockname()[1])
        _stop_on_signals(serving.stopping)
        async with asyncio.TaskGroup() as tasks:
            for work in background:
                tasks.create_task(work)
            http = tasks.create_task(server.serve(sockets=[listener]), name="http")
            _LOG.info("serving", port=serving.port)
            if on_started:
                on_started(serving)
            await serving.stopping.wait()
            _LOG.info("draining")
            readiness.draining = True
            await asyncio.sleep(settings.drain_delay_seconds)
            # First no new connections, then nobody waits any longer: a stream that ends now comes
            # back to another gateway.
            server.should_exit = True
            events.close()
            await http
            await submitter.close()
            stop.set()
    _LOG.info("stopped")


def _app(
    *,
    settings: GatewaySettings,
    clock: Clock,
    keys: KeySet,
    events: PaymentEvents,
    upstream: Upstream,
    submitter: Submitter,
    readiness: Readiness,
) -> Starlette:
    docs = DocsApi(version=version("qrpay"))
    handlers = Handlers(
        payments=PaymentsApi(
            upstream=upstream,
            submitter=submitter,
            events=events,
            wait_seconds_max=settings.wait_seconds_max,
        ),
        wallets=WalletsApi(upstream=upstream),
        barcodes=BarcodesApi(upstream=upstream),
        merchants=MerchantsApi(upstream=upstream),
        bank_accounts=BankAccountsApi(upstream=upstream),
        events=EventsApi(
            upstream=upstream,
            events=events,
            limits=StreamLimits(
                streams_max=settings.streams_max,
                streams_per_caller_max=settings.streams_per_caller_max,
                heartbeat_seconds=settings.heartbeat_seconds,
                send_seconds=settings.stream_send_seconds,
            ),
            monotonic=clock.monotonic,
        ),
        health=HealthApi(readiness=readiness),
        docs=docs,
    )
    table = operations(handlers)
    docs.publish(table)
    return build_app(
        table,
        endpoint=_endpoint_maker(settings=settings, clock=clock, keys=keys),
        settings=settings,
    )


def _endpoint_maker(
    *, settings: GatewaySettings, clock: Clock, keys: KeySet
) -> Callable[[Operation], Endpoint]:
    authenticator = Authenticator(
        keys,
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
        )

    return endpoint


def _key_source(settings: GatewaySettings) -> KeySource:
    if settings.jwks_file:
        return FileKeySource(Path(settings.jwks_file))
    return UrlKeySource(settings.jwks_url)


def _reader(upstream: Upstream) -> Callable[..., Awaitable[Iterable[payment_pb2.Payment]]]:
    async def read(payment_ids: Iterable[str]) -> Iterable[payment_pb2.Payment]:
        response = await upstream.call(
            upstream.payment.BatchGetPayments,
            payment_pb2.BatchGetPaymentsRequest(payment_ids=payment_ids),
        )
        return response.payments

    return read


def _stop_on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # PID 1 of a container has no default handler for SIGTERM: without this it would not stop.
        loop.add_signal_handler(number, stopping.set)
