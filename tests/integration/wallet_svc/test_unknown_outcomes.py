"""The COMMIT of transfers is interrupted: the repeat, which the queue brings, moves money once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from chassis.database import Database, open_database
from chassis.errors import OutcomeUnknown
from tests.proxy import FaultyProxy
from wallet_svc.model.records import FailureCode, Outcome


@pytest.fixture
async def proxy(wallet_database: Any) -> AsyncIterator[FaultyProxy]:
    """The network between the service and its database."""
    proxy = await FaultyProxy.in_front_of(wallet_database.url)
    yield proxy
    await proxy.close()


@pytest.fixture
async def distant(wallet_database: Any, proxy: FaultyProxy) -> AsyncIterator[Database]:
    """The database by way of that network, with little patience."""
    async with open_database(
        proxy.url(wallet_database.url), application_name="distant", transaction_seconds_max=0.5
    ) as database:
        yield database


def is_commit(data: bytes) -> bool:
    """Whether a piece of the protocol is the COMMIT."""
    return b"COMMIT" in data


_FAULTS: dict[str, Callable[[FaultyProxy, Any], Any]] = {
    "never arrived": lambda proxy, is_it: proxy.trigger(is_it, proxy.cut),
    "swallowed": lambda proxy, is_it: proxy.trigger(is_it, proxy.half_open),
    "answer lost": lambda proxy, is_it: proxy.trigger(is_it, proxy.cut, at="answer"),
    "answer swallowed": lambda proxy, is_it: proxy.trigger(
        is_it, lambda: proxy.half_open("answers")
    ),
}


@pytest.mark.parametrize("fault", list(_FAULTS))
async def test_a_repeat_moves_the_money_once(
    people: Any, auditor: Any, distant: Database, proxy: FaultyProxy, fault: str
) -> None:
    """Goal: whether the first batch is stored or not, after the repeat every transfer has its
    outcome, the refused one included, and the money has moved once. The auditor checks the books.
    Method: the repeat is sent twice, once by way of the same connections and once past them."""
    alice, bob = await people.rich("alice", 1_000), await people.rich("bob", 0)
    batch = [people.transfer(alice, bob, 600), people.transfer(alice, bob, 500)]
    remote = type(people)(distant)
    _FAULTS[fault](proxy, is_commit)
    with pytest.raises(OutcomeUnknown):
        await remote.execute(batch)
    proxy.pass_through()

    first = await remote.execute(batch)
    second = await people.execute(batch)

    assert first == second
    assert all(isinstance(answer, Outcome) for answer in first)
    assert [answer.failure_code for answer in first] == [
        FailureCode.NONE,
        FailureCode.INSUFFICIENT_FUNDS,
    ]
    balances = dict(await auditor.rows("SELECT id, balance_minor FROM wallets"))
    assert (balances[alice], balances[bob]) == (400, 600)
