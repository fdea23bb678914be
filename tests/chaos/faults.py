"""How each fault is done to a running system, and how it is taken back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import nats
import psutil
from redis.asyncio import Redis

from tests.chaos.schedule import Fault, kind_of
from tests.e2e.stack import Stack
from tests.proxy import FaultyProxy

_REPLAYED_MESSAGES_MAX = 200
_CODES = b"barcode:code:"
_MOMENTS: tuple[Literal["request"], Literal["answer"]] = ("request", "answer")


class Faults:
    """Breaks a stack as told. ``proxies`` are by edge, ``clocks`` are the files that processes read
    their clock's error from, by process."""

    def __init__(
        self,
        stack: Stack,
        *,
        proxies: Mapping[str, FaultyProxy],
        clocks: Mapping[str, Path],
        seed: int,
    ) -> None:
        self._stack = stack
        self._proxies = proxies
        self._clocks = clocks
        self._dice = random.Random(seed)
        self._valkey_copy: dict[bytes, bytes] = {}
        self._stopped: set[int] = set()
        self._is_over = False
        self.failures: list[str] = []
        """Faults that could not be done: their target was not there just then."""

    async def do(self, fault: Fault) -> None:
        """Do it, and take it back when its time is over."""
        kind = kind_of(fault)
        action: Callable[[Fault], Awaitable[None]] = getattr(self, f"_{kind}")
        try:
            await action(fault)
        except Exception as error:  # noqa: BLE001 - a fault that fails is noted, whatever it met
            self.failures.append(f"{fault}: {type(error).__name__}: {error}")

    async def heal(self) -> None:
        """Take back whatever is still broken; what waits for its moment is not done any more."""
        self._is_over = True
        for proxy in self._proxies.values():
            proxy.pass_through()
        for clock in self._clocks.values():
            clock.write_text("0")
        for pid in list(self._stopped):
            self._continue(pid)

    async def _kill(self, fault: Fault) -> None:
        await self._stack.kill(fault.target, signal.SIGKILL)

    async def _terminate(self, fault: Fault) -> None:
        # In good order, which is not the same signal for everybody: PostgreSQL would wait for its
        # clients to hang up, and pools do not.
        member = (await self._stack.members())[fault.target].member
        await self._stack.kill(fault.target, signal.Signals(member.stop_signal))

    async def _quit(self, fault: Fault) -> None:
        """PostgreSQL's immediate shutdown: all backends end at once, the log is replayed."""
        await self._stack.kill(fault.target, signal.SIGQUIT)

    async def _stop(self, fault: Fault) -> None:
        # PostgreSQL is a family: its backends go on when only their parent stops.
        parent = psutil.Process(await self._stack.pid(fault.target))
        family = [parent.pid, *(child.pid for child in parent.children(recursive=True))]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self._stopped.add(pid)
        await asyncio.sleep(fault.seconds)
        for pid in family:
            self._continue(pid)

    def _continue(self, pid: int) -> None:
        self._stopped.discard(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    async def _wipe_nats(self, fault: Fault) -> None:
        (store,) = [path for path in self._stack.data.rglob("jetstream") if path.is_dir()]
        shutil.rmtree(store, ignore_errors=True)
        await self._stack.kill("nats", signal.SIGKILL)

    async def _flush_valkey(self, fault: Fault) -> None:
        async with self._valkey() as valkey:
            await self._copy_valkey(valkey)
            await valkey.flushall()

    async def _restore_valkey(self, fault: Fault) -> None:
        """Put an old copy of what became of codes back, used ones and all; then take a new copy.

        Who has which code stays as it is: a code that is not its owner's latest is not made void
        by the next one, and so is there for a second use.
        """
        async with self._valkey() as valkey:
            old = dict(self._valkey_copy)
            await self._copy_valkey(valkey)
            for key, dump in (old or self._valkey_copy).items():
                if key.startswith(_CODES):
                    await valkey.restore(key, 60_000, dump, replace=True)

    async def _revive_codes(self, fault: Fault) -> None:
        """Every code as a copy has it that is older than its use: alive, and used by nobody."""
        alive_until = str(int((time.time() + 30) * 1_000_000))
        async with self._valkey() as valkey:
            async for key in valkey.scan_iter(match=_CODES + b"*", count=500):
                await valkey.hdel(key, "token")
                await valkey.hset(key, "expire_us", alive_until)

    async def copy_valkey(self) -> None:
        """Remember what is in Valkey now, to be restored later."""
        with contextlib.suppress(Exception):
            async with self._valkey() as valkey:
                await self._copy_valkey(valkey)

    async def _copy_valkey(self, valkey: Any) -> None:
        copy = {}
        async for key in valkey.scan_iter(count=500):
            if (dump := await valkey.dump(key)) is not None:
                copy[key] = dump
        self._valkey_copy = copy

    @asynccontextmanager
    async def _valkey(self) -> AsyncIterator[Any]:
        url = await self._stack.server_url("valkey")
        client = Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3)
        try:
            yield client
        finally:
            await client.aclose()

    async def _replay_tasks(self, fault: Fault) -> None:
        await self._replay("PAYMENT_TASKS")

    async def _replay_results(self, fault: Fault) -> None:
        await self._replay("PAYMENT_RESULTS")

    async def _replay(self, name: str) -> None:
        """Publish old messages of a stream again: late, in another order and under new ids."""
        client = await nats.connect(
            await self._stack.server_url("nats"), allow_reconnect=False, connect_timeout=3
        )
        try:
            stream = client.jetstream(timeout=3)
            state = (await stream.stream_info(name)).state
            there = range(state.first_seq, state.last_seq + 1) if state.messages else range(0)
            # Half of the newest, which may be under way, and half of any age.
            newest = there[-_REPLAYED_MESSAGES_MAX // 2 :]
            older = there[: -_REPLAYED_MESSAGES_MAX // 2]
            count = min(len(older), _REPLAYED_MESSAGES_MAX // 2)
            messages = [
                await stream.get_msg(name, sequence)
                for sequence in [*self._dice.sample(older, count), *newest]
            ]
            self._dice.shuffle(messages)
            for message in messages:
                assert message.subject is not None
                await stream.publish(message.subject, message.data or b"")
        finally:
            await client.close()

    async def _cut(self, fault: Fault) -> None:
        self._proxies[fault.target].cut()

    async def _cut_commit(self, fault: Fault) -> None:
        """Reset everything at the next COMMIT: before it arrives, or before its answer does."""
        proxy = self._proxies[fault.target]
        at = self._dice.choice(_MOMENTS)

        def cut_unless_over() -> None:
            if not self._is_over:
                proxy.cut()

        proxy.trigger(lambda data: b"COMMIT" in data, cut_unless_over, at=at)

    async def _stall(self, fault: Fault) -> None:
        await self._while(fault, self._proxies[fault.target].stall)

    async def _half_open(self, fault: Fault) -> None:
        await self._while(fault, self._proxies[fault.target].half_open)

    async def _deaf(self, fault: Fault) -> None:
        """Everything arrives and is done, and no answer comes back."""
        await self._while(fault, lambda: self._proxies[fault.target].half_open("answers"))

    async def _slow(self, fault: Fault) -> None:
        await self._while(fault, lambda: self._proxies[fault.target].slow(0.1, 200_000))

    async def _while(self, fault: Fault, begin: Callable[[], None]) -> None:
        begin()
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            self._proxies[fault.target].pass_through()

    async def _clock(self, fault: Fault) -> None:
        minutes = int(fault.kind.removeprefix("clock").removesuffix("min"))
        self._clocks[fault.target].write_text(str(60 * minutes))
        await asyncio.sleep(fault.seconds)
        self._clocks[fault.target].write_text("0")


def port_of(url: str) -> int:
    """The port of a URL."""
    port = urlsplit(url).port
    assert port is not None
    return port
