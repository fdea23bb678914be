"""Errors across a process border: what went in comes out, and nothing else goes out."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import (
    DeadlineExceeded,
    InvalidArgument,
    OutcomeUnknown,
    Overloaded,
    PermissionDenied,
    ServiceError,
    Unavailable,
    from_item_error,
    from_rpc_error,
    to_item_error,
    to_status,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KINDS = [DeadlineExceeded, OutcomeUnknown, Overloaded, PermissionDenied, ServiceError, Unavailable]


class HandleTaken(ServiceError):
    """Another owner has this handle.

    More is said here, for programmers.
    """

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "HANDLE_TAKEN"


class Undocumented(HandleTaken):  # noqa: D101 - that is the point
    reason = "UNDOCUMENTED"


def across(error: ServiceError) -> ServiceError:
    """The error after a journey over the wire, as a failed RPC."""
    status = to_status(error)
    metadata = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    rpc_error = grpc.aio.AioRpcError(
        error.code, grpc.aio.Metadata(), metadata, details=status.message
    )
    return from_rpc_error(rpc_error)


def bare(code: grpc.StatusCode) -> ServiceError:
    """What becomes of a failed RPC that carries nothing but a code and the transport's words."""
    return from_rpc_error(
        grpc.aio.AioRpcError(
            code, grpc.aio.Metadata(), grpc.aio.Metadata(), details="ipv4:10.1.2.3:7001 refused"
        )
    )


def facts(error: ServiceError) -> tuple[object, ...]:
    """What both sides of the wire must agree on."""
    return (error.code, error.reason, error.message, error.metadata, error.retryable)


def test_the_default_message_is_the_first_line() -> None:
    """A class needs no more than its docstring to be told to people."""
    assert HandleTaken().message == "Another owner has this handle."
    assert str(HandleTaken()) == "Another owner has this handle."
    assert HandleTaken("Taken.", handle="alice").message == "Taken."
    assert Undocumented().message == HandleTaken().message


@given(
    kind=st.sampled_from([*KINDS, HandleTaken]),
    message=TEXTS.filter(bool),
    metadata=st.dictionaries(st.text("abcdefgh_", min_size=1), TEXTS, max_size=3),
)
def test_an_error_survives_both_journeys(
    kind: type[ServiceError], message: str, metadata: dict[str, str]
) -> None:
    """As a failed RPC and as a failed item of a batch: the same facts arrive."""
    error = kind(message, **metadata)
    assert facts(across(error)) == facts(error)
    assert facts(from_item_error(to_item_error(error))) == facts(error)


def test_fields_survive_both_journeys() -> None:
    """Which fields are wrong arrives too, in order."""
    error = InvalidArgument([("amount", "is zero"), ("currency_code", "is not known")])
    for arrived in (across(error), from_item_error(to_item_error(error))):
        assert arrived.violations == error.violations
        assert arrived.reason == "INVALID_ARGUMENT"
        assert arrived.message == "amount: is zero; currency_code: is not known"
    assert across(error).metadata == {}


@pytest.mark.parametrize("kind", [Unavailable, OutcomeUnknown])
def test_an_outage_arrives_as_one(kind: type[ServiceError]) -> None:
    """Callers catch ``Unavailable``, wherever the outage was."""
    assert isinstance(across(kind()), Unavailable)
    assert isinstance(from_item_error(to_item_error(kind())), Unavailable)
    assert not isinstance(across(HandleTaken()), Unavailable)


def test_an_item_keeps_its_number() -> None:
    """ItemError holds a google.rpc.Code."""
    item = to_item_error(HandleTaken(handle="alice"))
    assert (item.code, item.reason, item.retryable) == (6, "HANDLE_TAKEN", False)
    assert dict(item.metadata) == {"handle": "alice"}
    item.code = 999
    assert from_item_error(item).code is grpc.StatusCode.UNKNOWN


def test_details_name_reason_and_domain() -> None:
    """AIP-193: clients read ErrorInfo."""
    status = to_status(Overloaded())
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (
        "OVERLOADED",
        "qrpay",
        {"retryable": "true"},
    )
    assert len(status.details) == 1


@pytest.mark.parametrize(
    ("code", "kind", "retryable"),
    [
        (grpc.StatusCode.UNAVAILABLE, Unavailable, True),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded, True),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Overloaded, True),
        (grpc.StatusCode.ABORTED, ServiceError, True),
        (grpc.StatusCode.UNIMPLEMENTED, ServiceError, False),
    ],
)
def test_a_transports_own_error_shows_no_address(
    code: grpc.StatusCode, kind: type[ServiceError], retryable: bool
) -> None:
    """Without details it is the channel that speaks; its words stay here."""
    error = bare(code)
    assert type(error) is kind
    assert (error.code, error.retryable) == (code, retryable)
    assert "10.1.2.3" not in f"{error.message} {error.metadata}"


def test_a_call_that_the_server_cancelled_is_an_outage() -> None:
    """A server that stops does so; nobody knows how far it got, and a repeat tells."""
    error = bare(grpc.StatusCode.CANCELLED)
    assert type(error) is OutcomeUnknown
    assert (error.code, error.retryable) == (grpc.StatusCode.UNAVAILABLE, True)


def test_foreign_details_do_not_confuse() -> None:
    """A status with details that are not ours counts as bare."""
    packed = status_pb2.Status(code=14, message="secret")
    packed.details.add().Pack(error_details_pb2.RetryInfo())
    metadata = grpc.aio.Metadata(("grpc-status-details-bin", packed.SerializeToString()))
    rpc_error = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), metadata, details="secret"
    )
    error = from_rpc_error(rpc_error)
    assert isinstance(error, Unavailable)
    assert error.message == Unavailable().message
