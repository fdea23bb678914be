"""The COMMIT of an acceptance is interrupted: nobody guesses, and a repeat with the same key finds
out what is so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import text

from chassis.database import Database, open_database
from chassis.errors import OutcomeUnknown
from payment_svc import operations
from payment_svc.errors import RequestIdInFlight
from payment_svc.model import NewPayment
from payment_svc.operations import Accepted
from tests.proxy import FaultyProxy

MakePayment = Callable[..., NewPayment]


@pytest.fixture
async def proxy(payment_database: Any) -> AsyncIterator[FaultyProxy]:
    """The network between accepting and its database."""
    proxy = await FaultyProxy.in_front_of(payment_database.url)
    yield proxy
    await proxy.close()


@pytest.fixture
async def accepting(payment_database: Any, proxy: FaultyProxy) -> AsyncIterator[Database]:
    """The database by way of that network, with little patience."""
    async with open_database(
        proxy.url(payment_database.url),
        application_name="accepting",
        lock_seconds_max=0.25,
        transaction_seconds_max=0.5,
    ) as database:
        yield database


async def accept(database: Database, *new: NewPayment) -> list[Any]:
    """Accept payments."""
    return await operations.accept_payments(database, new, sweep_after_seconds=0)


async def accept_when_free(database: Database, *new: NewPayment) -> list[Any]:
    """Accept payments whose keys a transaction may still hold that was left in mid-air."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await accept(database, *new)
            except RequestIdInFlight:
                continue


async def stored_ids(database: Database) -> set[str]:
    """The ids of the payments there are."""
    rows = await database.read(
        lambda connection: connection.execute(text("SELECT id FROM payments"))
    )
    return set(rows.scalars())


def is_commit(data: bytes) -> bool:
    """Whether a piece of the protocol is the COMMIT."""
    return b"COMMIT" in data


@pytest.mark.parametrize(
    "fault", [FaultyProxy.cut, lambda proxy: proxy.half_open("answers")], ids=["cut", "silence"]
)
async def test_a_lost_answer_is_found_by_its_key(
    accepting: Database,
    database: Database,
    proxy: FaultyProxy,
    make_payment: MakePayment,
    fault: Callable[[FaultyProxy], None],
) -> None:
    """Goal: accepted, and the answer lost: the repeat, though it comes with ids of its own, answers
    the payments that are stored."""
    first, second = make_payment(), make_payment()
    proxy.trigger(is_commit, lambda: fault(proxy), at="answer")
    with pytest.raises(OutcomeUnknown):
        await accept(accepting, first, second)
    proxy.pass_through()

    again = [make_payment(request_id=payment.request_id) for payment in (first, second)]
    answers = await accept(accepting, *again)

    assert [answer.payment.id for answer in answers] == [first.id, second.id]
    assert all(answer.replayed for answer in answers)
    assert await stored_ids(database) == {first.id, second.id}


@pytest.mark.parametrize(
    "fault", [FaultyProxy.cut, lambda proxy: proxy.half_open("requests")], ids=["cut", "silence"]
)
async def test_a_commit_that_never_arrived_is_made_good_by_the_repeat(
    accepting: Database,
    database: Database,
    proxy: FaultyProxy,
    make_payment: MakePayment,
    fault: Callable[[FaultyProxy], None],
) -> None:
    """Goal: not accepted, and we cannot know: the repeat stores it, once, even while the server
    still holds the key for the transaction that was left in mid-air."""
    first = make_payment()
    proxy.trigger(is_commit, lambda: fault(proxy))
    with pytest.raises(OutcomeUnknown):
        await accept(accepting, first)

    again = make_payment(request_id=first.request_id)
    (answer,) = await accept_when_free(database, again)

    assert isinstance(answer, Accepted)
    assert (answer.payment.id, answer.replayed) == (again.id, False)
    assert await stored_ids(database) == {again.id}
    proxy.pass_through()
    (answer,) = await accept(accepting, first)
    assert (answer.payment.id, answer.replayed) == (again.id, True)
