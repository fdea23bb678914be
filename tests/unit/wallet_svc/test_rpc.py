"""The servicer without a database behind it: how much it does at a time."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from chassis.clock import SystemClock
from chassis.database import Database
from chassis.ids import IdMaker
from qrpay.type.v1.money_pb2 import Money
from qrpay.wallet.v1 import wallet_pb2
from wallet_svc.errors import WalletNotFound
from wallet_svc.rpc import WalletServicer

REQUEST = wallet_pb2.ExecuteTransfersRequest(
    transfers=[
        wallet_pb2.Transfer(
            payment_id="pay_1",
            debit_wallet_id="wal_a",
            credit_wallet_id="wal_b",
            money=Money(currency_code="USD", amount_minor=1),
            kind="TRANSFER_KIND_SEND",
        )
    ]
)


class HeldDatabase:
    """Its transactions end when they are let go, and find no wallet."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.running = 0
        self.running_max = 0

    async def transaction(self, _work: object) -> list[WalletNotFound]:
        """Run until released."""
        self.running += 1
        self.running_max = max(self.running, self.running_max)
        await self.released.wait()
        self.running -= 1
        return [WalletNotFound()]


def servicer(database: HeldDatabase) -> WalletServicer:
    """Executes two batches at a time."""
    clock = SystemClock()
    return WalletServicer(
        database=cast("Database", database),
        clock=clock,
        ids=IdMaker(clock=clock),
        balance_minor_max=1,
        execute_concurrency_max=2,
    )


async def test_batches_wait_their_turn() -> None:
    """Goal: no more than two batches are executed at a time, and all are in the end, also
    when a caller leaves while it waits."""
    database = HeldDatabase()
    service = servicer(database)
    calls: list[asyncio.Task[Any]] = [
        asyncio.create_task(cast("Any", service.ExecuteTransfers(REQUEST, None))) for _ in range(7)
    ]
    for _ in range(10):
        await asyncio.sleep(0)  # a turn of the loop, in which nobody is held up by anything else
    assert database.running == 2

    calls[3].cancel()
    database.released.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert database.running_max == 2
    assert isinstance(answers.pop(3), asyncio.CancelledError)
    assert {answer.results[0].error.reason for answer in answers} == {"WALLET_NOT_FOUND"}  # type: ignore[union-attr]
