"""What is asked and answered about the book, as messages of the contract."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import InvalidArgument, refuse
from ledger_svc.book import model
from ledger_svc.book.model import BalanceSum, Search, Statement
from ledger_svc.book.operations import BalanceOf, StatementPage, Sums
from ledger_svc.model import BOOK_ONLY_KIND_MIN, is_id
from ledger_svc.rpc import transaction_id
from ledger_svc.store.book import Line
from qrpay.ledger.v1 import book_pb2 as pb
from qrpay.type.v1.money_pb2 import Money

_CURRENCY_CODE = re.compile(r"[A-Z]{3}")
_KIND_MAX = 2**15 - 1
_ID_FAULT = "must be an id, such as wal_..."


def balance_request(request: pb.GetBalanceRequest) -> tuple[str, str, datetime | None]:
    """Account, currency and moment. Raises ``InvalidArgument``."""
    faults = {
        "account_id": None if is_id(request.account_id) else _ID_FAULT,
        "currency_code": _currency_fault(request.currency_code),
    }
    moment = _moment(request, "as_of_time", faults)
    refuse(faults)
    return request.account_id, request.currency_code, moment


def sums_request(request: pb.SumBalancesRequest) -> datetime | None:
    """The moment. Raises ``InvalidArgument``."""
    faults: dict[str, str | None] = {}
    moment = _moment(request, "as_of_time", faults)
    refuse(faults)
    return moment


def statement_request(request: pb.ListPostingsRequest) -> Statement:
    """Which postings. Raises ``InvalidArgument``."""
    faults: dict[str, str | None] = {"account_id": None if is_id(request.account_id) else _ID_FAULT}
    start, end = _period(request, faults)
    refuse(faults)
    return Statement(request.account_id, start, end)


def search_request(request: pb.SearchTransactionsRequest) -> Search:
    """What is looked for. Raises ``InvalidArgument``."""
    low, high = request.min_amount_minor, request.max_amount_minor
    faults: dict[str, str | None] = {
        "source_id": None if not request.source_id or is_id(request.source_id) else _ID_FAULT,
        "account_id": None if not request.account_id or is_id(request.account_id) else _ID_FAULT,
        "currency_code": _currency_fault(request.currency_code),
        "min_amount_minor": "is negative" if low < 0 else None,
        "max_amount_minor": "is negative"
        if high < 0
        else ("is less than min_amount_minor" if 0 < high < low else None),
        "kind": None if 0 <= request.kind < BOOK_ONLY_KIND_MIN else "is no kind of payment",
    }
    if request.book_kind and request.kind:
        faults["book_kind"] = "must be left out: a payment's kind is given"
    elif request.book_kind and not BOOK_ONLY_KIND_MIN <= request.book_kind <= _KIND_MAX:
        faults["book_kind"] = "is no kind of booking without a payment"
    start, end = _period(request, faults)
    search = Search(
        source_id=request.source_id,
        account_id=request.account_id,
        start_time=start,
        end_time=end,
        currency_code=request.currency_code,
        min_amount_minor=low,
        max_amount_minor=high,
        kind=request.kind or request.book_kind or None,
    )
    refuse(faults)
    if (fault := model.search_fault(search)) is not None:
        raise InvalidArgument([fault])
    return search


def balance_message(found: BalanceOf) -> pb.GetBalanceResponse:
    """A balance as its readers see it."""
    account, balance = found
    return pb.GetBalanceResponse(
        account_id=account.id,
        account_class=account.class_,  # type: ignore[arg-type]
        balance=Money(currency_code=account.currency_code, amount_minor=balance.balance_minor),
        transaction_id=_transaction_id(balance.transaction_number),
    )


def sums_message(found: Sums) -> pb.SumBalancesResponse:
    """All balances as their readers see them."""
    totals = model.totals(found.sums)
    return pb.SumBalancesResponse(
        sums=map(_sum_message, found.sums),
        totals=map(_sum_message, totals),
        balanced=model.is_balanced(totals),
        last_transaction_id=_transaction_id(found.last_number),
    )


def statement_message(page: StatementPage, next_page_token: str) -> pb.ListPostingsResponse:
    """A page of a statement as its readers see it."""
    account = page.account
    code = account.currency_code
    return pb.ListPostingsResponse(
        account_id=account.id,
        account_class=account.class_,  # type: ignore[arg-type]
        opening_balance=Money(currency_code=code, amount_minor=page.opening_minor),
        closing_balance=Money(currency_code=code, amount_minor=page.closing_minor),
        postings=_posting_messages(page.lines),
        next_page_token=next_page_token,
        last_transaction_id=_transaction_id(page.last_number),
    )


def _sum_message(item: BalanceSum) -> pb.BalanceSum:
    return pb.BalanceSum(
        currency_code=item.currency_code,
        account_class=item.class_,  # type: ignore[arg-type]
        debits_minor=item.debits_minor,
        credits_minor=item.credits_minor,
        balance_minor=item.credits_minor - item.debits_minor,
        account_count=item.account_count,
    )


def _posting_messages(lines: Iterable[Line]) -> Iterable[pb.StatementPosting]:
    for line in lines:
        is_payment = line.kind < BOOK_ONLY_KIND_MIN
        yield pb.StatementPosting(
            transaction_id=transaction_id(line.transaction_number),
            line=line.line,
            direction=line.direction,  # type: ignore[arg-type]
            money=Money(currency_code=line.currency_code, amount_minor=line.amount_minor),
            balance_after_minor=line.balance_after_minor,
            counter_account_ids=dict.fromkeys(line.counter_account_ids),
            source_id=line.source_id,
            payment_id=line.source_id if is_payment else "",
            kind=line.kind if is_payment else None,  # type: ignore[arg-type]
            book_kind=None if is_payment else line.kind,  # type: ignore[arg-type]
            effective_time=line.effective_time,
            book_time=line.book_time,
            description=line.description,
        )


def _transaction_id(number: int | None) -> str:
    return transaction_id(number) if number else ""


def _currency_fault(code: str) -> str | None:
    if not code or _CURRENCY_CODE.fullmatch(code):
        return None
    return "must be three capital letters (ISO 4217)"


def _period(
    request: pb.ListPostingsRequest | pb.SearchTransactionsRequest, faults: dict[str, str | None]
) -> tuple[datetime | None, datetime | None]:
    start = _moment(request, "start_time", faults)
    end = _moment(request, "end_time", faults)
    if start is not None and end is not None and start > end:
        faults["end_time"] = "is before start_time"
    return start, end


def _moment(
    request: pb.GetBalanceRequest
    | pb.SumBalancesRequest
    | pb.ListPostingsRequest
    | pb.SearchTransactionsRequest,
    field: str,
    faults: dict[str, str | None],
) -> datetime | None:
    """A time of the request; None if it is left out, or wrong: then ``faults`` says so."""
    if not request.HasField(field):
        return None
    moment: Timestamp = getattr(request, field)
    try:
        return moment.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        faults[field] = "is not a time"
        return None
