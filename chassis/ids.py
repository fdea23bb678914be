"""Prefixed ids that sort by time: ``pay_01JD3Q9V7N8R4T2W6X0YZABCDE``.

26 characters of Crockford base32 in lower-to-higher ASCII order (the ULID layout): 48 bits of
milliseconds since 1970, then 80 random bits. Neighbours in time are neighbours in an index, which
keeps B-tree inserts at its right edge.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from chassis.clock import Clock

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_RANDOM_BITS = 80
NUMBERS = 2**128
"""How many ids there are with one prefix."""
_ID_PATTERN = re.compile(r"[a-z]{3}_[0-9A-HJKMNP-TV-Z]{26}")


class IdMaker:
    """Makes ids from a clock and a source of random bytes."""

    def __init__(self, *, clock: Clock, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._random_bytes = random_bytes

    def make(self, prefix: str) -> str:
        """A new id: ``prefix`` (three lower-case letters), an underscore, 26 characters."""
        milliseconds = int(self._clock.now().timestamp() * 1000)
        number = milliseconds << _RANDOM_BITS | int.from_bytes(self._random_bytes(10), "big")
        return id_of(prefix, number)


def id_of(prefix: str, number: int) -> str:
    """The id of a number of 128 bits: ids sort as their numbers do. One more than the last is fine,
    as the end of a range."""
    assert 0 <= number <= NUMBERS, "ids have 128 bits"
    # 13 pairs of 5-bit digits; a table of pairs halves the work of this hot function.
    return f"{prefix}_" + "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def first_number(milliseconds: int) -> int:
    """The smallest number of an id that is made in this millisecond since 1970."""
    return min(max(0, milliseconds) << _RANDOM_BITS, NUMBERS)


def milliseconds_of(made_id: str) -> int:
    """When an id of ``IdMaker`` was made, since 1970."""
    number = 0
    for digit in made_id.partition("_")[2][:10]:
        number = number << 5 | _ALPHABET.index(digit)
    return number


def is_id(text: str, prefix: str) -> bool:
    """Whether ``text`` looks like an id with this prefix."""
    return text.startswith(prefix + "_") and _ID_PATTERN.fullmatch(text) is not None
