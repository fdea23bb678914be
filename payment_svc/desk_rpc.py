"""DeadLetterService: checks the message, calls the desk, builds the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from chassis.channel import call
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import InvalidArgument, ServiceError, from_item_error, to_item_error
from chassis.pagination import decode_page_token, encode_page_token, page_size_of
from payment_svc import desk
from payment_svc.executor import stored_outcome, transfer_message
from payment_svc.messages import payment_message, timestamp
from payment_svc.model import printable
from payment_svc.store.dead_letters import FiledLetter, LetterFilter, LetterRecord
from qrpay.payment.v1 import dead_letter_pb2, dead_letter_pb2_grpc, payment_queue_pb2
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc

_OPERATORS = frozenset({"operator"})
ALLOWED_CALLERS: Mapping[str, frozenset[str]] = {
    "ListDeadLetters": _OPERATORS,
    "GetDeadLetter": _OPERATORS,
    "RedriveDeadLetters": _OPERATORS,
    "DiscardDeadLetter": _OPERATORS,
}

REDRIVE_ITEMS_MAX = 256
_PAGE_KIND = "payment.dead_letters"
_ACTOR_CHARACTERS_MAX = 64
_WHY_CHARACTERS_MAX = 500

_STATES = dead_letter_pb2.DeadLetterState
_REASONS = payment_queue_pb2.DeadLetterReason


class DeadLetterServicer(dead_letter_pb2_grpc.DeadLetterServiceServicer):
    """The gRPC face of the desk."""

    def __init__(
        self,
        *,
        database: Database,
        wallets: wallet_pb2_grpc.WalletServiceStub,
        put_back: Callable[[str, bytes], Awaitable[None]],
        publish_results: Callable[[Sequence[payment_queue_pb2.TransferResult]], Awaitable[None]],
        remove: Callable[[str], Awaitable[None]],
        clock: Clock,
        call_seconds_max: float,
        sweep_after_seconds: float,
    ) -> None:
        self._database = database
        self._wallets = wallets
        self._put_back = put_back
        self._publish_results = publish_results
        self._remove = remove
        self._clock = clock
        self._call_seconds_max = call_seconds_max
        self._sweep_after_seconds = sweep_after_seconds

    async def ListDeadLetters(
        self, request: dead_letter_pb2.ListDeadLettersRequest, context: Any
    ) -> dead_letter_pb2.ListDeadLettersResponse:
        """A page of letters, newest first."""
        page_size = page_size_of(request.page_size, maximum=200)
        before_id = None
        if request.page_token:
            (before_id,) = decode_page_token(_PAGE_KIND, request.page_token, tuple[str])
        rows = await desk.list_letters(
            self._database, _filter_of(request.filter), before_id=before_id, count_max=page_size + 1
        )
        page, more = rows[:page_size], len(rows) > page_size
        token = encode_page_token(_PAGE_KIND, [page[-1].id]) if more else ""
        return dead_letter_pb2.ListDeadLettersResponse(
            letters=[_letter_message(row) for row in page], next_page_token=token
        )

    async def GetDeadLetter(
        self, request: dead_letter_pb2.GetDeadLetterRequest, context: Any
    ) -> dead_letter_pb2.GetDeadLetterResponse:
        """One letter and the truth about its money."""
        shown = await desk.show_letter(self._database, request.dead_letter_id)
        response = dead_letter_pb2.GetDeadLetterResponse(
            letter=_letter_message(shown.letter, payload=True),
            records=[_record_message(record) for record in shown.records],
        )
        if shown.payment is not None:
            response.payment.CopyFrom(payment_message(shown.payment))
            response.event_number = shown.payment.event_number or 0
        if shown.letter.payment_id:
            outcome = await stored_outcome(
                self._wallets,
                shown.letter.payment_id,
                timeout_seconds=self._call_seconds_max,
            )
            if outcome is not None:
                response.transfer.CopyFrom(outcome)
        return response

    async def RedriveDeadLetters(
        self, request: dead_letter_pb2.RedriveDeadLettersRequest, context: Any
    ) -> dead_letter_pb2.RedriveDeadLettersResponse:
        """Put letters back, each answered for itself."""
        if not 1 <= len(request.dead_letter_ids) <= REDRIVE_ITEMS_MAX:
            raise InvalidArgument([("dead_letter_ids", f"must be 1 to {REDRIVE_ITEMS_MAX}")])
        _check_person(request.actor, request.why)
        response = dead_letter_pb2.RedriveDeadLettersResponse()
        for letter_id in request.dead_letter_ids:
            result = response.results.add()
            try:
                letter = await desk.redrive(
                    self._database,
                    letter_id,
                    actor=request.actor,
                    why=request.why,
                    clock=self._clock,
                    put_back=self._put_back,
                    remove=self._remove,
                    sweep_after_seconds=self._sweep_after_seconds,
                )
                result.letter.CopyFrom(_letter_message(letter))
            except ServiceError as error:
                result.error.CopyFrom(to_item_error(error))
        return response

    async def DiscardDeadLetter(
        self, request: dead_letter_pb2.DiscardDeadLetterRequest, context: Any
    ) -> dead_letter_pb2.DiscardDeadLetterResponse:
        """End a letter, and its payment if no money moved."""
        _check_person(request.actor, request.why)
        if not request.why.strip():
            raise InvalidArgument([("why", "is required")])
        letter = await desk.discard(
            self._database,
            request.dead_letter_id,
            actor=request.actor,
            why=request.why,
            clock=self._clock,
            cancel=self._cancel,
            publish_results=self._publish_results,
            remove=self._remove,
            sweep_after_seconds=self._sweep_after_seconds,
        )
        return dead_letter_pb2.DiscardDeadLetterResponse(letter=_letter_message(letter))

    async def _cancel(self, task: payment_queue_pb2.TransferTask) -> wallet_pb2.TransferOutcome:
        response = await call(
            self._wallets.CancelTransfers,
            wallet_pb2.CancelTransfersRequest(transfers=[transfer_message(task)]),
            timeout_seconds=self._call_seconds_max,
        )
        (result,) = response.results
        if result.HasField("error"):
            raise from_item_error(result.error)
        return result.outcome


def _check_person(actor: str, why: str) -> None:
    found = []
    if not 1 <= len(actor) <= _ACTOR_CHARACTERS_MAX or not printable(actor):
        found.append(("actor", f"must be 1 to {_ACTOR_CHARACTERS_MAX} printable characters"))
    if len(why) > _WHY_CHARACTERS_MAX or not printable(why):
        found.append(("why", f"must be at most {_WHY_CHARACTERS_MAX} characters, none of control"))
    if found:
        raise InvalidArgument(found)


def _filter_of(message: dead_letter_pb2.DeadLetterFilter) -> LetterFilter:
    return LetterFilter(
        state=_STATES.Name(message.state).removeprefix("DEAD_LETTER_STATE_")
        if message.state
        else None,
        reason=_REASONS.Name(message.reason).removeprefix("DEAD_LETTER_REASON_")
        if message.reason
        else None,
        payment_id=message.payment_id or None,
        consumer=message.consumer or None,
    )


def _letter_message(
    letter: FiledLetter, *, payload: bool = False
) -> dead_letter_pb2.FiledDeadLetter:
    return dead_letter_pb2.FiledDeadLetter(
        letter=payment_queue_pb2.DeadLetter(
            id=letter.id,
            reason=f"DEAD_LETTER_REASON_{letter.reason}",
            payment_id=letter.payment_id or "",
            subject=letter.subject,
            payload=letter.payload if payload else b"",
            attempts=letter.attempts,
            first_failure_time=timestamp(letter.first_failure_time),
            last_failure_time=timestamp(letter.last_failure_time),
            last_error=letter.last_error,
            consumer=letter.consumer,
        ),
        state=f"DEAD_LETTER_STATE_{letter.state}",
        file_time=timestamp(letter.file_time),
    )


def _record_message(record: LetterRecord) -> dead_letter_pb2.DeadLetterRecord:
    return dead_letter_pb2.DeadLetterRecord(
        act=f"DEAD_LETTER_ACT_{record.act}",
        actor=record.actor,
        why=record.why,
        time=timestamp(record.time),
    )
