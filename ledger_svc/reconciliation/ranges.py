"""Ranges of ids that sort by time (``chassis.ids``), and how to cut them."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from chassis.digests import IdRange
from chassis.ids import first_number, id_of

CUTS = 16
"""Into how many parts a range is cut."""


class Span(NamedTuple):
    """The ids with one prefix from one number to another (``chassis.ids.id_of``)."""

    prefix: str
    start: int
    end: int
    """The first one after the span."""

    @classmethod
    def of_times(cls, prefix: str, start_milliseconds: int, end_milliseconds: int) -> Span:
        """The ids that were made from one millisecond to another, since 1970."""
        return cls(prefix, first_number(start_milliseconds), first_number(end_milliseconds))

    @property
    def ids(self) -> IdRange:
        """The same as ids."""
        return IdRange(id_of(self.prefix, self.start), id_of(self.prefix, self.end))

    @property
    def length(self) -> int:
        """How many ids it has room for."""
        return self.end - self.start

    def cut(self, parts: int = CUTS) -> list[Span]:
        """The span in as many parts, or in parts of one id if it has no room for more."""
        if not (parts := min(parts, self.length)):
            return []
        edges = [self.start + self.length * place // parts for place in range(parts + 1)]
        return [Span(self.prefix, first, end) for first, end in pairwise(edges)]


def odd_ids(prefix: str) -> list[IdRange]:
    """What no ``IdMaker`` makes: whatever there is, it must agree too."""
    # The first of the 26 characters holds three bits: 0 to 7.
    return [IdRange("", f"{prefix}_0"), IdRange(f"{prefix}_8", "~")]


def only(row_id: str) -> IdRange:
    """Just this id."""
    # Nothing sorts between a text and itself with the smallest printable character behind.
    return IdRange(row_id, row_id + " ")
