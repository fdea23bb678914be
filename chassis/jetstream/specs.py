"""What a stream and a consumer must look like, with this project's rules as defaults.

The rules: acknowledged means on disk (file storage); consuming does not delete, age does (limits
retention), so a dead letter can still be read; a full stream refuses instead of dropping what
nobody has read (discard new); every message is acknowledged by itself (AckAll on a shared consumer
would acknowledge other workers' messages); deliveries are counted and finite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class StreamSpec:
    """A stream as this process needs it."""

    name: str
    subjects: tuple[str, ...]
    max_age_seconds: float
    """How long a message is kept, consumed or not."""
    replicas: int = 1
    """Copies; 3 in a cluster."""
    max_bytes: int = -1
    """Publishes beyond this are refused; -1: the disk is the limit."""
    duplicate_window_seconds: float = 120.0
    """How long a message id is remembered. A courtesy: what must not happen twice is guarded by the
    databases."""

    def config(self) -> dict[str, Any]:
        """The configuration in the server's own terms."""
        return {
            "name": self.name,
            "subjects": list(self.subjects),
            "storage": "file",
            "retention": "limits",
            "discard": "new",
            "max_age": _nanoseconds(self.max_age_seconds),
            "max_bytes": self.max_bytes,
            "num_replicas": self.replicas,
            "duplicate_window": _nanoseconds(self.duplicate_window_seconds),
        }


@dataclass(frozen=True, kw_only=True)
class ConsumerSpec:
    """A durable pull consumer as this process needs it."""

    stream: str
    name: str
    filter_subject: str = ""
    """Which of the stream's subjects; empty: all."""
    handler_seconds_max: float = 10.0
    """After this a handler is cancelled: its hard limit."""
    backoff_seconds: tuple[float, ...] = (30.0, 60.0, 120.0, 300.0, 900.0)
    """How long the server waits for an acknowledgement of the first, second ... delivery before it
    delivers again. The first is the consumer's ack wait; the last one repeats."""
    retry_seconds: float = 2.0
    """How long a message rests after its handler failed, times its deliveries so far."""
    max_deliver: int = 20
    """Deliveries before a message is given up. A process that stops and hands a message back uses
    one up, too."""
    max_ack_pending: int = 256
    """Messages delivered and not acknowledged, over all processes; there delivery stops."""

    def __post_init__(self) -> None:
        if not self.backoff_seconds or self.backoff_seconds[0] <= self.handler_seconds_max:
            # Otherwise a message is delivered again while its handler is still allowed to run.
            raise ValueError("backoff_seconds[0] must be longer than handler_seconds_max")
        if self.max_deliver <= len(self.backoff_seconds):
            raise ValueError("max_deliver must be greater than the number of backoff_seconds")
        if self.max_ack_pending < 1:
            raise ValueError("max_ack_pending must be at least 1")

    @property
    def ack_wait_seconds(self) -> float:
        """How long a delivery may stay without a sign of life."""
        return self.backoff_seconds[0]

    def config(self) -> dict[str, Any]:
        """The configuration in the server's own terms."""
        return {
            "name": self.name,
            "durable_name": self.name,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": _nanoseconds(self.ack_wait_seconds),
            "backoff": [_nanoseconds(seconds) for seconds in self.backoff_seconds],
            "max_deliver": self.max_deliver,
            "max_ack_pending": self.max_ack_pending,
            "filter_subject": self.filter_subject,
        }


def differs(present: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a configuration lacks something; what an operator added to it is left alone."""
    # The server leaves out what is empty.
    return any((present.get(key) or None) != (value or None) for key, value in wanted.items())


def _nanoseconds(seconds: float) -> int:
    return round(seconds * _NANOSECONDS)


def stream_of(subject: str, streams: Sequence[StreamSpec]) -> str:
    """The name of the stream that keeps messages of a subject; empty if it is none of these."""
    for stream in streams:
        for own in stream.subjects:
            if subject == own or (own.endswith(".>") and subject.startswith(own[:-1])):
                return stream.name
    return ""
