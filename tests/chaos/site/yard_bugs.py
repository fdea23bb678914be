"""Protections of the product, each taken out by patching one module after it was loaded.

Code for tests only: the process it runs in is broken on purpose.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from datetime import timedelta
from pathlib import Path
from typing import Any


def wrong_clock(clock: Any) -> Any:
    """The clock is off by as many seconds as a file says now."""
    file = Path(os.environ["YARD_CLOCK_FILE"])
    right = clock.SystemClock.now

    def now(self: Any) -> Any:
        try:
            off = float(file.read_text() or 0)
        except (OSError, ValueError):
            off = 0
        return right(self) + timedelta(seconds=off)

    clock.SystemClock.now = now


def ack_before_handling(consumer: Any) -> Any:
    """Messages are acknowledged before what they ask for is done."""
    call = consumer.Consumer._call

    async def call_after_ack(self: Any, messages: Any) -> Any:
        for message in messages:
            await message.ack()
            message.settled = False
        await asyncio.sleep(0.05)
        error = await call(self, messages)
        for message in messages:
            message.settled = True
        return None if error is not None else error

    consumer.Consumer._call = call_after_ack


def no_sweeper(sweeper: Any) -> Any:
    """What the queue loses stays lost."""

    async def sweep(self: Any) -> Any:
        return 0

    sweeper.Sweeper.sweep = sweep


def sweeper_fails_payments(sweeper: Any) -> Any:
    """What is PENDING too long is taken for failed, instead of being asked for."""

    async def sweep(self: Any) -> Any:
        rows = await sweeper.operations.take_overdue(
            self._database, again_after_seconds=0.5, count_max=256
        )
        results = [sweeper.operations.Result(row.id, "INSUFFICIENT_FUNDS", 0, 0) for row in rows]
        if results:
            await sweeper.operations.apply_results(self._database, results)
        return len(rows)

    sweeper.Sweeper.sweep = sweep


def no_fingerprint(operations: Any) -> Any:
    """A key answers its first payment, whatever it is asked for the second time."""

    def answer_again(row: Any, fingerprint: Any) -> Any:
        if row is None:
            return operations.BarcodeUsed()
        return operations.Accepted(row, replayed=True)

    operations._answer_again = answer_again


def no_redemption_token(model: Any) -> Any:
    """Every try redeems a barcode as somebody else."""
    numbers = itertools.count()
    model.redemption_token = lambda caller_id, request_id: f"{os.getpid()}-{next(numbers)}"


def outage_is_refusal(executor: Any) -> Any:
    """A wallet that does not answer is taken for an empty one."""
    execute = executor.Executor._execute

    async def execute_or_fail(self: Any, tries: Any, steps: Any) -> Any:
        try:
            await execute(self, tries, steps)
        except executor.ServiceError:
            await self._publish_results(
                [
                    executor.payment_queue_pb2.TransferResult(task=tried.task, failure_code=1)
                    for tried in tries
                ]
            )

    executor.Executor._execute = execute_or_fail


def terminal_is_not_final(operations: Any) -> Any:
    """A late result overwrites how a payment ended; refusals arrive late."""
    apply = operations.apply_results

    async def apply_over(database: Any, results: Any) -> Any:
        applied = await apply(database, results)

        async def reopen(connection: Any) -> Any:
            await connection.execute(
                operations.store.text(
                    "UPDATE payments SET status = 'FAILED', failure_code = 'WALLET_CLOSED'"
                    " WHERE status = 'COMPLETED' AND id = any(string_to_array(:ids, ','))"
                ),
                {"ids": ",".join(item.payment_id for item in results if len(applied.rows) < 3)},
            )

        await database.transaction(reopen)
        return applied

    operations.apply_results = apply_over


def transfers_repeat(transfers: Any) -> Any:
    """A payment is executed again whenever it is asked for; its key in the database is gone."""

    async def nothing_stored(connection: Any, payment_ids: Any) -> Any:
        return {}

    transfers.outcomes_by_payment = nothing_stored


def no_row_locks(wallets: Any) -> Any:
    """Balances are read without a lock and written back."""

    async def unlocked(connection: Any, ids: Any) -> Any:
        found = await wallets.wallets_by_id(connection, ids)
        await asyncio.sleep(0.02)
        return found

    wallets.lock_wallets = unlocked


def unordered_locks(wallets: Any) -> Any:
    """Wallets are locked one by one in the order of the request."""

    async def in_any_order(connection: Any, ids: Any) -> Any:
        found: dict[str, Any] = {}
        for wallet_id in ids:
            found |= await wallets._many(connection, wallets._LOCK_MANY, [wallet_id])
            await asyncio.sleep(0.01)
        return found

    wallets.lock_wallets = in_any_order


def unknown_commit_is_success(database: Any) -> Any:
    """A COMMIT that was interrupted is taken for done."""
    attempt = database.Database._attempt

    async def guessed(self: Any, work: Any) -> Any:
        kept = []

        async def keep(connection: Any) -> Any:
            kept.append(await work(connection))
            return kept[-1]

        try:
            return await attempt(self, keep)
        except database.OutcomeUnknown:
            return kept[-1]

    database.Database._attempt = guessed


def promise_before_commit(operations: Any) -> Any:
    """A payment is answered before it is stored, and storing it is left to itself."""

    async def accept_later(database: Any, new: Any, *, sweep_after_seconds: Any) -> Any:
        if any(payment.kind == operations.Kind.TOP_UP for payment in new):  # or nobody has money
            return await accept(database, new, sweep_after_seconds=sweep_after_seconds)

        async def store_later() -> Any:
            await asyncio.sleep(0.3)
            await accept(database, new, sweep_after_seconds=sweep_after_seconds)

        storing.add(asyncio.create_task(store_later()))
        return [operations.Accepted(payment, replayed=False) for payment in new]

    accept, storing = operations.accept_payments, set[asyncio.Task[None]]()
    operations.accept_payments = accept_later


def uncounted_events(store: Any) -> Any:
    """Event numbers are counted in memory, whether or not their transaction is committed."""
    taken: list[int] = []

    async def take(connection: Any, count: Any) -> Any:
        last = taken[-1] if taken else await store.last_event_number(connection)
        taken.append(last + count)
        return last + 1

    store.take_event_numbers = take


def no_catching_up(catching_up: Any) -> Any:
    """The journal relies on the queue alone."""

    async def catch_up(self: Any) -> Any:
        return 0

    catching_up.CatchingUp.catch_up = catch_up


def unknown_commit_is_refusal(operations: Any) -> Any:
    """A COMMIT that was interrupted is taken for one that failed, and the caller is told so."""
    accept = operations.accept_payments

    async def guessed(database: Any, new: Any, *, sweep_after_seconds: Any) -> Any:
        try:
            return await accept(database, new, sweep_after_seconds=sweep_after_seconds)
        except operations.ServiceError as error:
            if type(error).__name__ != "OutcomeUnknown":
                raise
            raise operations.InvalidArgument([("amount", "was not stored")]) from error

    operations.accept_payments = guessed


def seen_is_done(executor: Any) -> Any:
    """A task that came before is skipped: whoever had it first will have executed it."""
    execute, seen = executor.Executor._execute, set[str]()

    async def execute_new(self: Any, tries: Any, steps: Any) -> Any:
        new = [tried for tried in tries if tried.task.payment_id not in seen]
        seen.update(tried.task.payment_id for tried in new)
        await execute(self, new, steps)

    executor.Executor._execute = execute_new


def ledger_posts_twice(journal: Any) -> Any:
    """A payment is booked whenever its result comes; its key in the database is gone."""

    async def none_there(connection: Any, source_ids: Any) -> set[str]:
        return set()

    journal.sources_there = none_there


def no_funds_check(transfers: Any) -> Any:
    """Nobody looks whether a wallet has what it pays; neither does the database."""
    init = transfers._Account.__init__

    def init_without_limit(self: Any, *arguments: Any) -> Any:
        init(self, *arguments)
        self.balance_minor_min = -transfers.SYSTEM_BALANCE_MINOR_MAX

    transfers._Account.__init__ = init_without_limit


def refusals_use_numbers(transfers: Any) -> Any:
    """A transfer that is refused takes an entry's number all the same."""
    execute = transfers._execute

    def execute_and_count(transfer: Any, debit: Any, credit: Any, execute_time: Any) -> Any:
        new = execute(transfer, debit, credit, execute_time)
        if new.outcome.failure_code:
            debit.last_entry_number += 1
        return new

    transfers._execute = execute_and_count


def results_start_over(operations: Any) -> Any:
    """A result that comes again makes its payment PENDING and ends it once more."""
    apply = operations.apply_results

    async def apply_anew(database: Any, results: Any, **named: Any) -> Any:
        async def forget(connection: Any) -> Any:
            await connection.execute(
                operations.store.text(
                    "UPDATE payments SET status = 'PENDING', failure_code = NULL,"
                    " complete_time = NULL, event_number = NULL"
                    " WHERE status <> 'PENDING' AND id = any(string_to_array(:ids, ','))"
                ),
                {"ids": ",".join(item.payment_id for item in results)},
            )

        await database.transaction(forget)
        return await apply(database, results, **named)

    operations.apply_results = apply_anew


BUGS: dict[str, tuple[tuple[str, Any], ...]] = {
    "ack_before_handling": (
        ("chassis.jetstream.consumer", ack_before_handling),
        # It would bring what is lost that way.
        ("ledger_svc.catching_up", no_catching_up),
    ),
    "no_sweeper": (("payment_svc.sweeper", no_sweeper),),
    "sweeper_fails_payments": (("payment_svc.sweeper", sweeper_fails_payments),),
    "no_fingerprint": (("payment_svc.operations", no_fingerprint),),
    "no_redemption_token": (("payment_svc.model", no_redemption_token),),
    "outage_is_refusal": (("payment_svc.executor", outage_is_refusal),),
    "terminal_is_not_final": (("payment_svc.operations", terminal_is_not_final),),
    "transfers_repeat": (("wallet_svc.store.transfers", transfers_repeat),),
    "no_row_locks": (("wallet_svc.store.wallets", no_row_locks),),
    "unordered_locks": (("wallet_svc.store.wallets", unordered_locks),),
    "unknown_commit_is_success": (("chassis.database", unknown_commit_is_success),),
    "promise_before_commit": (("payment_svc.operations", promise_before_commit),),
    "uncounted_events": (("payment_svc.store.payments", uncounted_events),),
    "no_catching_up": (("ledger_svc.catching_up", no_catching_up),),
    "unknown_commit_is_refusal": (("payment_svc.operations", unknown_commit_is_refusal),),
    "seen_is_done": (("payment_svc.executor", seen_is_done),),
    "ledger_posts_twice": (("ledger_svc.store.journal", ledger_posts_twice),),
    "no_funds_check": (("wallet_svc.model.transfers", no_funds_check),),
    "refusals_use_numbers": (("wallet_svc.model.transfers", refusals_use_numbers),),
    "results_start_over": (("payment_svc.operations", results_start_over),),
}


def patches_of(module_name: Any) -> Any:
    """What is to be done to a module in this process."""
    found: list[Any] = []
    if module_name == "chassis.clock" and os.environ.get("YARD_CLOCK_FILE"):
        found.append(wrong_clock)
    patches = BUGS.get(os.environ.get("YARD_BUG", ""), ())
    return found + [patch for module, patch in patches if module == module_name]
