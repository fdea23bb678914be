"""A message in somebody's hands, and what its holder may say about it to the queue."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Generic, TypeVar

import nats.errors
from nats.aio.msg import Msg

from chassis.errors import OutcomeUnknown, Unavailable
from chassis.jetstream.session import Session

Value = TypeVar("Value")

_NANOSECONDS = 1_000_000_000
_REASON_LENGTH_MAX = 200


class Lease:
    """The right to acknowledge what one consumer delivered.

    A sequence number means something only in the stream it came from. If the server lost its store
    and the stream was made anew, an old acknowledgement would hit another message of the same
    number. So acknowledgements go out only over the connection on which the consumer was last seen
    to be the same one; otherwise they are dropped, and the queue delivers the message again.
    """

    def __init__(self, *, session: Session, created: str) -> None:
        self.session = session
        self.created = created
        """When the server says that the consumer was created: tells one from its successor."""

    @property
    def holds(self) -> bool:
        """Whether an acknowledgement would reach the message it is meant for."""
        return not self.session.lost


class Message(Generic[Value]):
    """One delivery of one message. ``value`` is its decoded payload.

    ``ack``, ``nak`` and ``term`` settle it; only the first of them counts. All of them are hints to
    the queue: what must not happen twice is guarded by the databases.
    """

    def __init__(
        self, message: Msg, *, lease: Lease, value: Value | None = None, fault: str = ""
    ) -> None:
        # $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<ns>.<pending>, or the
        # same with domain and account in front of the stream and a token behind (ADR-15).
        tokens = message.reply.split(".")
        facts = tokens[4:] if len(tokens) == 9 else tokens[6:]
        self.subject = message.subject
        self.data = message.data
        self.delivered = int(facts[0])
        """How often it was delivered, this time included."""
        self.sequence = int(facts[1])
        """Its number in the stream."""
        self.timestamp = datetime.fromtimestamp(int(facts[3]) / _NANOSECONDS, UTC)
        """When the stream stored it."""
        self.fault = fault
        """Why it could not be decoded; empty if it could."""
        self.settled = False
        self._value = value
        self._lease = lease
        self._reply = message.reply

    @property
    def value(self) -> Value:
        """The decoded payload; a message with a fault has none."""
        if self.fault:
            raise ValueError(f"message {self.sequence} could not be decoded: {self.fault}")
        return self._value  # type: ignore[return-value]

    async def ack(self) -> None:
        """It is done. Not awaited: if this gets lost, the message comes again."""
        await self._settle(b"+ACK")

    async def ack_sync(self, *, timeout_seconds: float = 5.0) -> None:
        """It is done, and wait until the queue knows. Raises ``Unavailable`` if it may not."""
        if self.settled:
            return
        self.settled = True
        if not self._lease.holds:
            raise Unavailable
        try:
            client = self._lease.session.client
            await client.request(self._reply, b"+ACK", timeout=timeout_seconds)
        except nats.errors.TimeoutError as error:
            raise OutcomeUnknown from error
        except (nats.errors.Error, OSError) as error:
            raise Unavailable from error

    async def nak(self, *, delay_seconds: float) -> None:
        """Deliver it again, but not before the delay: a bare nak is redelivered at once."""
        delay = max(1, round(delay_seconds * _NANOSECONDS))
        await self._settle(b"-NAK " + json.dumps({"delay": delay}).encode())

    async def term(self, reason: str) -> None:
        """Never deliver it again; the server tells the reason in an advisory."""
        text = " ".join(reason.split())[:_REASON_LENGTH_MAX]
        await self._settle(b"+TERM " + text.encode())

    async def in_progress(self) -> None:
        """It is being worked on: the wait for its acknowledgement starts anew."""
        if not self.settled:
            await self._send(b"+WPI")

    async def _settle(self, verdict: bytes) -> None:
        if not self.settled:
            self.settled = True
            await self._send(verdict)

    async def _send(self, verdict: bytes) -> None:
        if not self._lease.holds:
            return
        try:
            await self._lease.session.client.publish(self._reply, verdict)
        except (nats.errors.Error, OSError):
            # The connection broke just now; the message will be delivered again.
            return
