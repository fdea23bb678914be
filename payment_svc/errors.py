"""The rules of payment_svc, one error for each."""

from __future__ import annotations

import grpc

from chassis.errors import ServiceError


class CallerNotFound(ServiceError):
    """The caller is not known here."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "CALLER_NOT_FOUND"


class RecipientNotFound(ServiceError):
    """There is nobody by that name to pay."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "RECIPIENT_NOT_FOUND"


class MerchantNotFound(ServiceError):
    """The shop of this code is not known."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "MERCHANT_NOT_FOUND"


class BankAccountNotFound(ServiceError):
    """You have no such bank account."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "BANK_ACCOUNT_NOT_FOUND"


class PaymentNotFound(ServiceError):
    """There is no such payment."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "PAYMENT_NOT_FOUND"


class RequestIdReused(ServiceError):
    """This key was used before for a different request. Use a new key for a new payment."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "REQUEST_ID_REUSED"


class RequestIdInFlight(ServiceError):
    """The first request with this key is still being accepted. Repeat it in a moment."""

    code = grpc.StatusCode.ABORTED
    reason = "REQUEST_ID_IN_FLIGHT"
    retryable = True


class SameWallet(ServiceError):
    """Payer and payee are the same."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "SAME_WALLET"


class CurrencyMismatch(ServiceError):
    """One of the two sides has no wallet in this currency, or the code asks for another one."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "CURRENCY_MISMATCH"


class AmountOutOfRange(ServiceError):
    """The amount is not within what one payment may move."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "AMOUNT_OUT_OF_RANGE"


class AmountRequired(ServiceError):
    """The code carries no amount: say how much to pay."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "AMOUNT_REQUIRED"


class AmountMismatch(ServiceError):
    """The code asks for another amount."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "AMOUNT_MISMATCH"


class WalletClosed(ServiceError):
    """The wallet of one of the two sides is closed."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "WALLET_CLOSED"


class BarcodeUsed(ServiceError):
    """This barcode was used before. Ask the customer for a new one."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "BARCODE_USED"


class DeadLetterNotFound(ServiceError):
    """There is no such dead letter."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "DEAD_LETTER_NOT_FOUND"


class DeadLetterClosed(ServiceError):
    """This dead letter is not open: somebody has dealt with it, or its payment is done."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "DEAD_LETTER_CLOSED"


class DeadLetterUnreadable(ServiceError):
    """What is in this dead letter cannot be read, so it can only be discarded."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "DEAD_LETTER_UNREADABLE"


class MoneyMoved(ServiceError):
    """The money of this payment has moved. Redrive it: that completes the payment."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "MONEY_MOVED"
