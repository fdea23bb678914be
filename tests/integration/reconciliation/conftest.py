"""Three real databases with the same payments in them, wallet and payment behind gRPC, and somebody
who changes rows past all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from chassis.channel import open_channel
from chassis.clock import Clock, SystemClock
from chassis.database import Database, open_database
from chassis.ids import IdMaker
from chassis.server import RpcService, Serving, serve
from chassis.settings import ProcessSettings
from chassis.tls import TlsFiles
from embedded.certificates import ensure_certificates, tls_files
from ledger_svc.model import Booking
from ledger_svc.operations import post_bookings
from ledger_svc.reconciliation.books import Books
from ledger_svc.reconciliation.healing import Healing, Treated
from ledger_svc.reconciliation.reconciler import Pass, Policy, Reconciler
from payment_svc import operations as payment_operations
from payment_svc.model import Kind, NewPayment, Result, StoredPayment
from payment_svc.rpc import ALLOWED_CALLERS as PAYMENT_CALLERS
from payment_svc.rpc import PaymentServicer
from payment_svc.store import pending
from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2_grpc
from wallet_svc.model.owners import OwnerRequest
from wallet_svc.model.records import FailureCode, Outcome, OwnerKind, Transfer, TransferKind
from wallet_svc.operations.owners import create_owner
from wallet_svc.operations.transfers import execute_transfers
from wallet_svc.operations.wallets import resolve_wallets
from wallet_svc.rpc import WalletServicer
from wallet_svc.rpc import rpc_service as wallet_service
from wallet_svc.store.wallets import Reference

CLOCK = SystemClock()
IDS = IdMaker(clock=CLOCK)
KINDS = {Kind.SEND: TransferKind.SEND, Kind.TOP_UP: TransferKind.TOP_UP}
POLICY = Policy(
    every_seconds=0.1,
    settle_seconds=0.3,
    stuck_seconds=3600.0,
    history_seconds=1.0,
    second_look_seconds=0.05,
    heals=True,
)
NAMES = ("wallet", "payment", "ledger")


class World:
    """Payments that went their whole way, and what can be done to them behind the services."""

    def __init__(self, databases: dict[str, Database], admin_urls: dict[str, str]) -> None:
        self.databases = databases
        self._admin_urls = admin_urls
        self.republished: list[str] = []
        self.books: Books
        self.payment_stub: payment_pb2_grpc.PaymentServiceStub
        self.wallet_stub: wallet_pb2_grpc.WalletServiceStub
        self.policy = POLICY

    async def wallet(self, handle: str, amount_minor: int = 100_000) -> str:
        """The id of a new customer's wallet, with money from the bank."""
        created = await create_owner(
            OwnerRequest(
                request_id=IDS.make("req"),
                kind=OwnerKind.CUSTOMER,
                handle=handle,
                name=handle.title(),
                currency_codes=("USD",),
            ),
            database=self.databases["wallet"],
            clock=CLOCK,
            ids=IDS,
        )
        (wallet,) = created.wallets
        if amount_minor:
            await self.pay(await self.bank(), wallet.id, amount_minor, kind=Kind.TOP_UP)
        return wallet.id

    async def bank(self) -> str:
        """The id of the bank clearing wallet."""
        (found,) = await resolve_wallets(
            [Reference("bank", "USD")], database=self.databases["wallet"]
        )
        assert found.wallet is not None
        return found.wallet.id

    async def pay(
        self, debit: str, credit: str, amount_minor: int, *, kind: Kind = Kind.SEND
    ) -> str:
        """A payment that goes its whole way; its id."""
        payment_id = await self.accept(debit, credit, amount_minor, kind=kind)
        await self.finish([payment_id])
        return payment_id

    async def accept(
        self,
        debit: str,
        credit: str,
        amount_minor: int,
        *,
        kind: Kind = Kind.SEND,
        ids: IdMaker = IDS,
    ) -> str:
        """A payment that is accepted and no more; its id."""
        payment_id = ids.make("pay")
        new = NewPayment(
            id=payment_id,
            caller_id="usr_alice",
            request_id=f"key-{payment_id}",
            fingerprint=b"f" * 32,
            kind=kind,
            payer_id="usr_alice",
            payer_name="Alice",
            payer_wallet_id=debit,
            payee_id="usr_bob",
            payee_name="Bob",
            payee_wallet_id=credit,
            amount_minor=amount_minor,
            currency_code="USD",
            note="",
            order_ref="",
            barcode_issuance_id="",
            traceparent="",
            create_time=CLOCK.now(),
        )
        await payment_operations.accept_payments(
            self.databases["payment"], [new], sweep_after_seconds=10
        )
        return payment_id

    async def execute(self, payment_ids: Sequence[str], *, clock: Clock = CLOCK) -> list[Outcome]:
        """Have the money of payments moved, or refused, at the time of this clock; nobody is
        told."""
        rows = await payment_operations.get_payments(self.databases["payment"], payment_ids)
        answers = await execute_transfers(
            [_transfer(rows[item]) for item in payment_ids],
            database=self.databases["wallet"],
            clock=clock,
            balance_minor_max=10**15,
        )
        outcomes = []
        for answer in answers:
            assert isinstance(answer, Outcome), answer
            outcomes.append(answer)
        return outcomes

    async def finish(self, payment_ids: Sequence[str]) -> None:
        """Bring payments to their end, as the queue would."""
        outcomes = await self.execute(payment_ids)
        await self.apply(outcomes)
        await self.post(outcomes)

    async def apply(self, outcomes: Sequence[Outcome]) -> None:
        """Tell payment what became of transfers."""
        results = [
            Result(
                outcome.transfer.payment_id,
                FailureCode(outcome.failure_code).name if outcome.failure_code else None,
                outcome.debit_entry_number,
                outcome.credit_entry_number,
            )
            for outcome in outcomes
        ]
        await payment_operations.apply_results(self.databases["payment"], results)

    async def post(self, outcomes: Sequence[Outcome]) -> None:
        """Book what moved."""
        bookings = [_booking(outcome) for outcome in outcomes if not outcome.failure_code]
        if bookings:
            await post_bookings(self.databases["ledger"], bookings)

    async def set_aside(self, payment_id: str) -> None:
        """Have a payment wait for a person, as its dead letter does."""
        await self.databases["payment"].transaction(
            lambda connection: pending.end_sweeps(connection, [payment_id])
        )

    async def publish(self, rows: Sequence[StoredPayment]) -> None:
        """The queue: whatever is put into it goes its way."""
        self.republished += [row.id for row in rows]
        await self.finish([row.id for row in rows])

    async def change(self, database: str, statement: str, *parameters: Any) -> int:
        """Do past all services, triggers and rights what nobody may do; answers how many rows."""
        async with await psycopg.AsyncConnection.connect(
            self._admin_urls[database], autocommit=True
        ) as connection:
            await connection.execute("SET session_replication_role = replica")
            return (await connection.execute(statement.encode(), parameters)).rowcount

    async def rows(self, database: str, statement: str, *parameters: Any) -> list[Any]:
        """What a statement finds."""
        async with await psycopg.AsyncConnection.connect(self._admin_urls[database]) as connection:
            return await (await connection.execute(statement.encode(), parameters)).fetchall()

    async def as_ledger(self, statement: str) -> None:
        """Execute a statement with the rights of the ledger's process."""
        await self.databases["ledger"].transaction(
            lambda connection: connection.execute(text(statement))
        )

    async def frozen(self) -> set[str]:
        """The wallets that are frozen."""
        return {
            row[0] for row in await self.rows("wallet", "SELECT id FROM wallets WHERE status = 2")
        }

    def reconciler(self, **changes: Any) -> Reconciler:
        """A reconciler; keyword arguments change its policy."""
        database = self.databases["ledger"]
        return Reconciler(
            database=database,
            books=self.books,
            healing=Healing(
                database=database,
                payments=self.payment_stub,
                wallets=self.wallet_stub,
                ids=IDS,
                clock=CLOCK,
                call_seconds_max=5,
            ),
            policy=self.policy._replace(**changes),
            ids=IDS,
            clock=CLOCK,
        )

    async def reconcile(
        self, *, heal: bool = False, since_seconds: float | None = None, **changes: Any
    ) -> Pass:
        """One pass, after everything has settled."""
        await asyncio.sleep(self.policy.settle_seconds + 0.05)
        since = CLOCK.now() - timedelta(seconds=since_seconds) if since_seconds else None
        item = self.reconciler(**changes).begin(since=since, heal=heal)
        await item.done.wait()
        assert item.error is None, item.error
        return item

    async def find(self, **changes: Any) -> list[tuple[str, str, str]]:
        """What a pass that only looks finds: kind, payment and wallet of each difference."""
        return told((await self.reconcile(**changes)).treated)


def told(treated: Sequence[Treated]) -> list[tuple[str, str, str]]:
    """Kind, payment and wallet of each difference."""
    return [
        (str(item.difference.kind), item.difference.payment_id, item.difference.wallet_id)
        for item in treated
    ]


def _transfer(row: StoredPayment) -> Transfer:
    return Transfer(
        row.id,
        row.payer_wallet_id,
        row.payee_wallet_id,
        row.amount_minor,
        row.currency_code,
        KINDS[Kind(row.kind)],
    )


def _booking(outcome: Outcome) -> Booking:
    transfer = outcome.transfer
    return Booking(
        transfer.payment_id,
        int(transfer.kind),
        transfer.debit_wallet_id,
        transfer.credit_wallet_id,
        transfer.currency_code,
        transfer.amount_minor,
        int(outcome.execute_time.timestamp() * 1_000_000),
    )


@pytest.fixture(scope="session")
def tls_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], TlsFiles]:
    """Gives the certificate of an identity."""
    directory = tmp_path_factory.mktemp("certificates")
    ensure_certificates(directory, now=CLOCK.now())
    return lambda identity: tls_files(directory, identity)


@pytest.fixture
async def world(
    database_for: Callable[[str], Awaitable[Any]], tls_of: Callable[[str], TlsFiles]
) -> AsyncIterator[World]:
    """The three of them, and nothing in them yet."""
    made = {name: await database_for(name) for name in NAMES}
    async with AsyncExitStack() as stack:
        databases = {
            name: await stack.enter_async_context(
                open_database(made[name].url, application_name="test", pool_size=4)
            )
            for name in NAMES
        }
        world = World(databases, {name: made[name].admin_url for name in NAMES})
        acceptance: Any = None
        services = {
            "wallet": wallet_service(
                WalletServicer(
                    database=databases["wallet"],
                    clock=CLOCK,
                    ids=IDS,
                    balance_minor_max=10**15,
                    execute_concurrency_max=2,
                )
            ),
            "payment": RpcService(
                descriptor=payment_pb2.DESCRIPTOR.services_by_name["PaymentService"],
                register=payment_pb2_grpc.add_PaymentServiceServicer_to_server,
                servicer=PaymentServicer(
                    acceptance=acceptance,
                    database=databases["payment"],
                    publish_tasks=world.publish,
                    sweep_after_seconds=10,
                    clock=CLOCK,
                    ids=IDS,
                ),
                allowed_callers=PAYMENT_CALLERS,
            ),
        }
        channels = {}
        for name, service in services.items():
            serving = await _serve(stack, tls_of(name), service)
            channels[name] = await stack.enter_async_context(
                open_channel(f"127.0.0.1:{serving.port}", identity=name, tls=tls_of("ledger"))
            )
        world.wallet_stub = wallet_pb2_grpc.WalletServiceStub(channels["wallet"])
        world.payment_stub = payment_pb2_grpc.PaymentServiceStub(channels["payment"])
        world.books = Books(
            database=databases["ledger"],
            payments=world.payment_stub,
            wallets=world.wallet_stub,
            call_seconds_max=5,
        )
        yield world


async def _serve(stack: AsyncExitStack, tls: TlsFiles, service: RpcService) -> Serving:
    settings = ProcessSettings(
        tls_cert_file=tls.cert_file,
        tls_key_file=tls.key_file,
        tls_ca_file=tls.ca_file,
        drain_seconds=2,
    )
    started: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(settings=settings, services=[service], on_started=started.set_result)
    )
    serving = await started

    async def stop() -> None:
        serving.stopping.set()
        await task

    stack.push_async_callback(stop)
    return serving
