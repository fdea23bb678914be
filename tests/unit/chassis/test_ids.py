"""Ids: of the right shape, sorted by time, different."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import SystemClock
from chassis.ids import NUMBERS, IdMaker, first_number, id_of, is_id, milliseconds_of

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


class FixedClock:
    """A clock that stands still."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        """The moment it was made for."""
        return self._now

    def monotonic(self) -> float:
        """Nobody asks."""
        raise NotImplementedError


def make(now: datetime, random: bytes) -> str:
    """An id of that moment with these random bits."""
    return IdMaker(clock=FixedClock(now), random_bytes=lambda _: random).make("pay")


@given(now=TIMES, random=st.binary(min_size=10, max_size=10))
def test_an_id_holds_its_moment_and_its_randomness(now: datetime, random: bytes) -> None:
    """48 bits of milliseconds, then the random bits, in Crockford base32: nothing else, nothing
    lost."""
    text = make(now, random)
    number = 0
    for character in text.removeprefix("pay_"):
        number = number * 32 + CROCKFORD.index(character)
    assert len(text) == 30
    assert number & (2**80 - 1) == int.from_bytes(random, "big")
    assert number >> 80 == int(now.timestamp() * 1000)
    assert is_id(text, "pay")


@given(now=TIMES, later_by=st.integers(1, 10**9), one=st.binary(min_size=10, max_size=10))
def test_ids_sort_by_time(now: datetime, later_by: int, one: bytes) -> None:
    """A later id is larger, whatever its random bits."""
    try:
        later = now + timedelta(milliseconds=later_by)
    except OverflowError:
        return
    # A double tells milliseconds apart for the next ten thousand years.
    assert make(now, b"\xff" * 10) < make(later, one) or later_by < 2


def test_ids_of_one_millisecond_differ() -> None:
    """80 random bits from the system."""
    ids = IdMaker(clock=SystemClock())
    assert len({ids.make("pay") for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pay_",
        "pay_" + "0" * 25,
        "pay_" + "0" * 27,
        "pay_" + "I" * 26,
        "pay_" + "0" * 25 + "o",
        "pay_" + "0" * 26 + "\n",
        "wal_" + "0" * 26,
        "PAY_" + "0" * 26,
        "pay" + "0" * 27,
    ],
)
def test_what_is_no_id(text: str) -> None:
    """Wrong length, characters, prefix, or something after the end."""
    assert not is_id(text, "pay")
    assert is_id("pay_" + "0" * 26, "pay")


@given(now=TIMES, random=st.binary(min_size=10, max_size=10))
def test_the_ids_of_a_time_are_a_range(now: datetime, random: bytes) -> None:
    """An id lies between the first of its millisecond and the first of the next, and says which
    one that is."""
    made, milliseconds = make(now, random), int(now.timestamp() * 1000)
    assert milliseconds_of(made) == milliseconds
    first, after = (id_of("pay", first_number(milliseconds + later)) for later in (0, 1))
    assert first <= made < after


@given(numbers=st.lists(st.integers(0, NUMBERS), min_size=2, max_size=2))
def test_ids_sort_as_their_numbers(numbers: list[int]) -> None:
    """The text of an id says as much as its number, up to the end of all of them."""
    low, high = sorted(numbers)
    assert (id_of("pay", low) < id_of("pay", high)) == (low < high)


def test_times_beyond_all_ids_are_their_ends() -> None:
    """A moment before 1970 or in the far future is no error: nothing was made then."""
    assert first_number(-1) == 0
    assert first_number(2**60) == NUMBERS
