"""Finds completed payments that the journal lacks, and books them.

The queue may lose everything between a payment's end and its booking. So the journal does not rely
on it: now and then it asks payment which payments were completed since it last asked, and wallet
for the transfers of those that it does not have. In ordinary times there are none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from chassis.channel import call
from chassis.database import Database
from chassis.errors import ServiceError
from chassis.logs import get_logger
from chassis.repeating import repeat
from ledger_svc.messages import booking_of_transfer
from ledger_svc.operations import (
    booked_payments,
    caught_up_to,
    post_bookings,
    set_caught_up_to,
)
from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc

_LOG = get_logger(__name__)

_PAGE_SIZE = 2000
_TRANSFERS_MAX = 256


class CatchingUp:
    """Asks, again and again. Several may run: a payment is booked once."""

    def __init__(
        self,
        *,
        database: Database,
        payments: payment_pb2_grpc.PaymentServiceStub,
        wallets: wallet_pb2_grpc.WalletServiceStub,
        every_seconds: float,
        call_seconds_max: float,
    ) -> None:
        self._database = database
        self._payments = payments
        self._wallets = wallets
        self._every_seconds = every_seconds
        self._call_seconds_max = call_seconds_max

    async def run(self, stop: asyncio.Event) -> None:
        """Catch up until told to stop. A round that fails is begun again at the next turn."""
        await repeat(self.catch_up, name="catch up", every_seconds=self._every_seconds, stop=stop)

    async def catch_up(self) -> int:
        """One round; answers how many payments had to be booked."""
        start = await caught_up_to(self._database)
        request = payment_pb2.ListCompletedPaymentsRequest(page_size=_PAGE_SIZE)
        request.start_time.FromDatetime(start)
        booked = 0
        while True:
            page = await call(
                self._payments.ListCompletedPayments,
                request,
                timeout_seconds=self._call_seconds_max,
            )
            if page.payment_ids:
                there = await booked_payments(self._database, page.payment_ids)
                missing = [item for item in page.payment_ids if item not in there]
                for first in range(0, len(missing), _TRANSFERS_MAX):
                    booked += await self._book(missing[first : first + _TRANSFERS_MAX])
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        end = page.end_time.ToDatetime(tzinfo=UTC)
        if end > max(start, datetime(1970, 1, 1, tzinfo=UTC)):
            await set_caught_up_to(self._database, end)
        return booked

    async def _book(self, payment_ids: Sequence[str]) -> int:
        found = await call(
            self._wallets.BatchGetTransfers,
            wallet_pb2.BatchGetTransfersRequest(payment_ids=payment_ids),
            timeout_seconds=self._call_seconds_max,
        )
        bookings = [
            booking_of_transfer(item) for item in found.transfers if not item.outcome.failure_code
        ]
        if len(bookings) < len(payment_ids):
            known = {booking.payment_id for booking in bookings}
            lost = [item for item in payment_ids if item not in known]
            # Said to be completed, and no money moved: a person must look.
            _LOG.error("completed payments without a transfer", payment_ids=lost)
        if not bookings:
            return 0
        outcomes = await post_bookings(self._database, bookings)
        for booking, outcome in zip(bookings, outcomes, strict=True):
            if isinstance(outcome, ServiceError):
                _LOG.error(
                    "payment not booked", payment_id=booking.payment_id, reason=outcome.reason
                )
        _LOG.warning("booked what the queue had lost", payments=len(bookings))
        return len(bookings)
