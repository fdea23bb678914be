"""The whole process, over mutual TLS: from a message in the queue to an answer about the book."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import msgspec
import psycopg
import pytest

import ledger_svc
from chassis.channel import call, open_channel
from chassis.clock import SystemClock
from chassis.errors import ServiceError
from chassis.jetstream import connect
from embedded.certificates import IDENTITIES, ensure_certificates, tls_files
from embedded.child import Command, ServerProcess, running
from embedded.health import check_grpc
from embedded.nats import NatsServer, running_nats
from embedded.ports import LOOPBACK, find_free_port
from embedded.provision import provision_database
from ledger_svc.rpc import ALLOWED_CALLERS
from qrpay.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from qrpay.payment.v1.payment_queue_pb2 import ResultBatch
from tests.integration.ledger_svc.results_queue import RESULTS

REPOSITORY = Path(ledger_svc.__file__).parents[1]
SERVICE = "qrpay.ledger.v1.LedgerService"


class Mesh(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger process, its queue, and a way to call it."""

    process: ServerProcess
    nats: NatsServer
    log_file: Path
    stubs: dict[str, Any]
    """By identity."""

    async def call(self, identity: str, method: str, request: Any) -> Any:
        """Call as an identity. Raises ServiceError."""
        return await call(getattr(self.stubs[identity], method), request, timeout_seconds=5.0)


@pytest.fixture(scope="module")
async def mesh(
    template_databases: Any, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Mesh]:
    """The process as the stack starts it, secrets in files."""
    directory = tmp_path_factory.mktemp("ledger")
    ensure_certificates(directory, now=SystemClock().now())
    database = await template_databases.clone("ledger")
    port, files, log_file = find_free_port(), tls_files(directory, "ledger"), directory / "log"
    async with running_nats(directory) as nats:
        secrets = {
            "DATABASE_URL": database.url,
            "NATS_URL": nats.url_for("ledger"),
            "JOURNAL_SIGNING_KEY": "A" * 43,
        }
        for name, secret in secrets.items():
            (directory / name).write_text(secret)
        command = Command(
            name="ledger",
            arguments=(sys.executable, "-m", "ledger_svc"),
            log_file=log_file,
            directory=REPOSITORY,
            environment={
                "GRPC_LISTEN": f"{LOOPBACK}:{port}",
                # Nobody is there: the journal works without them, and only does not catch up.
                "PAYMENT_TARGET": f"{LOOPBACK}:{find_free_port()}",
                "WALLET_TARGET": f"{LOOPBACK}:{find_free_port()}",
                "TLS_CERT_FILE": str(files.cert_file),
                "TLS_KEY_FILE": str(files.key_file),
                "TLS_CA_FILE": str(files.ca_file),
                **{f"{name}_FILE": str(directory / name) for name in secrets},
            },
        )
        probe = tls_files(directory, "operator")
        async with running(
            command, lambda: check_grpc(port=port, identity="ledger", service=SERVICE, tls=probe)
        ) as process:
            channels = {
                identity: open_channel(
                    f"{LOOPBACK}:{port}", identity="ledger", tls=tls_files(directory, identity)
                )
                for identity in IDENTITIES
            }
            yield Mesh(
                process=process,
                nats=nats,
                log_file=log_file,
                stubs={
                    identity: ledger_pb2_grpc.LedgerServiceStub(channel)
                    for identity, channel in channels.items()
                },
            )
            await asyncio.gather(*(channel.close() for channel in channels.values()))
    await template_databases.drop(database)


async def migrate_process(url: str) -> tuple[int | None, bytes]:
    """Run ``python -m ledger_svc migrate``: its exit status and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ledger_svc", "migrate"),
        cwd=REPOSITORY,
        env={**os.environ, "MIGRATION_DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return process.returncode, output


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("method", sorted(ALLOWED_CALLERS))
async def test_who_may_call(mesh: Mesh, identity: str, method: str) -> None:
    """Gateway and operator get an answer from every method, a gateway that only reads from what
    it needs, all others PERMISSION_DENIED."""
    request = getattr(ledger_pb2, f"{method}Request")()
    try:
        await mesh.call(identity, method, request)
        code = None
    except ServiceError as error:
        code = error.code
    is_refused = code is grpc.StatusCode.PERMISSION_DENIED
    let_in = {"gateway", "operator"}
    if method in {"GetReceipt", "GetTransaction", "ListReceiptKeys"}:
        let_in.add("gateway-reader")
    assert is_refused == (identity not in let_in)


async def test_from_the_queue_into_the_book(mesh: Mesh, make_booking: Any) -> None:
    """A result that payment_svc publishes can be read from two accounts, as a transaction and in
    the trial balance."""
    booking = make_booking(amount_minor=70)
    batch = ResultBatch(batch_id="bat_1")
    result = batch.results.add()
    result.task.payment_id = booking.payment_id
    result.task.debit_wallet_id = booking.debit_account_id
    result.task.credit_wallet_id = booking.credit_account_id
    result.task.money.currency_code = booking.currency_code
    result.task.money.amount_minor = booking.amount_minor
    result.task.kind = booking.kind
    result.execute_time.FromMicroseconds(booking.effective_microseconds)
    async with connect(mesh.nats.url_for("payment"), name="payment", streams=[RESULTS]) as queue:
        await queue.session()
        await queue.publish("payments.result", batch.SerializeToString(), message_id="bat_1")
    accounts: list[Any] = []
    async with asyncio.timeout(30):
        while not accounts:
            request = ledger_pb2.ListAccountsRequest()
            accounts = list((await mesh.call("operator", "ListAccounts", request)).accounts)
    assert [(item.id, item.balance_minor) for item in accounts] == [
        ("wal_alice", -70),
        ("wal_bob", 70),
    ]
    by_payment = ledger_pb2.GetTransactionRequest(payment_id=booking.payment_id)
    transaction = (await mesh.call("gateway", "GetTransaction", by_payment)).transaction
    assert [posting.account_id for posting in transaction.postings] == ["wal_alice", "wal_bob"]
    balance = await mesh.call("operator", "GetTrialBalance", ledger_pb2.GetTrialBalanceRequest())
    assert balance.balanced
    assert [(line.debits_minor, line.credits_minor) for line in balance.lines] == [(70, 70)]


async def test_bad_requests_name_their_fields(mesh: Mesh) -> None:
    """INVALID_ARGUMENT crosses the wire with its fields; nothing a client sends is INTERNAL."""
    request = ledger_pb2.ListAccountsRequest(page_token="x\0")
    with pytest.raises(ServiceError) as caught:
        await mesh.call("operator", "ListAccounts", request)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in caught.value.violations] == ["page_token"]


async def test_the_process_migrates(mesh: Mesh, postgres_server: Any) -> None:
    """``migrate`` brings an empty database up to date, and a second time finds nothing to do."""
    admin_url, name = postgres_server.admin_url, "ledger_to_migrate"
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        await provision_database(connection, service="ledger", database=name)
        url = admin_url.rpartition("/")[0] + f"/{name}"
        try:
            assert await migrate_process(url) == (
                0,
                (
                    b"applied 0001_pre_create_journal.sql\napplied 0002_pre_catch_up.sql\n"
                    b"applied 0003_pre_chain_journal.sql\napplied 0004_pre_heads.sql\n"
                    b"applied 0005_pre_reconciliation.sql\n"
                    b"applied 0006_pre_bank_statements.sql\napplied 0007_pre_corrections.sql\n"
                    b"applied 0008_pre_audit_records.sql\n"
                ),
            )
            assert await migrate_process(url) == (0, b"")
        finally:
            await connection.execute(b"DROP DATABASE ledger_to_migrate WITH (FORCE)")


async def test_it_stops_in_good_order(mesh: Mesh) -> None:
    """SIGTERM ends it after a drain, and no secret is in its log."""
    assert mesh.process.pid is not None
    await mesh.process.stop()
    log = mesh.log_file.read_text()
    assert '"event": "stopped"' in log
    assert "Traceback" not in log
    password = mesh.nats.url_for("ledger").split(":")[2].split("@")[0]
    assert password not in log
    await mesh.process.start()
