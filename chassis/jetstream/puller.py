"""Gets messages out of a durable pull consumer, whatever happens to the server.

nats-py's own ``fetch`` stalls on lingering pulls (nats.py issue 986), stays silent after a server
restart (issue 504) and takes every 409 for a passing one. Here instead: one pull at a time, with
its own number, expiry and heartbeats; statuses count only for the pull they belong to; and when the
silence is longer than it should be, or the consumer is gone, everything is set up anew.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import suppress

import nats.errors
from nats.aio.msg import Msg

from chassis.errors import Unavailable
from chassis.jetstream.connection import JetStream
from chassis.jetstream.message import Lease
from chassis.jetstream.session import Session
from chassis.jetstream.specs import ConsumerSpec
from chassis.logs import get_logger

_LOG = get_logger(__name__)

_NANOSECONDS = 1_000_000_000
_RETRY_SECONDS_MIN = 0.1
_RETRY_SECONDS_MAX = 5.0
_DRAIN_SECONDS = 2.0
_EMPTY_PULLS_MAX = 2
"""Pulls that may end empty while the server says that messages are waiting."""

_HEARTBEAT = "100"
_OVER = {"404", "408"}
"""No messages; request timed out: the ordinary ends of a pull."""


class PullBroken(Exception):
    """This subscription will bring nothing any more; the message says why."""


class Puller:
    """Keeps one pull outstanding as long as there is room, and hands over what arrives.

    ``room`` says how many messages may be asked for; when it grows, call ``look_again``.
    ``deliver`` gets each message with the lease it was delivered under.
    """

    def __init__(
        self,
        *,
        jetstream: JetStream,
        spec: ConsumerSpec,
        room: Callable[[], int],
        deliver: Callable[[Msg, Lease], None],
        expires_seconds: float = 30.0,
        heartbeat_seconds: float = 5.0,
    ) -> None:
        if expires_seconds < 2 * heartbeat_seconds:  # the server refuses it otherwise
            raise ValueError("expires_seconds must be at least twice heartbeat_seconds")
        self._jetstream = jetstream
        self._spec = spec
        self._room = room
        self._deliver = deliver
        self._expires_seconds = expires_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._wake = asyncio.Event()
        self._lease: Lease | None = None
        self._pull = 0
        """The number of the outstanding pull."""
        self._expected = 0
        """Messages that it may still bring."""
        self._arrived = 0
        """Messages that it brought."""
        self._status = ("", "")
        """Code and text that ended it, if anything did."""
        self._heard_at = 0.0
        self._empty_pulls = 0

    def look_again(self) -> None:
        """There may be more room now."""
        self._wake.set()

    async def run(self) -> None:
        """Pull until cancelled; even then, what is already on its way is handed over."""
        failures = 0
        while True:
            before = self._pull
            try:
                session = await self._jetstream.session()
                await self._take_lease(session)
                await self._pull_over(session)
                failures = 0  # the connection was lost; there will be another one
            except (PullBroken, Unavailable, nats.errors.Error) as error:
                failures = 1 if self._pull > before else failures + 1
                _LOG.warning("pull_broken", consumer=self._name, error=str(error), times=failures)
            pause = min(_RETRY_SECONDS_MIN * 2 ** min(failures, 10), _RETRY_SECONDS_MAX)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    @property
    def _name(self) -> str:
        return f"{self._spec.stream}.{self._spec.name}"

    async def _take_lease(self, session: Session) -> None:
        """Make sure that the consumer exists, and find out whether it is still the same one."""
        try:
            info = await self._jetstream.declare_consumer(self._spec)
        except Unavailable:
            await self._jetstream.declare()  # perhaps its stream is gone, too
            info = await self._jetstream.declare_consumer(self._spec)
        if self._lease is not None and self._lease.created == info["created"]:
            self._lease.session = session
        else:
            self._lease = Lease(session=session, created=info["created"])

    async def _pull_over(self, session: Session) -> None:
        """Pull over one subscription until it breaks."""
        client = session.client
        inbox = client.new_inbox()
        subscription = await client.subscribe(f"{inbox}.*", cb=self._receive)
        session.when_lost(self._wake.set)
        try:
            while not session.lost:
                self._wake.clear()
                if (room := self._room()) > 0:
                    await self._pull_once(session, inbox, room)
                else:
                    await self._wake.wait()
        except asyncio.CancelledError:
            # Not just unsubscribed: what is on the wire still gets here and can be handed back,
            # instead of being left to wait for its ack wait.
            with suppress(nats.errors.Error, TimeoutError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await subscription.drain()  # type: ignore[no-untyped-call]
            raise
        finally:
            # Also when the connection is lost: nats-py would renew the subscription with the next.
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()

    async def _pull_once(self, session: Session, inbox: str, room: int) -> None:
        self._pull += 1
        self._expected, self._arrived, self._status = room, 0, ("", "")
        request = {
            "batch": room,
            "expires": int(self._expires_seconds * _NANOSECONDS),
            "idle_heartbeat": int(self._heartbeat_seconds * _NANOSECONDS),
        }
        self._heard_at = asyncio.get_running_loop().time()
        await session.client.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{self._spec.stream}.{self._spec.name}",
            json.dumps(request).encode(),
            reply=f"{inbox}.{self._pull}",
        )
        while self._expected > 0 and not self._status[0] and not session.lost:
            self._wake.clear()
            try:
                async with asyncio.timeout_at(self._heard_at + 2 * self._heartbeat_seconds):
                    await self._wake.wait()
            except TimeoutError:
                self._check_silence()
        if self._status[0]:
            await self._judge(*self._status)

    def _check_silence(self) -> None:
        # Messages move the time on without waking anybody.
        silent = asyncio.get_running_loop().time() - self._heard_at
        if silent >= 2 * self._heartbeat_seconds:
            raise PullBroken(f"no message and no heartbeat for {silent:.1f} s")

    async def _receive(self, message: Msg) -> None:
        """A message of the stream, or a status: without payload, on the subject of its pull."""
        now = asyncio.get_running_loop().time()
        if message.reply.startswith("$JS.ACK."):
            assert self._lease is not None
            self._heard_at = now
            self._expected -= 1
            self._arrived += 1
            self._empty_pulls = 0
            self._deliver(message, self._lease)
            if self._expected <= 0:
                self._wake.set()
        elif message.subject.endswith(f".{self._pull}"):
            headers = message.headers or {}
            self._heard_at = now
            if headers.get("Status") != _HEARTBEAT:
                self._status = (headers.get("Status", "?"), headers.get("Description", ""))
                self._wake.set()

    async def _judge(self, code: str, text: str) -> None:
        """What follows from the status that ended a pull: nothing, a pause, or a new beginning."""
        if code in _OVER:
            if self._arrived == 0:
                await self._check_waiting()
        elif code == "409" and "leadership change" in text.lower():
            _LOG.info("pull_ended", consumer=self._name, status=code, text=text)
        else:
            # 409 consumer deleted, server shutdown, a limit exceeded; 503 nobody answers; 400.
            raise PullBroken(f"{code} {text}")

    async def _check_waiting(self) -> None:
        """An empty pull is suspicious if the server has messages that it could deliver."""
        info = await self._jetstream.consumer_info(self._spec)
        if info is None:
            raise PullBroken("the consumer is gone")
        waiting, held = info.get("num_pending", 0), info.get("num_ack_pending", 0)
        if not waiting or info.get("paused"):
            self._empty_pulls = 0
        elif held >= self._spec.max_ack_pending:
            _LOG.warning("too_many_unacknowledged", consumer=self._name, held=held, waiting=waiting)
        else:
            self._empty_pulls += 1
            if self._empty_pulls >= _EMPTY_PULLS_MAX:
                self._empty_pulls = 0
                raise PullBroken(f"{waiting} messages wait and none comes")
