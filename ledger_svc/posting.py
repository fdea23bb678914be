"""Posting: the results of the queue into the journal, many at a time.

Every step may be repeated: a payment is booked once, so redelivery, a crash before the
acknowledgement and two replicas with the same message cost a little time and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from opentelemetry.trace import SpanKind

from chassis import tracing
from chassis.batching import count_batch, is_outage, isolate
from chassis.database import Database
from chassis.errors import ServiceError
from chassis.jetstream import Consumer, ConsumerSpec, JetStream, Message
from chassis.logs import get_logger
from ledger_svc.errors import REFUSALS
from ledger_svc.messages import Reading, read_message
from ledger_svc.model import Booking
from ledger_svc.operations import Outcome, booked_payments, post_bookings
from ledger_svc.settings import LedgerSettings

_LOG = get_logger(__name__)

POSTING = ConsumerSpec(
    stream="PAYMENT_RESULTS",
    name="ledger-posting",
    # A database that hangs is found out after four tries of 8 s at most; a handler that is cut off
    # before that would look like a defect.
    handler_seconds_max=45.0,
    backoff_seconds=(60.0,),
    # An outage uses up no delivery; only crashes and defects do. A payment that is not in the book
    # is a difference that people have to clear, so give up late: after about three hours.
    max_deliver=100,
)
"""Our place in the results stream."""


class PostingDefect(Exception):
    """Something kept a payment from being booked that nobody thought of; the log says what."""


class Verdict(Enum):
    """What is to become of a message."""

    DONE = "done"
    """All of it is in the journal or has no place there."""
    REFUSED = "refused"
    """Something in it can never be booked, and that was logged as an error."""
    LATER = "later"
    """A defect of ours kept something in it from being booked."""


def posting_consumer(
    jetstream: JetStream, posting: Posting, *, settings: LedgerSettings
) -> Consumer[Reading]:
    """The consumer of the results that books them. Waits for the stream, which is payment_svc's."""
    return Consumer(
        jetstream,
        POSTING,
        decode=read_message,
        handle=posting.handle,
        weight=lambda reading: reading.result_count,
        weight_max=settings.results_per_transaction_max,
        buffer_max=settings.messages_buffered_max,
    )


class Posting:
    """Books the payments that messages tell of."""

    def __init__(
        self,
        *,
        database: Database,
        results_per_transaction_max: int,
    ) -> None:
        self._database = database
        self._size_max = results_per_transaction_max

    async def handle(self, messages: Sequence[Message[Reading]]) -> None:
        """Book what these messages say; those that are not settled here are to be acknowledged.

        A message with something in it that can never be booked is terminated: the advisory of that
        reaches people, and the rest of it is booked. Raises ``Unavailable`` while the database
        cannot do its work: all messages have to be handled again. Raises ``PostingDefect`` if some
        of them have to be delivered again; the others are settled then.
        """
        verdicts = await self.post([message.value for message in messages])
        for message, verdict in zip(messages, verdicts, strict=True):
            if verdict is Verdict.DONE:
                await message.ack()
            elif verdict is Verdict.REFUSED:
                await message.term("a result in it cannot be booked")
        if Verdict.LATER in verdicts:
            raise PostingDefect

    async def post(self, readings: Sequence[Reading]) -> list[Verdict]:
        """Book what these messages say; one verdict per message, in order.

        A result that is malformed, contradicts the journal or is refused by the database keeps no
        other from being booked. Raises ``Unavailable`` while the database cannot do its work: part
        of the messages may be booked.
        """
        bookings = [item for reading in readings for item in reading.bookings]
        verdicts: dict[str, Verdict] = {}
        with tracing.batch(
            f"process {POSTING.stream}",
            (item for reading in readings for item in reading.traceparents),
            kind=SpanKind.CONSUMER,
            attributes=tracing.messaging(
                "process", POSTING.stream, consumer=POSTING.name, count=len(bookings)
            ),
        ) as batch:
            for start in range(0, len(bookings), self._size_max):
                part = bookings[start : start + self._size_max]
                count_batch("post", len(part))
                verdicts |= await self._book(part)
            if batch.is_traced:
                _show(batch, readings, verdicts)
        verdicts |= await self._contradictions(readings)
        for reading in readings:
            _log_refused(reading)
        return [_verdict(reading, verdicts) for reading in readings]

    async def _book(self, bookings: Sequence[Booking]) -> dict[str, Verdict]:
        """Book payments; answer the verdict on those that could not be."""

        async def post(items: Sequence[Booking]) -> Sequence[Outcome | ServiceError]:
            return await post_bookings(self._database, items)

        verdicts = {}
        for booking, outcome in zip(bookings, await isolate(bookings, post), strict=True):
            if not isinstance(outcome, ServiceError):
                continue
            if is_outage(outcome):
                raise outcome
            _LOG.error(
                "payment not booked",
                payment_id=booking.payment_id,
                reason=outcome.reason,
                fields=outcome.metadata.get("fields"),
            )
            is_final = isinstance(outcome, REFUSALS)
            verdicts[booking.payment_id] = Verdict.REFUSED if is_final else Verdict.LATER
        return verdicts

    async def _contradictions(self, readings: Sequence[Reading]) -> dict[str, Verdict]:
        """The verdict on payments that failed, as we are told now, but are booked."""
        failed = [item for reading in readings for item in reading.failed_payment_ids]
        if not failed:
            return {}
        contradictions = await booked_payments(self._database, failed)
        for payment_id in sorted(contradictions):
            _LOG.error("failed payment is booked", payment_id=payment_id)
        return dict.fromkeys(contradictions, Verdict.REFUSED)


def _log_refused(reading: Reading) -> None:
    for payment_id, field in reading.refused:
        _LOG.error(
            "malformed result", payment_id=payment_id, field=field, batch_id=reading.batch_id
        )


def _verdict(reading: Reading, verdicts: Mapping[str, Verdict]) -> Verdict:
    found = {Verdict.REFUSED} if reading.refused else set()
    if verdicts:  # hardly ever: otherwise nobody has to look at each payment
        payment_ids = [*(item.payment_id for item in reading.bookings), *reading.failed_payment_ids]
        found |= {verdicts[item] for item in payment_ids if item in verdicts}
    # What may still be booked must not be given up for what cannot.
    return next((item for item in (Verdict.LATER, Verdict.REFUSED) if item in found), Verdict.DONE)


def _show(
    batch: tracing.Batch, readings: Sequence[Reading], verdicts: Mapping[str, Verdict]
) -> None:
    """Show the posting in the trace of each payment that is traced."""
    attributes = tracing.messaging("process", POSTING.stream, consumer=POSTING.name)
    for reading in readings:
        for booking, traceparent in zip(reading.bookings, reading.traceparents, strict=True):
            if not tracing.is_traced(traceparent):
                continue
            verdict = verdicts.get(booking.payment_id)
            batch.show(
                "post transaction",
                traceparent,
                kind=SpanKind.CONSUMER,
                attributes={**attributes, "qrpay.payment.id": booking.payment_id},
                error=verdict.value if verdict else "",
            )
