"""The services of a running stack, called with the operator's certificate."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import grpc

from chassis.channel import acting_for, call, open_channel
from chassis.errors import ServiceError
from embedded.certificates import tls_files
from embedded.errors import NotRunning, StackError
from embedded.layout import Layout
from embedded.ports import LOOPBACK
from embedded.state import running_state
from qrpay.audit.v1 import audit_pb2_grpc
from qrpay.barcode.v1 import barcode_pb2_grpc, merchant_pb2_grpc
from qrpay.ledger.v1 import (
    bank_statement_pb2_grpc,
    book_pb2_grpc,
    correction_pb2_grpc,
    ledger_pb2,
    ledger_pb2_grpc,
    reconciliation_pb2_grpc,
)
from qrpay.payment.v1 import dead_letter_pb2_grpc, payment_pb2_grpc, timeline_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2_grpc

Answer = TypeVar("Answer")


AUDITED = ("wallet", "payment", "ledger", "barcode")
"""The processes that keep an audit trail."""


class Mesh:
    """Stubs of the public contracts. `ports` are by process, all at one address; the reconciler is
    a process of its own or, as on one machine, a part of ledger."""

    def __init__(
        self, layout: Layout, ports: Mapping[str, int], *, address: str = LOOPBACK
    ) -> None:
        self._tls = tls_files(layout.certificates, "operator")
        self._ports = ports
        self._address = address
        self._exit_stack = AsyncExitStack()
        self.audit: dict[str, audit_pb2_grpc.AuditServiceStub] = {}
        """By process."""

    async def __aenter__(self) -> Self:
        acting_for.set(_user_name())
        self.wallet = wallet_pb2_grpc.WalletServiceStub(await self._open("wallet"))
        payment = await self._open("payment")
        self.payment = payment_pb2_grpc.PaymentServiceStub(payment)
        self.timeline = timeline_pb2_grpc.TimelineServiceStub(payment)
        self.desk = dead_letter_pb2_grpc.DeadLetterServiceStub(payment)
        ledger = await self._open("ledger")
        self.ledger = ledger_pb2_grpc.LedgerServiceStub(ledger)
        self.book = book_pb2_grpc.BookServiceStub(ledger)
        apart = "reconciler" in self._ports
        self.reconciliation = reconciliation_pb2_grpc.ReconciliationServiceStub(
            await self._open("reconciler", identity="ledger") if apart else ledger
        )
        self.bank_statements = bank_statement_pb2_grpc.BankStatementServiceStub(ledger)
        self.corrections = correction_pb2_grpc.CorrectionServiceStub(ledger)
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

    async def _open(self, name: str, *, identity: str = "") -> grpc.aio.Channel:
        if name not in self._ports:
            raise NotRunning(f"{name} does not run")
        channel = await self._exit_stack.enter_async_context(
            open_channel(
                f"{self._address}:{self._ports[name]}", identity=identity or name, tls=self._tls
            )
        )
        if name in AUDITED:
            self.audit[name] = audit_pb2_grpc.AuditServiceStub(channel)
        return channel


async def booking_of(
    mesh: Mesh, payment_id: str, *, timeout_seconds: float
) -> ledger_pb2.Transaction | None:
    """The journal transaction that books a payment; None if there is none. Raises
    ``ServiceError``."""
    try:
        found = await call(
            mesh.ledger.GetTransaction,
            ledger_pb2.GetTransactionRequest(payment_id=payment_id),
            timeout_seconds=timeout_seconds,
        )
    except ServiceError as error:
        if error.reason == "TRANSACTION_NOT_FOUND":
            return None
        raise
    return found.transaction


def _user_name() -> str:
    """Who runs the command; empty where nobody has a name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""


def run_with_mesh(data: Path, work: Callable[[Mesh], Awaitable[Answer]]) -> Answer:
    """Do something with the services of a running stack; what they refuse is told in a sentence."""

    async def run() -> Answer:
        state = running_state(Layout(data))
        async with Mesh(Layout(data), state.ports) as mesh:
            try:
                return await work(mesh)
            except ServiceError as error:
                raise StackError(error.message) from error

    return asyncio.run(run())
