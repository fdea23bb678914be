"""Transactions over a network that fails at the worst moment: what is said of their outcome is
true, nothing waits for ever, and afterwards the pool works again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database, open_database
from chassis.errors import OutcomeUnknown, Unavailable
from chassis.watchdog import WatchedConnection
from tests.integration.chassis.counters import Administrator, Work, add, value_of
from tests.proxy import FaultyProxy

Fault = Callable[[FaultyProxy], None]

_SILENCES: dict[str, Fault] = {
    "stalled": FaultyProxy.stall,
    "half-open": FaultyProxy.half_open,
    "no answers": lambda proxy: proxy.half_open("answers"),
}


@pytest.fixture
async def proxy(scene: Any) -> AsyncIterator[FaultyProxy]:
    """The network between the database and us."""
    proxy = await FaultyProxy.in_front_of(scene.url)
    yield proxy
    await proxy.close()


@pytest.fixture
async def database(scene: Any, proxy: FaultyProxy) -> AsyncIterator[Database]:
    """One connection, and little patience: a slot that leaks is seen at once. Closing it, at the
    end of every test, has a limit as well."""
    async with asyncio.timeout(60):
        async with open_database(
            proxy.url(scene.url),
            application_name="test",
            pool_size=1,
            transaction_seconds_max=0.5,
            connect_seconds_max=2,
        ) as database:
            yield database


@pytest.fixture(params=list(_SILENCES))
def silence(request: pytest.FixtureRequest) -> Fault:
    """Each way in which a server is there and does not answer."""
    return _SILENCES[request.param]


class Counted:
    """Work that counts how often it is done."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.tries = 0

    async def __call__(self, connection: AsyncConnection) -> Any:
        self.tries += 1
        return await self._work(connection)


def is_commit(data: bytes) -> bool:
    """Whether a piece of the protocol is the COMMIT."""
    return b"COMMIT" in data


def is_update(data: bytes) -> bool:
    """Whether a piece of the protocol is the work of ``add``."""
    return b"UPDATE" in data


async def is_usable(database: Database, proxy: FaultyProxy, administrator: Administrator) -> None:
    """The network is well again: so is the pool, with no session but its one."""
    proxy.pass_through()
    async with asyncio.timeout(20):
        await database.transaction(add(0, counter=2))
    assert await database.ping()
    await administrator.until(
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'test' HAVING count(*) = 1"
    )


async def test_a_commit_that_never_arrived_is_unknown(
    database: Database, proxy: FaultyProxy, administrator: Administrator
) -> None:
    """Nothing is stored, but we cannot know; it is not tried again behind the caller's back."""
    work = Counted(add(1))
    proxy.trigger(is_commit, proxy.cut)
    with pytest.raises(OutcomeUnknown):
        await database.transaction(work)
    assert work.tries == 1
    await is_usable(database, proxy, administrator)
    assert await value_of(administrator) == 0


async def test_a_commit_whose_answer_is_lost_is_unknown(
    database: Database, proxy: FaultyProxy, administrator: Administrator
) -> None:
    """It is stored: trying again would store it twice."""
    work = Counted(add(1))
    proxy.trigger(is_commit, proxy.cut, at="answer")
    with pytest.raises(OutcomeUnknown):
        await database.transaction(work)
    assert work.tries == 1
    await is_usable(database, proxy, administrator)
    assert await value_of(administrator) == 1


async def test_silence_during_commit_is_unknown(
    database: Database, proxy: FaultyProxy, administrator: Administrator, silence: Fault
) -> None:
    """The watchdog ends the wait. What was only held up may be stored after we said so, or not."""
    work = Counted(add(1))
    proxy.trigger(is_commit, lambda: silence(proxy))
    with pytest.raises(OutcomeUnknown):
        async with asyncio.timeout(20):
            await database.transaction(work)
    assert work.tries == 1
    await is_usable(database, proxy, administrator)
    if silence is FaultyProxy.half_open:
        assert await value_of(administrator) == 0
    elif silence is not FaultyProxy.stall:
        assert await value_of(administrator) == 1


async def test_a_connection_cut_before_commit_is_tried_again(
    database: Database, proxy: FaultyProxy, administrator: Administrator
) -> None:
    """Surely nothing was stored, so the second try stores it, once."""
    work = Counted(add(1))
    proxy.trigger(is_update, proxy.cut, at="answer")
    assert await database.transaction(work) == 1
    assert work.tries == 2
    await is_usable(database, proxy, administrator)
    assert await value_of(administrator) == 1


async def test_a_network_that_stays_away_is_unavailable(
    database: Database, proxy: FaultyProxy, administrator: Administrator
) -> None:
    """Cut, and nobody is let in again: an outage that says surely that nothing was stored."""

    def gone() -> None:
        proxy.refuse()
        proxy.cut()

    work = Counted(add(1))
    proxy.trigger(is_update, gone, at="answer")
    with pytest.raises(Unavailable) as caught:
        await database.transaction(work)
    assert type(caught.value) is Unavailable
    assert work.tries == 1
    await is_usable(database, proxy, administrator)
    assert await value_of(administrator) == 0


async def test_silence_during_a_statement_is_unavailable(
    database: Database, proxy: FaultyProxy, administrator: Administrator, silence: Fault
) -> None:
    """The watchdog ends the wait; a server that does not answer is not asked again."""
    work = Counted(add(1))
    proxy.trigger(is_update, lambda: silence(proxy))
    with pytest.raises(Unavailable) as caught:
        async with asyncio.timeout(20):
            await database.transaction(work)
    assert type(caught.value) is Unavailable
    assert (work.tries, proxy.accepted) == (1, 1)
    await is_usable(database, proxy, administrator)
    assert await value_of(administrator) == 0


async def test_silence_during_a_read_is_unavailable(
    database: Database, proxy: FaultyProxy, administrator: Administrator, silence: Fault
) -> None:
    """Reads do not wait for ever either."""
    await database.ping()
    work = Counted(lambda connection: connection.execute(text("SELECT 1")))
    silence(proxy)
    with pytest.raises(Unavailable):
        async with asyncio.timeout(20):
            await database.read(work)
    assert (work.tries, proxy.accepted) == (1, 1)
    await is_usable(database, proxy, administrator)


async def test_silence_during_the_rollback_has_an_end(
    database: Database, proxy: FaultyProxy, administrator: Administrator, silence: Fault
) -> None:
    """Work fails and the connection goes back to the pool, which rolls back: the server must be
    heard for that, too. The error is still that of the work."""

    async def work(connection: AsyncConnection) -> None:
        await add(1)(connection)
        silence(proxy)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        async with asyncio.timeout(20):
            await database.transaction(work)
    await is_usable(database, proxy, administrator)
    assert await value_of(administrator) == 0


async def test_a_violated_constraint_is_known_whatever_the_rollback(
    database: Database, proxy: FaultyProxy, administrator: Administrator
) -> None:
    """The server has refused; that it is silent afterwards makes no outage of it."""
    await database.ping()
    proxy.trigger(lambda data: b"ROLLBACK" in data, proxy.half_open)
    with pytest.raises(IntegrityError):
        async with asyncio.timeout(20):
            await database.transaction(add(-1))
    await is_usable(database, proxy, administrator)


async def test_a_read_cancelled_in_silence_has_an_end(
    database: Database, proxy: FaultyProxy, administrator: Administrator, silence: Fault
) -> None:
    """psycopg asks the server to cancel, and the server says nothing to that either."""
    await database.ping()
    fired = proxy.trigger(lambda data: b"pg_sleep" in data, lambda: silence(proxy))
    reading = asyncio.create_task(
        database.read(lambda connection: connection.execute(text("SELECT pg_sleep(0.1)")))
    )
    await fired.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(20):
            await reading
    await is_usable(database, proxy, administrator)


async def test_a_commit_nobody_waits_for_has_an_end(
    scene: Any, database: Database, proxy: FaultyProxy, administrator: Administrator
) -> None:
    """Its caller has gone and its COMMIT hangs: the watchdog shuts the socket all the same, the
    next one gets its place in the pool, and closing does not wait for ever."""
    fired = proxy.trigger(is_commit, proxy.half_open)
    caller = asyncio.create_task(database.transaction(add(1)))
    await fired.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    async with asyncio.timeout(20):
        while not proxy.hung_up:  # noqa: ASYNC110 - the proxy tells nobody
            await asyncio.sleep(0.01)
    await is_usable(database, proxy, administrator)
    fired = proxy.trigger(is_commit, proxy.half_open)
    caller = asyncio.create_task(database.transaction(add(1)))
    await fired.wait()
    caller.cancel()
    async with asyncio.timeout(20):
        await database.close()
    assert await value_of(administrator) == 0


async def test_a_connect_that_hangs_is_unavailable(
    database: Database, proxy: FaultyProxy, administrator: Administrator, silence: Fault
) -> None:
    """Accepted, and then nothing."""
    silence(proxy)
    async with asyncio.timeout(20):
        failures = await asyncio.gather(
            database.transaction(add(1)), database.read(add(1)), return_exceptions=True
        )
    assert [type(failure) for failure in failures] == [Unavailable, Unavailable]
    await is_usable(database, proxy, administrator)
    assert await value_of(administrator) == 0


async def test_silence_right_after_connecting_is_unavailable(
    database: Database, proxy: FaultyProxy, administrator: Administrator, silence: Fault
) -> None:
    """Before its first use a connection is asked for its server's version; that has an end, too."""
    fired = proxy.trigger(lambda data: b"version" in data, lambda: silence(proxy))
    with pytest.raises(Unavailable):
        async with asyncio.timeout(20):
            await database.transaction(add(1))
    assert fired.is_set()
    await is_usable(database, proxy, administrator)
    assert await value_of(administrator) == 0


async def test_a_closed_connection_shuts_nobody_elses_socket(scene: Any) -> None:
    """The number of a socket is given to the next one that is opened: the watchdog must not take
    that for its own."""
    connection = await WatchedConnection.connect(scene.url)
    number = connection.pgconn.socket
    connection.watch(0)
    await connection.close()
    left, right = socket.socketpair()
    with left, right:
        assert number in (left.fileno(), right.fileno())
        bitten = asyncio.Event()
        asyncio.get_running_loop().call_later(0.01, bitten.set)
        await bitten.wait()
        left.send(b"still here")
        assert right.recv(100) == b"still here"


async def test_a_failed_statement_cannot_be_committed(
    database: Database, administrator: Administrator
) -> None:
    """PostgreSQL would answer the COMMIT with a rollback, and it would look like success."""

    async def work(connection: AsyncConnection) -> None:
        await add(1)(connection)
        with pytest.raises(IntegrityError):
            await add(-1, counter=2)(connection)

    with pytest.raises(RuntimeError):
        await database.transaction(work)
    assert await value_of(administrator) == 0
    assert await database.transaction(add(1)) == 1


async def test_a_commit_that_gave_up_on_its_standby_is_unknown(
    scene: Any, proxy: FaultyProxy, administrator: Administrator
) -> None:
    """Somebody cancels the wait for the synchronous standby: PostgreSQL says COMMIT with a warning,
    and a failover would lose it."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(text("SET LOCAL synchronous_commit = on"))
        await add(1)(connection)

    waiting = """SELECT pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'test' AND wait_event = 'SyncRep'"""
    async with await psycopg.AsyncConnection.connect(scene.admin_url, autocommit=True) as system:
        await system.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        await system.execute("SELECT pg_reload_conf()")
        try:
            async with open_database(scene.url, application_name="test") as database:
                running = asyncio.create_task(database.transaction(work))
                await administrator.until(waiting)
                with pytest.raises(OutcomeUnknown):
                    await running
                assert await database.ping()
        finally:
            await system.execute("ALTER SYSTEM RESET synchronous_standby_names")
            await system.execute("SELECT pg_reload_conf()")
    assert await value_of(administrator) == 1
