"""Natural batching: what arrives while a batch is in flight forms the next one.

A call between processes costs mostly for being a call; sharing it is what makes the mesh fast. A
``Batcher`` has no timer and adds no waiting: an item that finds it idle starts at once, together
with whatever else arrives in the same turn of the event loop; under load the batches grow by
themselves. Every item gets its own result or its own error.

    batcher = Batcher(submit_payments, name="submit-payments", size_max=256)
    payment = await batcher.submit(request)
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeGuard, TypeVar

from chassis.errors import DeadlineExceeded, OutcomeUnknown, Overloaded, ServiceError, Unavailable
from chassis.logs import get_logger
from chassis.metrics import SECONDS, SIZES, Histogram

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOG = get_logger(__name__)

_SIZE = Histogram(
    "qrpay.batch.size",
    unit="{item}",
    description="Items that were worked on together.",
    bounds=SIZES,
    attributes=("qrpay.batch.name",),
)
_WAITED = Histogram(
    "qrpay.batch.wait",
    unit="s",
    description="How long the oldest item of a batch had waited when its work began.",
    bounds=SECONDS,
    attributes=("qrpay.batch.name",),
)

_PATIENCE_FACTOR = 3.0
_LATELY = 0.2
"""How much the newest batch counts in what batches take lately."""
_OUTAGES = {Overloaded.reason, DeadlineExceeded.reason}


def is_outage(error: BaseException | None) -> TypeGuard[ServiceError]:
    """Whether the error tells of a dependency that is away or too busy, not of what was asked.

    Errors of other processes arrive as plain ``ServiceError`` objects, so the reason counts too.
    """
    return isinstance(error, Unavailable) or (
        isinstance(error, ServiceError) and error.reason in _OUTAGES
    )


def count_batch(name: str, size: int) -> None:
    """Count the items of a batch, for those who watch. A ``Batcher`` does that itself."""
    _SIZE.record(size, name)


class BatchContractError(RuntimeError):
    """A process function did not answer every item of its batch: a programming error."""


async def isolate(
    items: Sequence[Item],
    process: Callable[[Sequence[Item]], Awaitable[Sequence[Result | ServiceError]]],
) -> list[Result | ServiceError]:
    """Process a batch so that no item can fail its neighbours; one outcome per item, in order.

    ``process`` answers each item with a result or a ``ServiceError``. If it raises instead, then
    - an outage (``Unavailable``, ``Overloaded``, ``DeadlineExceeded``) says something about a
      dependency, not about an item: it is the outcome of every item of this batch;
    - anything else is taken for the work of one poisoned item: the batch is halved until that item
      stands alone with its error (INTERNAL, and logged, if it was not a ``ServiceError``).

    So ``process`` may see an item more than once and must be idempotent by the item's key. A batch
    of n takes at most 2n - 1 calls, and about 2 log2(n) if one item is poisoned.
    Raises ``BatchContractError`` if the number of outcomes is not the number of items.
    """
    if not items:
        return []
    try:
        outcomes = await process(items)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not hit the neighbours
        if is_outage(error):
            return [error] * len(items)
        if len(items) == 1:
            return [error if isinstance(error, ServiceError) else _internal(error)]
    else:
        if len(outcomes) != len(items):
            raise BatchContractError(
                f"{len(items)} items went in, {len(outcomes)} outcomes came out"
            )
        return list(outcomes)
    middle = len(items) // 2
    return [*await isolate(items[:middle], process), *await isolate(items[middle:], process)]


def _internal(error: Exception) -> ServiceError:
    _LOG.error("batch_item_failed", exc_info=error)
    internal = ServiceError()
    internal.__cause__ = error
    return internal


class _Waiting(NamedTuple, Generic[Item, Result]):
    item: Item
    answer: asyncio.Future[Result]
    since: float
    """Time of the loop."""


class Batcher(Generic[Item, Result]):
    """Collects single items into bounded batches and hands each its own outcome.

    ``process`` gets 1 to ``size_max`` items and answers as for ``isolate``; at most ``concurrency``
    batches are in flight, at most ``queue_max`` items wait; ``on_batch`` is told each batch's size.
    With ``wait_seconds_max``, nothing is taken while the oldest item has waited longer than that: a
    bound in time holds at every speed, where one in items means a second here and a minute there.
    With ``patience_seconds``, another batch starts beside one in flight only when that one has
    taken so long, and thrice as long as batches take lately, or when a full one waits: larger
    batches also when all is slow, and still no queueing behind one that hangs.

    Belongs to one event loop. ``process`` runs outside of any request's context, because deadline,
    trace and cancellation of one submitter are not its neighbours': it must bring its own deadline.
    """

    def __init__(
        self,
        process: Callable[[Sequence[Item]], Awaitable[Sequence[Result | ServiceError]]],
        *,
        name: str,
        size_max: int = 256,
        queue_max: int = 4096,
        wait_seconds_max: float | None = None,
        concurrency: int = 1,
        patience_seconds: float = 0.0,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        if min(size_max, queue_max, concurrency) < 1:
            raise ValueError("size_max, queue_max and concurrency are at least 1")
        self._process = process
        self._name = name
        self._size_max = size_max
        self._queue_max = queue_max
        self._wait_seconds_max = wait_seconds_max
        self._concurrency = concurrency
        self._patience_seconds = patience_seconds
        self._on_batch = on_batch
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._young: set[asyncio.Task[None]] = set()
        """Those in flight that patience is not lost with yet."""
        self._typical_seconds = 0.0
        """What batches take lately."""
        self._start_scheduled = False
        self._closed = False

    async def submit(self, item: Item) -> Result:
        """Put the item into the next batch and wait for its result.

        Raises the item's own error; ``Overloaded`` when ``queue_max`` items are waiting already, or
        one for ``wait_seconds_max``;
        ``Unavailable`` once closed; ``OutcomeUnknown`` when its batch was cut off. A submitter that
        is cancelled withdraws its item if it still waits; in flight, the outcome is discarded.
        """
        if self._closed:
            raise Unavailable
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._is_full(now):
            raise Overloaded
        answer: asyncio.Future[Result] = loop.create_future()
        self._queue.append(_Waiting(item, answer, now))
        if not self._start_scheduled and self._may_start():
            # Not now but at the end of this turn of the loop: what else is ready shares the batch.
            self._start_scheduled = True
            loop.call_soon(self._start)
        return await answer

    async def close(self) -> None:
        """Refuse new items, and return when everything that waited has its outcome."""
        self._closed = True
        self._start()
        while self._in_flight:
            await asyncio.wait(self._in_flight)

    def _is_full(self, now: float) -> bool:
        if len(self._queue) >= self._queue_max:
            return True
        if self._wait_seconds_max is None or not self._queue:
            return False
        return now - self._queue[0].since > self._wait_seconds_max

    def _start(self) -> None:
        self._start_scheduled = False
        loop = asyncio.get_running_loop()
        while self._queue and self._may_start():
            if not (batch := self._take()):
                continue
            task = loop.create_task(
                self._run(batch), name=f"batch {self._name}", context=contextvars.Context()
            )
            self._in_flight.add(task)
            task.add_done_callback(self._finished)
            if self._patience_seconds:
                self._young.add(task)
                patience = max(self._patience_seconds, _PATIENCE_FACTOR * self._typical_seconds)
                loop.call_later(patience, self._lose_patience, task)

    def _may_start(self) -> bool:
        if len(self._in_flight) >= self._concurrency:
            return False
        return not self._young or len(self._queue) >= self._size_max

    def _lose_patience(self, task: asyncio.Task[None]) -> None:
        if task in self._young:
            self._young.discard(task)
            self._start()

    def _take(self) -> list[_Waiting[Item, Result]]:
        batch: list[_Waiting[Item, Result]] = []
        while self._queue and len(batch) < self._size_max:
            entry = self._queue.popleft()
            if not entry.answer.done():  # done: its submitter was cancelled while it waited
                batch.append(entry)
        return batch

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._young.discard(task)
        self._start()

    async def _run(self, batch: list[_Waiting[Item, Result]]) -> None:
        outcomes: Sequence[Result | Exception]
        loop = asyncio.get_running_loop()
        began = loop.time()
        count_batch(self._name, len(batch))
        _WAITED.record(began - batch[0].since, self._name)
        try:
            if self._on_batch is not None:
                self._on_batch(len(batch))
            outcomes = await isolate([entry.item for entry in batch], self._process)
        except asyncio.CancelledError:
            # The loop is shutting down, or a call below was cancelled with its channel: nobody
            # may be left waiting, and nobody knows how far it got.
            outcomes = [OutcomeUnknown()] * len(batch)
        except Exception as error:  # noqa: BLE001 - a programming error, shown to everybody it hits
            outcomes = [error] * len(batch)
        self._typical_seconds += _LATELY * (loop.time() - began - self._typical_seconds)
        for (_, answer, _), outcome in zip(batch, outcomes, strict=True):
            if answer.done():  # its submitter was cancelled while it was in flight
                continue
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)
