"""A process with all that a process of the mesh has, for tests that stop it: an RPC and a consumer
that both write to the database. Prints its port when it serves.

GetTransaction adds one to counter 2; every message of the stream adds one to counter 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from chassis.database import Database, open_database
from chassis.jetstream import Consumer, ConsumerSpec, Message, StreamSpec, connect
from chassis.process import run
from chassis.server import Background, RpcService, Serving, serve
from chassis.settings import ProcessSettings, Secret, load_settings
from qrpay.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from tests.integration.chassis.counters import add

STREAM = StreamSpec(name="DRAINING", subjects=("draining.>",), max_age_seconds=3600)
CONSUMER = ConsumerSpec(
    stream=STREAM.name, name="worker", handler_seconds_max=30.0, backoff_seconds=(60.0,)
)


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """What it is told."""

    database_url: Secret
    nats_url: Secret


class Servicer(ledger_pb2_grpc.LedgerServiceServicer):
    """Writes, when it is asked for a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def GetTransaction(self, request: Any, context: Any) -> Any:
        """Add one to counter 2."""
        await self._database.transaction(add(1, counter=2))
        return ledger_pb2.GetTransactionResponse()

    async def GetTrialBalance(self, request: Any, context: Any) -> Any:
        """Nobody asks."""
        raise NotImplementedError

    async def BatchGetAccounts(self, request: Any, context: Any) -> Any:
        """Nobody asks."""
        raise NotImplementedError

    async def GetReceipt(self, request: Any, context: Any) -> Any:
        """Nobody asks."""
        raise NotImplementedError

    async def ListReceiptKeys(self, request: Any, context: Any) -> Any:
        """Nobody asks."""
        raise NotImplementedError

    async def ListAccounts(self, request: Any, context: Any) -> Any:
        """Nobody asks."""
        raise NotImplementedError


async def main() -> None:
    """Serve until told to stop."""
    settings = load_settings(Settings)
    async with (
        open_database(
            settings.database_url,
            application_name="draining",
            lock_seconds_max=20,
            statement_seconds_max=20,
            transaction_seconds_max=20,
        ) as database,
        connect(settings.nats_url, name="draining", streams=[STREAM]) as jetstream,
    ):

        async def handle(messages: Sequence[Message[bytes]]) -> None:
            await database.transaction(add(len(messages)))

        consumer = Consumer(jetstream, CONSUMER, decode=bytes, handle=handle, weight_max=1)
        service = ledger_pb2.DESCRIPTOR.services_by_name["LedgerService"]
        await serve(
            settings=settings,
            services=[
                RpcService(
                    descriptor=service,
                    register=ledger_pb2_grpc.add_LedgerServiceServicer_to_server,
                    servicer=Servicer(database),
                    allowed_callers={name: {"gateway"} for name in service.methods_by_name},
                )
            ],
            background=[Background("consumer", consumer.run)],
            on_started=tell,
        )


def tell(serving: Serving) -> None:
    """Say where it listens."""
    sys.stdout.write(f"{serving.port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    run(main)
