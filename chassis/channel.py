"""How we call another service: one channel per service, one function to call through."""

from __future__ import annotations

import asyncio
import json
import time
from contextvars import ContextVar
from typing import Any, TypeVar, cast
from urllib.parse import quote

import grpc
from opentelemetry import trace

from chassis import tracing
from chassis.errors import DeadlineExceeded, from_rpc_error
from chassis.renewing import RenewingChannel
from chassis.rpc_metrics import count_made, method_name
from chassis.telemetry import TRACEPARENT, traceparent_of_current_span
from chassis.tls import (
    IDENTITY_SUFFIX,
    RELOAD_SECONDS,
    Identity,
    TlsFiles,
    TlsWatch,
    channel_credentials,
)

ResponseType = TypeVar("ResponseType")

_TRACER = trace.get_tracer("qrpay.rpc")

deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""When the call that we are serving must be answered, in event loop time; None outside of one."""

acting_for: ContextVar[str] = ContextVar("acting_for", default="")
"""The person for whom we call, for the audit trail of whoever is called; empty: for nobody."""

ACTOR_METADATA = "qrpay-actor"
"""The key under which that is told, percent-encoded: metadata is ASCII."""

_MARGIN_SECONDS = 0.02
"""Shaved off the caller's deadline, so that we can still tell the caller that it was *our* callee
that did not answer in time."""

_SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{}],
                # Only these, and only because everything that moves money or creates something
                # carries a request id (AIP-194). CANCELLED: what a stopping server has accepted and
                # not got to.
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.05s",
                    "maxBackoff": "0.5s",
                    "backoffMultiplier": 3,
                    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
                },
            }
        ],
        # When more than about half of the calls fail, retries stop: they would only add load.
        "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.5},
    }
)


def open_channel(
    target: str, *, identity: str, tls: TlsFiles, reload_seconds: float = RELOAD_SECONDS
) -> grpc.aio.Channel:
    """A channel to the service at ``target`` that must prove to be ``identity`` of the mesh.

    ``target`` is ``host:port`` or a gRPC name such as ``dns:///payment:7000``: all addresses behind
    a name are used in turn. Connects by itself and for ever, with the certificate that is in the
    files then: they are looked at every ``reload_seconds``. Raises ``TlsFault``.
    """
    return RenewingChannel(
        lambda own: _secure_channel(target, identity, own),
        watch=TlsWatch(tls),
        every_seconds=reload_seconds,
    )


def _secure_channel(target: str, identity: str, own: Identity) -> grpc.aio.Channel:
    return grpc.aio.secure_channel(
        target,
        channel_credentials(own),
        options=[
            # The certificate names the identity and not the address, so one certificate serves
            # wherever the process runs.
            ("grpc.ssl_target_name_override", identity + IDENTITY_SUFFIX),
            ("grpc.service_config", _SERVICE_CONFIG),
            # A dead peer is found within 35 s also when nothing is sent. Servers allow pings this
            # often.
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 5_000),
            # The one that decides, also for the pings that gRPC sends while data flow; its default
            # keeps a silent connection in use for a minute.
            ("grpc.http2.ping_timeout_ms", 5_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
            # A restarted peer is back within a second or two; the default would wait up to two
            # minutes.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2_000),
            ("grpc.dns_min_time_between_resolutions_ms", 5_000),
        ],
    )


async def call(
    method: grpc.aio.UnaryUnaryMultiCallable[Any, ResponseType],
    request: Any,
    *,
    timeout_seconds: float,
) -> ResponseType:
    """Call another service and answer its response.

    The deadline is ``timeout_seconds`` from now, or a little before the deadline of the call that
    is being served, whichever is sooner. Raises what the other side raised as ``ServiceError``,
    ``Unavailable`` if it cannot be reached, ``DeadlineExceeded`` if time is over.
    """
    # Of a channel that may be renewed; anything else is the method itself.
    method = cast(
        "grpc.aio.UnaryUnaryMultiCallable[Any, ResponseType]", getattr(method, "current", method)
    )
    timeout_seconds = _remaining(timeout_seconds)
    began, status = time.perf_counter(), "CANCELLED"
    try:
        if trace.get_current_span().is_recording():
            response = await _call_traced(method, request, timeout_seconds)
        else:
            response = await method(request, timeout=timeout_seconds, metadata=_metadata())
    except grpc.aio.AioRpcError as error:
        status = error.code().name
        raise from_rpc_error(error) from error
    else:
        status = "OK"
        return response
    finally:
        count_made(method, status, time.perf_counter() - began)


async def _call_traced(
    method: grpc.aio.UnaryUnaryMultiCallable[Any, ResponseType],
    request: Any,
    timeout_seconds: float,
) -> ResponseType:
    # An interceptor would be told the name, and would cost each call, traced or not, a task.
    name = method_name(method)
    with _TRACER.start_as_current_span(
        name,
        kind=trace.SpanKind.CLIENT,
        attributes={"rpc.system.name": "grpc", "rpc.method": name},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            return await method(request, timeout=timeout_seconds, metadata=_metadata())
        except grpc.aio.AioRpcError as error:
            span.set_attribute("rpc.response.status_code", error.code().name)
            tracing.fail(span, error.code().name)
            raise
        except asyncio.CancelledError:
            tracing.fail(span, grpc.StatusCode.CANCELLED.name)
            raise


def _metadata() -> tuple[tuple[str, str], ...] | None:
    """What goes with a call: the trace, and for whom it is made."""
    traceparent, actor = traceparent_of_current_span(), acting_for.get()
    if not actor:
        return ((TRACEPARENT, traceparent),) if traceparent else None
    told = (ACTOR_METADATA, quote(actor))
    return ((TRACEPARENT, traceparent), told) if traceparent else (told,)


def _remaining(timeout_seconds: float) -> float:
    ends_at = deadline.get()
    if ends_at is None:
        return timeout_seconds
    remaining = ends_at - asyncio.get_running_loop().time() - _MARGIN_SECONDS
    if remaining <= 0:
        raise DeadlineExceeded
    return min(timeout_seconds, remaining)
