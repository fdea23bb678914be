"""Writing the audit trail: at once where an act must not go without a trace, in batches always."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from chassis.audit import store
from chassis.audit.acts import BEGUN, Call, Outcome
from chassis.audit.store import NewRecord
from chassis.batching import Batcher
from chassis.database import Database
from chassis.errors import ServiceError, Unavailable
from chassis.ids import IdMaker
from chassis.logs import get_logger
from chassis.metrics import Counter

_LOG = get_logger(__name__)
_LOST = Counter(
    "qrpay.audit.lost",
    unit="{record}",
    description="Audit records that could not be written, of calls that were served.",
)

_BATCH_RECORDS_MAX = 256
_WAITING_RECORDS_MAX = 4096
_BEGIN_SECONDS_MAX = 3.0
"""As long as an act waits for its first record; then it is refused."""
_END_SECONDS_MAX = 1.0
"""As long as the answer to an act waits for its last record."""


class AuditTrail:
    """Where a process records what is done with it."""

    def __init__(self, *, database: Database, ids: IdMaker) -> None:
        self._database = database
        self._ids = ids
        # Two, so that no flood of readings stands in the way of an operator's act.
        self._acts = self._batcher("audit acts")
        self._rest = self._batcher("audit records")
        self._running: set[asyncio.Task[None]] = set()

    def _batcher(self, name: str) -> Batcher[NewRecord, None]:
        return Batcher(
            self._write, name=name, size_max=_BATCH_RECORDS_MAX, queue_max=_WAITING_RECORDS_MAX
        )

    def new_id(self) -> str:
        """The id of a record that will be written before an act begins."""
        return self._ids.make("aud")

    async def begin(self, call: Call, record_id: str, *, seconds_max: float) -> None:
        """Record that an act begins, in no more than ``seconds_max``.

        Raises ``Unavailable`` if it cannot be recorded: the act must not begin then.
        """
        record = NewRecord(record_id, call, Outcome(BEGUN))
        try:
            async with asyncio.timeout(min(seconds_max, _BEGIN_SECONDS_MAX)):
                await self._acts.submit(record)
        except (ServiceError, TimeoutError) as error:
            _LOG.error("act refused: it cannot be recorded", rpc=call.method)
            raise Unavailable from error

    async def end(self, call: Call, outcome: Outcome, duration_ms: int, *, begun_id: str) -> None:
        """Record how an act ended that ``begin`` has recorded; waits a moment for that."""
        task = self._start(self._acts, call, outcome, duration_ms, begun_id)
        await asyncio.wait([task], timeout=_END_SECONDS_MAX)

    def note(self, call: Call, outcome: Outcome, duration_ms: int, *, begun_id: str = "") -> None:
        """Have a call recorded that has ended, without waiting for it. ``begun_id``: of an act that
        was refused because its begin could not be recorded in time, and perhaps was later."""
        self._start(self._rest, call, outcome, duration_ms, begun_id)

    async def close(self) -> None:
        """Return when everything is recorded, or counted as lost."""
        while self._running:
            await asyncio.wait(self._running)
        await self._acts.close()
        await self._rest.close()

    def _start(
        self,
        batcher: Batcher[NewRecord, None],
        call: Call,
        outcome: Outcome,
        duration_ms: int,
        begun_id: str,
    ) -> asyncio.Task[None]:
        record = NewRecord(self._ids.make("aud"), call, outcome, duration_ms, begun_id)
        # A task of its own: whoever is cancelled with its call is recorded, too.
        task = asyncio.create_task(self._submit(batcher, record), name="audit record")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _submit(self, batcher: Batcher[NewRecord, None], record: NewRecord) -> None:
        try:
            await batcher.submit(record)
        except ServiceError as error:
            _LOST.add(1)
            _LOG.error(
                "audit record lost",
                rpc=record.call.method,
                caller=record.call.caller,
                result=record.outcome.result,
                reason=error.reason,
            )

    async def _write(self, records: Sequence[NewRecord]) -> Sequence[ServiceError | None]:
        await self._database.transaction(lambda connection: store.insert(connection, records))
        return [None] * len(records)


@asynccontextmanager
async def open_audit_trail(*, database: Database, ids: IdMaker) -> AsyncIterator[AuditTrail]:
    """A trail for the time of the block; at its end, everything is written."""
    trail = AuditTrail(database=database, ids=ids)
    try:
        yield trail
    finally:
        await trail.close()
