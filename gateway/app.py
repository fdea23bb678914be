"""The ASGI application: the layers around the route table, in the order in which they are met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.edge import Edge
from gateway.endpoint import Endpoint
from gateway.operation import Operation
from gateway.problems import Problem
from gateway.settings import GatewaySettings

_CORS_REQUEST_HEADERS = [
    *("authorization", "content-type", "idempotency-key", "prefer"),
    *("last-event-id", "if-match", "if-none-match", "traceparent", "x-request-id"),
]
_CORS_ANSWER_HEADERS = [
    *("location", "idempotent-replayed", "preference-applied", "retry-after", "etag"),
    *("content-location", "x-request-id"),
]


def build_app(
    operations: Sequence[Operation],
    *,
    endpoint: Callable[[Operation], Endpoint],
    settings: GatewaySettings,
) -> ASGIApp:
    """The application that serves these operations."""
    resources: dict[str, dict[str, Endpoint]] = {}
    for operation in operations:
        resources.setdefault(operation.path, {})[operation.method] = endpoint(operation)
    served = {
        path: Resource(endpoints, read_only=settings.qrpay_read_only)
        for path, endpoints in resources.items()
    }
    # From the inside to the outside; a request meets them in the opposite order.
    app: ASGIApp = Router(
        routes=[Route(path, endpoint=resource) for path, resource in served.items()],
        redirect_slashes=False,
        default=_nothing_here,
    )
    app = FixedPaths(app, resources=served)
    app = Edge(app, log_requests=settings.log_requests, slow_seconds=settings.slow_request_seconds)
    if settings.cors_allow_origins:
        app = CORSMiddleware(
            app,
            allow_origins=settings.cors_allow_origins,
            allow_methods=["GET"]
            if settings.qrpay_read_only
            else sorted({operation.method for operation in operations}),
            allow_headers=_CORS_REQUEST_HEADERS,
            expose_headers=_CORS_ANSWER_HEADERS,
        )
    return app


class Resource:
    """One path: an endpoint per method; of a gateway that is read only, for reading."""

    def __init__(self, endpoints: Mapping[str, Endpoint], *, read_only: bool) -> None:
        self._refusal = "read-only" if read_only else "method-not-allowed"
        self._endpoints = {
            method: endpoint
            for method, endpoint in endpoints.items()
            if method == "GET" or not read_only
        }
        reading = self._endpoints.get("GET")
        if reading is not None and not reading.operation.streams:
            # The server leaves the body out (RFC 9110, section 9.3.2).
            self._endpoints["HEAD"] = reading
        self._allow = ", ".join(sorted(self._endpoints)).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        endpoint = self._endpoints.get(scope["method"])
        if endpoint is None:
            raise Problem(self._refusal, headers=[(b"allow", self._allow)])
        operation = endpoint.operation
        scope["qrpay.route"] = operation.path
        scope["qrpay.streams"] = operation.streams
        # Money moves are too many to log each; probes come every second and say nothing.
        scope["qrpay.quiet"] = operation.moves_money or not operation.limited
        await endpoint(scope, receive, send)


class FixedPaths:
    """Serves paths without parameters by one look into a dict, past the router's patterns: money
    moves are such paths, and they are most of what comes in."""

    def __init__(self, app: ASGIApp, *, resources: Mapping[str, Resource]) -> None:
        self._app = app
        self._resources = {
            path: resource for path, resource in resources.items() if "{" not in path
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        resource = self._resources.get(scope["path"])
        if resource is not None:
            await resource(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _nothing_here(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise Problem("not-found")
