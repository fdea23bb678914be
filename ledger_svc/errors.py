"""The rules that a request to this service, or a result from the queue, can break."""

from __future__ import annotations

import grpc

from chassis.errors import ServiceError


class TransactionNotFound(ServiceError):
    """There is no journal transaction of this payment: not posted yet, or the payment failed."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "TRANSACTION_NOT_FOUND"


class PaymentBookedDifferently(ServiceError):
    """This payment is booked already, with other content. The journal was left as it is."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "PAYMENT_BOOKED_DIFFERENTLY"


class AccountCurrencyMismatch(ServiceError):
    """The account is kept in another currency."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "ACCOUNT_CURRENCY_MISMATCH"


class BookingRefused(ServiceError):
    """The database refused this booking for what is in it: a constraint, a total out of range."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "BOOKING_REFUSED"


REFUSALS = (PaymentBookedDifferently, AccountCurrencyMismatch, BookingRefused)
"""What is wrong with a booking itself: a repeat would be refused again."""
