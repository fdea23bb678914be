"""What surrounds every RPC, in this order: metrics, span, errors, a place, audit, caller,
deadline, handler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import grpc
from grpc_status import rpc_status
from opentelemetry import trace
from opentelemetry.context import Context

from chassis import tracing
from chassis.audit.acts import Act
from chassis.audit.layer import record_calls
from chassis.audit.trail import AuditTrail
from chassis.channel import deadline
from chassis.errors import (
    DeadlineExceeded,
    Overloaded,
    PermissionDenied,
    ServiceError,
    to_status,
)
from chassis.logs import get_logger
from chassis.rpc_metrics import FAULTS, measure, status_name
from chassis.telemetry import context_of, traceparent_of_metadata
from chassis.tls import peer_identity

Handler = Callable[[Any, Any], Awaitable[Any]]
"""An RPC's handler: request, context -> response."""

_LOG = get_logger(__name__)
_TRACER = trace.get_tracer("qrpay.rpc")

_SECONDS_MAX = 10.0
"""No call is worked on for longer than this, also when its caller would wait."""
_SECONDS_MIN = 0.005
"""A call with less time left than this is refused: it could only be answered too late."""


class Shell(grpc.aio.ServerInterceptor):
    """Wraps every unary handler in our layers.

    ``callers`` maps a full method name ("/qrpay.wallet.v1.WalletService/GetOwner") to the
    identities that may call it. A method that is not in it (health, reflection) is open to every
    identity, and takes none of the ``places``: a process that has all hands full is alive, and must
    be able to say so. ``acts`` are the methods whose calls are recorded, in ``trail``.
    """

    def __init__(
        self,
        callers: Mapping[str, Collection[str]],
        *,
        places: int,
        acts: Mapping[str, Act] | None = None,
        trail: AuditTrail | None = None,
    ) -> None:
        self._callers = callers
        self._places = Places(places)
        self._acts = acts or {}
        self._trail = trail
        self._wrapped: dict[str, Any] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of this call, wrapped; wrapped once per method and kept."""
        method: str = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None or handler.unary_unary is None:
                return handler
            wrapped = grpc.unary_unary_rpc_method_handler(
                self._wrap(method, handler.unary_unary),
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            )
            self._wrapped[method] = wrapped
        return wrapped

    def _wrap(self, method: str, handler: Handler) -> Handler:
        handler = keep_deadline(handler)
        if method in self._callers:
            allowed = frozenset(self._callers[method])
            handler = check_caller(handler, allowed=allowed)
            if self._trail is not None and (act := self._acts.get(method)) is not None:
                handler = record_calls(
                    handler, method=method, act=act, allowed=allowed, trail=self._trail
                )
            handler = take_place(handler, places=self._places)
        handler = map_errors(handler, method=method)
        return measure(make_span(handler, method=method), method=method)


def make_span(handler: Handler, *, method: str) -> Handler:
    """One server span per call that is traced: child of the caller's, or the begin of a trace if
    the caller is no process of ours."""
    name = method.removeprefix("/")

    async def traced(request: Any, context: Any) -> Any:
        parent = _parent_of(context)
        if parent is None:
            return await handler(request, context)
        with _TRACER.start_as_current_span(
            name,
            context=parent,
            kind=trace.SpanKind.SERVER,
            attributes={"rpc.system.name": "grpc", "rpc.method": name},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                return await handler(request, context)
            except asyncio.CancelledError:
                span.set_attribute("rpc.response.status_code", grpc.StatusCode.CANCELLED.name)
                tracing.fail(span, grpc.StatusCode.CANCELLED.name)
                raise
            finally:
                _tell_status(span, context)

    return traced


def _parent_of(context: Any) -> Context | None:
    """The context that a call's span begins in; None: it is not traced."""
    if parent := tracing.valid_traceparent(traceparent_of_metadata(context.invocation_metadata())):
        # Also where no spans are made: whoever is called next may make some.
        return context_of(parent) if tracing.is_sampled(parent) else None
    if not tracing.is_on() or peer_identity(context.auth_context()) in tracing.INSIDE:
        return None
    return Context() if tracing.begins() else None


def _tell_status(span: trace.Span, context: Any) -> None:
    name = status_name(context)
    if not name:
        return
    span.set_attribute("rpc.response.status_code", name)
    if name in FAULTS:
        tracing.fail(span, name)


def map_errors(handler: Handler, *, method: str) -> Handler:
    """A ``ServiceError`` goes to the caller; anything else becomes INTERNAL without its text."""

    async def mapped(request: Any, context: Any) -> Any:
        try:
            return await handler(request, context)
        except ServiceError as error:
            if error.code is grpc.StatusCode.INTERNAL:
                _LOG.error("rpc failed", rpc=method, reason=error.reason, exc_info=error)
            failure = error
        except grpc.aio.AbortError:
            # AbortError is an Exception: a broad catch would answer a second time.
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence of every RPC
            _LOG.error("rpc failed unexpectedly", rpc=method, exc_info=error)
            failure = ServiceError()
        return await context.abort_with_status(rpc_status.to_status(to_status(failure)))

    return mapped


class Places:
    """How many calls may still be begun."""

    def __init__(self, free: int) -> None:
        self.free = free


def take_place(handler: Handler, *, places: Places) -> Handler:
    """A call that finds no place is refused at once: waiting would only make it late."""

    async def placed(request: Any, context: Any) -> Any:
        if places.free <= 0:
            raise Overloaded
        places.free -= 1
        try:
            return await handler(request, context)
        finally:
            places.free += 1

    return placed


def check_caller(handler: Handler, *, allowed: frozenset[str]) -> Handler:
    """Only the identities in ``allowed`` get through."""

    async def checked(request: Any, context: Any) -> Any:
        identity = peer_identity(context.auth_context())
        if identity not in allowed:
            raise PermissionDenied(caller=identity or "none")
        return await handler(request, context)

    return checked


def keep_deadline(handler: Handler) -> Handler:
    """The handler ends in time; a ``Database.transaction`` it has begun still completes."""

    async def kept(request: Any, context: Any) -> Any:
        remaining = context.time_remaining()
        seconds = _SECONDS_MAX if remaining is None else min(remaining, _SECONDS_MAX)
        if seconds < _SECONDS_MIN:
            raise DeadlineExceeded
        ends_at = asyncio.get_running_loop().time() + seconds
        token = deadline.set(ends_at)
        try:
            async with asyncio.timeout_at(ends_at):
                return await handler(request, context)
        except TimeoutError as error:
            raise DeadlineExceeded from error
        finally:
            deadline.reset(token)

    return kept
