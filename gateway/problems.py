"""Every error answer: ``application/problem+json`` (RFC 9457). The only place that makes one.

Two tables. ``PROBLEM_TYPES``: what a code means to the outside, and its HTTP status. ``_REASONS``:
which code a reason of our services becomes. The sentences are written here and not taken from the
services: what a client reads never holds an internal name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import grpc
import msgspec

from chassis.errors import DeadlineExceeded, FieldViolation, Overloaded, ServiceError, Unavailable
from chassis.logs import get_logger

TYPE_PREFIX = "https://qrpay.dev/problems/"
CONTENT_TYPE = b"application/problem+json"

_ERRORS_MAX = 32
_FIELD_CHARACTERS_MAX = 64
_LOG = get_logger(__name__)


class ProblemType(NamedTuple):
    """What one problem code means."""

    status: int
    title: str
    detail: str
    retryable: bool = False


PROBLEM_TYPES: dict[str, ProblemType] = {
    "invalid-request": ProblemType(
        400, "The request breaks a rule", "Correct the fields named in errors."
    ),
    "malformed-json": ProblemType(400, "The body is not JSON", "Send one JSON value in UTF-8."),
    "idempotency-key-missing": ProblemType(
        400, "The Idempotency-Key header is missing", "Send it: then this can be repeated safely."
    ),
    "idempotency-key-invalid": ProblemType(
        400,
        "The Idempotency-Key header is invalid",
        "It has 1 to 255 printable ASCII characters, plain or as a quoted string, given once.",
    ),
    "unauthenticated": ProblemType(
        401, "Who are you?", "Send a valid token: Authorization: Bearer <JWT>."
    ),
    "token-expired": ProblemType(401, "The token has expired", "Get a new token and try again."),
    "forbidden": ProblemType(403, "You may not do this", "This caller may not do this."),
    "payment-not-found": ProblemType(
        404, "There is no such payment", "No payment of yours has this id."
    ),
    "no-receipt": ProblemType(
        404, "There is no receipt", "The payment failed: no money moved, and no book has it."
    ),
    "receipt-not-ready": ProblemType(
        409, "The receipt is not ready", "The book is signed every few seconds.", retryable=True
    ),
    "recipient-not-found": ProblemType(
        404, "There is no such recipient", "Nobody has this handle, user id or wallet id."
    ),
    "device-not-found": ProblemType(
        404, "There is no such device", "No device of yours has this id."
    ),
    "merchant-not-found": ProblemType(404, "There is no such merchant", "No merchant has this id."),
    "store-not-found": ProblemType(
        404, "There is no such store", "The merchant has no store with this id."
    ),
    "terminal-not-found": ProblemType(
        404, "There is no such terminal", "The merchant has no terminal with this id."
    ),
    "logo-not-found": ProblemType(
        404, "There is no such logo", "The merchant has no logo, or never had this one."
    ),
    "bank-account-not-found": ProblemType(
        404, "There is no such bank account", "No bank account of yours has this id."
    ),
    "not-found": ProblemType(404, "There is nothing here", "Look at /docs for what there is."),
    "method-not-allowed": ProblemType(
        405, "This method is not allowed here", "The Allow header names the methods there are."
    ),
    "read-only": ProblemType(405, "Nothing can be changed here", "This address only reads."),
    "too-many-devices": ProblemType(
        409, "You have as many devices as one may have", "Revoke one of them first."
    ),
    "barcode-used": ProblemType(
        409, "The barcode has been used", "A barcode pays once. Ask for a new one."
    ),
    "idempotency-key-in-flight": ProblemType(
        409,
        "The first request with this key has not ended yet",
        "Repeat the request in a moment; it will be answered with the same payment.",
        retryable=True,
    ),
    "merchant-exists": ProblemType(
        409,
        "The merchant is registered already",
        "This id is registered with other content. Read it, and change it if you like.",
    ),
    "barcode-expired": ProblemType(
        410, "The barcode has expired", "A barcode lives for a short time. Ask for a new one."
    ),
    "qr-expired": ProblemType(
        410, "The code has expired", "The code was made for one payment. Ask for a new one."
    ),
    "qr-revoked": ProblemType(
        410, "The code has been replaced", "The merchant has a newer code. Ask for that one."
    ),
    "precondition-failed": ProblemType(
        412,
        "This is not the version that is there",
        "Somebody else has changed it meanwhile. Read it again, then decide.",
    ),
    "body-too-large": ProblemType(
        413, "The body is too large", "A request body has at most 65536 bytes, a logo 2097152."
    ),
    "unsupported-media-type": ProblemType(415, "Unsupported media type", "Send application/json."),
    "idempotency-key-reused": ProblemType(
        422,
        "The key was used for another request",
        "This Idempotency-Key belongs to a request with other content. Use a new key.",
    ),
    "same-wallet": ProblemType(
        422, "Payer and payee are the same", "Money cannot be moved to the wallet it comes from."
    ),
    "currency-mismatch": ProblemType(
        422,
        "The currencies do not match",
        "One of the two sides, or the code, has no wallet in this currency.",
    ),
    "amount-out-of-range": ProblemType(
        422, "The amount is out of range", "The amount is larger than one payment may be."
    ),
    "wallet-closed": ProblemType(422, "The wallet is closed", "One of the two wallets is closed."),
    "merchant-closed": ProblemType(
        422, "The merchant is closed", "It cannot be paid or changed any more."
    ),
    "store-closed": ProblemType(422, "The store is closed", "It cannot be changed any more."),
    "terminal-closed": ProblemType(422, "The terminal is closed", "It cannot be changed any more."),
    "place-limit-reached": ProblemType(
        422,
        "There are too many already",
        "The merchant has as many stores or terminals as it may have, closed ones included.",
    ),
    "statement-too-long": ProblemType(
        422, "The month has too many entries", "Ask for CSV, or read the entries page by page."
    ),
    "logo-invalid": ProblemType(
        422,
        "This cannot be a logo",
        "Send one whole, still PNG, JPEG or WebP picture with 16 to 8192 pixels a side and at most "
        "16777216 in all, and nothing else in the file.",
    ),
    "qr-invalid": ProblemType(
        422,
        "This is not a payment code",
        "The text is not a sound EMVCo QR code, or nobody we trust has signed it.",
    ),
    "qr-not-ours": ProblemType(
        422, "This code is not one of ours", "The code belongs to another payment scheme."
    ),
    "amount-required": ProblemType(
        422, "The amount is missing", "This code carries no amount: send amount and currency."
    ),
    "amount-mismatch": ProblemType(
        422, "The amount differs from the code's", "This code carries another amount or currency."
    ),
    "barcode-unknown": ProblemType(
        422, "The barcode is unknown", "Nobody shows this barcode now. Ask for a new one."
    ),
    "precondition-required": ProblemType(
        428,
        "The If-Match header is missing",
        "Send the ETag of what you have read, so that nobody's change is overwritten unseen.",
    ),
    "offline-limit-exceeded": ProblemType(
        422,
        "The barcode was made offline and does not pay this much",
        "Codes that a device made offline pay small amounts, and only so much in a day. Ask for "
        "one that was made online.",
    ),
    "rate-limited": ProblemType(
        429, "Too many requests", "Wait as long as Retry-After says.", retryable=True
    ),
    "internal-error": ProblemType(
        500,
        "Something went wrong on our side",
        "We have been told. A repeat with the same Idempotency-Key is safe.",
        retryable=True,
    ),
    "temporarily-unavailable": ProblemType(
        503,
        "Not available right now",
        "Nothing has happened, or a repeat with the same Idempotency-Key tells what did.",
        retryable=True,
    ),
}

_REASONS: dict[str, str] = {
    "INVALID_ARGUMENT": "invalid-request",
    "PERMISSION_DENIED": "forbidden",
    "CALLER_NOT_FOUND": "forbidden",
    "OWNER_NOT_FOUND": "forbidden",  # the only owner we ever name to a service is the caller
    "PAYMENT_NOT_FOUND": "payment-not-found",
    "RECIPIENT_NOT_FOUND": "recipient-not-found",
    "MERCHANT_NOT_FOUND": "merchant-not-found",
    "BANK_ACCOUNT_NOT_FOUND": "bank-account-not-found",
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
}

_TRANSIENT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
}

_FIELDS: dict[str, str] = {
    "money": "amount",
    "amount_minor": "amount",
    "currency_code": "currency",
    "recipient": "to",
    "text": "qr",
    "code": "barcode",
    "bank_account_id": "bank_account",
    "request_id": "Idempotency-Key",
    "reference": "ref",
    "language": "lang",
    "page_token": "cursor",
    "page_size": "limit",
    "start_time": "from",
    "end_time": "to",
    "category_code": "mcc",
    "country_code": "country",
    "store_id": "store",
    "width": "w",
    "merchant.local.language_code": "local.language",
    "merchant.local.name": "local.name",
    "merchant.local.city": "local.city",
    "after_number": "after",
    **{
        name: name
        for name in (
            *("to", "qr", "barcode", "bank_account", "amount", "currency", "note", "order_ref"),
            *("holder", "iban", "status", "kind", "format", "size", "serial", "device"),
            *("id", "name", "city"),
        )
    },
}
"""How the fields of our services are called outside; others are not shown."""


class FieldFault(msgspec.Struct, frozen=True):
    """One field that breaks a rule."""

    field: str
    message: str


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    errors: tuple[FieldFault, ...] = ()


class Problem(Exception):
    """The request is answered with this problem; ``code`` is a key of ``PROBLEM_TYPES``."""

    def __init__(
        self,
        code: str,
        *,
        detail: str | None = None,
        errors: Iterable[tuple[str, str]] = (),
        retry_after_seconds: float | None = None,
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(code)
        self.type = PROBLEM_TYPES[code]
        self.code = code
        self.detail = detail or self.type.detail
        self.errors = tuple(errors)[:_ERRORS_MAX]
        self.headers = tuple(headers)
        if retry_after_seconds is None and self.type.status == 503:
            retry_after_seconds = 1
        self.retry_after_seconds = retry_after_seconds

    def render(self) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        """The body and the headers of the answer."""
        answer = ProblemDetails(
            type=TYPE_PREFIX + self.code,
            title=self.type.title,
            status=self.type.status,
            detail=self.detail,
            code=self.code,
            retryable=self.type.retryable,
            errors=tuple(
                FieldFault(field[:_FIELD_CHARACTERS_MAX], message) for field, message in self.errors
            ),
        )
        body = msgspec.json.encode(answer)
        headers = [
            (b"content-type", CONTENT_TYPE),
            (b"content-length", b"%d" % len(body)),
            *self.headers,
        ]
        if self.retry_after_seconds is not None:
            # Delay-seconds is a whole number (RFC 9110, section 10.2.3); rounded down it would be
            # too early.
            headers.append((b"retry-after", b"%d" % max(1, math.ceil(self.retry_after_seconds))))
        return body, headers


def invalid_request(*errors: tuple[str, str]) -> Problem:
    """The problem for fields that break a rule: (field, message) each."""
    return Problem("invalid-request", errors=errors)


def to_problem(error: ServiceError) -> Problem:
    """What an error of one of our services is to the outside."""
    code = _REASONS.get(error.reason)
    if isinstance(error, Unavailable | Overloaded | DeadlineExceeded) or code is None:
        return _unmapped(error)
    if code == "invalid-request":
        return Problem(code, errors=_outer_fields(error.violations))
    if code in {"rate-limited", "idempotency-key-in-flight"}:
        return Problem(code, retry_after_seconds=_retry_after_seconds(error))
    return Problem(code)


def _unmapped(error: ServiceError) -> Problem:
    # INTERNAL included: for the client nothing is decided, and a repeat with the same key is safe.
    if error.code not in _TRANSIENT:
        _LOG.error("upstream_error", reason=error.reason, code=error.code.name)
    if error.code is grpc.StatusCode.INVALID_ARGUMENT:
        return Problem("invalid-request", errors=_outer_fields(error.violations))
    if error.code is grpc.StatusCode.NOT_FOUND:
        return Problem("not-found")
    return Problem("temporarily-unavailable")


def _outer_fields(violations: Iterable[FieldViolation]) -> list[tuple[str, str]]:
    """The violations under the names that the client used: ``items[0].money.amount_minor`` is
    ``amount``. Messages are kept: they state a rule."""
    return [
        (_FIELDS.get(field) or _FIELDS.get(_last_part(field), "request"), message)
        for field, message in violations
    ]


def _last_part(field: str) -> str:
    return field.rsplit(".", 1)[-1].split("[")[0]


def _retry_after_seconds(error: ServiceError) -> float:
    try:
        seconds = float(error.metadata.get("retry_after_seconds", "1"))
    except ValueError:
        return 1
    return min(max(seconds, 1), 3600) if math.isfinite(seconds) else 1
