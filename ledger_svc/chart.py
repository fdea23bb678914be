"""The chart of accounts: what kind of account each one is.

The results of payments name wallets, and a wallet's owner tells the kind. So accounts are made
without one, and wallet is asked a little later: posting waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chassis.batching import is_outage, isolate
from chassis.channel import call
from chassis.database import Database
from chassis.errors import ServiceError
from chassis.repeating import repeat
from ledger_svc.model import account_class
from ledger_svc.store import accounts
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc

_ACCOUNTS_MAX = 512
"""As many as wallet answers for at a time."""


class Chart:
    """Looks for accounts without a class, again and again. Several may run."""

    def __init__(
        self,
        *,
        database: Database,
        wallets: wallet_pb2_grpc.WalletServiceStub,
        every_seconds: float,
        call_seconds_max: float,
    ) -> None:
        self._database = database
        self._wallets = wallets
        self._every_seconds = every_seconds
        self._call_seconds_max = call_seconds_max

    async def run(self, stop: asyncio.Event) -> None:
        """Classify until told to stop."""
        await repeat(
            self.classify, name="chart of accounts", every_seconds=self._every_seconds, stop=stop
        )

    async def classify(self) -> int:
        """Give new accounts their class; answers how many got one.

        A wallet that wallet_svc does not know keeps none, and the reconciliation names it.
        """
        total, after_id = 0, ""
        while True:
            start = after_id
            found = await self._database.read(
                lambda connection, start=start: accounts.without_class(  # type: ignore[misc]
                    connection, start, count_max=_ACCOUNTS_MAX
                )
            )
            if not found:
                return total
            after_id = found[-1]
            total += await self._classify(found)

    async def _classify(self, account_ids: list[str]) -> int:
        # Wallet answers for all or for none: one that it does not know must not block the others.
        outcomes = await isolate(account_ids, self._owners)
        for outcome in outcomes:
            if isinstance(outcome, ServiceError) and is_outage(outcome):
                raise outcome
        classes = {
            account_id: number
            for account_id, outcome in zip(account_ids, outcomes, strict=True)
            if isinstance(outcome, str) and (number := account_class(outcome)) is not None
        }
        if classes:
            await self._database.transaction(
                lambda connection: accounts.set_classes(connection, classes)
            )
        return len(classes)

    async def _owners(self, account_ids: Sequence[str]) -> list[str | ServiceError]:
        answer = await call(
            self._wallets.BatchGetWallets,
            wallet_pb2.BatchGetWalletsRequest(wallet_ids=account_ids),
            timeout_seconds=self._call_seconds_max,
        )
        return [wallet.owner_id for wallet in answer.wallets]
