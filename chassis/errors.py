"""Errors that cross a process border, and both directions of the crossing.

    ServiceError              code (gRPC), reason, message, metadata, retryable
    |- InvalidArgument        the request breaks a rule; names the fields
    |- PermissionDenied       this caller may not call this
    |- Unavailable            something we depend on is away; nothing happened, or a repeat tells
    |  `- OutcomeUnknown      a COMMIT was interrupted: only a repeat with the same key tells
    |- Overloaded             a bounded queue is full; come back later
    `- DeadlineExceeded       the caller's time is over; the outcome is unknown to the caller
    (and one small class per broken rule in each service's ``errors.py``)

On the wire: google.rpc.Status with ErrorInfo{reason, domain, metadata} (AIP-193), and BadRequest
for fields; one refused item of a batch carries the same facts in qrpay.type.v1.ItemError. What is
not a ServiceError never leaves the process: the server answers INTERNAL without its text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, NamedTuple

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from qrpay.type.v1 import item_error_pb2

DOMAIN = "qrpay"
"""The ErrorInfo domain of every reason in this project."""

_RETRYABLE_KEY = "retryable"
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_RETRYABLE_CODES = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
}


class FieldViolation(NamedTuple):
    """One field of a request that breaks a rule."""

    field: str
    message: str


class ServiceError(Exception):
    """The request could not be served.

    A subclass states a broken rule: its name, ``code``, ``reason`` and whether a repeat of the
    same request can help; the first line of its docstring is the default message. Keyword
    arguments are the values behind the message: they go into ``metadata``, for the caller's eyes.
    """

    code: grpc.StatusCode = grpc.StatusCode.INTERNAL
    reason: str = "INTERNAL"
    retryable: bool = False
    violations: tuple[FieldViolation, ...] = ()

    default_message: ClassVar[str] = "The request could not be served."

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__doc__:
            cls.default_message = cls.__doc__.strip().split("\n")[0]

    def __init__(self, message: str | None = None, /, **metadata: str) -> None:
        self.message = message or getattr(
            self, "default_message", "The request could not be served."
        )
        self.metadata = metadata
        super().__init__(self.message)


class InvalidArgument(ServiceError):
    """The request breaks a rule."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_ARGUMENT"

    def __init__(self, violations: Iterable[FieldViolation | tuple[str, str]]) -> None:
        self.violations = tuple(FieldViolation(*violation) for violation in violations)
        super().__init__("; ".join(f"{field}: {text}" for field, text in self.violations) or None)


def refuse(faults: Mapping[str, str | None]) -> None:
    """Raise ``InvalidArgument`` if any field of a request has a fault."""
    violations = [FieldViolation(field, fault) for field, fault in faults.items() if fault]
    if violations:
        raise InvalidArgument(violations)


class PermissionDenied(ServiceError):
    """This caller may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class Unavailable(ServiceError):
    """Something this service depends on is away. Try again."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"
    retryable = True


class OutcomeUnknown(Unavailable):
    """The work was interrupted while it became permanent. A repeat with the same key tells."""

    reason = "OUTCOME_UNKNOWN"


class Overloaded(ServiceError):
    """Too much is waiting already. Try again in a moment."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "OVERLOADED"
    retryable = True


class DeadlineExceeded(ServiceError):
    """The time for this call is over. A repeat with the same key tells what became of it."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"
    retryable = True


def to_status(error: ServiceError) -> status_pb2.Status:
    """The error as it goes over the wire when a whole RPC fails."""
    # `retryable` is a fact of the rule, not of the code (AIP-194 lets only UNAVAILABLE be repeated
    # blindly), so it travels with the reason.
    info = error_details_pb2.ErrorInfo(
        reason=error.reason,
        domain=DOMAIN,
        metadata={**error.metadata, _RETRYABLE_KEY: str(error.retryable).lower()},
    )
    details = [_packed(info)]
    if error.violations:
        bad_request = error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(field=field, description=message)
                for field, message in error.violations
            ]
        )
        details.append(_packed(bad_request))
    return status_pb2.Status(code=error.code.value[0], message=error.message, details=details)


def from_rpc_error(error: grpc.aio.AioRpcError) -> ServiceError:
    """The error that the other side raised, or what the channel made of its absence.

    Remote errors are plain ``ServiceError`` objects: compare ``reason``. A server that could not be
    reached is ``Unavailable``, an expired deadline ``DeadlineExceeded``.
    """
    # The status travels in trailing metadata; a call that never reached a server has none.
    status = rpc_status.from_call(error) if error.trailing_metadata() else None  # type: ignore[arg-type]
    info, violations = _details(status) if status else (None, ())
    if info is None:
        return _from_bare_code(error.code())
    metadata = dict(info.metadata)
    retryable = metadata.pop(_RETRYABLE_KEY, "") == "true"
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        remote: ServiceError = Unavailable(error.details(), **metadata)
    else:
        remote = ServiceError(error.details(), **metadata)
    remote.code, remote.reason = error.code(), info.reason
    remote.retryable, remote.violations = retryable, violations
    return remote


def to_item_error(error: ServiceError) -> item_error_pb2.ItemError:
    """The error as it goes over the wire when one item of a batch fails."""
    metadata = dict(error.metadata)
    if error.violations:
        metadata.update({f"field.{field}": message for field, message in error.violations})
    return item_error_pb2.ItemError(
        code=error.code.value[0],
        reason=error.reason,
        message=error.message,
        metadata=metadata,
        retryable=error.retryable,
    )


def from_item_error(item: item_error_pb2.ItemError) -> ServiceError:
    """The error of one item of a batch, as the other side raised it."""
    code = _CODES.get(item.code, grpc.StatusCode.UNKNOWN)
    kind = Unavailable if code is grpc.StatusCode.UNAVAILABLE else ServiceError
    fields = {k: v for k, v in item.metadata.items() if k.startswith("field.")}
    error = kind(item.message, **{k: v for k, v in item.metadata.items() if k not in fields})
    error.code, error.reason, error.retryable = code, item.reason, item.retryable
    error.violations = tuple(
        FieldViolation(field.removeprefix("field."), message)
        for field, message in sorted(fields.items())
    )
    return error


def _from_bare_code(code: grpc.StatusCode) -> ServiceError:
    # Without details the text is the transport's (addresses, file names): it stays here.
    if code is grpc.StatusCode.UNAVAILABLE:
        return Unavailable()
    if code is grpc.StatusCode.CANCELLED:
        # Not by us: that would be a CancelledError. A server that stops cancels the calls that it
        # has not got to and, in the end, those that it has not finished.
        return OutcomeUnknown()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceeded()
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Overloaded()
    error = ServiceError()
    error.code, error.reason = code, code.name
    error.retryable = code in _RETRYABLE_CODES
    return error


def _packed(
    message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest,
) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _details(
    status: status_pb2.Status,
) -> tuple[error_details_pb2.ErrorInfo | None, tuple[FieldViolation, ...]]:
    info: error_details_pb2.ErrorInfo | None = None
    violations: tuple[FieldViolation, ...] = ()
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad_request = error_details_pb2.BadRequest()
            detail.Unpack(bad_request)
            violations = tuple(
                FieldViolation(item.field, item.description)
                for item in bad_request.field_violations
            )
    return info, violations


assert {code.value[0] for code in grpc.StatusCode} == set(code_pb2.Code.values()), (
    "grpc and google.rpc number the codes alike"
)
