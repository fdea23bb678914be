"""Errors as the outside sees them."""

from __future__ import annotations

import json

import grpc
import pytest

from chassis.errors import (
    DeadlineExceeded,
    InvalidArgument,
    OutcomeUnknown,
    Overloaded,
    PermissionDenied,
    ServiceError,
    Unavailable,
)
from gateway.bodies import Body, PayBarcodeBody, PayQrBody, SendBody, WithdrawBody
from gateway.problems import PROBLEM_TYPES, Problem, to_problem

# The error table of the public contract, word for word, and what was added to it.
CONTRACT = {
    400: "invalid-request idempotency-key-missing idempotency-key-invalid malformed-json",
    401: "unauthenticated token-expired",
    403: "forbidden",
    404: "payment-not-found recipient-not-found merchant-not-found bank-account-not-found "
    "device-not-found no-receipt not-found",
    409: "barcode-used receipt-not-ready too-many-devices idempotency-key-in-flight",
    410: "barcode-expired qr-expired qr-revoked",
    413: "body-too-large",
    415: "unsupported-media-type",
    405: "method-not-allowed",
    422: "idempotency-key-reused same-wallet currency-mismatch amount-out-of-range wallet-closed "
    "qr-invalid qr-not-ours amount-required amount-mismatch barcode-unknown "
    "offline-limit-exceeded statement-too-long",
    429: "rate-limited",
    503: "temporarily-unavailable",
}

# Every reason that SubmitPayments and the reads may answer with, and what becomes of it.
REASONS = {
    "RECIPIENT_NOT_FOUND": "recipient-not-found",
    "BANK_ACCOUNT_NOT_FOUND": "bank-account-not-found",
    "MERCHANT_NOT_FOUND": "merchant-not-found",
    "PAYMENT_NOT_FOUND": "payment-not-found",
    "CALLER_NOT_FOUND": "forbidden",
    "OWNER_NOT_FOUND": "forbidden",
    "PERMISSION_DENIED": "forbidden",
    "REQUEST_ID_REUSED": "idempotency-key-reused",
    "REQUEST_ID_IN_FLIGHT": "idempotency-key-in-flight",
    "SAME_WALLET": "same-wallet",
    "CURRENCY_MISMATCH": "currency-mismatch",
    "AMOUNT_OUT_OF_RANGE": "amount-out-of-range",
    "AMOUNT_REQUIRED": "amount-required",
    "AMOUNT_MISMATCH": "amount-mismatch",
    "WALLET_CLOSED": "wallet-closed",
    "QR_INVALID": "qr-invalid",
    "QR_NOT_OURS": "qr-not-ours",
    "QR_EXPIRED": "qr-expired",
    "QR_REVOKED": "qr-revoked",
    "BARCODE_UNKNOWN": "barcode-unknown",
    "BARCODE_USED": "barcode-used",
    "BARCODE_EXPIRED": "barcode-expired",
    "OFFLINE_LIMIT_EXCEEDED": "offline-limit-exceeded",
    "DEVICE_NOT_FOUND": "device-not-found",
    "TOO_MANY_DEVICES": "too-many-devices",
    "RATE_LIMITED": "rate-limited",
    "MERCHANT_EXISTS": "merchant-exists",
    "MERCHANT_CLOSED": "merchant-closed",
    "STORE_NOT_FOUND": "store-not-found",
    "STORE_CLOSED": "store-closed",
    "TERMINAL_NOT_FOUND": "terminal-not-found",
    "TERMINAL_CLOSED": "terminal-closed",
    "PLACE_LIMIT_REACHED": "place-limit-reached",
    "VERSION_MISMATCH": "precondition-failed",
    "LOGO_INVALID": "logo-invalid",
    "LOGO_NOT_FOUND": "logo-not-found",
    "SOMETHING_NEW": "temporarily-unavailable",
}


def error(
    reason: str, code: grpc.StatusCode = grpc.StatusCode.FAILED_PRECONDITION, **metadata: str
) -> ServiceError:
    """An error of a service as it arrives here."""
    made = ServiceError("in wallet_svc.store, table wallets", **metadata)
    made.reason, made.code = reason, code
    return made


def headers_of(problem: Problem) -> dict[bytes, bytes]:
    """The headers of the answer."""
    return dict(problem.render()[1])


# What came with the keeping of merchants' records.
OF_MERCHANTS = {
    404: "store-not-found terminal-not-found logo-not-found",
    409: "merchant-exists",
    412: "precondition-failed",
    422: "merchant-closed store-closed terminal-closed place-limit-reached logo-invalid",
    428: "precondition-required",
}


def test_the_codes_are_those_of_the_contract() -> None:
    """Each code of the contract has its status; beyond them there are the last resort and
    what only a gateway says that reads and nothing else."""
    wanted = {
        code: status
        for contract in (CONTRACT, OF_MERCHANTS)
        for status, codes in contract.items()
        for code in codes.split()
    }
    assert {code: it.status for code, it in PROBLEM_TYPES.items()} == {
        **wanted,
        "internal-error": 500,
        "read-only": 405,
    }


@pytest.mark.parametrize("code", PROBLEM_TYPES)
def test_the_shape_of_a_problem(code: str) -> None:
    """Every problem has the members of RFC 9457 and ours, and no more."""
    body, headers = Problem(code).render()
    problem = json.loads(body)
    assert problem.keys() == {"type", "title", "status", "detail", "code", "retryable"}
    assert problem["type"] == f"https://qrpay.dev/problems/{code}"
    assert (problem["code"], problem["status"]) == (code, PROBLEM_TYPES[code].status)
    assert dict(headers)[b"content-type"] == b"application/problem+json"
    assert dict(headers)[b"content-length"] == b"%d" % len(body)


@pytest.mark.parametrize(("reason", "code"), REASONS.items())
def test_every_reason_has_its_problem(reason: str, code: str) -> None:
    """A reason becomes its code, in our own words: the service's are not shown."""
    problem = to_problem(error(reason))
    assert problem.code == code
    assert b"wallet_svc" not in problem.render()[0]


def test_fields_are_named_as_the_client_named_them() -> None:
    """The fields of a service appear under their public names; unknown ones are not shown."""
    violations = [
        ("items[3].money.amount_minor", "must be positive"),
        ("send.recipient", "is odd"),
        ("page_token", "is not from here"),
        ("store.secret_column", "is internal"),
    ]
    problem = to_problem(InvalidArgument(violations))
    assert problem.code == "invalid-request"
    assert [field for field, _ in problem.errors] == ["amount", "to", "cursor", "request"]


@pytest.mark.parametrize("body_type", [SendBody, PayQrBody, PayBarcodeBody, WithdrawBody])
def test_the_fields_of_a_body_keep_their_names(body_type: type[Body]) -> None:
    """A service that names a field as we do is understood."""
    names = list(body_type.__struct_fields__)
    problem = to_problem(InvalidArgument([(name, "is odd") for name in names]))
    assert [field for field, _ in problem.errors] == names


@pytest.mark.parametrize(
    "failure",
    [
        Unavailable(),
        OutcomeUnknown(),
        Overloaded(),
        DeadlineExceeded(),
        ServiceError(),
        error("OVERLOADED", grpc.StatusCode.RESOURCE_EXHAUSTED),
        error("INTERNAL", grpc.StatusCode.INTERNAL),
        error("DEADLINE_EXCEEDED", grpc.StatusCode.DEADLINE_EXCEEDED),
        error("", grpc.StatusCode.OK),
    ],
)
def test_what_may_be_over_soon_is_503(failure: ServiceError) -> None:
    """What the client can only wait out is temporarily-unavailable, with Retry-After."""
    problem = to_problem(failure)
    assert problem.code == "temporarily-unavailable"
    assert headers_of(problem)[b"retry-after"] == b"1"


@pytest.mark.parametrize(
    ("told", "answered"),
    [
        ("7", b"7"),
        ("7.2", b"8"),
        ("0", b"1"),
        ("-5", b"1"),
        ("nan", b"1"),
        ("soon", b"1"),
        ("inf", b"1"),
        ("1e9", b"3600"),
    ],
)
def test_retry_after_is_a_sane_whole_number(told: str, answered: bytes) -> None:
    """A service's wish to wait is rounded up and kept between a second and an hour."""
    problem = to_problem(error("RATE_LIMITED", retry_after_seconds=told))
    assert headers_of(problem)[b"retry-after"] == answered


def test_permission_denied_of_one_item_is_about_the_user() -> None:
    """payment_svc refuses a caller: 403."""
    assert to_problem(PermissionDenied()).code == "forbidden"


def test_long_lists_of_faults_are_cut() -> None:
    """A body with a thousand unknown fields does not get an answer larger than itself."""
    problem = Problem("invalid-request", errors=[("x" * 1000, "is bad")] * 1000)
    errors = json.loads(problem.render()[0])["errors"]
    assert len(errors) == 32
    assert len(errors[0]["field"]) == 64
