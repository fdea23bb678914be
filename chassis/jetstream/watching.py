"""How far consumers are behind, for those who watch: asked of the server from time to time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from chassis.clock import Clock
from chassis.jetstream.connection import JetStream
from chassis.jetstream.specs import ConsumerSpec
from chassis.metrics import Gauge, Values
from chassis.repeating import Look

_ATTRIBUTES = ("messaging.destination.name", "messaging.consumer.group.name")
_FIXED = {"messaging.system": "nats"}
_DEPTH = Gauge(
    "qrpay.queue.depth",
    unit="{message}",
    description="Messages of the stream that were not yet delivered to the consumer.",
    attributes=_ATTRIBUTES,
    fixed=_FIXED,
)
_ACK_PENDING = Gauge(
    "qrpay.queue.ack_pending",
    unit="{message}",
    description="Messages that were delivered and not yet acknowledged.",
    attributes=_ATTRIBUTES,
    fixed=_FIXED,
)
_ACK_PENDING_MAX = Gauge(
    "qrpay.queue.ack_pending.max",
    unit="{message}",
    description="As many may be unacknowledged; there delivery stops.",
    attributes=_ATTRIBUTES,
    fixed=_FIXED,
)
_REDELIVERED = Gauge(
    "qrpay.queue.redelivered",
    unit="{message}",
    description="Messages that were delivered more than once and not yet acknowledged.",
    attributes=_ATTRIBUTES,
    fixed=_FIXED,
)
_OLDEST_AGE = Gauge(
    "qrpay.queue.oldest.age",
    unit="s",
    description="Age of the oldest message that is not acknowledged; 0 if all are.",
    attributes=_ATTRIBUTES,
    fixed=_FIXED,
)
_GAUGES = (_DEPTH, _ACK_PENDING, _ACK_PENDING_MAX, _REDELIVERED, _OLDEST_AGE)


class QueueWatch(Look):
    """Asks about some consumers, all of them at each turn, two questions each."""

    def __init__(
        self,
        jetstream: JetStream,
        consumers: Sequence[ConsumerSpec],
        *,
        clock: Clock,
        every_seconds: float,
    ) -> None:
        super().__init__(self._ask, forget=_forget, name="queue watch", every_seconds=every_seconds)
        self._jetstream = jetstream
        self._consumers = consumers
        self._clock = clock

    async def _ask(self) -> None:
        found: dict[Gauge, dict[Values, float]] = {gauge: {} for gauge in _GAUGES}
        for spec in self._consumers:
            info = await self._jetstream.consumer_info(spec)
            if info is None:
                continue  # it is declared when its consumer runs
            values = (spec.stream, spec.name)
            waiting, held = info.get("num_pending", 0), info.get("num_ack_pending", 0)
            found[_DEPTH][values] = waiting
            found[_ACK_PENDING][values] = held
            found[_ACK_PENDING_MAX][values] = spec.max_ack_pending
            found[_REDELIVERED][values] = info.get("num_redelivered", 0)
            found[_OLDEST_AGE][values] = 0.0
            if waiting or held:
                first = int(info.get("ack_floor", {}).get("stream_seq", 0)) + 1
                found[_OLDEST_AGE][values] = await self._age(spec, first)
        for gauge, numbers in found.items():
            gauge.replace(numbers)

    async def _age(self, spec: ConsumerSpec, first: int) -> float:
        """The age of the first message from a number on that the consumer is to get."""
        subject = spec.filter_subject or ">"
        message = await self._jetstream.stored_message(spec.stream, first, subject=subject)
        if message is None:
            return 0.0  # acknowledged meanwhile, or gone
        # To the second: the server writes nanoseconds, which Python does not read.
        stored = datetime.fromisoformat(message.time[:19]).replace(tzinfo=UTC)
        return max(0.0, (self._clock.now() - stored).total_seconds())


def _forget() -> None:
    for gauge in _GAUGES:
        gauge.replace({})
