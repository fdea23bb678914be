"""The pool of inert codes: made ahead, kept in Valkey, bound to a customer by the issue script.

Each process has a pool of its own and numbers the codes it puts in. That is what makes a pool safe
to lose *and* safe to come back: after a crash or failover Valkey may remember a pool from before,
with codes that meanwhile are on somebody's screen. Were one of them issued again, the old screen
would pay with the new customer's money. So the process remembers the highest number that it
issued, and the issue script throws away what is not above it.
"""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from barcode_svc.codes import CodeSeal
from barcode_svc.valkey import Valkey
from chassis.errors import Unavailable
from chassis.logs import get_logger
from chassis.metrics import Gauge

_LOG = get_logger(__name__)

_LEVEL = Gauge(
    "qrpay.barcodes.pool.level",
    unit="{code}",
    description="Codes of this process that are made and not issued; without any, issuing is slow.",
)

_PUSH_MAX = 250
"""Codes made and pushed at a time: about a millisecond without letting anybody else work."""


class CodePool:
    """One process's pool, filled up to ``high`` whenever it is found below ``low``.

    ``name`` must be new with every process: the numbers begin at 1.
    """

    def __init__(
        self,
        *,
        valkey: Valkey,
        seal: CodeSeal,
        name: str,
        low: int = 500,
        high: int = 2_000,
        look_seconds: float = 5.0,
        keep_seconds: float = 600.0,
    ) -> None:
        """``look_seconds``: how often the level is looked at in any case. ``keep_seconds``: how
        long the pool outlives its process in Valkey."""
        self.key = f"barcode:pool:{name}"
        self.issued_through = 0
        """The highest number known to be issued."""
        self.level = 0
        """How many codes were left when it was last heard of."""
        self._valkey = valkey
        self._seal = seal
        self._low = low
        self._high = high
        self._look_seconds = look_seconds
        self._keep_ms = int(keep_seconds * 1000)
        self._made = 0
        self._wanted = asyncio.Event()
        _LEVEL.watch(lambda: {(): self.level})

    def issued(self, *, number: int, level: int) -> None:
        """Codes were issued: the highest number (at most 0: none was of the pool); what is left."""
        self.issued_through = max(self.issued_through, number)
        self.level = level
        if level < self._low:
            self._wanted.set()

    async def keep_filled(self, stop: asyncio.Event) -> None:
        """Refill when an issue found the level low, and look from time to time, until ``stop``."""
        while not stop.is_set():
            self._wanted.clear()
            try:
                await self.refill()
            except Unavailable:
                # Issuing goes on without a pool; the next look is soon enough.
                _LOG.warning("pool not refilled")
            await self._wait(stop)

    async def refill(self) -> int:
        """Fill the pool up to ``high`` if it is below ``low``; how many codes were put in.

        Raises ``Unavailable``.
        """
        level = await self._valkey.run(self._level)
        self.level = level
        if level >= self._low:
            return 0
        missing = self._high - level
        for start in range(0, missing, _PUSH_MAX):
            await self._push(min(_PUSH_MAX, missing - start))
        self.level = self._high
        return missing

    async def _level(self, client: Redis) -> int:
        async with client.pipeline(transaction=True) as pipeline:
            pipeline.llen(self.key)
            pipeline.pexpire(self.key, self._keep_ms)
            level, _ = await pipeline.execute()
        return int(level)

    async def _push(self, count: int) -> None:
        entries = []
        for _ in range(count):
            # Counted whether or not the push succeeds: a number is never given twice.
            self._made += 1
            code = self._seal.make()
            entries.append(f"{self._made}:{code.digest}:{code.seed}")

        async def push(client: Redis) -> None:
            async with client.pipeline(transaction=True) as pipeline:
                pipeline.rpush(self.key, *entries)
                pipeline.pexpire(self.key, self._keep_ms)
                await pipeline.execute()

        await self._valkey.run(push)

    async def _wait(self, stop: asyncio.Event) -> None:
        waiting = [
            asyncio.create_task(stop.wait(), name="pool stop"),
            asyncio.create_task(self._wanted.wait(), name="pool wanted"),
        ]
        await asyncio.wait(waiting, timeout=self._look_seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
