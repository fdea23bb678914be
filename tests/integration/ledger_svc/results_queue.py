"""The results queue on a real NATS: filled as payment_svc does, watched as an administrator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from nats.aio.client import Client

from chassis.ids import IdMaker
from chassis.jetstream import JetStream, StreamSpec, settle

RESULTS = StreamSpec(
    name="PAYMENT_RESULTS", subjects=("payments.result.>", "payments.result"), max_age_seconds=3600
)
"""As payment_svc declares it."""
CONSUMER_INFO = "CONSUMER.INFO.PAYMENT_RESULTS.ledger-posting"


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 30.0) -> None:
    """Ask again until it holds; the test fails if it never does."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - the servers tell nobody
            await asyncio.sleep(0.02)


class Queue:
    """The results queue, as payment_svc fills it and an administrator watches it."""

    def __init__(self, *, payment: JetStream, administrator: Client, ids: IdMaker) -> None:
        self.payment = payment
        self._administrator = administrator
        self._ids = ids

    async def publish(self, *payloads: bytes) -> None:
        """Put messages into the queue."""
        for payload in payloads:
            await self.payment.publish("payments.result", payload, message_id=self._ids.make("bat"))

    async def info(self, what: str) -> dict[str, Any]:
        """What the server knows about the stream or the consumer; empty if there is none."""
        reply = await self._administrator.request(f"$JS.API.{what}", b"", timeout=3)
        answer: dict[str, Any] = json.loads(reply.data)
        return {} if "error" in answer else answer

    async def is_empty(self) -> bool:
        """Whether every message was delivered and settled."""
        stream = await self.info("STREAM.INFO.PAYMENT_RESULTS")
        consumer = await self.info(CONSUMER_INFO)
        if not stream or not consumer:
            return False
        # Not "nothing is pending": a consumer that was made just now may say so of any stream.
        return bool(consumer["ack_floor"]["stream_seq"] == stream["state"]["last_seq"])

    async def advisories(self, kind: str) -> asyncio.Queue[dict[str, Any]]:
        """The advisories of this kind about the consumer, from now on."""
        heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        async def note(advisory: Any) -> None:
            heard.put_nowait(json.loads(advisory.data))

        subject = f"$JS.EVENT.ADVISORY.CONSUMER.{kind}.PAYMENT_RESULTS.ledger-posting"
        await self._administrator.subscribe(subject, cb=note)
        await settle(self._administrator)
        return heard
