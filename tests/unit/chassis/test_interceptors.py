"""What surrounds an RPC: errors told or hidden, callers checked, deadlines kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry import trace
from structlog.testing import capture_logs

from chassis.channel import deadline
from chassis.errors import (
    DeadlineExceeded,
    InvalidArgument,
    PermissionDenied,
    ServiceError,
)
from chassis.interceptors import check_caller, keep_deadline, make_span, map_errors

Handler = Callable[[Any, Any], Awaitable[Any]]


class Aborted(Exception):
    """What the fake context raises, as the real one does."""


class Context:
    """As much of a ServicerContext as the layers use."""

    def __init__(self, *, names: tuple[bytes, ...] = (), remaining: float | None = None) -> None:
        self._names = names
        self._remaining = remaining
        self.metadata: tuple[tuple[str, str], ...] = ()
        self.status: status_pb2.Status | None = None

    def auth_context(self) -> dict[str, list[bytes]]:
        """The verified names of the other side."""
        return {"x509_subject_alternative_name": list(self._names)} if self._names else {}

    def time_remaining(self) -> float | None:
        """Seconds until the caller's deadline."""
        return self._remaining

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """What came with the call."""
        return self.metadata

    def code(self) -> int:
        """The status that the call ends with, until now."""
        return self.status.code if self.status else 0

    async def abort_with_status(self, status: Any) -> None:
        """Ends the call."""
        details = dict(status.trailing_metadata)["grpc-status-details-bin"]
        self.status = status_pb2.Status.FromString(details)
        raise Aborted


def raising(error: BaseException) -> Handler:
    """A handler that fails."""

    async def handler(request: Any, context: Any) -> Any:
        raise error

    return handler


async def echo(request: Any, context: Any) -> Any:
    """A handler that answers what it was asked."""
    return request


async def status_of(error: BaseException) -> status_pb2.Status:
    """What the caller is told about an error."""
    context = Context()
    with pytest.raises(Aborted):
        await map_errors(raising(error), method="/test/Fail")(None, context)
    assert context.status is not None
    return context.status


def info_of(status: status_pb2.Status) -> error_details_pb2.ErrorInfo:
    """The first detail."""
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info


async def test_a_broken_rule_is_told() -> None:
    """Code, reason, fields; and nothing in the log: it is the caller's business."""
    with capture_logs() as logs:
        status = await status_of(InvalidArgument([("amount", "is zero")]))
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert info_of(status).reason == "INVALID_ARGUMENT"
    fields = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(fields)
    assert fields.field_violations[0].field == "amount"
    assert logs == []


async def test_an_unexpected_error_is_logged_and_hidden() -> None:
    """INTERNAL without its text: that may hold anything. The log has it."""
    with capture_logs() as logs:
        status = await status_of(RuntimeError("password hunter2"))
    assert status.code == grpc.StatusCode.INTERNAL.value[0]
    assert info_of(status).reason == "INTERNAL"
    assert b"hunter2" not in status.SerializeToString()
    assert [(log["log_level"], str(log["exc_info"])) for log in logs] == [
        ("error", "password hunter2")
    ]


async def test_an_internal_error_of_ours_is_logged() -> None:
    """A ServiceError that says INTERNAL is a defect, too."""
    with capture_logs() as logs:
        await status_of(ServiceError())
    assert [log["log_level"] for log in logs] == ["error"]


async def test_an_abort_is_not_answered_twice() -> None:
    """grpc's own AbortError passes, although it is an Exception."""
    context = Context()
    with pytest.raises(grpc.aio.AbortError):
        await map_errors(raising(grpc.aio.AbortError()), method="/test/Fail")(None, context)
    assert context.status is None


@pytest.mark.parametrize(
    "names",
    [
        (),
        (b"payment.qrpay.internal",),
        (b"gateway",),
        (b"gateway.qrpay.internal.evil.example",),
        (b"\xffgateway.qrpay.internal",),
        (b"localhost", b"127.0.0.1"),
    ],
)
async def test_nobody_else_gets_through(names: tuple[bytes, ...]) -> None:
    """No certificate, another identity, names that only look like one."""
    handler = check_caller(echo, allowed=frozenset({"gateway"}))
    with pytest.raises(PermissionDenied):
        await handler("hello", Context(names=names))


async def test_who_is_allowed_gets_through() -> None:
    """The identity is one of the certificate's names."""
    handler = check_caller(echo, allowed=frozenset({"gateway", "operator"}))
    context = Context(names=(b"localhost", b"operator.qrpay.internal"))
    assert await handler("hello", context) == "hello"


async def test_a_handler_ends_in_time() -> None:
    """When the caller's time is over, the handler is cancelled and the caller told so."""
    cancelled = []

    async def slow(request: Any, context: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with pytest.raises(DeadlineExceeded):
        await keep_deadline(slow)(None, Context(remaining=0.02))
    assert cancelled == [True]


async def test_a_call_that_is_too_late_is_not_begun() -> None:
    """Work that could only be answered too late is not done."""
    begun = []

    async def handler(request: Any, context: Any) -> Any:
        begun.append(True)

    for remaining in (0.0, -1.0, 0.001):
        with pytest.raises(DeadlineExceeded):
            await keep_deadline(handler)(None, Context(remaining=remaining))
    assert begun == []


@pytest.mark.parametrize(("remaining", "longest"), [(2.0, 2.0), (None, 10.0), (3600.0, 10.0)])
async def test_the_deadline_is_known_inside(remaining: float | None, longest: float) -> None:
    """Calls to other services take what is left of it; without one, there is a limit of ours."""

    async def handler(request: Any, context: Any) -> float | None:
        return deadline.get()

    before = asyncio.get_running_loop().time()
    ends_at = await keep_deadline(handler)(None, Context(remaining=remaining))
    after = asyncio.get_running_loop().time()
    assert before + longest <= ends_at <= after + longest
    assert deadline.get() is None


async def test_a_timeout_inside_is_not_the_callers() -> None:
    """A TimeoutError that the handler meets by itself must not end as success."""
    with pytest.raises(DeadlineExceeded):
        await keep_deadline(raising(TimeoutError()))(None, Context(remaining=5.0))
    assert deadline.get() is None


async def test_the_span_continues_the_callers_trace() -> None:
    """A W3C traceparent in the metadata is the parent of what happens inside."""
    context = Context()
    context.metadata = (
        ("user-agent", "x"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    )

    async def handler(request: Any, context: Any) -> int:
        return trace.get_current_span().get_span_context().trace_id

    trace_id = await make_span(handler, method="/test/Echo")(None, context)
    assert trace_id == 0x0AF7651916CD43DD8448EB211C80319C
