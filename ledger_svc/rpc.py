"""LedgerService: messages in, operations, messages out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.database import Database
from chassis.errors import FieldViolation, InvalidArgument
from chassis.pagination import decode_page_token, encode_page_token, page_size_of
from chassis.server import RpcService
from chassis.signing import encode_key, thumbprint
from ledger_svc import operations
from ledger_svc.audit import LEDGER_ACTS
from ledger_svc.errors import ReceiptNotReady
from ledger_svc.heads import receipt_of
from ledger_svc.model import BOOK_ONLY_KIND_MIN, DraftPosting, is_balanced
from ledger_svc.store.accounts import Account
from ledger_svc.store.transactions import Transaction
from qrpay.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from qrpay.type.v1 import money_pb2

_READERS = frozenset({"gateway", "operator"})
_READ_ONLY = frozenset({"gateway-reader"})
ALLOWED_CALLERS: Mapping[str, frozenset[str]] = {
    "BatchGetAccounts": _READERS,
    "ListAccounts": _READERS,
    "GetTransaction": _READERS | _READ_ONLY,
    "GetTrialBalance": _READERS,
    "GetReceipt": _READERS | _READ_ONLY,
    "ListReceiptKeys": _READERS | _READ_ONLY,
}
"""Who may call what. There is nothing to write here: the queue writes."""

_ACCOUNT_IDS_MAX = 512
_PAGE_SIZE_DEFAULT, _PAGE_SIZE_MAX = 50, 500
_PAGE_KIND = "ledger.accounts"


class LedgerServicer(ledger_pb2_grpc.LedgerServiceServicer):
    """Reads the book."""

    def __init__(self, *, database: Database, keys: Sequence[bytes]) -> None:
        self._database = database
        self._keys = keys

    async def BatchGetAccounts(
        self, request: ledger_pb2.BatchGetAccountsRequest, context: Any
    ) -> ledger_pb2.BatchGetAccountsResponse:
        """Accounts by wallet id."""
        account_ids = list(request.account_ids)
        if not 1 <= len(account_ids) <= _ACCOUNT_IDS_MAX:
            raise InvalidArgument([("account_ids", f"must have 1 to {_ACCOUNT_IDS_MAX} ids")])
        _refuse_bad_ids({f"account_ids[{place}]": text for place, text in enumerate(account_ids)})
        found = await operations.batch_get_accounts(self._database, account_ids)
        return ledger_pb2.BatchGetAccountsResponse(accounts=map(account_message, found))

    async def ListAccounts(
        self, request: ledger_pb2.ListAccountsRequest, context: Any
    ) -> ledger_pb2.ListAccountsResponse:
        """A page of all accounts."""
        size = page_size_of(request.page_size, default=_PAGE_SIZE_DEFAULT, maximum=_PAGE_SIZE_MAX)
        after_id = ""
        if request.page_token:
            (after_id,) = decode_page_token(_PAGE_KIND, request.page_token, tuple[str])
        # One more than asked for tells whether there is another page.
        found = await operations.list_accounts(self._database, after_id, count_max=size + 1)
        page = found[:size]
        return ledger_pb2.ListAccountsResponse(
            accounts=map(account_message, page),
            next_page_token=(
                encode_page_token(_PAGE_KIND, [page[-1].id]) if len(found) > size else ""
            ),
        )

    async def GetTransaction(
        self, request: ledger_pb2.GetTransactionRequest, context: Any
    ) -> ledger_pb2.GetTransactionResponse:
        """The journal transaction of a payment."""
        _refuse_bad_ids({"payment_id": request.payment_id})
        transaction = await operations.get_transaction(self._database, request.payment_id)
        return ledger_pb2.GetTransactionResponse(transaction=transaction_message(transaction))

    async def GetTrialBalance(
        self, request: ledger_pb2.GetTrialBalanceRequest, context: Any
    ) -> ledger_pb2.GetTrialBalanceResponse:
        """Debits and credits per currency."""
        lines = await operations.get_trial_balance(self._database)
        return ledger_pb2.GetTrialBalanceResponse(
            lines=[ledger_pb2.TrialBalanceLine(**line._asdict()) for line in lines],
            balanced=is_balanced(lines),
        )

    async def GetReceipt(
        self, request: ledger_pb2.GetReceiptRequest, context: Any
    ) -> ledger_pb2.GetReceiptResponse:
        """A payment's receipt."""
        _refuse_bad_ids({"payment_id": request.payment_id})
        transaction = await operations.get_transaction(self._database, request.payment_id)
        receipt = await receipt_of(self._database, transaction)
        if receipt is None:
            raise ReceiptNotReady(payment_id=request.payment_id)
        return ledger_pb2.GetReceiptResponse(receipt=receipt)

    async def ListReceiptKeys(
        self, request: ledger_pb2.ListReceiptKeysRequest, context: Any
    ) -> ledger_pb2.ListReceiptKeysResponse:
        """The keys that receipts are checked with."""
        return ledger_pb2.ListReceiptKeysResponse(
            keys=[
                ledger_pb2.ReceiptKey(id=thumbprint(key), x=encode_key(key)) for key in self._keys
            ]
        )


def rpc_service(*, database: Database, keys: Sequence[bytes]) -> RpcService:
    """The service as ``chassis.server.serve`` takes it. ``keys``: public keys of receipts, the one
    that signs first."""
    return RpcService(
        descriptor=ledger_pb2.DESCRIPTOR.services_by_name["LedgerService"],
        register=ledger_pb2_grpc.add_LedgerServiceServicer_to_server,
        servicer=LedgerServicer(database=database, keys=keys),
        allowed_callers=ALLOWED_CALLERS,
        acts=LEDGER_ACTS,
    )


def transaction_id(number: int) -> str:
    """A transaction's number as its readers see it."""
    return f"txn_{number}"


def account_message(account: Account) -> ledger_pb2.Account:
    """An account as its readers see it."""
    return ledger_pb2.Account(
        id=account.id,
        currency_code=account.currency_code,
        debits_posted_minor=account.debits_posted_minor,
        credits_posted_minor=account.credits_posted_minor,
        account_class=account.class_,  # type: ignore[arg-type]
        balance_minor=account.credits_posted_minor - account.debits_posted_minor,
    )


def transaction_message(transaction: Transaction) -> ledger_pb2.Transaction:
    """A journal transaction as its readers see it."""
    draft = transaction.draft
    return ledger_pb2.Transaction(
        id=transaction_id(transaction.number),
        source_id=draft.source_id,
        payment_id=draft.source_id if draft.kind < BOOK_ONLY_KIND_MIN else "",
        kind=draft.kind if draft.kind < BOOK_ONLY_KIND_MIN else None,  # type: ignore[arg-type]
        book_kind=draft.kind if draft.kind >= BOOK_ONLY_KIND_MIN else None,  # type: ignore[arg-type]
        effective_time=transaction.effective_time,
        book_time=transaction.book_time,
        description=draft.description,
        reverses=transaction_id(draft.reverses_number) if draft.reverses_number else "",
        postings=map(posting_message, draft.postings),
    )


def posting_message(posting: DraftPosting) -> ledger_pb2.Posting:
    """One side of a transaction as its readers see it."""
    return ledger_pb2.Posting(
        account_id=posting.account_id,
        direction=posting.direction,  # type: ignore[arg-type]
        money=money_pb2.Money(
            currency_code=posting.currency_code, amount_minor=posting.amount_minor
        ),
    )


def _refuse_bad_ids(ids: Mapping[str, str]) -> None:
    violations = []
    for field, text in ids.items():
        if not text:
            violations.append(FieldViolation(field, "is required"))
        elif len(text) > 64 or not text.isprintable():
            # PostgreSQL cannot even be asked about a text with NUL.
            violations.append(FieldViolation(field, "is no id"))
    if violations:
        raise InvalidArgument(violations)
