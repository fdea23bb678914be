"""A stream and a consumer for each test, and a server that may be killed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, MutableMapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from chassis.jetstream import ConsumerSpec, JetStream, StreamSpec, connect
from embedded.nats import NatsServer, running_nats

_numbers = count(1)


@pytest.fixture(scope="module", autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged."""
    with capture_logs() as events:
        yield events


@pytest.fixture
def stream() -> StreamSpec:
    """A stream that no other test has."""
    name = f"STREAM_{next(_numbers)}"
    return StreamSpec(name=name, subjects=(f"{name}.>",), max_age_seconds=3600)


@pytest.fixture
def spec(stream: StreamSpec) -> ConsumerSpec:
    """A consumer of that stream, in a hurry."""
    return ConsumerSpec(
        stream=stream.name,
        name="worker",
        handler_seconds_max=5.0,
        backoff_seconds=(6.0,),
        retry_seconds=0.05,
        max_deliver=3,
    )


@pytest.fixture
async def jetstream(nats_server: NatsServer, stream: StreamSpec) -> AsyncIterator[JetStream]:
    """A connection as the administrator."""
    async with connect(nats_server.url, name="test", streams=[stream]) as jetstream:
        await jetstream.session()
        yield jetstream


@pytest.fixture
async def own_server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A server that may be killed. It writes to the disk before it acknowledges."""
    async with running_nats(tmp_path, durable=True) as server:
        yield server
