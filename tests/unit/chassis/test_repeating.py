"""Work again and again: rests, outages, the end."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from chassis.errors import Unavailable
from chassis.repeating import Look, repeat


async def test_it_repeats_until_told_to_stop() -> None:
    """Work is done again after each rest, and a stop cuts the rest short."""
    stop, turns = asyncio.Event(), 0

    async def work() -> None:
        nonlocal turns
        turns += 1
        if turns == 3:
            stop.set()

    await repeat(work, name="test", every_seconds=0.001, stop=stop)
    assert turns == 3

    stop.clear()
    running = asyncio.create_task(repeat(work, name="test", every_seconds=3600, stop=stop))
    await asyncio.sleep(0.01)
    stop.set()
    async with asyncio.timeout(5):
        await running
    assert turns == 4


async def test_an_outage_is_waited_for() -> None:
    """What is away now may be there at the next turn."""
    stop, turns = asyncio.Event(), 0

    async def work() -> None:
        nonlocal turns
        turns += 1
        if turns < 3:
            raise Unavailable
        stop.set()

    await repeat(work, name="test", every_seconds=0.001, stop=stop)
    assert turns == 3


async def test_a_defect_is_not_hidden() -> None:
    """Any other error ends it: the process that it runs in must not go on without it."""

    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await repeat(work, name="test", every_seconds=0.001, stop=asyncio.Event())


async def test_what_cannot_be_read_is_forgotten() -> None:
    """Goal: a look that fails, for whatever reason, leaves no old value and ends nothing."""
    seen: list[str] = []
    fails: list[Exception | None] = [None, Unavailable(), RuntimeError("broken"), None]

    async def read() -> None:
        if (error := fails.pop(0)) is not None:
            raise error
        seen.append("read")
        if not fails:
            stop.set()

    stop = asyncio.Event()
    look = Look(read, forget=lambda: seen.append("forgotten"), name="test", every_seconds=0.001)
    with capture_logs() as logs:
        async with asyncio.timeout(10):
            await look.run(stop)
    assert seen == ["read", "forgotten", "forgotten", "read"]
    assert [line["log_level"] for line in logs] == ["warning", "error"]
