"""The route table: everything there is, in the order of the documentation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway import answers, bodies, queries
from gateway.auth import Role
from gateway.bank_accounts_api import BankAccountsApi
from gateway.barcodes_api import BarcodesApi
from gateway.bodies import BodyDecoder
from gateway.code_routes import code_operations
from gateway.device_routes import device_operations
from gateway.devices_api import DevicesApi
from gateway.docs_api import DocsApi
from gateway.events_api import EventsApi
from gateway.health_api import HealthApi
from gateway.logos_api import LogosApi
from gateway.merchant_records_api import MerchantRecordsApi
from gateway.merchant_routes import merchant_operations
from gateway.merchants_api import MerchantsApi
from gateway.operation import Operation, Success
from gateway.payments_api import PaymentsApi
from gateway.receipt_routes import receipt_operations
from gateway.receipts_api import ReceiptsApi
from gateway.route_parts import json_answer as _json
from gateway.route_parts import same_for as _same_for
from gateway.statements_api import StatementsApi
from gateway.timelines_api import TimelinesApi
from gateway.wallets_api import WalletsApi

_USERS: tuple[Role, ...] = ("customer", "merchant")
_CUSTOMERS: tuple[Role, ...] = ("customer",)

_SUBMIT_PROBLEMS = (
    "forbidden",
    "same-wallet",
    "currency-mismatch",
    "amount-out-of-range",
    "wallet-closed",
)
_PAY_DESCRIPTION = """\
A customer sends `qr`, the text of a merchant's code; `amount` and `currency` unless the code
carries them. A merchant sends `barcode`, read from the customer's phone: its owner pays."""
_STATEMENT_DESCRIPTION = """\
Opening and closing balance, every entry, and totals. In CSV (RFC 4180) the column `line` says what
a row is: `opening`, `entry`, `total-in`, `total-out` or `closing`; an apostrophe goes before a text
that a spreadsheet would take for a formula. Name the currency if you have not exactly one wallet.
One statement at a time."""
_EVENTS_DESCRIPTION = """\
Server-sent events `payment.completed` and `payment.failed`; data is the payment, and for a
completed one `number`, the number of the entry in your wallet. `id` is the number of the event:
after a lost connection send it as `Last-Event-ID` and miss nothing; without it the stream starts
now. Failed payments are told to the payer only."""


@dataclass(frozen=True, kw_only=True)
class Handlers:
    """Everything that the table points to."""

    payments: PaymentsApi
    wallets: WalletsApi
    statements: StatementsApi
    receipts: ReceiptsApi
    timelines: TimelinesApi
    barcodes: BarcodesApi
    devices: DevicesApi
    merchants: MerchantsApi
    records: MerchantRecordsApi
    logos: LogosApi
    bank_accounts: BankAccountsApi
    events: EventsApi
    health: HealthApi
    docs: DocsApi


def operations(handlers: Handlers) -> list[Operation]:
    """The table."""
    return [
        *_money_moves(handlers.payments),
        *_payments(handlers),
        *_wallets(handlers),
        _barcodes(handlers.barcodes),
        *device_operations(handlers.devices),
        *code_operations(handlers.merchants),
        *merchant_operations(handlers.records, handlers.logos),
        *_health(handlers.health),
        *_docs(handlers.docs),
    ]


def _money_moves(payments: PaymentsApi) -> Iterable[Operation]:
    yield Operation(
        method="POST",
        path="/payments/send",
        tag="Money moves",
        summary="Send money to a person",
        handler=payments.send,
        roles=_USERS,
        bodies=_same_for(_USERS, bodies.SendBody),
        moves_money=True,
        successes=_moved(),
        problems=("recipient-not-found", *_SUBMIT_PROBLEMS),
    )
    yield Operation(
        method="POST",
        path="/payments/pay",
        tag="Money moves",
        summary="Pay a merchant by QR code, or charge a customer by barcode",
        description=_PAY_DESCRIPTION,
        handler=payments.pay,
        roles=_USERS,
        bodies={
            "customer": BodyDecoder(
                bodies.PayQrBody,
                forbidden_fields={"barcode": "Only a merchant charges a barcode."},
            ),
            "merchant": BodyDecoder(
                bodies.PayBarcodeBody,
                forbidden_fields={"qr": "Only a customer pays a merchant's QR code."},
            ),
        },
        moves_money=True,
        successes=_moved(),
        problems=(
            *_SUBMIT_PROBLEMS,
            *("qr-invalid", "qr-not-ours", "qr-expired", "qr-revoked"),
            *("amount-required", "amount-mismatch"),
            *("merchant-not-found", "merchant-closed"),
            *("barcode-unknown", "barcode-used", "barcode-expired"),
            "offline-limit-exceeded",
        ),
    )
    yield Operation(
        method="POST",
        path="/payments/withdraw",
        tag="Money moves",
        summary="Withdraw money to a bank account",
        handler=payments.withdraw,
        roles=_USERS,
        bodies=_same_for(_USERS, bodies.WithdrawBody),
        moves_money=True,
        successes=_moved(),
        problems=("bank-account-not-found", *_SUBMIT_PROBLEMS),
    )


def _payments(handlers: Handlers) -> Iterable[Operation]:
    yield Operation(
        method="GET",
        path="/payments",
        tag="Payments",
        summary="List your payments, newest first",
        handler=handlers.payments.list_payments,
        query=queries.PaymentsQuery,
        successes=(_json("A page.", answers.Payments),),
    )
    yield Operation(
        method="GET",
        path="/payments/{payment_id}",
        tag="Payments",
        summary="Read a payment, and wait for its result if you like",
        description="For its payer, its payee and operators.",
        handler=handlers.payments.read,
        query=queries.PaymentQuery,
        successes=(_json("The payment.", answers.Payment),),
        problems=("payment-not-found",),
    )
    yield from receipt_operations(handlers.receipts, handlers.timelines)
    yield Operation(
        method="GET",
        path="/events",
        tag="Payments",
        summary="Hear at once when a payment is done",
        description=_EVENTS_DESCRIPTION,
        handler=handlers.events.stream,
        streams=True,
        successes=(
            Success(
                status=200,
                description="A stream of events; `data` is a PaymentEvent.",
                shape=answers.PaymentEvent,
                media_types=("text/event-stream",),
            ),
        ),
        problems=("invalid-request",),
        request_headers={"Last-Event-ID": "Continue after the event with this id."},
    )


def _wallets(handlers: Handlers) -> Iterable[Operation]:
    wallets, bank_accounts = handlers.wallets, handlers.bank_accounts
    yield Operation(
        method="GET",
        path="/wallets/me",
        tag="Wallets",
        summary="Your balances",
        handler=wallets.list_wallets,
        successes=(_json("All of them.", answers.Wallets),),
        problems=("forbidden",),
    )
    yield Operation(
        method="GET",
        path="/wallets/me/entries",
        tag="Wallets",
        summary="What moved in a wallet",
        description="Numbered 1, 2, 3 ... without gaps. Name the currency if you have not exactly "
        "one wallet.",
        handler=wallets.entries,
        query=queries.EntriesQuery,
        successes=(_json("A page.", answers.Entries),),
        problems=("forbidden", "currency-mismatch"),
    )
    yield _statement(handlers.statements)
    yield Operation(
        method="POST",
        path="/bank-accounts",
        tag="Wallets",
        summary="Add a bank account to withdraw to",
        description="The same IBAN again is the same account.",
        handler=bank_accounts.create,
        roles=_USERS,
        bodies=_same_for(_USERS, bodies.BankAccountBody),
        successes=(_json("The account.", answers.BankAccount, status=201),),
    )
    yield Operation(
        method="GET",
        path="/bank-accounts",
        tag="Wallets",
        summary="Your bank accounts",
        handler=bank_accounts.list_accounts,
        roles=_USERS,
        successes=(_json("All of them.", answers.BankAccounts),),
    )


def _statement(statements: StatementsApi) -> Operation:
    return Operation(
        method="GET",
        path="/wallets/me/statement",
        tag="Wallets",
        summary="A month of a wallet, to keep",
        description=_STATEMENT_DESCRIPTION,
        handler=statements.read,
        query=queries.StatementQuery,
        successes=(
            Success(
                status=200,
                description="The statement.",
                media_types=("text/csv", "application/pdf"),
                headers={"Content-Disposition": "A name for the file."},
            ),
        ),
        problems=("forbidden", "currency-mismatch", "statement-too-long"),
    )


def _barcodes(barcodes: BarcodesApi) -> Operation:
    return Operation(
        method="POST",
        path="/barcodes",
        tag="Codes and merchants",
        summary="Get a one-time barcode to show at a till",
        description="It ends when it is used, when its time is over, or a few seconds after this "
        "device's next one.",
        handler=barcodes.issue,
        roles=_CUSTOMERS,
        query=queries.BarcodeQuery,
        bodies=_same_for(_CUSTOMERS, bodies.BarcodeBody),
        body_optional=True,
        successes=(_json("The code, and images of it.", answers.Barcode, status=201),),
    )


def _health(health: HealthApi) -> Iterable[Operation]:
    yield Operation(
        method="GET",
        path="/healthz",
        tag="Health",
        summary="Does the process live?",
        handler=health.live,
        roles=None,
        limited=False,
        successes=(_json("It does.", answers.Health),),
    )
    yield Operation(
        method="GET",
        path="/readyz",
        tag="Health",
        summary="Can the process serve?",
        handler=health.ready,
        roles=None,
        limited=False,
        successes=(
            _json("It can.", answers.Readiness),
            _json("Not yet, or no longer.", answers.Readiness, status=503),
        ),
    )


def _docs(docs: DocsApi) -> Iterable[Operation]:
    yield Operation(
        method="GET",
        path="/openapi.json",
        tag="Documentation",
        summary="This API as an OpenAPI 3.1 document",
        handler=docs.document,
        roles=None,
        successes=(
            Success(status=200, description="The document.", media_types=("application/json",)),
        ),
    )
    yield Operation(
        method="GET",
        path="/docs",
        tag="Documentation",
        summary="This page",
        handler=docs.page,
        roles=None,
        successes=(Success(status=200, description="The page.", media_types=("text/html",)),),
    )


def _moved() -> tuple[Success, ...]:
    headers = {
        "Location": "`/payments/{id}`.",
        "Idempotent-Replayed": "`true` if the payment was there before this request.",
        "Preference-Applied": "How long we waited at most, if you asked us to.",
    }
    return (
        Success(
            status=202,
            description="Accepted: it will be COMPLETED or FAILED.",
            shape=answers.Payment,
            headers=headers,
        ),
        Success(
            status=200,
            description="With `Prefer: wait`: it is COMPLETED or FAILED.",
            shape=answers.Payment,
            headers=headers,
        ),
    )
