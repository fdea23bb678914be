"""What is sent to the queue, what comes from it, and how long both take. Names and attributes are
those of the semantic conventions for messaging; a destination is a stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from chassis.jetstream.specs import ConsumerSpec
from chassis.metrics import SECONDS, Counter, Histogram

_FIXED = {"messaging.system": "nats"}
_STREAM = "messaging.destination.name"
_CONSUMER = "messaging.consumer.group.name"

_SENDING = Histogram(
    "messaging.client.operation.duration",
    unit="s",
    description="How long it took until the queue said that it had stored a message.",
    bounds=SECONDS,
    attributes=(_STREAM, "error.type"),
    fixed={
        **_FIXED,
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
    },
)
_DELIVERED = Counter(
    "messaging.client.consumed.messages",
    unit="{message}",
    description="Messages that were delivered to this process.",
    attributes=(_STREAM, _CONSUMER, "qrpay.queue.redelivery"),
    fixed={**_FIXED, "messaging.operation.name": "pull"},
)
_HANDLING = Histogram(
    "messaging.process.duration",
    unit="s",
    description="How long the handler worked on the messages that it got at a time.",
    bounds=SECONDS,
    attributes=(_STREAM, _CONSUMER, "error.type"),
    fixed={**_FIXED, "messaging.operation.name": "process"},
)


@contextmanager
def sending(stream: str) -> Iterator[None]:
    """Around storing one message in a stream."""
    began, error_type = time.perf_counter(), ""
    try:
        yield
    except BaseException as error:
        error_type = type(error).__name__
        raise
    finally:
        _SENDING.record(time.perf_counter() - began, stream, error_type)


@contextmanager
def handling(spec: ConsumerSpec) -> Iterator[None]:
    """Around one call of a consumer's handler."""
    began, error_type = time.perf_counter(), ""
    try:
        yield
    except BaseException as error:
        error_type = type(error).__name__
        raise
    finally:
        _HANDLING.record(time.perf_counter() - began, spec.stream, spec.name, error_type)


def count_delivered(spec: ConsumerSpec, *, again: bool) -> None:
    """Count a message that came; ``again``: not for the first time."""
    _DELIVERED.add(1, spec.stream, spec.name, "true" if again else "false")
