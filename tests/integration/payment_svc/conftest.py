"""A payment database and rows to put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from chassis.clock import SystemClock
from chassis.database import Database, open_database
from chassis.ids import IdMaker
from payment_svc.model import Kind, NewPayment

MakePayment = Callable[..., NewPayment]


@pytest.fixture
async def payment_database(database_for: Callable[[str], Awaitable[Any]]) -> Any:
    """An empty payment database: its URLs."""
    return await database_for("payment")


@pytest.fixture
async def database(payment_database: Any) -> AsyncIterator[Database]:
    """The same, as payment_svc accepts with it."""
    async with open_database(
        payment_database.url, application_name="test", lock_seconds_max=0.25
    ) as database:
        yield database


@pytest.fixture
def make_payment() -> MakePayment:
    """Builds payments that are all different; keyword arguments replace fields."""
    ids = IdMaker(clock=SystemClock())

    def make(**changes: Any) -> NewPayment:
        payment_id = ids.make("pay")
        payment = NewPayment(
            id=payment_id,
            caller_id="usr_alice",
            request_id=f"key-{payment_id}",
            fingerprint=b"f" * 32,
            kind=Kind.SEND,
            payer_id="usr_alice",
            payer_name="Alice",
            payer_wallet_id="wal_alice",
            payee_id="usr_bob",
            payee_name="Bob",
            payee_wallet_id="wal_bob",
            amount_minor=1000,
            currency_code="USD",
            note="",
            order_ref="",
            barcode_issuance_id="",
            traceparent="",
            create_time=SystemClock().now(),
        )
        return payment._replace(**changes)

    return make
