"""Transactions on a real PostgreSQL: committed, rolled back, tried again, or truly unknown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database, constraint_name, open_database, sqlstate
from chassis.errors import OutcomeUnknown, Unavailable
from tests.integration.chassis.counters import Administrator, Work, add, value_of


@pytest.fixture
async def database(scene: Any) -> AsyncIterator[Database]:
    """The same, as a process uses it: two connections."""
    async with open_database(scene.url, application_name="test", pool_size=2) as database:
        yield database


async def test_work_is_committed(database: Database, administrator: Administrator) -> None:
    """Its result comes back when others can see it."""
    assert await database.transaction(add(5)) == 5
    assert await value_of(administrator) == 5


async def test_an_error_rolls_back(database: Database, administrator: Administrator) -> None:
    """Whatever work raises comes out, and nothing stays."""

    async def work(connection: AsyncConnection) -> None:
        await add(5)(connection)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await database.transaction(work)
    assert await value_of(administrator) == 0
    assert await database.transaction(add(1)) == 1


async def test_a_violated_constraint_has_a_name(database: Database) -> None:
    """The name becomes the domain's error; it is not taken for an outage."""
    with pytest.raises(IntegrityError) as caught:
        await database.transaction(add(-1))
    assert constraint_name(caught.value) == "ck_counters_value"
    assert sqlstate(caught.value) == "23514"


async def test_a_wrong_statement_is_no_outage(database: Database) -> None:
    """What is wrong with the data or the statement stays what it is, for reads as well."""
    for use in (database.transaction, database.read):
        with pytest.raises(DataError):
            await use(lambda connection: connection.execute(text("SELECT 1 / 0")))


async def test_a_cancelled_caller_does_not_cut_off_the_transaction(
    database: Database, administrator: Administrator
) -> None:
    """The caller goes, the transaction stays and commits: nobody has to guess its outcome."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        await add(1)(connection)
        begun.set()
        await go_on.wait()
        await add(1)(connection)

    caller = asyncio.create_task(database.transaction(work))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await value_of(administrator) == 0
    go_on.set()
    await administrator.until("SELECT 1 FROM counters WHERE id = 1 AND value = 2")


async def test_closing_waits_for_what_is_running(scene: Any, administrator: Administrator) -> None:
    """A transaction whose caller has gone is finished before the pool is closed."""
    begun = asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        begun.set()
        await connection.execute(text("SELECT pg_sleep(0.2)"))
        await add(7)(connection)

    async with open_database(scene.url, application_name="test") as database:
        caller = asyncio.create_task(database.transaction(work))
        await begun.wait()
        caller.cancel()
    assert await value_of(administrator) == 7


async def test_a_deadlock_is_tried_again(database: Database, administrator: Administrator) -> None:
    """Two that lock in opposite order: one is chosen as the victim, and both succeed."""
    together = asyncio.Barrier(2)

    def crossing(first: int, second: int) -> Work:
        tries = []

        async def work(connection: AsyncConnection) -> int:
            tries.append(1)
            await add(1, counter=first)(connection)
            if len(tries) == 1:
                await together.wait()
            await add(1, counter=second)(connection)
            return len(tries)

        return work

    tries = await asyncio.gather(
        database.transaction(crossing(1, 2)), database.transaction(crossing(2, 1))
    )
    assert sorted(tries) == [1, 2]
    assert (await value_of(administrator, 1), await value_of(administrator, 2)) == (2, 2)


async def test_a_serialization_failure_is_tried_again(
    database: Database, administrator: Administrator
) -> None:
    """What the server asks to repeat is repeated; the second try sees the new value."""
    tries = []

    async def work(connection: AsyncConnection) -> int:
        tries.append(1)
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        await connection.execute(text("SELECT * FROM counters"))
        if len(tries) == 1:
            await administrator.rows("UPDATE counters SET value = 10 WHERE id = 1")
        return int(await add(1)(connection))

    assert await database.transaction(work) == 11
    assert len(tries) == 2


async def test_connections_that_died_in_the_pool_do_no_harm(
    database: Database, administrator: Administrator
) -> None:
    """After a restart of the server the first callers find dead connections and do not notice."""
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'"
    for use in (database.transaction, database.read):
        await asyncio.gather(use(add(0)), use(add(0)))
        assert len(await administrator.rows(kill)) == 2
        await asyncio.gather(use(add(1)), use(add(1)))
    assert await value_of(administrator) == 4


async def test_a_server_that_goes_away_is_unavailable(
    database: Database, administrator: Administrator
) -> None:
    """Killed in the middle of its work again and again: a named outage, and nothing stored."""
    tries = []

    async def work(connection: AsyncConnection) -> None:
        tries.append(1)
        await add(1)(connection)
        await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(Unavailable) as caught:
        await database.transaction(work)
    assert type(caught.value) is Unavailable
    assert 1 < len(tries) < 10
    assert await value_of(administrator) == 0


async def test_an_interrupted_commit_is_unknown(
    database: Database, administrator: Administrator
) -> None:
    """The connection is lost while COMMIT runs: it may or may not have happened, and the error says
    just that. It is not tried again."""
    tries = []

    async def work(connection: AsyncConnection) -> None:
        tries.append(1)
        await add(1, counter=3)(connection)

    async with await psycopg.AsyncConnection.connect(administrator.url) as holder:
        await holder.execute("SELECT pg_advisory_xact_lock(42)")  # COMMIT will wait for this
        running = asyncio.create_task(database.transaction(work))
        victims = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'test' AND query = 'COMMIT' AND wait_event = 'advisory'"""
        await administrator.until(victims)
        with pytest.raises(OutcomeUnknown):
            await running
    assert tries == [1]


async def test_a_refused_commit_is_not_unknown(
    database: Database, administrator: Administrator
) -> None:
    """A deferred constraint that fails at COMMIT says surely: nothing was stored."""
    await administrator.rows("""
        UPDATE counters SET value = id WHERE id < 3;
        ALTER TABLE counters ADD CONSTRAINT uq_counters_value UNIQUE (value)
        DEFERRABLE INITIALLY DEFERRED
    """)
    with pytest.raises(IntegrityError) as caught:
        await database.transaction(add(1))
    assert constraint_name(caught.value) == "uq_counters_value"
    assert await value_of(administrator) == 1


async def test_a_statement_that_takes_too_long_is_unavailable(scene: Any) -> None:
    """There is a limit on every statement and on waiting for a lock."""
    async with open_database(
        scene.url, application_name="test", statement_seconds_max=0.1
    ) as database:
        with pytest.raises(Unavailable):
            await database.transaction(
                lambda connection: connection.execute(text("SELECT pg_sleep(30)"))
            )
        assert await database.ping()


async def test_a_lock_that_is_not_had_is_unavailable(
    scene: Any, administrator: Administrator
) -> None:
    """Waiting for somebody else's row has an end."""
    async with await psycopg.AsyncConnection.connect(administrator.url) as holder:
        await holder.execute("UPDATE counters SET value = 1 WHERE id = 1")
        async with open_database(
            scene.url, application_name="test", lock_seconds_max=0.1
        ) as database:
            with pytest.raises(Unavailable):
                await database.transaction(add(1))


async def test_no_free_connection_is_unavailable(database: Database) -> None:
    """The pool is bounded; who waits too long for a connection is told so."""
    held, go_on = asyncio.Barrier(3), asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        await held.wait()
        await go_on.wait()

    holding = [asyncio.create_task(database.transaction(work)) for _ in range(2)]
    await held.wait()
    with pytest.raises(Unavailable):
        await database.transaction(add(1))
    go_on.set()
    await asyncio.gather(*holding)
    assert await database.transaction(add(1)) == 1


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    """Opening a pool connects to nothing; using it says what is wrong, reads as well as writes."""
    url = "postgresql://nobody:secret@127.0.0.1:1/nothing"
    async with open_database(url, application_name="test") as database:
        for use in (database.transaction, database.read):
            with pytest.raises(Unavailable) as caught:
                await use(add(1))
            assert "secret" not in str(caught.value)
        with pytest.raises(Unavailable):
            await database.ping()


async def test_a_read_may_be_cancelled(database: Database, administrator: Administrator) -> None:
    """Nobody waits for an answer that nobody wants; the connection is used again."""
    reading = asyncio.create_task(
        database.read(lambda connection: connection.execute(text("SELECT pg_sleep(4)")))
    )
    sleeping = """SELECT 1 FROM pg_stat_activity
        WHERE application_name = 'test' AND query LIKE '%pg_sleep%' AND state = 'active'"""
    await administrator.until(sleeping)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await administrator.rows(sleeping) == []
    assert await database.ping()


async def test_the_process_is_known_by_name(
    database: Database, administrator: Administrator
) -> None:
    """Whoever looks at the server's sessions sees whose they are."""
    await database.ping()
    assert await administrator.rows(
        "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'test'"
    ) == [("ledger_svc",)]
