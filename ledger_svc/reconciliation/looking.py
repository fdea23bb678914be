"""A pass: digests of ranges first, and rows only where the digests differ.

So the cost follows the differences, and reading everything costs what adding it up costs. What is
found is looked at a second time after a pause: only what is still there is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from chassis.digests import IdRange
from chassis.errors import DeadlineExceeded, ServiceError
from ledger_svc.errors import TooManyRows
from ledger_svc.reconciliation.balances import (
    drifts_of_faults,
    ledger_drift,
    one_per_wallet,
    own_drift,
)
from ledger_svc.reconciliation.books import Books, Digests
from ledger_svc.reconciliation.model import (
    Difference,
    EntryFault,
    Limits,
    Trio,
    blames_transfer,
    compare,
    is_under_way,
)
from ledger_svc.reconciliation.ranges import Span, odd_ids, only
from ledger_svc.reconciliation.report import DIFFERENCES_MAX, Report

Item = TypeVar("Item")
Piece = Span | IdRange
"""Of the second kind there is nothing to be cut."""

WALLET_PREFIX = "wal"

_RANGES_AT_ONCE = 2
"""Of a question for digests: with as many rows as a range may have, about a second's work on a
machine that has nothing else to do. Measured with 10 million payments on two cores: eight took
longer than a call may."""
_QUESTIONS_AT_ONCE = 2
"""Enough to keep two cores busy, and to leave the services most of their connections."""
_LISTED_ROWS = 500
"""A range that differs is listed if it has no more rows than this, and cut otherwise."""
_LISTED_RANGES = 3
_NAMED_AT_ONCE = 60
_UNBOOKED_MAX = 300
"""Of a wallet. If more is not booked, a whole book was lost, and the spans tell it."""

Digest = Callable[[Sequence[IdRange]], Awaitable[list[Digests]]]


class Evidence(NamedTuple):
    """What there is about the payments that were looked at row by row."""

    differing: dict[str, Trio]
    under_way: dict[str, Trio]
    faults: list[EntryFault]

    @property
    def known_ids(self) -> set[str]:
        """The payments of both sorts."""
        return {*self.differing, *self.under_way}

    @property
    def wallet_ids(self) -> set[str]:
        """The wallets whose balances may differ because of it."""
        trios = (*self.differing.values(), *self.under_way.values())
        return {wallet_id for trio in trios for wallet_id in trio.wallet_ids}


class Drift(NamedTuple):
    """A wallet whose balance may be wrong."""

    difference: Difference
    is_of_amounts: bool
    """Wallet and ledger say different amounts: what is not booked yet may explain it."""

    @property
    def key(self) -> tuple[str, str]:
        """The same as long as it is the same drift."""
        return self.difference.wallet_id, self.difference.identity


class Looking:
    """One pass over the books."""

    def __init__(
        self, *, books: Books, limits: Limits, report: Report, second_look_seconds: float
    ) -> None:
        self._books = books
        self._limits = limits
        self._report = report
        self._second_look_seconds = second_look_seconds

    async def look(
        self, spans: Sequence[Span], *, now: datetime, known_wallets: Collection[str]
    ) -> None:
        """Compare these spans of payments, and all balances; what differs is in the report then.

        ``known_wallets``: those about whose payments a person has been asked already.
        """
        self._report.work_left = sum(map(_length, spans))
        suspects = await self._narrow([*odd_ids("pay"), *spans], self._books.digest_payments)
        evidence = await self._examine(suspects)
        drifting = await self._drifting(now, evidence.wallet_ids | set(known_wallets))
        if evidence.differing or evidence.faults or drifting:
            drifting = await self._examine_newest(evidence, drifting)
            await asyncio.sleep(self._second_look_seconds)
            evidence = await self._examine_again(evidence)
            drifting = await self._drifting_still(drifting, known_wallets, evidence)
        self._report.under_way_ids = set(evidence.under_way)
        self._report.differences = self._conclude(evidence, drifting)

    async def _narrow(
        self, pieces: Sequence[Piece], digest: Digest, *, counted: bool = True
    ) -> list[IdRange]:
        """The ranges in which books differ, each small enough to be listed."""
        suspects: list[IdRange] = []
        while pieces:
            smaller: list[Piece] = []
            for piece, digests in zip(pieces, await self._ask(pieces, digest), strict=True):
                rows = max(digests.counts)
                if not digests.too_many:
                    self._report.buckets_compared += 1
                    self._report.buckets_differing += not digests.agree
                if digests.too_many or (not digests.agree and rows > _LISTED_ROWS):
                    if parts := _cut(piece):
                        smaller += parts
                        continue
                    if digests.too_many:
                        raise TooManyRows
                if not digests.agree:
                    suspects.append(_ids(piece))
                if counted:
                    self._report.count(digests.counts, done=_length(piece))
            pieces = smaller
        return suspects

    async def _ask(self, pieces: Sequence[Piece], digest: Digest) -> list[Digests]:
        places = asyncio.Semaphore(_QUESTIONS_AT_ONCE)

        async def ask(batch: Sequence[Piece]) -> list[Digests]:
            try:
                async with places:
                    return await digest([_ids(piece) for piece in batch])
            except ServiceError as error:
                # The machine is slower today than was thought: ask for less at a time.
                if error.reason != DeadlineExceeded.reason or len(batch) == 1:
                    raise
            middle = len(batch) // 2
            return [*await ask(batch[:middle]), *await ask(batch[middle:])]

        answers = await asyncio.gather(*map(ask, _batches(pieces, _RANGES_AT_ONCE)))
        return [answer for batch in answers for answer in batch]

    async def _examine(self, suspects: Sequence[IdRange]) -> Evidence:
        """Read the rows of ranges, and keep what does not agree."""
        evidence = Evidence({}, {}, [])
        for ranges in _batches(suspects, _LISTED_RANGES):
            rows = await self._books.list_payments(ranges)
            evidence.faults.extend(rows.faults)
            self._sort(rows.trios, evidence)
            if len(evidence.differing) + len(evidence.faults) >= DIFFERENCES_MAX:
                self._report.is_cut_short = True
                break
        return evidence

    def _sort(self, trios: Mapping[str, Trio], evidence: Evidence) -> None:
        for payment_id, trio in trios.items():
            if is_under_way(trio, self._limits):
                evidence.under_way[payment_id] = trio
            elif compare(trio):
                evidence.differing[payment_id] = trio

    async def _examine_newest(self, evidence: Evidence, drifting: Sequence[Drift]) -> list[Drift]:
        """Those of these drifts that are true; adds what explains the others.

        They were read at a moment by the clocks of those who moved the money. When one of these is
        wrong, money that has just moved looks as if it had long, and its payment may be in none of
        the spans that were compared. So the account is compared exactly, and what is not booked is
        looked at as a payment.
        """
        true: list[Drift] = []
        for drift in drifting:
            comparison = await self._books.compare_wallet(drift.difference.wallet_id)
            known = evidence.known_ids
            unknown = [item for item in comparison.unbooked_ids if item not in known]
            for batch in _batches(unknown[:_UNBOOKED_MAX], _NAMED_AT_ONCE):
                rows = await self._books.list_payments([only(item) for item in batch])
                self._sort(rows.trios, evidence)
            if not drift.is_of_amounts or comparison.off_minor:
                true.append(drift)
        return true

    async def _examine_again(self, before: Evidence) -> Evidence:
        """What is still as it was."""
        evidence = Evidence({}, dict(before.under_way), [])
        named = {*before.differing, *[fault.payment_id for fault in before.faults]}
        for batch in _batches(sorted(named), _NAMED_AT_ONCE):
            rows = await self._books.list_payments([only(payment_id) for payment_id in batch])
            evidence.faults.extend(fault for fault in rows.faults if fault in before.faults)
            for payment_id, trio in rows.trios.items():
                was = before.differing.get(payment_id)
                if was is None:
                    continue
                is_same = not is_under_way(trio, self._limits) and compare(trio) == compare(was)
                # What changed just now may have changed balances too.
                (evidence.differing if is_same else evidence.under_way)[payment_id] = trio
        return evidence

    async def _drifting(self, now: datetime, explained: Collection[str]) -> list[Drift]:
        """Wallets whose balance is not that of their last entry or of their account."""

        async def digest(ranges: Sequence[IdRange]) -> list[Digests]:
            return await self._books.digest_balances(ranges, as_of_time=self._limits.settled_before)

        # A wallet opened by a process whose clock is ahead counts too.
        end = int(now.timestamp() * 1000) + 86_400_000
        pieces: list[Piece] = [*odd_ids(WALLET_PREFIX), *Span.of_times(WALLET_PREFIX, 0, end).cut()]
        suspects = await self._narrow(pieces, digest, counted=False)
        return await self._drifts(suspects, _LISTED_RANGES, explained)

    async def _drifting_still(
        self, before: Sequence[Drift], known: Collection[str], evidence: Evidence
    ) -> list[Drift]:
        ranges = [only(item.difference.wallet_id) for item in before]
        again = await self._drifts(ranges, _NAMED_AT_ONCE, evidence.wallet_ids | set(known))
        were = {item.key for item in before}
        return [item for item in again if item.key in were]

    async def _drifts(
        self, ranges: Sequence[IdRange], ranges_at_once: int, explained: Collection[str]
    ) -> list[Drift]:
        found: list[Drift] = []
        for batch in _batches(ranges, ranges_at_once):
            rows = await self._books.list_balances(batch, as_of_time=self._limits.settled_before)
            for wallet_id in sorted({*rows.wallets, *rows.accounts}):
                wallet, account = rows.wallets.get(wallet_id), rows.accounts.get(wallet_id)
                if wallet and (drift := own_drift(wallet)):
                    found.append(Drift(drift, is_of_amounts=False))
                elif wallet_id not in explained and (drift := ledger_drift(wallet, account)):
                    codes = {row.currency_code for row in (wallet, account) if row}
                    found.append(Drift(drift, is_of_amounts=len(codes) == 1))
            if len(found) >= DIFFERENCES_MAX:
                self._report.is_cut_short = True
                break
        return found

    def _conclude(self, evidence: Evidence, drifting: Sequence[Drift]) -> list[Difference]:
        found = [item for trio in evidence.differing.values() for item in compare(trio)]
        entries = drifts_of_faults(
            evidence.faults,
            explained={item.payment_id for item in found if blames_transfer(item)},
        )
        return [*found, *one_per_wallet([*entries, *(item.difference for item in drifting)])][
            :DIFFERENCES_MAX
        ]


def _ids(piece: Piece) -> IdRange:
    return piece.ids if isinstance(piece, Span) else piece


def _cut(piece: Piece) -> list[Span]:
    """Parts of a piece; none if it cannot be cut any more."""
    return piece.cut() if isinstance(piece, Span) and piece.length > 1 else []


def _length(piece: Piece) -> int:
    return piece.length if isinstance(piece, Span) else 0


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
