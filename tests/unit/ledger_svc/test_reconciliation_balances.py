"""A wallet beside its account: exact, whatever the account has not heard of yet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_svc.reconciliation.balances import Comparison, compare_moves

AMOUNTS = st.lists(st.integers(-1000, 1000).filter(bool), max_size=30)


@given(amounts=AMOUNTS, data=st.data(), off_minor=st.integers(-5, 5), before=st.integers(0, 10**6))
def test_only_what_is_wrong_is_told(
    amounts: list[int], data: st.DataObject, off_minor: int, before: int
) -> None:
    """Goal: whichever moves are not booked, the comparison says by how much the account is wrong,
    and which moves it cannot have; or that it does not know, never something else."""
    moves = [(f"pay_{number}", amount) for number, amount in enumerate(amounts)]
    booked = {payment_id for payment_id, _ in moves if data.draw(st.booleans(), label=payment_id)}
    account_minor = before + sum(amount for item, amount in moves if item in booked) + off_minor

    def compared(*, is_complete: bool) -> Comparison:
        return compare_moves(
            moves,
            balance_minor=before + sum(amounts),
            is_complete=is_complete,
            account_minor=account_minor,
            booked=booked,
        )

    unbooked = [payment_id for payment_id, _ in moves if payment_id not in booked]
    assert compared(is_complete=True) == (unbooked, off_minor)
    assert compared(is_complete=False) in [(unbooked, off_minor), (unbooked, None)]


@pytest.mark.parametrize(
    ("gap", "off_minor"), [(0, 0), (1, 0), (2, None), (3, None)], ids=["newest", "2", "3", "oldest"]
)
def test_gaps_far_back_say_that_there_may_be_more(gap: int, off_minor: int | None) -> None:
    """Goal: as long as the older half of what was looked at has gaps, nothing is concluded."""
    moves = [(f"pay_{number}", 1) for number in range(4)]
    booked = {f"pay_{number}" for number in range(4)} - {f"pay_{gap}"}
    found = compare_moves(
        moves, balance_minor=100, is_complete=False, account_minor=99, booked=booked
    )
    assert found == ([f"pay_{gap}"], off_minor)
