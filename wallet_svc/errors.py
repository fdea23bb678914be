"""The rules that a request to this service can break; the reasons of ``wallet.proto``."""

from __future__ import annotations

import grpc

from chassis.errors import ServiceError


class OwnerNotFound(ServiceError):
    """There is no such owner."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "OWNER_NOT_FOUND"


class WalletNotFound(ServiceError):
    """There is no such wallet."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "WALLET_NOT_FOUND"


class HandleTaken(ServiceError):
    """Another owner has this handle."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "HANDLE_TAKEN"


class RequestIdReused(ServiceError):
    """This request id was used before, with other content."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "REQUEST_ID_REUSED"


class PaymentIdReused(ServiceError):
    """A transfer with this payment id was executed before, with other wallets or another amount."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "PAYMENT_ID_REUSED"


class CurrencyMismatch(ServiceError):
    """The owner has no wallet in this currency, or the wallet is in another."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "CURRENCY_MISMATCH"


class WalletClosed(ServiceError):
    """The wallet is closed, and that is for ever."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "WALLET_CLOSED"


class WalletNotEmpty(ServiceError):
    """The wallet still holds or owes money."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "WALLET_NOT_EMPTY"


class TransferNotExecuted(ServiceError):
    """The database refused this transfer. Nothing of it was stored.

    Retryable: what refused it may be gone the next time, and a repeat cannot move money twice.
    """

    code = grpc.StatusCode.INTERNAL
    reason = "TRANSFER_NOT_EXECUTED"
    retryable = True


class WalletBusy(ServiceError):
    """Somebody else holds one of the two wallets. Nothing of this transfer was stored.

    Not an outage: the database works, and transfers between other wallets go on.
    """

    code = grpc.StatusCode.ABORTED
    reason = "WALLET_BUSY"
    retryable = True
