"""What can be asked of the book, and how the answers are put together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

SEARCH_DAYS_MAX = 31
"""How much time a search may cover that names neither an account nor a source."""
SCAN_MAX = 20_000
"""Transactions, or postings of an account, that one page of a search looks at: some ten
milliseconds of the database. More than a transaction can have postings (64), so each page gets
on."""


class Statement(NamedTuple):
    """Which of an account's postings are meant: booked in [start, end)."""

    account_id: str
    start_time: datetime | None
    """None: from the beginning."""
    end_time: datetime | None
    """None: up to the present."""


class Position(NamedTuple):
    """Where a page of a statement begins, and what all its pages keep to."""

    first_number: int
    """The statement has what is numbered higher than this."""
    last_number: int
    """The last transaction of the book that it covers."""
    after_number: int
    """The transaction of the last posting of the page before."""
    after_line: int
    """And its line."""


class Search(NamedTuple):
    """What is looked for; empty and None are "any"."""

    source_id: str
    account_id: str
    start_time: datetime | None
    end_time: datetime | None
    currency_code: str
    min_amount_minor: int
    max_amount_minor: int
    kind: int | None
    """As the book numbers them: above 100 of what no payment caused."""


class BalanceSum(NamedTuple):
    """The balances of some accounts in one currency."""

    currency_code: str
    class_: int | None
    """None: not known yet, or over all classes."""
    debits_minor: int
    """Of those with a debit balance; positive."""
    credits_minor: int
    account_count: int


def search_fault(search: Search) -> tuple[str, str] | None:
    """The field that makes a search unbounded, and what to do about it; None if it is bounded."""
    if search.source_id or search.account_id:
        return None
    advice = (
        f"is required without account_id and source_id: give start_time and end_time, at most"
        f" {SEARCH_DAYS_MAX} days apart"
    )
    if search.start_time is None:
        return "start_time", advice
    if search.end_time is None:
        return "end_time", advice
    if search.end_time - search.start_time > timedelta(days=SEARCH_DAYS_MAX):
        return "end_time", (
            f"is more than {SEARCH_DAYS_MAX} days after start_time: search in parts, or name an"
            " account_id or a source_id"
        )
    return None


def next_number(found: Sequence[int], lowest: int) -> int:
    """Where a search goes on that stopped in the middle: below this number.

    ``lowest`` is the last transaction that it looked at, perhaps not at all of its postings. If it
    was found anyway, it is done with.
    """
    return lowest if lowest in found else lowest + 1


def added_up(parts: Iterable[BalanceSum]) -> list[BalanceSum]:
    """One sum for each currency and class, in order; those without a class first."""
    return _grouped(parts)


def totals(sums: Iterable[BalanceSum]) -> list[BalanceSum]:
    """One sum for each currency, over all classes, in order."""
    return _grouped(item._replace(class_=None) for item in sums)


def is_balanced(totals: Iterable[BalanceSum]) -> bool:
    """Whether debits equal credits in every currency."""
    return all(item.debits_minor == item.credits_minor for item in totals)


def _grouped(parts: Iterable[BalanceSum]) -> list[BalanceSum]:
    groups: dict[tuple[str, int], BalanceSum] = {}
    for part in parts:
        key = (part.currency_code, part.class_ or 0)
        there = groups.get(key, BalanceSum(part.currency_code, part.class_, 0, 0, 0))
        groups[key] = there._replace(
            debits_minor=there.debits_minor + part.debits_minor,
            credits_minor=there.credits_minor + part.credits_minor,
            account_count=there.account_count + part.account_count,
        )
    return [groups[key] for key in sorted(groups) if groups[key].account_count]
