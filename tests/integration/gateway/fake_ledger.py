"""The ledger as the gateway's tests want it."""

from __future__ import annotations

from typing import Any

import grpc

from qrpay.ledger.v1 import ledger_pb2
from tests.integration.gateway.fakes import Faults, refusal


class FakeLedger:
    """Has the receipts that a test gives it; of other payments it knows nothing yet."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.receipts: dict[str, bytes] = {}
        self.booked: dict[str, ledger_pb2.Transaction] = {}

    async def GetReceipt(self, request: Any, context: Any) -> Any:
        """A receipt."""
        await self.faults.strike("GetReceipt")
        if request.payment_id not in self.receipts:
            raise refusal("TRANSACTION_NOT_FOUND", grpc.StatusCode.NOT_FOUND)
        return ledger_pb2.GetReceiptResponse(receipt=self.receipts[request.payment_id])

    async def GetTransaction(self, request: Any, context: Any) -> Any:
        """A booking."""
        await self.faults.strike("GetTransaction")
        if request.payment_id not in self.booked:
            raise refusal("TRANSACTION_NOT_FOUND", grpc.StatusCode.NOT_FOUND)
        return ledger_pb2.GetTransactionResponse(transaction=self.booked[request.payment_id])

    async def ListReceiptKeys(self, request: Any, context: Any) -> Any:
        """One key."""
        await self.faults.strike("ListReceiptKeys")
        return ledger_pb2.ListReceiptKeysResponse(
            keys=[ledger_pb2.ReceiptKey(id="kPrK", x="11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
        )

    async def BatchGetAccounts(self, request: Any, context: Any) -> Any:
        """The gateway does not ask."""
        raise NotImplementedError

    ListAccounts = GetTrialBalance = BatchGetAccounts
