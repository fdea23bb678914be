"""Valkey: a bounded pool of connections, a deadline on everything, one kind of failure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from chassis.errors import Unavailable
from chassis.logs import get_logger
from chassis.metrics import SECONDS, Gauge, Histogram
from chassis.settings import Secret
from chassis.tls import ClientContext, TlsFiles

Result = TypeVar("Result")
Script = Callable[..., Awaitable[Any]]
"""A Lua script of ours: ``await script(keys=[...], args=[...])``."""

_LOG = get_logger(__name__)

_DURATION = Histogram(
    "db.client.operation.duration",
    unit="s",
    description="How long Valkey took for a piece of work, waiting for a connection included.",
    bounds=SECONDS,
    attributes=("error.type",),
    fixed={"db.system.name": "valkey"},
)
_RUNNING = Gauge(
    "qrpay.valkey.operations",
    unit="{operation}",
    description="Pieces of work that Valkey does or that wait for a connection to it.",
    additive=True,
)


class Valkey:
    """A client of one Valkey primary."""

    def __init__(self, client: Redis, *, seconds_max: float) -> None:
        self._client = client
        self._seconds_max = seconds_max
        self._running = 0
        _RUNNING.watch(lambda: {(): self._running})

    def script(self, name: str) -> Script:
        """The script ``scripts/<name>.lua``; a server that does not know its text is told it."""
        text = resources.files("barcode_svc").joinpath("scripts", f"{name}.lua").read_text("utf-8")
        script: Script = self._client.register_script(text)
        return script

    async def run(self, work: Callable[[Redis], Awaitable[Result]]) -> Result:
        """Run ``work`` with the client, within ``seconds_max`` from now.

        Raises ``Unavailable`` if Valkey does not do it in that time, whatever the reason: away,
        starting, full, or a replica now. A command may have been carried out all the same.
        """
        began, error_type = time.perf_counter(), ""
        self._running += 1
        try:
            async with asyncio.timeout(self._seconds_max):
                return await work(self._client)
        except (RedisError, OSError, TimeoutError) as error:
            error_type = type(error).__name__
            # No text: it can hold keys and values.
            _LOG.warning("valkey unavailable", error=type(error).__name__)
            raise Unavailable from error
        finally:
            self._running -= 1
            _DURATION.record(time.perf_counter() - began, error_type)

    async def ping(self) -> bool:
        """Whether Valkey answers now. Raises ``Unavailable`` if it does not."""
        return await self.run(_ping)


@asynccontextmanager
async def open_valkey(
    url: Secret,
    *,
    client_name: str,
    connections_max: int = 16,
    seconds_max: float = 1.0,
    tls: TlsFiles | None = None,
) -> AsyncIterator[Valkey]:
    """A client for ``url`` (``redis://user:password@host:port/0``).

    With ``rediss://`` the server must prove its host name to the authority of ``tls``, and is shown
    the certificate: what the files hold whenever a connection is made. Raises ValueError.

    Connects when used, and again after outages. Nothing is repeated here: whether a command that
    got no answer may be sent again is known to whoever sent it.
    """
    pool = BlockingConnectionPool(
        **_where(url, tls),
        max_connections=connections_max,
        timeout=seconds_max,
        socket_connect_timeout=seconds_max,
        socket_timeout=seconds_max,
        # A connection that lay idle for longer proves itself before it is used.
        health_check_interval=10,
        retry=Retry(NoBackoff(), 0),
        # RESP2: one answer per command and nothing unasked in between.
        protocol=2,
        decode_responses=True,
        client_name=client_name,
    )
    client = Redis(connection_pool=pool)
    try:
        yield Valkey(client, seconds_max=seconds_max)
    finally:
        await client.aclose()
        await pool.disconnect()


class _EncryptedConnection(SSLConnection):
    """redis-py would keep for ever what it found in the files, and trust all of the system's
    authorities beside ours."""

    def __init__(self, *, context: ClientContext, **named: Any) -> None:
        super().__init__(**named)
        self._context = context

    def _connection_arguments(self) -> dict[str, Any]:
        return {**super()._connection_arguments(), "ssl": self._context}


def _where(url: Secret, tls: TlsFiles | None) -> dict[str, Any]:
    options: dict[str, Any] = dict(parse_url(url.reveal()))
    if options.get("connection_class") is SSLConnection:
        if tls is None:
            raise ValueError("a rediss:// URL needs certificates")
        options.update(connection_class=_EncryptedConnection, context=ClientContext.of(tls))
    return options


async def _ping(client: Redis) -> bool:
    return bool(await client.ping())
