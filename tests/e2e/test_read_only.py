"""A gateway that only reads, beside the one that does everything, in front of the same services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chassis.channel import open_channel
from embedded.certificates import tls_files
from tests.e2e.beside import Beside, beside
from tests.e2e.stack import Stack, User
from tests.mesh_rpcs import RPCS

People = Mapping[str, User]


@pytest.fixture(scope="module")
async def reader(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Beside]:
    """The gateway, with an identity of its own."""
    log_file = tmp_path_factory.mktemp("reader") / "log"
    async with beside(
        stack, "gateway", log_file, identity="gateway-reader", QRPAY_READ_ONLY="1"
    ) as gateway:
        yield gateway


async def test_it_reads_and_changes_nothing(stack: Stack, people: People, reader: Beside) -> None:
    """What somebody pays at the main gateway is seen at this one; here it cannot be paid."""
    body = {"to": "bob", "amount": 125, "currency": "USD"}
    paid = (await people["alice"].post("/payments/send", body, key=str(uuid4()), wait=10)).json()
    alice = User(gateway=reader.url, token=await stack.token("alice"))
    try:
        found = await alice.http.get(f"/payments/{paid['id']}")
        assert (found.status_code, found.json()["status"]) == (200, "COMPLETED")
        before = await alice.balance()
        for method, path in (("POST", "/payments/send"), ("POST", "/barcodes"), ("PUT", "/docs")):
            refused = await alice.http.request(
                method, path, json=body, headers={"Idempotency-Key": "k"}
            )
            assert (refused.status_code, refused.json()["code"]) == (405, "read-only")
        assert await alice.balance() == before
    finally:
        await alice.http.aclose()


async def test_its_certificate_changes_nothing(stack: Stack) -> None:
    """Whoever takes the certificate and calls the services by hand is refused everything that
    changes something, and everything that the gateway does not need for reading."""
    members = await stack.members()
    answers = {}
    tls = tls_files(stack.data / "certificates", "gateway-reader")
    for process in ("payment", "wallet", "barcode", "ledger"):
        target = f"127.0.0.1:{members[process].member.port}"
        async with open_channel(target, identity=process, tls=tls) as channel:
            for rpc in RPCS:
                if rpc.process == process:
                    answers[rpc] = await code_of(channel, rpc.path)
    refused = {rpc for rpc, code in answers.items() if code is grpc.StatusCode.PERMISSION_DENIED}
    assert len(answers) == len(RPCS)
    assert [rpc.path for rpc in RPCS if rpc.changes and rpc not in refused] == []
    assert refused == {rpc for rpc in RPCS if "gateway-reader" not in rpc.callers}
    assert len(refused) < len(RPCS)


async def code_of(channel: grpc.aio.Channel, path: str) -> grpc.StatusCode:
    """How a call with an empty request ends."""
    method: Any = channel.unary_unary(path)
    try:
        await method(b"", timeout=5)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK
