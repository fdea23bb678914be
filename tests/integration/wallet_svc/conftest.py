"""A wallet database with people in it, the service in front of it, and an auditor behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import grpc
import psycopg
import pytest
from psycopg.rows import TupleRow

from chassis.audit.trail import open_audit_trail
from chassis.channel import open_channel
from chassis.clock import SystemClock
from chassis.database import Database, open_database
from chassis.errors import ServiceError
from chassis.ids import IdMaker
from chassis.server import Serving, serve
from chassis.settings import ProcessSettings
from chassis.tls import TlsFiles
from embedded.certificates import IDENTITIES, ensure_certificates, tls_files
from qrpay.wallet.v1.wallet_pb2_grpc import WalletServiceStub
from wallet_svc.model.owners import OwnerRequest
from wallet_svc.model.records import Outcome, Owner, OwnerKind, Transfer, TransferKind, Wallet
from wallet_svc.operations.owners import create_owner
from wallet_svc.operations.transfers import execute_transfers
from wallet_svc.operations.wallets import resolve_wallets
from wallet_svc.rpc import WalletServicer, rpc_service
from wallet_svc.store.wallets import Reference

CLOCK = SystemClock()
IDS = IdMaker(clock=CLOCK)
BALANCE_MINOR_MAX = 10**15


class Auditor:
    """Reads the tables themselves as the superuser, past the service."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def rows(self, statement: str, *parameters: Any) -> list[TupleRow]:
        """The rows of a statement."""
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            return await (await connection.execute(statement.encode(), parameters)).fetchall()

    async def execute(self, statement: str) -> None:
        """Execute statements for their effect."""
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            await connection.execute(statement.encode())

    async def faults(self) -> list[str]:
        """What is wrong with the books as a whole; empty if nothing is."""
        checks = {
            "entries do not sum to zero": """
                SELECT currency_code, sum(amount_minor) FROM entries
                JOIN wallets ON wallets.id = wallet_id
                GROUP BY currency_code HAVING sum(amount_minor) <> 0
            """,
            "a balance is not the sum of its entries": """
                SELECT id FROM wallets LEFT JOIN entries ON wallet_id = id
                GROUP BY id HAVING balance_minor <> coalesce(sum(amount_minor), 0)
            """,
            "numbers have a gap": """
                SELECT id FROM wallets LEFT JOIN entries ON wallet_id = id GROUP BY id
                HAVING count(number) <> last_entry_number
                OR coalesce(max(number), 0) <> last_entry_number
            """,
            "a balance does not follow from the one before": """
                SELECT * FROM (
                    SELECT wallet_id, number, balance_after_minor,
                        sum(amount_minor) OVER (PARTITION BY wallet_id ORDER BY number) AS total
                    FROM entries
                ) AS lines WHERE balance_after_minor <> total
            """,
            "a customer owes": """
                SELECT wallet_id FROM entries JOIN wallets ON wallets.id = wallet_id
                WHERE balance_after_minor < 0 AND NOT may_be_negative
            """,
            "transfers and entries differ": """
                WITH wanted AS (
                    SELECT debit_wallet_id, debit_entry_number, payment_id, -amount_minor,
                        credit_wallet_id, kind, execute_time
                    FROM transfers WHERE failure_code = 0
                    UNION ALL
                    SELECT credit_wallet_id, credit_entry_number, payment_id, amount_minor,
                        debit_wallet_id, kind, execute_time
                    FROM transfers WHERE failure_code = 0
                ), written AS (
                    SELECT wallet_id, number, payment_id, amount_minor, counterparty_wallet_id,
                        kind, create_time
                    FROM entries
                )
                (TABLE wanted EXCEPT ALL TABLE written)
                UNION ALL (TABLE written EXCEPT ALL TABLE wanted)
            """,
        }
        faults = []
        for fault, statement in checks.items():
            if rows := await self.rows(statement):
                faults.append(f"{fault}: {rows[:3]}")
        return faults


@pytest.fixture
async def wallet_database(database_for: Callable[[str], Awaitable[Any]]) -> Any:
    """A wallet database in which only the system's owners are: its URLs."""
    return await database_for("wallet")


@pytest.fixture
async def database(wallet_database: Any) -> AsyncIterator[Database]:
    """The same, as the process sees it."""
    async with open_database(wallet_database.url, application_name="wallet") as database:
        yield database


@pytest.fixture
async def auditor(wallet_database: Any) -> AsyncIterator[Auditor]:
    """Looks behind the service; whatever a test did, the books must balance at its end."""
    auditor = Auditor(wallet_database.admin_url)
    yield auditor
    assert await auditor.faults() == []


class People:
    """Makes owners and moves their money, past gRPC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def owner(
        self,
        handle: str,
        *currency_codes: str,
        kind: OwnerKind = OwnerKind.CUSTOMER,
        request_id: str | None = None,
    ) -> tuple[Owner, list[Wallet]]:
        """A new owner with wallets, in dollars if no currency is named."""
        created = await create_owner(
            OwnerRequest(
                request_id=request_id or IDS.make("req"),
                kind=kind,
                handle=handle,
                name=handle.title(),
                currency_codes=tuple(sorted(currency_codes or ("USD",))),
            ),
            database=self._database,
            clock=CLOCK,
            ids=IDS,
        )
        return created.owner, created.wallets

    async def rich(self, handle: str, amount_minor: int) -> str:
        """The id of a new customer's wallet with this many cents from the bank."""
        _, (wallet,) = await self.owner(handle)
        if amount_minor:
            top_up = self.transfer(
                await self.bank(), wallet.id, amount_minor, kind=TransferKind.TOP_UP
            )
            (answer,) = await self.execute([top_up])
            assert isinstance(answer, Outcome)
            assert not answer.failure_code
        return wallet.id

    async def bank(self, currency_code: str = "USD") -> str:
        """The id of the bank clearing wallet."""
        (found,) = await resolve_wallets(
            [Reference("bank", currency_code)], database=self._database
        )
        assert found.wallet is not None
        return found.wallet.id

    async def execute(self, transfers: Sequence[Transfer]) -> list[Outcome | ServiceError]:
        """Execute a batch."""
        return await execute_transfers(
            transfers, database=self._database, clock=CLOCK, balance_minor_max=BALANCE_MINOR_MAX
        )

    @staticmethod
    def transfer(
        debit_wallet_id: str,
        credit_wallet_id: str,
        amount_minor: int,
        *,
        payment_id: str | None = None,
        kind: TransferKind = TransferKind.SEND,
    ) -> Transfer:
        """A transfer in dollars, with a new payment id if none is given."""
        return Transfer(
            payment_id or IDS.make("pay"),
            debit_wallet_id,
            credit_wallet_id,
            amount_minor,
            "USD",
            kind,
        )


@pytest.fixture
def people(database: Database) -> People:
    """Makes owners and moves their money, past gRPC."""
    return People(database)


@pytest.fixture(scope="session")
def tls_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], TlsFiles]:
    """Gives the certificate of an identity."""
    directory = tmp_path_factory.mktemp("certificates")
    # A partner, too.
    ensure_certificates(directory, now=CLOCK.now(), identities=[*IDENTITIES, "acme"])
    return lambda identity: tls_files(directory, identity)


StubFor = Callable[[str], WalletServiceStub]


@pytest.fixture
async def stub_for(database: Database, tls_of: Callable[[str], TlsFiles]) -> AsyncIterator[StubFor]:
    """The service behind mutual TLS: gives the stub that an identity ("operator") calls it with."""
    tls = tls_of("wallet")
    settings = ProcessSettings(
        tls_cert_file=tls.cert_file,
        tls_key_file=tls.key_file,
        tls_ca_file=tls.ca_file,
        drain_seconds=2,
    )
    servicer = WalletServicer(
        database=database,
        clock=CLOCK,
        ids=IDS,
        balance_minor_max=BALANCE_MINOR_MAX,
        execute_concurrency_max=2,
    )
    started: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as stack:
        trail = await stack.enter_async_context(open_audit_trail(database=database, ids=IDS))
        task = asyncio.create_task(
            serve(
                settings=settings,
                services=[rpc_service(servicer)],
                readiness=database.ping,
                trail=trail,
                on_started=started.set_result,
            )
        )
        serving = await started

        def stub_for(identity: str) -> WalletServiceStub:
            channel: grpc.aio.Channel = open_channel(
                f"127.0.0.1:{serving.port}",
                identity="wallet",
                tls=tls_of(identity),
            )
            stack.push_async_callback(channel.close, None)
            return WalletServiceStub(channel)

        yield stub_for
        serving.stopping.set()
        await task


@pytest.fixture
def eventually() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    """Looks again and again until a condition holds; fails after ten seconds."""

    async def wait(condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(10):
            while not await condition():  # noqa: ASYNC110 - no event tells what a database does
                await asyncio.sleep(0.01)

    return wait


@pytest.fixture
def waiting_for_lock(
    auditor: Auditor, eventually: Callable[..., Awaitable[None]]
) -> Callable[..., Awaitable[None]]:
    """Returns when so many connections of the service wait for a lock."""

    async def wait(count: int = 1) -> None:
        async def are_waiting() -> bool:
            return await auditor.rows(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND usename = 'wallet_svc' AND wait_event_type = 'Lock'"
            ) == [(count,)]

        await eventually(are_waiting)

    return wait
