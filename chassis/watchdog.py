"""Connections to PostgreSQL whose sockets are shut when they are in use for too long.

The last resort against a server that is there but does not answer (a half-open connection, a
stopped process): its own limits do not help then, and cancelling psycopg would ask that same server
to cancel.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import Any

import psycopg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.logs import get_logger

_LOG = get_logger(__name__)

_CANCEL_SECONDS_MAX = 1.0
_WARNING = "01000"


class WatchedConnection(psycopg.AsyncConnection[Any]):
    """Shuts its own socket; whoever waits for the server then finds the connection lost."""

    warned = False
    """Whether the server sent a WARNING; for its user to reset and to look at."""
    _timer: asyncio.TimerHandle | None = None

    def watch(self, seconds: float) -> None:
        """It is in use from now on, and may be for so long."""
        self.rest()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._shut)

    def rest(self) -> None:
        """It is not in use."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        """Take notice of what the server says beside its answers."""
        if diagnostic.sqlstate == _WARNING:
            self.warned = True

    async def cancel_safe(self, *, timeout: float = 30.0) -> None:
        """Ask the server to cancel; one that does not answer soon will not do so later."""
        await super().cancel_safe(timeout=min(timeout, _CANCEL_SECONDS_MAX))

    def _shut(self) -> None:
        # The number of the socket is asked for only now: once psycopg has closed the connection,
        # the same number may be somebody else's.
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self.pgconn.socket)) as duplicate,
        ):
            duplicate.shutdown(socket.SHUT_RDWR)
            _LOG.warning("connection shut by the watchdog")


class Watchdog:
    """Watches the connections of a pool whenever they are out of it.

    That is longer than a transaction: a new connection is asked for its server's version, and one
    that comes back is rolled back; both wait for the server, too.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def connect(self, **parameters: Any) -> WatchedConnection:
        """For the engine to connect with (``async_creator_fn`` of its ``connect_args``)."""
        connection = await WatchedConnection.connect(**parameters)
        connection.add_notice_handler(connection.notice)
        connection.watch(self._seconds)
        return connection

    def guard(self, engine: AsyncEngine) -> None:
        """Watch what is taken from the engine's pool until it is back."""
        event.listen(engine.sync_engine, "checkout", self._taken)
        event.listen(engine.sync_engine, "checkin", self._returned)

    def _taken(self, adapted: Any, _record: Any, _proxy: Any) -> None:
        adapted.driver_connection.watch(self._seconds)

    def _returned(self, adapted: Any, _record: Any) -> None:
        if adapted is not None:  # None: it was lost, and is closed
            adapted.driver_connection.rest()
