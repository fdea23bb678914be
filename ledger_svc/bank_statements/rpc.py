"""BankStatementService: messages in, operations, messages out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import InvalidArgument, refuse
from chassis.ids import IdMaker
from chassis.money import CURRENCIES
from chassis.pagination import decode_page_token, encode_page_token, page_size_of
from chassis.server import RpcService
from ledger_svc.audit import BANK_STATEMENT_ACTS
from ledger_svc.bank_statements import operations
from ledger_svc.bank_statements.camt import read_camt
from ledger_svc.bank_statements.csv_file import read_csv
from ledger_svc.bank_statements.model import Statement, StoredLine
from ledger_svc.errors import StatementMalformed
from ledger_svc.model import is_id
from ledger_svc.store.bank_statements import BankPayment, StoredStatement
from ledger_svc.store.transactions import microseconds_of
from qrpay.ledger.v1 import bank_statement_pb2 as pb
from qrpay.ledger.v1 import bank_statement_pb2_grpc
from qrpay.type.v1 import money_pb2

_OPERATORS = frozenset({"operator"})
ALLOWED_CALLERS: Mapping[str, frozenset[str]] = {
    "ImportBankStatement": _OPERATORS,
    "ListBankStatementLines": _OPERATORS,
    "ListUnmatchedPayments": _OPERATORS,
    "MatchBankStatementLine": _OPERATORS,
}
"""Who may call what."""

CONTENT_BYTES_MAX = 3 * 1024 * 1024
"""Of a file; gRPC takes messages of 4 MiB."""
_PAGE_SIZE_DEFAULT, _PAGE_SIZE_MAX = 50, 200
_LINES, _PAYMENTS = "ledger.bank_statement_lines", "ledger.unmatched_payments"
_ACCOUNT = re.compile(r"[0-9A-Za-z /-]{1,34}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BankStatementServicer(bank_statement_pb2_grpc.BankStatementServiceServicer):
    """Answers the RPCs. ``window_days``: how far from a payment the bank may book it."""

    def __init__(self, *, database: Database, clock: Clock, ids: IdMaker, window_days: int) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._window_days = window_days
        # A large file takes seconds to read and a hundred megabytes: one at a time.
        self._reading = asyncio.Semaphore(1)

    async def ImportBankStatement(
        self, request: pb.ImportBankStatementRequest, context: Any
    ) -> pb.ImportBankStatementResponse:
        """Read a file, book the fees in it, match its lines."""
        refuse(
            {
                "content": None
                if 1 <= len(request.content) <= CONTENT_BYTES_MAX
                else f"must have 1 to {CONTENT_BYTES_MAX} bytes",
                "actor": _text_fault(request.actor, 64),
                **_file_faults(request),
            }
        )
        async with self._reading:
            statements = await asyncio.to_thread(_read, request)
        imported = await operations.import_statements(
            statements,
            actor=request.actor,
            window_days=self._window_days,
            database=self._database,
            ids=self._ids,
        )
        return pb.ImportBankStatementResponse(
            statements=[
                pb.ImportedBankStatement(
                    statement=_statement_message(item.statement),
                    repeated_import=item.repeated,
                    matched_by_reference=item.summary.by_reference,
                    matched_by_amount=item.summary.by_amount,
                    matched_by_hand=item.summary.by_hand,
                    fees_booked=item.summary.fees_booked,
                    unmatched=item.summary.unmatched,
                )
                for item in imported
            ]
        )

    async def ListBankStatementLines(
        self, request: pb.ListBankStatementLinesRequest, context: Any
    ) -> pb.ListBankStatementLinesResponse:
        """A page of lines."""
        refuse({"currency_code": _currency_fault(request.currency_code)})
        size = page_size_of(request.page_size, default=_PAGE_SIZE_DEFAULT, maximum=_PAGE_SIZE_MAX)
        kind = f"{_LINES}/{request.currency_code}/{request.unmatched_only}"
        after_id = ""
        if request.page_token:
            (after_id,) = decode_page_token(kind, request.page_token, tuple[str])
        # One more than asked for tells whether there is another page.
        found, candidates = await operations.list_lines(
            request.currency_code,
            after_id,
            open_only=request.unmatched_only,
            count_max=size + 1,
            window_days=self._window_days,
            database=self._database,
        )
        page = found[:size]
        return pb.ListBankStatementLinesResponse(
            lines=[_line_message(line, candidates.get(line.id, ())) for line in page],
            next_page_token=(encode_page_token(kind, [page[-1].id]) if len(found) > size else ""),
        )

    async def ListUnmatchedPayments(
        self, request: pb.ListUnmatchedPaymentsRequest, context: Any
    ) -> pb.ListUnmatchedPaymentsResponse:
        """A page of payments that the bank has said nothing about."""
        refuse({"currency_code": _currency_fault(request.currency_code)})
        size = page_size_of(request.page_size, default=_PAGE_SIZE_DEFAULT, maximum=_PAGE_SIZE_MAX)
        kind = f"{_PAYMENTS}/{request.currency_code}"
        after = None
        if request.page_token:
            microseconds, number = decode_page_token(kind, request.page_token, tuple[int, int])
            after = (_time_of(microseconds), number)
        found = await operations.list_unmatched_payments(
            request.currency_code,
            after,
            now=self._clock.now(),
            count_max=size + 1,
            window_days=self._window_days,
            database=self._database,
        )
        page = found[:size]
        position = [microseconds_of(page[-1].effective_time), page[-1].number] if page else []
        return pb.ListUnmatchedPaymentsResponse(
            payments=[_payment_message(item, request.currency_code) for item in page],
            next_page_token=encode_page_token(kind, position) if len(found) > size else "",
        )

    async def MatchBankStatementLine(
        self, request: pb.MatchBankStatementLineRequest, context: Any
    ) -> pb.MatchBankStatementLineResponse:
        """Match a line by hand."""
        refuse(
            {
                "line_id": None if is_id(request.line_id) else "must be the id of a line",
                "payment_id": None if is_id(request.payment_id) else "must be the id of a payment",
                "actor": _text_fault(request.actor, 64),
                "reason": _text_fault(request.reason, 500),
            }
        )
        line = await operations.match_by_hand(
            request.line_id,
            request.payment_id,
            actor=request.actor,
            reason=request.reason,
            database=self._database,
        )
        return pb.MatchBankStatementLineResponse(line=_line_message(line, ()))


def rpc_service(servicer: BankStatementServicer) -> RpcService:
    """The service as ``chassis.server.serve`` takes it."""
    return RpcService(
        descriptor=pb.DESCRIPTOR.services_by_name["BankStatementService"],
        register=bank_statement_pb2_grpc.add_BankStatementServiceServicer_to_server,
        servicer=servicer,
        allowed_callers=ALLOWED_CALLERS,
        acts=BANK_STATEMENT_ACTS,
    )


def _read(request: pb.ImportBankStatementRequest) -> list[Statement]:
    """What the file says. Raises ``StatementMalformed``."""
    account, currency_code = request.account, request.currency_code
    if request.format == pb.BANK_STATEMENT_FORMAT_CSV:
        return [
            read_csv(
                request.content,
                account=account,
                currency_code=currency_code,
                reference=request.reference,
            )
        ]
    statements = read_camt(request.content)
    for statement in statements:
        if account and _plain(statement.account) != _plain(account):
            raise StatementMalformed(f"statement {statement.reference} is of another account")
        if currency_code and statement.currency_code != currency_code:
            raise StatementMalformed(f"statement {statement.reference} is in another currency")
    return statements


def _file_faults(request: pb.ImportBankStatementRequest) -> dict[str, str | None]:
    is_csv = request.format == pb.BANK_STATEMENT_FORMAT_CSV
    account = request.account or ("" if is_csv else "any")
    currency_code = request.currency_code or ("" if is_csv else "EUR")
    known = {pb.BANK_STATEMENT_FORMAT_CAMT_053, pb.BANK_STATEMENT_FORMAT_CSV}
    reference = _text_fault(request.reference, 64) if is_csv else None
    if not is_csv and request.reference:
        reference = "must be empty: the file says it"
    return {
        "format": None if request.format in known else "must be one of the formats there are",
        "account": None if _ACCOUNT.fullmatch(account) else "must be an IBAN or the bank's own id",
        "currency_code": _currency_fault(currency_code),
        "reference": reference,
    }


def _text_fault(text: str, characters_max: int) -> str | None:
    if 1 <= len(text) <= characters_max and text.isprintable():
        return None
    return f"must be 1 to {characters_max} printable characters"


def _currency_fault(currency_code: str) -> str | None:
    return None if currency_code in CURRENCIES else "must be an ISO 4217 code that we know"


def _plain(account: str) -> str:
    return account.replace(" ", "").upper()


def _time_of(microseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        raise InvalidArgument([("page_token", "is not a token of this list")]) from None


def _statement_message(statement: StoredStatement) -> pb.BankStatement:
    return pb.BankStatement(
        id=statement.id,
        account=statement.account,
        reference=statement.reference,
        currency_code=statement.currency_code,
        start_date=statement.start_date.isoformat(),
        end_date=statement.end_date.isoformat(),
        opening_minor=statement.opening_minor,
        closing_minor=statement.closing_minor,
        line_count=statement.line_count,
        actor=statement.actor,
        import_time=statement.import_time,
    )


def _line_message(line: StoredLine, candidates: Sequence[str]) -> pb.BankStatementLine:
    return pb.BankStatementLine(
        id=line.id,
        bank_statement_id=line.statement_id,
        position=line.position,
        kind=int(line.kind),  # type: ignore[arg-type]
        money=money_pb2.Money(currency_code=line.currency_code, amount_minor=line.amount_minor),
        booking_date=line.booking_date.isoformat(),
        value_date=line.value_date.isoformat() if line.value_date else "",
        bank_reference=line.bank_reference,
        counterparty=line.counterparty,
        texts=line.texts,
        match_method=int(line.method or 0),  # type: ignore[arg-type]
        payment_id=line.payment_id or "",
        match_reason=f"{line.actor}: {line.reason}" if line.actor else "",
        transaction_id=f"txn_{line.transaction_number}" if line.transaction_number else "",
        candidate_payment_ids=candidates,
    )


def _payment_message(payment: BankPayment, currency_code: str) -> pb.UnmatchedPayment:
    return pb.UnmatchedPayment(
        payment_id=payment.payment_id,
        kind=payment.kind,  # type: ignore[arg-type]
        money=money_pb2.Money(currency_code=currency_code, amount_minor=payment.amount_minor),
        effective_time=payment.effective_time,
    )
