"""What differs, and what is to be done about it: every combination of what three books may say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_svc.reconciliation.balances import (
    drifts_of_faults,
    ledger_drift,
    one_per_wallet,
    own_drift,
)
from ledger_svc.reconciliation.explanations import EXPLANATIONS
from ledger_svc.reconciliation.model import (
    AccountRow,
    BalanceRow,
    Difference,
    EntryFault,
    Kind,
    Limits,
    PaymentRow,
    Remedy,
    Status,
    Terms,
    TransactionRow,
    TransferRow,
    Trio,
    blames_transfer,
    compare,
    is_under_way,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)
LIMITS = Limits(
    settled_before=NOW - timedelta(seconds=60), stuck_before=NOW - timedelta(seconds=300)
)
TERMS = Terms(1, "wal_alice", "wal_bob", "USD", 1250)
PAYMENTS = {
    "no payment": None,
    "pending": ("PENDING", 0),
    "completed": ("COMPLETED", 0),
    "failed": ("FAILED", 1),
}


def payment(
    status: str = "COMPLETED", failure_code: int = 0, terms: Terms = TERMS, dead: bool = False
) -> PaymentRow:
    """A payment of long ago."""
    ended = None if status == "PENDING" else LONG_AGO
    return PaymentRow("pay_1", terms, Status(status), failure_code, LONG_AGO, ended, dead)


def transfer(failure_code: int = 0, terms: Terms = TERMS) -> TransferRow:
    """A transfer of long ago."""
    return TransferRow("pay_1", terms, failure_code, LONG_AGO)


def transaction(terms: Terms = TERMS) -> TransactionRow:
    """A transaction of long ago."""
    return TransactionRow("pay_1", terms, LONG_AGO)


def found(trio: Trio) -> list[tuple[str, str]]:
    """Kind and remedy of each difference."""
    return [(str(item.kind), str(item.remedy)) for item in compare(trio)]


M, F = "moved", "refused"
TABLE: dict[tuple[str, str | None, bool], list[tuple[str, str]]] = {
    ("no payment", None, True): [("EXTRA_IN_LEDGER", "FREEZE")],
    ("no payment", M, False): [("EXTRA_IN_WALLET", "FREEZE")],
    ("no payment", M, True): [("MISSING_IN_PAYMENTS", "FREEZE")],
    ("no payment", F, False): [("MISSING_IN_PAYMENTS", "ASK")],
    ("no payment", F, True): [("MISSING_IN_PAYMENTS", "ASK"), ("EXTRA_IN_LEDGER", "FREEZE")],
    ("pending", None, False): [("STUCK", "REPUBLISH")],
    ("pending", None, True): [("EXTRA_IN_LEDGER", "FREEZE")],
    ("pending", M, False): [("STATUS", "REPUBLISH")],
    ("pending", M, True): [("STATUS", "REPUBLISH")],
    ("pending", F, False): [("STATUS", "REPUBLISH")],
    ("pending", F, True): [("STATUS", "REPUBLISH"), ("EXTRA_IN_LEDGER", "FREEZE")],
    ("completed", None, False): [("EXTRA_IN_PAYMENTS", "FREEZE")],
    ("completed", None, True): [("MISSING_IN_WALLET", "FREEZE")],
    ("completed", M, False): [("MISSING_IN_LEDGER", "POST")],
    ("completed", M, True): [],
    ("completed", F, False): [("STATUS", "FREEZE")],
    ("completed", F, True): [("MISSING_IN_WALLET", "FREEZE")],
    ("failed", None, False): [("MISSING_IN_WALLET", "ASK")],
    ("failed", None, True): [("EXTRA_IN_LEDGER", "FREEZE")],
    ("failed", M, False): [("STATUS", "FREEZE"), ("MISSING_IN_LEDGER", "POST")],
    ("failed", M, True): [("STATUS", "FREEZE")],
    ("failed", F, False): [],
    ("failed", F, True): [("EXTRA_IN_LEDGER", "FREEZE")],
}


def test_the_table_is_whole() -> None:
    """Goal: no combination is left out, but that nobody has anything."""
    every = set(product(PAYMENTS, (None, M, F), (False, True)))
    assert set(TABLE) == every - {("no payment", None, False)}


@pytest.mark.parametrize(("case", "expected"), TABLE.items(), ids=map(str, TABLE))
def test_who_has_it(case: tuple[str, str | None, bool], expected: list[tuple[str, str]]) -> None:
    """Goal: whatever the books have of a payment, what is wrong has one name."""
    status, moved, booked = case
    told = PAYMENTS[status]
    trio = Trio(
        payment(*told) if told else None,
        None if moved is None else transfer(0 if moved == M else 1),
        transaction() if booked else None,
    )
    assert found(trio) == expected


def test_a_dead_letter_is_left_to_its_desk() -> None:
    """Goal: what a person has on the desk already is told, and not put back behind his back."""
    assert found(Trio(payment("PENDING", dead=True), None, None)) == [("STUCK", "LEAVE")]
    moved = Trio(payment("PENDING", dead=True), transfer(), transaction())
    assert found(moved) == [("STATUS", "LEAVE")]


@pytest.mark.parametrize("book", ["payments", "wallet", "ledger"])
@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("AMOUNT", {"amount_minor": 1251}),
        ("CURRENCY", {"currency_code": "EUR"}),
        ("PARTIES", {"debit_wallet_id": "wal_mallory"}),
        ("PARTIES", {"credit_wallet_id": "wal_mallory"}),
    ],
)
def test_the_odd_one_out_is_named(book: str, kind: str, changes: dict[str, object]) -> None:
    """Goal: of three books the one that says something else is named, and what it says."""
    other = TERMS._replace(**changes)  # type: ignore[arg-type]
    trio = Trio(
        payment(terms=other if book == "payments" else TERMS),
        transfer(terms=other if book == "wallet" else TERMS),
        transaction(terms=other if book == "ledger" else TERMS),
    )
    (difference,) = compare(trio)
    assert (difference.kind, difference.remedy) == (kind, "FREEZE")
    assert difference.found.endswith(f" in {book}")
    assert set(difference.wallet_ids) >= {"wal_alice", "wal_bob"}
    assert blames_transfer(difference) == (book == "wallet")


def test_who_is_concerned() -> None:
    """Goal: the payer's wallet, as wallet has it; of a top-up, which the bank pays, the payee's."""
    other = TERMS._replace(amount_minor=1)
    (difference,) = compare(Trio(payment(terms=other), transfer(), transaction()))
    assert difference.wallet_id == "wal_alice"
    top_up = TERMS._replace(kind=4, debit_wallet_id="wal_bank")
    (difference,) = compare(Trio(payment(terms=other), None, transaction(top_up)))[:1]
    assert difference.wallet_id == "wal_alice", "as payment has it, where wallet has nothing"
    (difference,) = compare(Trio(None, transfer(terms=top_up), None))
    assert difference.wallet_id == "wal_bob"


TERMS_OF_ALL = st.builds(
    Terms,
    st.integers(1, 4),
    st.sampled_from(["wal_alice", "wal_carol"]),
    st.sampled_from(["wal_bob", "wal_dave"]),
    st.sampled_from(["USD", "EUR"]),
    st.integers(1, 3),
)
TRIOS = st.builds(
    Trio,
    st.none()
    | st.builds(
        lambda status, terms, dead: payment(status, int(status == "FAILED"), terms, dead),
        st.sampled_from(list(Status)),
        TERMS_OF_ALL,
        st.booleans(),
    ),
    st.none() | st.builds(transfer, st.integers(0, 2), TERMS_OF_ALL),
    st.none() | st.builds(transaction, TERMS_OF_ALL),
).filter(any)


@given(trio=TRIOS)
def test_nothing_is_overlooked_and_nothing_made_up(trio: Trio) -> None:
    """Goal: there is a difference exactly if the books do not agree; each has a name of its own,
    and no wallet is frozen because of one that nobody names."""
    payment_row, transfer_row, transaction_row = trio
    moved = transfer_row is not None and not transfer_row.failure_code
    agree = (
        payment_row is not None
        and transfer_row is not None
        and payment_row.status == (Status.COMPLETED if moved else Status.FAILED)
        and payment_row.failure_code == transfer_row.failure_code
        and (transaction_row is not None) == moved
        and len({row.terms for row in trio if row is not None}) == 1
    )
    differences = compare(trio)
    assert (not differences) == agree
    assert len({(item.kind, item.identity) for item in differences}) == len(differences)
    assert all(item.wallet_id in trio.wallet_ids for item in differences)
    assert all(item.kind in EXPLANATIONS for item in differences)


@given(trio=TRIOS, seconds=st.integers(0, 600))
def test_what_has_just_happened_is_under_way(trio: Trio, seconds: int) -> None:
    """Goal: as long as anything about a payment is younger than the horizon, it is under way; a
    payment that nobody else knows of has the longer time."""
    moment = NOW - timedelta(seconds=seconds)
    young = Trio(
        trio.payment._replace(
            create_time=moment, complete_time=trio.payment.complete_time and moment
        )
        if trio.payment
        else None,
        trio.transfer._replace(execute_time=moment) if trio.transfer else None,
        trio.transaction._replace(book_time=moment) if trio.transaction else None,
    )
    only_accepted = trio.payment is not None and not trio.transfer and not trio.transaction
    pending = trio.payment is not None and trio.payment.status == Status.PENDING
    limit = 300 if only_accepted and pending else 60
    assert is_under_way(young, LIMITS) == (seconds <= limit)
    assert not is_under_way(trio, LIMITS), "long ago"


def fault(wallet_id: str, number: int, *, chain: bool, payment_id: str = "pay_1") -> EntryFault:
    """An entry that does not fit."""
    return EntryFault(payment_id, wallet_id, number, chain, "this", "that")


def test_a_wallet_drifts_once() -> None:
    """Goal: the first entry that does not fit names the drift; one that only contradicts a transfer
    known to be wrong names none."""
    faults = [
        fault("wal_b", 2, chain=True),
        fault("wal_b", 1, chain=False),
        fault("wal_a", 5, chain=False, payment_id="pay_wrong"),
        fault("wal_c", 5, chain=True, payment_id="pay_wrong"),
    ]
    found = drifts_of_faults(faults, explained={"pay_wrong"})
    assert [(item.wallet_id, item.identity) for item in found] == [
        ("wal_b", "entry 1"),
        ("wal_c", "entry 5"),
    ]
    again = Difference(Kind.BALANCE_DRIFT, "", "wal_b", "", "", Remedy.FREEZE, "ledger", ("wal_b",))
    assert one_per_wallet([*found, again]) == found


@given(
    balance=st.integers(-5, 5), entry=st.integers(-5, 5), number=st.integers(0, 2),
    last=st.integers(0, 2),
)  # fmt: skip
def test_a_balance_and_its_last_entry(balance: int, entry: int, number: int, last: int) -> None:
    """Goal: a drift exactly if they differ, in the balance or in the number."""
    row = BalanceRow("wal_a", "USD", 0, balance, last, number, entry)
    assert (own_drift(row) is None) == ((balance, last) == (entry, number))


@given(has=st.integers(-3, 3) | st.none(), books=st.integers(-3, 3) | st.none())
def test_a_balance_and_its_account(has: int | None, books: int | None) -> None:
    """Goal: a drift exactly if they differ, where not to exist is to have nothing; and the same one
    as long as it is as large."""
    wallet = None if has is None else BalanceRow("wal_a", "USD", has, has, 1, 1, has)
    account = None if books is None else AccountRow("wal_a", "USD", books)
    drift = ledger_drift(wallet, account)
    assert (drift is None) == ((has or 0) == (books or 0))
    if drift is not None and wallet is not None and account is not None:
        later = ledger_drift(
            wallet._replace(as_of_minor=wallet.as_of_minor + 100),
            account._replace(as_of_minor=account.as_of_minor + 100),
        )
        assert later is not None
        assert later.identity == drift.identity


def test_another_currency_is_a_drift() -> None:
    """Goal: as much of something else is not the same."""
    wallet = BalanceRow("wal_a", "USD", 5, 5, 1, 1, 5)
    assert ledger_drift(wallet, AccountRow("wal_a", "EUR", 5)) is not None


def test_every_kind_is_explained() -> None:
    """Goal: nobody is woken by a word that nothing explains."""
    assert set(EXPLANATIONS) == set(Kind)
