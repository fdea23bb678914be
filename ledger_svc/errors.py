"""The rules that a request to this service, or a result from the queue, can break."""

from __future__ import annotations

import grpc

from chassis.errors import ServiceError


class TransactionNotFound(ServiceError):
    """There is no journal transaction of this payment: not posted yet, or the payment failed."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "TRANSACTION_NOT_FOUND"


class ReceiptNotReady(ServiceError):
    """The transaction is booked, and no signed head covers it yet. Ask again in some seconds."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "RECEIPT_NOT_READY"


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


class CaseNotFound(ServiceError):
    """There is no such case."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "CASE_NOT_FOUND"


class CaseClosed(ServiceError):
    """The case is not open."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "CASE_CLOSED"


class PassNotFound(ServiceError):
    """There is no such pass: the process was restarted. Begin another."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "PASS_NOT_FOUND"


class TooManyRows(ServiceError):
    """A range of ids that cannot be cut has more rows than can be compared."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "TOO_MANY_ROWS"


class AccountNotFound(ServiceError):
    """There is no such account in the book."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "ACCOUNT_NOT_FOUND"


class AlreadyReversed(ServiceError):
    """This transaction is taken back already."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "ALREADY_REVERSED"


class CorrectionNotFound(ServiceError):
    """There is no such correction."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "CORRECTION_NOT_FOUND"


class CorrectionDecided(ServiceError):
    """This correction is decided already, the other way."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "CORRECTION_DECIDED"


class SamePerson(ServiceError):
    """Who proposed a correction cannot approve it: that takes another person."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "SAME_PERSON"


class RequestIdReused(ServiceError):
    """This request_id was used before, with other content."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "REQUEST_ID_REUSED"


REFUSALS = (PaymentBookedDifferently, AccountCurrencyMismatch, BookingRefused)
"""What is wrong with a booking itself: a repeat would be refused again."""


class StatementMalformed(ServiceError):
    """The file is no statement of a bank that can be read, or does not add up."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "STATEMENT_MALFORMED"


class StatementDiffers(ServiceError):
    """A statement of this account and id was imported before, with other content."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "STATEMENT_DIFFERS"


class NoClearingAccount(ServiceError):
    """The book has no bank clearing account in this currency yet, or has not asked whose it is."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "NO_CLEARING_ACCOUNT"


class LineNotFound(ServiceError):
    """There is no statement line of this id."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "LINE_NOT_FOUND"


class LineNotMatchable(ServiceError):
    """This line cannot be this payment: it is a fee, or of another amount or currency."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "LINE_NOT_MATCHABLE"


class MatchedAlready(ServiceError):
    """The line is matched to another payment already, or the payment to another line."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "MATCHED_ALREADY"
