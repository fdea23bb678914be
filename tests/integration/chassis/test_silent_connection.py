"""A connection over which nothing comes any more, without anybody having hung up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chassis.channel import call, open_channel
from chassis.errors import DeadlineExceeded, Unavailable
from chassis.tls import TlsFiles
from qrpay.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from tests.integration.chassis.test_replicas import Replica, tls_of
from tests.proxy import FaultyProxy

__all__ = ["tls_of"]

_GIVEN_UP_SECONDS_MAX = 30.0
"""gRPC's own default would keep the connection for a minute."""


async def test_a_silent_connection_is_given_up(tls_of: Callable[[str], TlsFiles]) -> None:
    """Goal: calls over it fail for seconds, not for a minute, and then go over a new one. Method:
    the open connection loses its bytes for ever, new ones would work at once."""
    replica = Replica(tls_of("ledger"))
    await replica.start()
    proxy = await FaultyProxy.start("127.0.0.1", replica.port)
    channel = open_channel(f"127.0.0.1:{proxy.port}", identity="ledger", tls=tls_of("gateway"))
    async with channel:
        stub = ledger_pb2_grpc.LedgerServiceStub(channel)
        request = ledger_pb2.GetTransactionRequest(payment_id="hello")
        await call(stub.GetTransaction, request, timeout_seconds=5)
        proxy.half_open()
        failed = 0
        async with asyncio.timeout(_GIVEN_UP_SECONDS_MAX):
            while True:
                try:
                    await call(stub.GetTransaction, request, timeout_seconds=0.5)
                    break
                except (DeadlineExceeded, Unavailable):
                    failed += 1
                    proxy.pass_through()  # for new connections; this one has its hole
    assert failed, "the connection was not silent"
    await proxy.close()
    await replica.stop()
