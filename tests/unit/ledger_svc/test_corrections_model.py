"""What may be proposed, who may decide, and what is booked then."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import ServiceError
from ledger_svc.corrections.model import (
    Correction,
    Decision,
    Proposal,
    State,
    accounts_fault,
    decision_fault,
    draft_of,
    drifts,
    postings_faults,
    repeat_fault,
    swapped,
)
from ledger_svc.errors import (
    AccountCurrencyMismatch,
    AccountNotFound,
    CorrectionDecided,
    RequestIdReused,
    SamePerson,
)
from ledger_svc.model import CREDIT, DEBIT, DraftPosting
from ledger_svc.store.accounts import Account

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
GOOD = (DraftPosting("wal_a", DEBIT, "EUR", 5), DraftPosting("wal_b", CREDIT, "EUR", 5))
OPEN = Correction("cor_1", "r1", "Ann", "operator", "why", NOON, None, GOOD, NOON, None, None)
APPROVED = OPEN._replace(decision=Decision(True, "Bob", "operator", "", NOON))
REJECTED = OPEN._replace(decision=Decision(False, "Bob", "operator", "no", NOON))
POSTINGS = st.lists(
    st.builds(
        DraftPosting,
        account_id=st.sampled_from(["wal_a", "wal_b", "wal_c"]),
        direction=st.sampled_from([DEBIT, CREDIT]),
        currency_code=st.just("EUR"),
        amount_minor=st.integers(1, 10**15),
    ),
    min_size=2,
    max_size=64,
).map(tuple)


def account(account_id: str, class_: int | None, currency_code: str = "EUR") -> Account:
    """An account that has nothing."""
    return Account(account_id, currency_code, 0, 0, class_, 0)


def test_good_postings() -> None:
    """Two sides, or many in many currencies, each of which balances."""
    assert postings_faults(GOOD) == {}
    yen = (DraftPosting("wal_c", CREDIT, "JPY", 7), DraftPosting("wal_d", DEBIT, "JPY", 3))
    rest = DraftPosting("wal_d", DEBIT, "JPY", 4)
    assert postings_faults((*GOOD, *yen, rest)) == {}
    assert postings_faults((*GOOD, *yen)) == {"postings": "debits and credits differ in JPY"}
    assert postings_faults(GOOD * 32) == {}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"account_id": "alice"}, "postings[0].account_id"),
        ({"account_id": "wal_\0"}, "postings[0].account_id"),
        ({"direction": 0}, "postings[0].direction"),
        ({"direction": 3}, "postings[0].direction"),
        ({"currency_code": "eur"}, "postings[0].money.currency_code"),
        ({"amount_minor": 0}, "postings[0].money.amount_minor"),
        ({"amount_minor": -5}, "postings[0].money.amount_minor"),
        ({"amount_minor": 10**15 + 1}, "postings[0].money.amount_minor"),
        ({"amount_minor": 6}, "postings"),
        ({"direction": CREDIT}, "postings"),
        ({"currency_code": "USD"}, "postings"),
    ],
)
def test_bad_postings(changes: dict[str, Any], field: str) -> None:
    """Each fault is named; balance is looked at when the rest is right."""
    assert list(postings_faults((GOOD[0]._replace(**changes), GOOD[1]))) == [field]


@pytest.mark.parametrize("count", [0, 1, 65, 66])
def test_too_few_or_too_many(count: int) -> None:
    """2 to 64."""
    assert list(postings_faults((GOOD * 33)[:count])) == ["postings"]


@given(postings=POSTINGS)
def test_a_reversal_takes_all_back(postings: tuple[DraftPosting, ...]) -> None:
    """Both together change no balance, a reversal of the reversal is the first again, and what
    balances does so taken back."""
    accounts = {name: account(name, 1) for name in ("wal_a", "wal_b", "wal_c")}
    both = postings + swapped(postings)
    assert drifts(both, accounts, of_payment=False) == {}
    assert swapped(swapped(postings)) == postings
    unequal = bool(postings_faults(postings))
    assert unequal == bool(postings_faults(swapped(postings)))
    assert unequal == (sum(drifts(postings, accounts, of_payment=False).values()) != 0)


@pytest.mark.parametrize(
    ("accounts", "error"),
    [
        ([account("wal_a", 1), account("wal_b", None)], None),
        ([account("wal_a", 1)], AccountNotFound),
        ([account("wal_a", 1), account("wal_b", 1, "USD")], AccountCurrencyMismatch),
    ],
)
def test_accounts_have_to_be_there(accounts: list[Account], error: Any) -> None:
    """In the currency of the posting."""
    fault = accounts_fault(GOOD, {item.id: item for item in accounts})
    assert (fault and type(fault)) == error


@pytest.mark.parametrize(
    ("account_id", "is_fine"),
    [
        ("acc_bank_charges_EUR", True),
        ("acc_bank_charges_USD", False),
        ("acc_bank_charges_eur", False),
        ("acc_other", False),
    ],
)
def test_accounts_without_a_wallet_need_not(account_id: str, is_fine: bool) -> None:
    """Only those that the chart names, in their own currency."""
    postings = (GOOD[0], GOOD[1]._replace(account_id=account_id))
    fault = accounts_fault(postings, {"wal_a": account("wal_a", 1)})
    assert (fault is None) == is_fine


@pytest.mark.parametrize(
    ("correction", "actor", "is_approved", "error"),
    [
        (OPEN, "Bob", True, None),
        (OPEN, "Ann", True, SamePerson),
        (OPEN, "ANN", True, SamePerson),
        (OPEN, "Ann", False, None),
        (APPROVED, "Cyd", True, None),
        (APPROVED, "Ann", True, SamePerson),
        (APPROVED, "Cyd", False, CorrectionDecided),
        (REJECTED, "Cyd", True, CorrectionDecided),
        (REJECTED, "Cyd", False, None),
    ],
)
def test_who_may_decide(
    correction: Correction, actor: str, is_approved: bool, error: type[ServiceError] | None
) -> None:
    """Another person approves, anybody rejects, and nobody decides the other way afterwards."""
    fault = decision_fault(correction, actor=actor, is_approved=is_approved)
    assert (fault and type(fault)) == error


def test_states() -> None:
    """Follow from the decision."""
    states = [item.state for item in (OPEN, APPROVED, REJECTED)]
    assert states == [State.PROPOSED, State.APPROVED, State.REJECTED]


@pytest.mark.parametrize(
    ("changes", "is_repeat"),
    [
        ({}, True),
        ({"effective_time": NOON}, True),
        ({"caller": "other"}, True),
        ({"effective_time": NOON.replace(hour=11)}, False),
        ({"actor": "Bob"}, False),
        ({"reason": "other"}, False),
        ({"reverses_number": 1}, False),
        ({"postings": swapped(GOOD)}, False),
    ],
)
def test_repeats(changes: dict[str, Any], is_repeat: bool) -> None:
    """The same content; a moment that was left out is any."""
    proposal = Proposal("r1", "Ann", "operator", "why", None, None, GOOD)._replace(**changes)
    fault = repeat_fault(proposal, OPEN)
    assert (fault is None) == is_repeat
    assert fault is None or isinstance(fault, RequestIdReused)


def test_what_is_booked() -> None:
    """The kind follows from what is taken back; the book names both persons."""
    draft = draft_of(OPEN, approver="Bob", of_payment=False)
    assert (draft.source_id, draft.kind, draft.postings) == ("cor_1", 102, GOOD)
    assert draft.description == "why (proposed by Ann, approved by Bob)"
    assert draft.is_book_only
    reversal = draft_of(OPEN._replace(reverses_number=4), approver="Bob", of_payment=True)
    assert (reversal.kind, reversal.reverses_number) == (101, 4)
    assert not reversal.is_book_only


def test_drifts() -> None:
    """Wallets' accounts, by how much they change; the system's own only if a payment of theirs is
    taken back."""
    accounts = {
        item.id: item
        for item in (
            account("wal_a", 1),
            account("wal_b", 3),
            account("wal_new", None),
            account("acc_bank_charges_EUR", 6),
        )
    }
    postings = (
        DraftPosting("wal_a", DEBIT, "EUR", 9),
        DraftPosting("wal_a", CREDIT, "EUR", 2),
        DraftPosting("wal_b", CREDIT, "EUR", 4),
        DraftPosting("wal_new", CREDIT, "EUR", 2),
        DraftPosting("acc_bank_charges_EUR", CREDIT, "EUR", 1),
    )
    assert drifts(postings, accounts, of_payment=False) == {"wal_a": -7, "wal_new": 2}
    assert drifts(postings, accounts, of_payment=True) == {"wal_a": -7, "wal_b": 4, "wal_new": 2}
