"""PostgreSQL: SQLAlchemy Core on psycopg 3, and transactions that are not cut off.

A money transaction runs in a task of its own. When the RPC that asked for it is cancelled -- its
client hung up, its deadline passed -- grpc.aio cancels the handler, and psycopg would cancel the
statement; if that statement is the COMMIT, nobody knows the outcome. So the handler goes and the
transaction stays.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from opentelemetry import trace
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, exc, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from chassis import tracing
from chassis.errors import OutcomeUnknown, Unavailable
from chassis.logs import get_logger
from chassis.pool_metrics import PoolUsage
from chassis.settings import Secret
from chassis.watchdog import Watchdog, WatchedConnection

Result = TypeVar("Result")
Work = Callable[[AsyncConnection], Awaitable[Result]]

_LOG = get_logger(__name__)
_TRACER = trace.get_tracer("qrpay.database")

_ATTEMPTS_MAX = 4
_RETRIED_STATES = {"40001", "40P01"}
"""serialization_failure and deadlock_detected: the database asks for another try."""
_AWAY_STATES = {
    *("25006", "25P03", "53100", "53300", "53400", "55P03", "57014"),
    *("57P01", "57P02", "57P03", "57P05"),
}
"""Too many connections, a lock or a statement that took too long, a server that stops or starts, is
read-only or has a full disk."""


class Database:
    """A pool of connections to one database, for one role."""

    def __init__(self, engine: AsyncEngine, *, name: str, transaction_seconds_max: float) -> None:
        self._engine = engine
        self._usage = PoolUsage(engine, name=name)
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._seconds_max = transaction_seconds_max
        self._running: set[asyncio.Task[Any]] = set()

    async def transaction(self, work: Work[Result]) -> Result:
        """Run ``work`` in one transaction and commit it.

        Cancelling the caller does not cancel the transaction. Serialization failures, deadlocks and
        connections found dead are tried again, so ``work`` may run more than once and must not act
        on anything but its connection. Raises ``Unavailable`` if the database cannot be used now
        (nothing was stored), ``OutcomeUnknown`` if the connection was lost during COMMIT, and
        whatever ``work`` raises; constraint violations arrive as ``sqlalchemy.exc.IntegrityError``.
        """
        task = asyncio.create_task(self._attempts(work))
        self._running.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    async def read(self, work: Work[Result]) -> Result:
        """Run ``work`` on a connection without a transaction: each statement sees its own moment.

        Raises ``Unavailable`` like ``transaction``. May be cancelled.
        """
        loop = asyncio.get_running_loop()
        no_more_at = loop.time() + self._seconds_max
        for attempt in range(1, 3):
            try:
                with _span("read", self._engine):
                    return await self._read(work)
            except (exc.DBAPIError, exc.TimeoutError, psycopg.Error, OSError) as error:
                # The first try may meet a connection that died while it lay in the pool.
                if not is_away(error):
                    raise
                late = loop.time() >= no_more_at
                if attempt > 1 or late or isinstance(error, exc.TimeoutError):
                    raise Unavailable from error
        raise AssertionError("unreachable")

    async def _read(self, work: Work[Result]) -> Result:
        connection = self._reader.connect()
        with self._usage.waiting():
            await connection.start()
        try:
            return await work(connection)
        finally:
            await asyncio.shield(connection.close())

    async def ping(self) -> bool:
        """Whether a statement can be executed now."""
        await self.read(_ping)
        return True

    async def close(self) -> None:
        """Wait for transactions that are still running, then close the pool."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._seconds_max)
        await self._engine.dispose()
        self._usage.close()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            # Nobody may be left to look at it: retrieve it, so that asyncio does not complain.
            task.exception()

    async def _attempts(self, work: Work[Result]) -> Result:
        loop = asyncio.get_running_loop()
        # A server that let the watchdog bite is not asked again: the pool is for who comes next.
        no_more_at = loop.time() + self._seconds_max
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            try:
                return await self._attempt(work)
            except (exc.DBAPIError, exc.TimeoutError, psycopg.Error, OSError) as error:
                again = sqlstate(error) in _RETRIED_STATES or _is_disconnected(error)
                if again and attempt < _ATTEMPTS_MAX and loop.time() < no_more_at:
                    await asyncio.sleep(random.uniform(0.005, 0.02) * attempt)  # noqa: S311
                    continue
                if again or is_away(error):
                    _LOG.warning("database unavailable", sqlstate=sqlstate(error))
                    raise Unavailable from error
                raise
        raise AssertionError("unreachable")

    async def _attempt(self, work: Work[Result]) -> Result:
        with _span("transaction", self._engine):
            return await self._commit_once(work)

    async def _commit_once(self, work: Work[Result]) -> Result:
        with self._usage.waiting():
            connection = await self._engine.connect()
        try:
            result = await work(connection)
            with self._usage.committing():
                await _commit(connection)
            return result
        finally:
            # What is known by now stays so, whatever becomes of the rollback.
            with suppress(exc.DBAPIError, psycopg.Error, OSError):
                await connection.close()


@contextmanager
def _span(operation: str, engine: AsyncEngine) -> Iterator[None]:
    """A span for work with the database, waiting for a connection included, if whatever it is done
    for is traced. Not a word of the statements: they have people's names in them."""
    if not trace.get_current_span().is_recording():
        yield
        return
    namespace = engine.url.database or ""
    with _TRACER.start_as_current_span(
        f"{operation} {namespace}",
        kind=trace.SpanKind.CLIENT,
        attributes={
            "db.system.name": "postgresql",
            "db.namespace": namespace,
            "db.operation.name": operation,
        },
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except BaseException as error:
            tracing.fail(span, sqlstate(error) or tracing.reason_of(error))
            raise


async def _commit(connection: AsyncConnection) -> None:
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    assert isinstance(driver, WatchedConnection)
    if driver.info.transaction_status is TransactionStatus.INERROR:
        # PostgreSQL answers this COMMIT with a rollback, and psycopg does not mind.
        raise RuntimeError("work hid a failed statement: its transaction cannot be committed")
    driver.warned = False
    try:
        await connection.commit()
    except (exc.DBAPIError, psycopg.Error, OSError) as error:
        if sqlstate(error) in _RETRIED_STATES or isinstance(error, exc.IntegrityError):
            raise  # refused by the server: surely not committed
        _LOG.warning("commit interrupted", sqlstate=sqlstate(error))
        raise OutcomeUnknown from error
    if driver.warned:
        # Committed here, but the wait for the standby was cancelled: a failover may still lose it.
        _LOG.warning("commit perhaps not replicated")
        raise OutcomeUnknown


@asynccontextmanager
async def open_database(
    url: Secret | str,
    *,
    application_name: str,
    pool_size: int = 8,
    statement_seconds_max: float = 5.0,
    lock_seconds_max: float = 2.0,
    transaction_seconds_max: float = 8.0,
    connect_seconds_max: int = 3,
) -> AsyncIterator[Database]:
    """A pool for ``url`` (``postgresql://...``); connects when used, and again after outages."""
    watchdog = Watchdog(transaction_seconds_max)
    engine = create_async_engine(
        _driver_url(url),
        pool_size=pool_size,
        max_overflow=0,
        # Errors are logged; names and amounts are nobody's business there.
        hide_parameters=True,
        # Waiting for a connection is part of a call's few seconds: past this, say unavailable.
        pool_timeout=connect_seconds_max,
        pool_use_lifo=True,
        connect_args={
            "async_creator_fn": watchdog.connect,
            "connect_timeout": connect_seconds_max,
            "application_name": application_name,
            "options": (
                f"-c statement_timeout={int(statement_seconds_max * 1000)}"
                f" -c lock_timeout={int(lock_seconds_max * 1000)}"
                f" -c idle_in_transaction_session_timeout={int(transaction_seconds_max * 1000)}"
            ),
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
        },
    )
    watchdog.guard(engine)
    database = Database(
        engine, name=application_name, transaction_seconds_max=transaction_seconds_max
    )
    try:
        yield database
    finally:
        await database.close()


def constraint_name(error: exc.IntegrityError) -> str | None:
    """The name of the violated constraint, for turning it into the domain's error."""
    cause = error.orig
    return cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None


def sqlstate(error: BaseException) -> str | None:
    """The five-character SQLSTATE of a database error; None if there is none."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None


def is_away(error: BaseException) -> bool:
    """Whether the database cannot be used now (as opposed to: a statement is wrong)."""
    return (
        isinstance(error, exc.TimeoutError | OSError)
        or sqlstate(error) in _AWAY_STATES
        or _is_disconnected(error)
    )


def _is_disconnected(error: BaseException) -> bool:
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    # An operational error without a SQLSTATE comes from libpq and not from the server: no
    # connection.
    return isinstance(cause, psycopg.OperationalError) and (
        cause.sqlstate is None or cause.sqlstate[:2] == "08" or cause.sqlstate[:3] == "57P"
    )


def _driver_url(url: Secret | str) -> URL:
    parsed = make_url(url.reveal() if isinstance(url, Secret) else url)
    return parsed.set(drivername="postgresql+psycopg")


async def _ping(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))
