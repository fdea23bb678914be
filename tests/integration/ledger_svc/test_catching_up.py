"""What the queue lost, the journal finds by asking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from chassis.database import Database
from chassis.errors import Unavailable
from ledger_svc import operations
from ledger_svc.catching_up import CatchingUp
from ledger_svc.model import Booking
from qrpay.payment.v1 import payment_pb2
from qrpay.wallet.v1 import wallet_pb2

END = datetime(2026, 3, 1, tzinfo=UTC)
MakeBooking = Callable[..., Booking]


class Others:
    """payment and wallet, as far as the ledger asks them; pages of two."""

    def __init__(self, completed: Sequence[Booking]) -> None:
        self.completed = completed
        self.moved = {booking.payment_id: booking for booking in completed}
        self.starts: list[datetime] = []
        self.away = False

    async def ListCompletedPayments(self, request: Any, **_: Any) -> Any:
        """A page of what was completed."""
        if not request.page_token:
            self.starts.append(request.start_time.ToDatetime(tzinfo=UTC))
        first = int(request.page_token or 0)
        ids = [booking.payment_id for booking in self.completed]
        response = payment_pb2.ListCompletedPaymentsResponse(
            payment_ids=ids[first : first + 2],
            next_page_token=str(first + 2) if first + 2 < len(ids) else "",
        )
        response.end_time.FromDatetime(END)
        return response

    async def BatchGetTransfers(self, request: Any, **_: Any) -> Any:
        """The transfers of some payments."""
        if self.away:
            raise Unavailable
        response = wallet_pb2.BatchGetTransfersResponse()
        for payment_id in request.payment_ids:
            if (booking := self.moved.get(payment_id)) is None:
                continue
            item = response.transfers.add()
            item.transfer.payment_id = payment_id
            item.transfer.debit_wallet_id = booking.debit_account_id
            item.transfer.credit_wallet_id = booking.credit_account_id
            item.transfer.money.amount_minor = booking.amount_minor
            item.transfer.money.currency_code = booking.currency_code
            item.transfer.kind = cast("Any", booking.kind)
            item.outcome.execute_time.FromMicroseconds(booking.effective_microseconds)
        return response


def catching_up(database: Database, others: Others) -> CatchingUp:
    """Catches up with these others."""
    stub: Any = others
    return CatchingUp(
        database=database,
        payments=stub,
        wallets=stub,
        every_seconds=1,
        call_seconds_max=1,
    )


async def test_only_what_is_missing_is_booked(
    database: Database, auditor: Any, make_booking: MakeBooking
) -> None:
    """Goal: of all completed payments, over several pages, those that the journal lacks are booked
    as wallet moved them, the others stay as they are, and the next round begins where this one
    ended."""
    bookings = [make_booking() for _ in range(5)]
    await operations.post_bookings(database, [bookings[1], bookings[4]])
    others = Others(bookings)
    catching = catching_up(database, others)

    assert await catching.catch_up() == 3
    assert await catching.catch_up() == 0

    assert sorted(await auditor.booked()) == sorted(item.payment_id for item in bookings)
    repeated = await operations.post_bookings(database, bookings)
    assert repeated == [operations.Outcome.REPEATED] * 5, "booked with the same content"
    assert await auditor.faults() == []
    assert others.starts == [datetime(1970, 1, 1, tzinfo=UTC), END]


async def test_an_outage_moves_nothing_on(
    database: Database, auditor: Any, make_booking: MakeBooking
) -> None:
    """Goal: a round that could not be finished is begun again from the same place."""
    others = Others([make_booking()])
    others.away = True
    with pytest.raises(Unavailable):
        await catching_up(database, others).catch_up()
    assert await operations.caught_up_to(database) == datetime(1970, 1, 1, tzinfo=UTC)

    others.away = False
    assert await catching_up(database, others).catch_up() == 1


async def test_the_place_never_moves_back(database: Database) -> None:
    """Goal: of two copies that catch up, the slower one does not undo the faster one's progress."""
    await operations.set_caught_up_to(database, END)
    await operations.set_caught_up_to(database, END - timedelta(hours=1))
    assert await operations.caught_up_to(database) == END


async def test_a_payment_without_a_transfer_is_not_made_up(
    database: Database, auditor: Any, make_booking: MakeBooking
) -> None:
    """Goal: if wallet knows nothing of a payment that is said to be completed, nothing is booked
    for it, and its neighbours are."""
    bookings = [make_booking() for _ in range(2)]
    others = Others(bookings)
    del others.moved[bookings[0].payment_id]

    assert await catching_up(database, others).catch_up() == 1
    assert await auditor.booked() == [bookings[1].payment_id]
