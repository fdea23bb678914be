"""The services of a running stack, called with the operator's certificate."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import grpc

from chassis.channel import open_channel
from embedded.certificates import tls_files
from embedded.errors import NotRunning
from embedded.layout import Layout
from embedded.ports import LOOPBACK
from qrpay.barcode.v1 import barcode_pb2_grpc, merchant_pb2_grpc
from qrpay.ledger.v1 import ledger_pb2_grpc
from qrpay.payment.v1 import dead_letter_pb2_grpc, payment_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2_grpc


class Mesh:
    """Stubs of the public contracts. `ports` are by process."""

    def __init__(self, layout: Layout, ports: Mapping[str, int]) -> None:
        self._tls = tls_files(layout.certificates, "operator")
        self._ports = ports
        self._exit_stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.wallet = wallet_pb2_grpc.WalletServiceStub(await self._open("wallet"))
        payment = await self._open("payment")
        self.payment = payment_pb2_grpc.PaymentServiceStub(payment)
        self.desk = dead_letter_pb2_grpc.DeadLetterServiceStub(payment)
        self.ledger = ledger_pb2_grpc.LedgerServiceStub(await self._open("ledger"))
        barcode = await self._open("barcode")
        self.barcode = barcode_pb2_grpc.BarcodeServiceStub(barcode)
        self.merchants = merchant_pb2_grpc.MerchantServiceStub(barcode)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._exit_stack.aclose()

    async def _open(self, name: str) -> grpc.aio.Channel:
        if name not in self._ports:
            raise NotRunning(f"{name} does not run")
        channel = open_channel(f"{LOOPBACK}:{self._ports[name]}", identity=name, tls=self._tls)
        return await self._exit_stack.enter_async_context(channel)
