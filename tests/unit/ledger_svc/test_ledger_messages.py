"""Reading the messages of the results queue: whatever they hold, no result gets lost."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from ledger_svc.messages import MalformedMessage, RefusedResult, read_message
from ledger_svc.model import Booking, fault_of, is_id
from qrpay.payment.v1.payment_queue_pb2 import ResultBatch, TransferResult, TransferTask
from qrpay.type.v1.failure_code_pb2 import FAILURE_CODE_INSUFFICIENT_FUNDS
from qrpay.type.v1.money_pb2 import Money

INT64 = st.integers(-(2**63), 2**63 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)
TEXTS = st.one_of(
    st.sampled_from(["", "pay_1", "wal_a", "USD"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)


def moved(payment_id: str = "pay_1") -> TransferResult:
    """A result of a transfer that moved money."""
    return TransferResult(
        task=TransferTask(
            payment_id=payment_id,
            debit_wallet_id="wal_a",
            credit_wallet_id="wal_b",
            money=Money(currency_code="USD", amount_minor=5),
            kind=2,  # type: ignore[arg-type]
            traceparent="00-trace",
        ),
        execute_time=Timestamp(seconds=7, nanos=8_999),
    )


@st.composite
def results(draw: st.DrawFn) -> TransferResult:
    """Any result that the format allows, sensible or not."""
    result = TransferResult()
    result.failure_code = draw(st.sampled_from([0, 0, 1, 99]))  # type: ignore[assignment]
    result.task.payment_id = draw(TEXTS)
    result.task.debit_wallet_id = draw(TEXTS)
    result.task.credit_wallet_id = draw(TEXTS)
    result.task.money.currency_code = draw(TEXTS)
    result.task.money.amount_minor = draw(st.one_of(st.just(5), INT64))
    result.task.kind = draw(st.one_of(st.just(1), INT32))  # type: ignore[assignment]
    result.execute_time.seconds = draw(st.one_of(st.just(7), INT64))
    result.execute_time.nanos = draw(INT32)
    return result


def test_a_moved_payment_is_read() -> None:
    """All fields arrive; nanoseconds are cut to what PostgreSQL keeps."""
    reading = read_message(ResultBatch(batch_id="bat_1", results=[moved()]).SerializeToString())
    assert reading.batch_id == "bat_1"
    assert reading.bookings == [Booking("pay_1", 2, "wal_a", "wal_b", "USD", 5, 7_000_008)]
    assert reading.traceparents == ["00-trace"]
    assert reading.failed_payment_ids == []
    assert reading.refused == []


def test_failed_and_malformed_results_do_not_hide_their_neighbours() -> None:
    """A batch is read result by result."""
    failed, malformed, nameless = moved("pay_2"), moved("pay_3"), moved("")
    failed.failure_code = FAILURE_CODE_INSUFFICIENT_FUNDS
    malformed.task.money.amount_minor = 0
    nameless.failure_code = FAILURE_CODE_INSUFFICIENT_FUNDS
    batch = ResultBatch(results=[failed, malformed, moved("pay_4"), nameless])
    reading = read_message(batch.SerializeToString())
    assert reading.failed_payment_ids == ["pay_2"]
    assert reading.refused == [
        RefusedResult("pay_3", "amount_minor"),
        RefusedResult("", "payment_id"),
    ]
    assert [booking.payment_id for booking in reading.bookings] == ["pay_4"]


def test_a_result_without_parts_is_refused() -> None:
    """Missing submessages are malformed results, not zero amounts in 1970."""
    without_money, without_time, without_task = moved(), moved(), TransferResult()
    without_money.task.ClearField("money")
    without_time.ClearField("execute_time")
    batch = ResultBatch(results=[without_money, without_time, without_task])
    reading = read_message(batch.SerializeToString())
    assert [item.field for item in reading.refused] == [
        "currency_code",
        "execute_time",
        "payment_id",
    ]


@given(batch=st.builds(ResultBatch, results=st.lists(results(), min_size=1, max_size=5)))
def test_every_result_goes_one_way(batch: ResultBatch) -> None:
    """For all results: booked, failed or refused, exactly one of them; and what is to be booked can
    be booked."""
    reading = read_message(batch.SerializeToString())
    assert len(reading.bookings) == len(reading.traceparents)
    assert len(reading.bookings) + len(reading.failed_payment_ids) + len(reading.refused) == len(
        batch.results
    )
    assert not [booking for booking in reading.bookings if fault_of(booking)]
    assert all(map(is_id, reading.failed_payment_ids))
    failed = [item.task.payment_id for item in batch.results if item.failure_code]
    assert [item for item in failed if is_id(item)] == reading.failed_payment_ids


@given(data=st.binary(max_size=60))
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    """Whatever arrives is a batch or a ``MalformedMessage``, never another error."""
    try:
        reading = read_message(data)
    except MalformedMessage:
        return
    assert reading.bookings or reading.failed_payment_ids or reading.refused


@pytest.mark.parametrize(
    "data", [b"", b"not protobuf", ResultBatch(batch_id="bat").SerializeToString()]
)
def test_no_batch_of_results_is_malformed(data: bytes) -> None:
    """Bytes that cannot be parsed, and batches with nothing in them."""
    with pytest.raises(MalformedMessage):
        read_message(data)
