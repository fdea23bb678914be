"""BookService: messages in, operations, messages out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chassis.database import Database
from chassis.pagination import decode_page_token, encode_page_token, page_size_of
from chassis.server import RpcService
from ledger_svc.audit import BOOK_ACTS
from ledger_svc.book import messages, operations
from ledger_svc.book.model import SCAN_MAX, Position, Search, Statement
from ledger_svc.rpc import transaction_message
from qrpay.ledger.v1 import book_pb2 as pb
from qrpay.ledger.v1 import book_pb2_grpc

_READERS = frozenset({"gateway", "operator"})
ALLOWED_CALLERS: Mapping[str, frozenset[str]] = {
    "GetBalance": _READERS,
    "SumBalances": _READERS,
    "ListPostings": _READERS,
    "SearchTransactions": _READERS,
}
"""Who may call what: those who read the ledger otherwise."""

_PAGE_SIZE_DEFAULT = 50
_POSTINGS_PAGE_SIZE_MAX, _SEARCH_PAGE_SIZE_MAX = 500, 200


class BookServicer(book_pb2_grpc.BookServiceServicer):
    """Answers the RPCs."""

    def __init__(self, *, database: Database, scan_max: int = SCAN_MAX) -> None:
        self._database = database
        self._scan_max = scan_max

    async def GetBalance(
        self, request: pb.GetBalanceRequest, context: Any
    ) -> pb.GetBalanceResponse:
        """An account's balance at a moment."""
        account_id, currency_code, moment = messages.balance_request(request)
        found = await operations.get_balance(
            account_id, currency_code, moment, database=self._database
        )
        return messages.balance_message(found)

    async def SumBalances(
        self, request: pb.SumBalancesRequest, context: Any
    ) -> pb.SumBalancesResponse:
        """The trial balance at a moment."""
        moment = messages.sums_request(request)
        found = await operations.sum_balances(moment, database=self._database)
        return messages.sums_message(found)

    async def ListPostings(
        self, request: pb.ListPostingsRequest, context: Any
    ) -> pb.ListPostingsResponse:
        """A page of an account's statement."""
        statement = messages.statement_request(request)
        size = page_size_of(
            request.page_size, default=_PAGE_SIZE_DEFAULT, maximum=_POSTINGS_PAGE_SIZE_MAX
        )
        kind = _statement_kind(statement)
        position = None
        if request.page_token:
            values = decode_page_token(kind, request.page_token, tuple[int, int, int, int])
            position = Position(*values)
        page = await operations.list_postings(
            statement, position, count_max=size, database=self._database
        )
        following = page.next_position
        return messages.statement_message(
            page, "" if following is None else encode_page_token(kind, following)
        )

    async def SearchTransactions(
        self, request: pb.SearchTransactionsRequest, context: Any
    ) -> pb.SearchTransactionsResponse:
        """A page of what is looked for."""
        search = messages.search_request(request)
        size = page_size_of(
            request.page_size, default=_PAGE_SIZE_DEFAULT, maximum=_SEARCH_PAGE_SIZE_MAX
        )
        kind = _search_kind(search)
        before_number = None
        if request.page_token:
            (before_number,) = decode_page_token(kind, request.page_token, tuple[int])
        page = await operations.search_transactions(
            search,
            before_number,
            count_max=size,
            scan_max=self._scan_max,
            database=self._database,
        )
        before = page.before_number
        return pb.SearchTransactionsResponse(
            transactions=map(transaction_message, page.transactions),
            next_page_token="" if before is None else encode_page_token(kind, [before]),
        )


def rpc_service(servicer: BookServicer) -> RpcService:
    """The service as ``chassis.server.serve`` takes it."""
    return RpcService(
        descriptor=pb.DESCRIPTOR.services_by_name["BookService"],
        register=book_pb2_grpc.add_BookServiceServicer_to_server,
        servicer=servicer,
        allowed_callers=ALLOWED_CALLERS,
        acts=BOOK_ACTS,
    )


def _statement_kind(statement: Statement) -> str:
    """What a page token of this statement is bound to."""
    return "/".join(["ledger.postings", *map(_text, statement)])


def _search_kind(search: Search) -> str:
    """What a page token of this search is bound to."""
    return "/".join(["ledger.search", *map(_text, search)])


def _text(part: str | int | datetime | None) -> str:
    # None of the texts has a slash: they are ids and codes.
    return part.isoformat() if isinstance(part, datetime) else "" if part is None else str(part)
