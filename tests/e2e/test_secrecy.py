"""Who reads every log, every trace and the whole audit trail of a system still cannot pay with what
is in them."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import psycopg
import pytest
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2,
    metrics_service_pb2_grpc,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from barcode_svc import offline_codes
from chassis.channel import call, open_channel
from chassis.errors import ServiceError
from cli.mesh import AUDITED
from embedded.certificates import tls_files
from embedded.layout import Layout
from qrpay.barcode.v1 import barcode_pb2, barcode_pb2_grpc
from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc
from tests.e2e.stack import Stack, User

PEOPLE = 6
IBAN, HOLDER = "DE89370400440532013000", "Alice Ashdown"
# A trace id is made of digits, too.
AUDITED_TEXT = b"SELECT (to_jsonb(record) - 'trace_id')::text FROM audit_records AS record"
ANY_CODE = re.compile(rb"(?<![0-9])[89][0-9]{17}(?![0-9])")


class Collector(
    metrics_service_pb2_grpc.MetricsServiceServicer, trace_service_pb2_grpc.TraceServiceServicer
):
    """Keeps everything that the processes export, as it is on the wire."""

    def __init__(self) -> None:
        self.exported: list[bytes] = []
        self.spans = 0

    async def Export(self, request: Any, context: Any) -> Any:
        """Metrics or spans."""
        self.exported.append(str(request).encode())
        if isinstance(request, trace_service_pb2.ExportTraceServiceRequest):
            self.spans += sum(
                len(scope.spans) for it in request.resource_spans for scope in it.scope_spans
            )
            return trace_service_pb2.ExportTraceServiceResponse()
        return metrics_service_pb2.ExportMetricsServiceResponse()


@pytest.fixture
async def collector() -> AsyncIterator[tuple[Collector, str]]:
    """A collector and its address."""
    collector, server = Collector(), grpc.aio.server()
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield collector, f"http://127.0.0.1:{port}"
    await server.stop(None)


async def phone_of(user: User) -> tuple[str, str]:
    """A device's secret as it was told, and the code that it shows now."""
    answer = (await user.http.post("/devices", json={"name": "phone"})).json()["offline"]
    secret, key = (
        base64.urlsafe_b64decode(answer[name] + "=") for name in ("secret", "permutation_key")
    )
    window = int(time.time()) // answer["window_seconds"]
    code = offline_codes.make_code(
        secret=secret, handle=int(answer["handle"]), permutation_key=key, window=window
    )
    return answer["secret"], code.reveal()


async def use_and_misuse(people: dict[str, User]) -> list[str]:
    """Issue codes and use them well, twice, elsewhere and wrongly; answer what must stay secret."""
    alice, cafe = people["alice"], people["cafe"]
    secrets = []
    for number in range(PEOPLE):
        shown = await alice.http.post("/barcodes", json={"device": f"device-{number}"})
        secrets.append(shown.json()["code"])
    offline_secret, offline_code = await phone_of(alice)
    codes = [*secrets, offline_code]
    for code in codes:
        body = {"barcode": code, "amount": 1, "currency": "EUR"}
        key = str(uuid4())
        for _ in range(2):
            paid = await cafe.post("/payments/pay", body, key=key, wait=10)
            assert paid.status_code == 200, paid.text
        again = await cafe.post("/payments/pay", body, key=str(uuid4()))
        assert (again.status_code, again.json()["code"]) == (409, "barcode-used")
        assert code not in again.text
        wrong = await alice.post("/payments/pay", body, key=str(uuid4()))
        assert wrong.status_code == 403
        assert code not in wrong.text
    too_much = {"barcode": offline_code, "amount": 5001, "currency": "EUR"}
    await cafe.post("/payments/pay", too_much, key=str(uuid4()))
    unknown = "9" + "7" * 17
    refused = await cafe.post("/payments/pay", {**too_much, "barcode": unknown}, key=str(uuid4()))
    assert (refused.status_code, refused.json()["code"]) == (422, "barcode-unknown")
    return [*codes, unknown, offline_secret]


async def use_bank_and_tokens(user: User) -> list[str]:
    """Add a bank account and withdraw to it, well and wrongly, and come with tokens that are none;
    answer what must stay secret."""
    wrong = IBAN[:-1] + "1"
    account = await user.http.post("/bank-accounts", json={"holder": HOLDER, "iban": IBAN})
    assert account.status_code == 201, account.text
    for body in ({"holder": HOLDER, "iban": wrong}, {"holder": HOLDER * 9, "iban": IBAN}):
        assert (await user.http.post("/bank-accounts", json=body)).status_code == 400
    withdrawal = {"amount": 1, "currency": "EUR", "bank_account": account.json()["id"]}
    paid = await user.post("/payments/withdraw", withdrawal, key=str(uuid4()), wait=10)
    assert paid.status_code == 200, paid.text
    token = user.http.headers["Authorization"].removeprefix("Bearer ")
    forged = [token[:-8] + "AAAAAAAA", token.replace(".", ".e30", 1)]
    for text in forged:
        refused = await user.http.get("/wallets/me", headers={"Authorization": f"Bearer {text}"})
        assert refused.status_code == 401
    return [token, *forged, IBAN, wrong, HOLDER]


async def operators_calls(stack: Stack, secrets: list[str]) -> None:
    """What is audited: calls of an operator that carry secrets, where they belong and where they do
    not."""
    ports = (await stack.members()).items()
    channels = {
        name: open_channel(
            f"127.0.0.1:{observed.member.port}",
            identity=name,
            tls=tls_files(Layout(stack.data).certificates, "operator"),
        )
        for name, observed in ports
        if name in AUDITED
    }
    wallets = wallet_pb2_grpc.WalletServiceStub(channels["wallet"])
    payments = payment_pb2_grpc.PaymentServiceStub(channels["payment"])
    barcodes = barcode_pb2_grpc.BarcodeServiceStub(channels["barcode"])
    owner = await call(
        wallets.GetOwner, wallet_pb2.GetOwnerRequest(handle="alice"), timeout_seconds=5
    )
    account = payment_pb2.CreateBankAccountRequest(
        owner_id=owner.owner.id, holder=HOLDER, iban=IBAN
    )
    await call(payments.CreateBankAccount, account, timeout_seconds=5)
    for secret in secrets:
        attempts: list[tuple[Any, Any]] = [
            (wallets.FreezeWallet, wallet_pb2.FreezeWalletRequest(wallet_id=secret)),
            (wallets.GetOwner, wallet_pb2.GetOwnerRequest(handle=secret)),
            (payments.GetPayment, payment_pb2.GetPaymentRequest(payment_id=secret)),
            (barcodes.DecodeQrs, barcode_pb2.DecodeQrsRequest(texts=[secret])),
        ]
        for method, request in attempts:
            with suppress(ServiceError):
                await call(method, request, timeout_seconds=5)
    for channel in channels.values():
        await channel.close()


async def audit_trails(stack: Stack, secrets_count: int) -> dict[str, bytes]:
    """All that is in the audit trails, by service, once those calls are in them."""
    url = await stack.server_url("postgres")
    # Readings are recorded soon after they are answered.
    last = {"wallet": b"/GetOwner", "payment": b"/GetPayment", "barcode": b"/DecodeQrs"}
    expected = {**dict.fromkeys(last, secrets_count), "ledger": 1}
    found: dict[str, bytes] = {}
    async with asyncio.timeout(20):
        while len(found) < len(AUDITED):
            for service in AUDITED:
                database = url.rpartition("/")[0] + f"/{service}"
                async with await psycopg.AsyncConnection.connect(database) as connection:
                    cursor = await connection.execute(AUDITED_TEXT)
                    text = "\n".join([row[0] for row in await cursor.fetchall()]).encode()
                if text.count(last.get(service, b"Ledger")) >= expected[service]:
                    found[f"audit of {service}"] = text
    return found


async def test_no_code_is_in_any_log_or_trace(
    tmp_path: Path, collector: tuple[Collector, str]
) -> None:
    """Goal: at level DEBUG, with requests logged and every request traced, neither an issued code
    nor an offline one, in digits of any form, nor a device's secret, a token, a number of a bank
    account, its holder's name or a password of ours is in any log, trace or audit trail."""
    found, address = collector
    stack = Stack(
        tmp_path / "data",
        environment={
            "LOG_LEVEL": "DEBUG",
            "OTEL_EXPORTER_OTLP_ENDPOINT": address,
            "OTEL_TRACES_SAMPLER_ARG": "1",
            "QRPAY_GATEWAY_LOG_REQUESTS": "true",
        },
    )
    await stack.up()
    try:
        people = {
            name: User(gateway=stack.gateway, token=await stack.token(name))
            for name in ("alice", "cafe")
        }
        secrets = await use_and_misuse(people)
        personal = await use_bank_and_tokens(people["alice"])
        for user in people.values():
            await user.http.aclose()
        personal += [await stack.token(name) for name in people]
        await operators_calls(stack, [*secrets, *personal])
        await stack.command("ledger", "accounts")
        trails = await audit_trails(stack, len([*secrets, *personal]))
    finally:
        await stack.down()
    async with asyncio.timeout(20):
        while not found.spans:  # noqa: ASYNC110 - the processes export when they end
            await asyncio.sleep(0.1)
    files = (stack.data / "secrets").iterdir()
    passwords = [file.read_text().strip() for file in files if file.suffix in (".password", ".key")]
    assert len(passwords) > 5
    logs = {file.name: file.read_bytes() for file in (stack.data / "logs").iterdir()}
    assert {"barcode.log", "gateway.log", "payment.log", "valkey.log"} <= logs.keys()
    assert any(b"/payments/pay" in log for log in logs.values()), "requests are logged"
    texts = {**logs, **trails, "traces": b"\n".join(found.exported)}
    for name, text in texts.items():
        assert not ANY_CODE.search(text), name
        for secret in secrets:
            assert secret.encode() not in text, name
        for hidden in [*personal, *passwords]:
            assert hidden.encode() not in text, name
    assert all(b"(withheld)" in trails[f"audit of {name}"] for name in ("wallet", "payment"))
