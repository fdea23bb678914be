"""PaymentService: checks the message, calls the use case, builds the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import Row
from stdnum import iban as iban_number
from stdnum.exceptions import ValidationError

from chassis.clock import Clock
from chassis.database import Database
from chassis.digests import ranges_of, rows_max_of
from chassis.errors import (
    FieldViolation,
    InvalidArgument,
    PermissionDenied,
    ServiceError,
    to_item_error,
)
from chassis.ids import IdMaker
from chassis.pagination import decode_page_token, encode_page_token, page_size_of
from chassis.telemetry import traceparent_of_current_span
from chassis.tls import peer_identity
from chassis.tracing import INSIDE
from payment_svc import digests, operations
from payment_svc.acceptance import Acceptance
from payment_svc.messages import (
    KINDS,
    STATUSES,
    event_message,
    payment_message,
    request_of,
    timestamp,
)
from payment_svc.model import Kind, Status, StoredPayment, printable
from payment_svc.store.payments import Completed, PaymentFilter
from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc

SUBMIT_ITEMS_MAX = 256
GET_ITEMS_MAX = 512
_HOLDER_CHARACTERS_MAX = 80
_PAGE_KIND = "payment.payments"
_COMPLETED_KIND = "payment.completed"
COMPLETED_ITEMS_MAX = 2000
RECORDS_MAX = 2000
REPUBLISH_ITEMS_MAX = 256
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_MAX = 200 * 366 * 24 * 3600 * 1_000_000
"""Two centuries: what a forged page token may ask for at most."""

_READERS = frozenset({"gateway", "gateway-reader", "operator"})
ALLOWED_CALLERS: Mapping[str, frozenset[str]] = {
    "SubmitPayments": frozenset({"gateway", "operator"}),
    "GetPayment": _READERS,
    "BatchGetPayments": _READERS | {"ledger"},
    "ListPayments": _READERS,
    "ListCompletedPayments": frozenset({"ledger", "operator"}),
    "ListPaymentEvents": _READERS,
    "DigestPayments": frozenset({"ledger", "operator"}),
    "ListPaymentRecords": frozenset({"ledger", "operator"}),
    "RepublishPayments": frozenset({"ledger", "operator"}),
    "CreateBankAccount": frozenset({"gateway", "operator"}),
    "ListBankAccounts": _READERS,
}

_STATUS_OF = {number: Status(name) for name, number in STATUSES.items()}
_KIND_OF = {number: Kind(name) for name, number in KINDS.items()}


class PaymentServicer(payment_pb2_grpc.PaymentServiceServicer):
    """The gRPC face of payment_svc."""

    def __init__(
        self,
        *,
        acceptance: Acceptance,
        database: Database,
        publish_tasks: Callable[[Sequence[StoredPayment]], Awaitable[None]],
        sweep_after_seconds: float,
        clock: Clock,
        ids: IdMaker,
    ) -> None:
        self._acceptance = acceptance
        self._publish_tasks = publish_tasks
        self._sweep_after_seconds = sweep_after_seconds
        self._database = database
        self._clock = clock
        self._ids = ids

    async def SubmitPayments(
        self, request: payment_pb2.SubmitPaymentsRequest, context: Any
    ) -> payment_pb2.SubmitPaymentsResponse:
        """Accept payments, each answered for itself."""
        _check_count("items", len(request.items), maximum=SUBMIT_ITEMS_MAX)
        identity = peer_identity(context.auth_context())
        if identity != "operator" and any(item.HasField("top_up") for item in request.items):
            # A gateway speaks for customers and merchants; money from the bank is not theirs to
            # make.
            raise PermissionDenied(caller=identity or "none")
        # What a gateway does not trace, it has decided not to.
        traceparent = "" if identity in INSIDE else traceparent_of_current_span()
        answers = await self._acceptance.submit(
            [request_of(item, traceparent) for item in request.items]
        )
        return payment_pb2.SubmitPaymentsResponse(
            results=[
                payment_pb2.SubmitPaymentResult(error=to_item_error(answer))
                if isinstance(answer, ServiceError)
                else payment_pb2.SubmitPaymentResult(
                    payment=payment_message(answer.payment), replayed=answer.replayed
                )
                for answer in answers
            ]
        )

    async def GetPayment(
        self, request: payment_pb2.GetPaymentRequest, context: Any
    ) -> payment_pb2.GetPaymentResponse:
        """One payment, for one of its sides."""
        row = await operations.get_payment(
            self._database, request.payment_id, viewer_id=request.viewer_id
        )
        return payment_pb2.GetPaymentResponse(payment=payment_message(row))

    async def BatchGetPayments(
        self, request: payment_pb2.BatchGetPaymentsRequest, context: Any
    ) -> payment_pb2.BatchGetPaymentsResponse:
        """Many payments by id."""
        _check_count("payment_ids", len(request.payment_ids), maximum=GET_ITEMS_MAX)
        rows = await operations.get_payments(self._database, list(request.payment_ids))
        return payment_pb2.BatchGetPaymentsResponse(
            payments=[
                payment_message(rows[payment_id])
                for payment_id in request.payment_ids
                if payment_id in rows
            ]
        )

    async def ListPayments(
        self, request: payment_pb2.ListPaymentsRequest, context: Any
    ) -> payment_pb2.ListPaymentsResponse:
        """A page of an owner's payments, newest first."""
        _require("owner_id", request.owner_id)
        page_size = page_size_of(request.page_size, maximum=200)
        before_id = None
        if request.page_token:
            (before_id,) = decode_page_token(_PAGE_KIND, request.page_token, tuple[str])
        rows = await operations.list_payments(
            self._database,
            request.owner_id,
            wanted=PaymentFilter(
                status=_STATUS_OF.get(request.status),
                kind=_KIND_OF.get(request.kind),
                start_time=_time(request.start_time) if request.HasField("start_time") else None,
                end_time=_time(request.end_time) if request.HasField("end_time") else None,
                before_id=before_id,
            ),
            count_max=page_size + 1,
        )
        page, more = rows[:page_size], len(rows) > page_size
        return payment_pb2.ListPaymentsResponse(
            payments=[payment_message(row) for row in page],
            next_page_token=encode_page_token(_PAGE_KIND, [page[-1].id]) if more else "",
        )

    async def ListPaymentEvents(
        self, request: payment_pb2.ListPaymentEventsRequest, context: Any
    ) -> payment_pb2.ListPaymentEventsResponse:
        """A page of an owner's events, in order."""
        _require("owner_id", request.owner_id)
        page_size = page_size_of(request.page_size, default=100)
        rows, head = await operations.list_events(
            self._database,
            request.owner_id,
            after_number=request.after_number,
            count_max=page_size + 1,
        )
        return payment_pb2.ListPaymentEventsResponse(
            events=[event_message(row) for row in rows[:page_size]],
            more=len(rows) > page_size,
            head_number=head,
        )

    async def ListCompletedPayments(
        self, request: payment_pb2.ListCompletedPaymentsRequest, context: Any
    ) -> payment_pb2.ListCompletedPaymentsResponse:
        """A page of what was completed in a span of time that is over."""
        page_size = page_size_of(request.page_size, maximum=COMPLETED_ITEMS_MAX)
        if request.page_token:
            after_microseconds, after_id, end_microseconds = decode_page_token(
                _COMPLETED_KIND, request.page_token, tuple[int, str, int]
            )
            after = Completed(_moment(after_microseconds), after_id)
            end_time = _moment(end_microseconds)
        else:
            start = _time(request.start_time) if request.HasField("start_time") else _BEGINNING
            after, end_time = Completed(start, ""), await operations.settled_until(self._database)
        found = await operations.list_completed(
            self._database, after=after, end_time=end_time, count_max=page_size + 1
        )
        page, token = found[:page_size], ""
        if len(found) > page_size:
            last = page[-1]
            places: list[str | int] = [_microseconds(last.time), last.id, _microseconds(end_time)]
            token = encode_page_token(_COMPLETED_KIND, places)
        return payment_pb2.ListCompletedPaymentsResponse(
            payment_ids=[item.id for item in page],
            next_page_token=token,
            end_time=timestamp(end_time),
        )

    async def DigestPayments(
        self, request: payment_pb2.DigestPaymentsRequest, context: Any
    ) -> payment_pb2.DigestPaymentsResponse:
        """Add up the payments of ranges of ids."""
        found = await digests.digest_payments(
            self._database, ranges_of(request.ranges), rows_max=rows_max_of(request.rows_max)
        )
        return payment_pb2.DigestPaymentsResponse(digests=map(digests.range_message, found))

    async def ListPaymentRecords(
        self, request: payment_pb2.ListPaymentRecordsRequest, context: Any
    ) -> payment_pb2.ListPaymentRecordsResponse:
        """List the payments of ranges of ids."""
        found = await digests.list_ranges(
            self._database, ranges_of(request.ranges), count_max=RECORDS_MAX
        )
        return payment_pb2.ListPaymentRecordsResponse(
            records=map(digests.record_message, found[:RECORDS_MAX]),
            too_many=len(found) > RECORDS_MAX,
        )

    async def RepublishPayments(
        self, request: payment_pb2.RepublishPaymentsRequest, context: Any
    ) -> payment_pb2.RepublishPaymentsResponse:
        """Put PENDING payments into the queue again."""
        _check_count("payment_ids", len(request.payment_ids), maximum=REPUBLISH_ITEMS_MAX)
        published = await digests.republish(
            self._database,
            list(request.payment_ids),
            publish_tasks=self._publish_tasks,
            sweep_after_seconds=self._sweep_after_seconds,
        )
        return payment_pb2.RepublishPaymentsResponse(payment_ids=published)

    async def CreateBankAccount(
        self, request: payment_pb2.CreateBankAccountRequest, context: Any
    ) -> payment_pb2.CreateBankAccountResponse:
        """Store a bank account to withdraw to."""
        _require("owner_id", request.owner_id)
        account = await operations.create_bank_account(
            self._database,
            owner_id=request.owner_id,
            holder=request.holder,
            iban=_checked_iban(request.holder, request.iban),
            clock=self._clock,
            ids=self._ids,
        )
        return payment_pb2.CreateBankAccountResponse(bank_account=_bank_account(account))

    async def ListBankAccounts(
        self, request: payment_pb2.ListBankAccountsRequest, context: Any
    ) -> payment_pb2.ListBankAccountsResponse:
        """An owner's bank accounts."""
        _require("owner_id", request.owner_id)
        accounts = await operations.list_bank_accounts(self._database, request.owner_id)
        return payment_pb2.ListBankAccountsResponse(
            bank_accounts=[_bank_account(account) for account in accounts]
        )


def _check_count(field: str, count: int, *, maximum: int) -> None:
    if not 1 <= count <= maximum:
        raise InvalidArgument([(field, f"must be 1 to {maximum}")])


def _require(field: str, value: str) -> None:
    if not value:
        raise InvalidArgument([(field, "is required")])


def _checked_iban(holder: str, iban: str) -> str:
    """The IBAN without spaces (ISO 13616). Raises ``InvalidArgument`` naming every bad field."""
    found = []
    if not 1 <= len(holder.strip()) <= _HOLDER_CHARACTERS_MAX or not printable(holder):
        found.append(FieldViolation("holder", "must be 1 to 80 printable characters"))
    compact = ""
    try:
        compact = iban_number.validate(iban)
    except ValidationError:
        found.append(FieldViolation("iban", "is not a valid IBAN"))
    if found:
        raise InvalidArgument(found)
    return compact


def _bank_account(account: Row[Any]) -> payment_pb2.BankAccount:
    hidden = "*" * (len(account.iban) - 8)
    return payment_pb2.BankAccount(
        id=account.id,
        holder=account.holder,
        masked_iban=f"{account.iban[:4]}{hidden}{account.iban[-4:]}",
    )


def _time(message: Timestamp) -> datetime:
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidArgument([("start_time", "is not a time")]) from error


def _microseconds(moment: datetime) -> int:
    return (moment - _BEGINNING) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return _BEGINNING + timedelta(microseconds=min(max(0, microseconds), _MICROSECONDS_MAX))
