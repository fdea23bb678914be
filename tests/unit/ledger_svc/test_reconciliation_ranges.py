"""Ranges of ids: cut into parts that leave nothing out and overlap nowhere."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chassis.ids import NUMBERS, id_of
from ledger_svc.reconciliation.ranges import Span, odd_ids, only

NUMBER = st.integers(0, NUMBERS) | st.integers(0, 40)


@given(edges=st.tuples(NUMBER, NUMBER), parts=st.integers(1, 64))
def test_parts_make_up_the_whole(edges: tuple[int, int], parts: int) -> None:
    """Goal: the parts of a span follow each other without a gap, none is empty, and there are no
    more than were asked for."""
    span = Span("pay", *sorted(edges))
    cut = span.cut(parts)
    assert len(cut) == min(parts, span.length)
    if cut:
        assert (cut[0].start, cut[-1].end) == (span.start, span.end)
        assert all(before.end == after.start for before, after in pairwise(cut))
        assert all(part.length for part in cut)


@given(number=st.integers(0, NUMBERS - 1))
def test_a_span_and_the_odd_ids_are_all_there_is(number: int) -> None:
    """Goal: an id lies in the span of all numbers and in neither of the odd ranges."""
    made = id_of("pay", number)
    ids = Span("pay", 0, NUMBERS).ids
    assert ids.start_id <= made < ids.end_id
    assert not any(odd.start_id <= made < odd.end_id for odd in odd_ids("pay"))


@given(text=st.text(st.characters(min_codepoint=33, max_codepoint=125), max_size=40))
def test_what_nobody_makes_is_odd(text: str) -> None:
    """Goal: any other id lies in exactly one of the ranges that a pass looks at."""
    ranges = [Span("pay", 0, NUMBERS).ids, *odd_ids("pay")]
    inside = [item for item in ranges if item.start_id <= text < item.end_id]
    assert len(inside) == 1 or text.startswith("pay_8")


@given(number=st.integers(0, NUMBERS - 1))
def test_only_one(number: int) -> None:
    """Goal: the range of one id has it, and not its neighbours."""
    made, after = id_of("pay", number), id_of("pay", number + 1)
    ids = only(made)
    assert ids.start_id <= made < ids.end_id
    assert not ids.start_id <= after < ids.end_id
