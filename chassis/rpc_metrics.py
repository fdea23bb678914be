"""How long calls take and how they end, for each method: of ours, and of those that we call.

Names and attributes are those of the semantic conventions for RPC. A method is one that a server
has registered or that a stub names, never what somebody made up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from chassis.metrics import SECONDS, Histogram

_ATTRIBUTES = ("rpc.method", "rpc.response.status_code", "error.type")
_SYSTEM = {"rpc.system.name": "grpc"}
_SERIES_MAX = 300

_SERVED = Histogram(
    "rpc.server.call.duration",
    unit="s",
    description="How long calls took that this process served.",
    bounds=SECONDS,
    attributes=_ATTRIBUTES,
    fixed=_SYSTEM,
    series_max=_SERIES_MAX,
)
_MADE = Histogram(
    "rpc.client.call.duration",
    unit="s",
    description="How long calls took that this process made.",
    bounds=SECONDS,
    attributes=_ATTRIBUTES,
    fixed=_SYSTEM,
    series_max=_SERIES_MAX,
)

_OTHER = "_OTHER"
FAULTS = {
    *("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
    "RESOURCE_EXHAUSTED",
}
"""Ends that are the server's fault, as the conventions have it, and overload, which is ours too: a
refused payment or a missing owner is an answer and no error."""
_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


def count_served(method: str, status: str, seconds: float) -> None:
    """Count a call that was served. ``method`` without its first slash."""
    _SERVED.record(seconds, method, status, status if status in FAULTS else "")


def count_made(method: object, status: str, seconds: float) -> None:
    """Count a call that was made with this stub's method."""
    _MADE.record(seconds, method_name(method), status, status if status in FAULTS else "")


def method_name(method: object) -> str:
    """The full name of a stub's method. Its class tells nobody, and a name that is told at every
    call would be told wrongly one day."""
    name = getattr(method, "_method", None)
    return name.decode("ascii").removeprefix("/") if isinstance(name, bytes) else _OTHER


def measure(
    handler: Callable[[Any, Any], Awaitable[Any]], *, method: str
) -> Callable[[Any, Any], Awaitable[Any]]:
    """The outermost layer of a handler: sees every end, also that of a call whose caller left."""
    name = method.removeprefix("/")

    async def measured(request: Any, context: Any) -> Any:
        began, status = time.perf_counter(), "UNKNOWN"
        try:
            response = await handler(request, context)
        except asyncio.CancelledError:
            status = "CANCELLED"
            raise
        except grpc.aio.AbortError:
            status = status_name(context) or status
            raise
        else:
            status = "OK"
            return response
        finally:
            count_served(name, status, time.perf_counter() - began)

    return measured


def status_name(context: Any) -> str:
    """What a handler has ended with, as grpc.aio gives it back: the number, whatever was set; empty
    if it has set nothing."""
    code = context.code()
    number = code.value[0] if isinstance(code, grpc.StatusCode) else int(code or 0)
    return _NAMES.get(number, "") if code else ""
