"""What can go wrong with barcodes, merchants and QR codes: one class per reason of barcode.proto.

No message and no metadata ever holds a barcode: who reads a log must not be able to pay with it.
"""

from __future__ import annotations

import grpc

from chassis.errors import ServiceError


class BarcodeUnknown(ServiceError):
    """There is no such barcode."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "BARCODE_UNKNOWN"


class BarcodeUsed(ServiceError):
    """This barcode was used before. Ask the customer for a new one."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "BARCODE_USED"


class BarcodeExpired(ServiceError):
    """This barcode is too old. Ask the customer for a new one."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "BARCODE_EXPIRED"


class OfflineLimitExceeded(ServiceError):
    """An offline code does not pay this much, or not any more today. A code of a device that is
    online does."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "OFFLINE_LIMIT_EXCEEDED"


class DeviceNotFound(ServiceError):
    """There is no such device, or it is somebody else's, or it was revoked."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "DEVICE_NOT_FOUND"


class TooManyDevices(ServiceError):
    """This owner has as many devices as one may have. Revoke one first."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "TOO_MANY_DEVICES"


class RateLimited(ServiceError):
    """Too many unknown barcodes were scanned here. Wait a moment, and check the scanner.

    Metadata: ``retry_after_seconds``, a whole number.
    """

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "RATE_LIMITED"
    retryable = True


class MerchantExists(ServiceError):
    """This merchant is registered already, with other content."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "MERCHANT_EXISTS"


class MerchantNotFound(ServiceError):
    """There is no such merchant."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "MERCHANT_NOT_FOUND"


class MerchantClosed(ServiceError):
    """The merchant is closed."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "MERCHANT_CLOSED"


class VersionMismatch(ServiceError):
    """Somebody else has changed this meanwhile. Read it again, then decide."""

    code = grpc.StatusCode.ABORTED
    reason = "VERSION_MISMATCH"


class RequestIdReused(ServiceError):
    """This request id belongs to a request with other content."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "REQUEST_ID_REUSED"


class StoreNotFound(ServiceError):
    """The merchant has no such store."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "STORE_NOT_FOUND"


class StoreClosed(ServiceError):
    """The store is closed."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "STORE_CLOSED"


class TerminalNotFound(ServiceError):
    """The merchant has no such terminal."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "TERMINAL_NOT_FOUND"


class TerminalClosed(ServiceError):
    """The terminal is closed."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "TERMINAL_CLOSED"


class PlaceLimitReached(ServiceError):
    """The merchant has as many stores or terminals as it may have.

    Metadata: ``places_max``.
    """

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "PLACE_LIMIT_REACHED"


class LogoInvalid(ServiceError):
    """This is not one whole, still PNG, JPEG or WebP picture within the limits."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "LOGO_INVALID"


class LogoNotFound(ServiceError):
    """The merchant has no such logo."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "LOGO_NOT_FOUND"


class CurrencyMismatch(ServiceError):
    """The merchant is paid in another currency."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "CURRENCY_MISMATCH"


class AmountOutOfRange(ServiceError):
    """A QR code cannot carry this amount.

    Metadata: ``amount_minor_min`` and ``amount_minor_max``, both inclusive.
    """

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "AMOUNT_OUT_OF_RANGE"


class QrInvalid(ServiceError):
    """This is not a sound payment QR code."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "QR_INVALID"


class QrNotOurs(ServiceError):
    """This QR code belongs to another payment scheme."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "QR_NOT_OURS"


class QrRevoked(ServiceError):
    """This printed code is no longer valid: the shop has a newer one."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "QR_REVOKED"


class QrExpired(ServiceError):
    """This code was made for one payment, and its time is over. Ask for a new one."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "QR_EXPIRED"
