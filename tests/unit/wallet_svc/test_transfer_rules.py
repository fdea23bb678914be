"""Each rule of moving money, by example: what is refused, for good or as a mistake."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from chassis.errors import InvalidArgument
from wallet_svc.errors import PaymentIdReused, WalletNotFound
from wallet_svc.model.records import (
    FailureCode,
    Outcome,
    Transfer,
    TransferKind,
    Wallet,
    WalletStatus,
)
from wallet_svc.model.transfers import SYSTEM_BALANCE_MINOR_MAX, Decision

ALICE, BOB, CAFE = "wal_usr_alice_USD", "wal_usr_bob_USD", "wal_mer_cafe_USD"
ALICE_EUR, BANK, FEES = "wal_usr_alice_EUR", "wal_sys_bank_USD", "wal_sys_fees_USD"

Wallets = dict[str, Wallet]
MakeTransfer = Callable[..., Transfer]
Decide = Callable[..., Decision]


def changed(wallets: Wallets, wallet_id: str, **changes: object) -> None:
    """Give a wallet other values."""
    wallets[wallet_id] = msgspec.structs.replace(wallets[wallet_id], **changes)


def outcome(decision: Decision, index: int = 0) -> Outcome:
    """The answer, which must be an outcome."""
    answer = decision.answers[index]
    assert isinstance(answer, Outcome)
    return answer


def test_a_transfer_debits_credits_and_numbers(
    wallets: Wallets, make_transfer: MakeTransfer, decide: Decide
) -> None:
    """Goal: the usual case, every figure of it."""
    decision = decide(make_transfer(amount_minor=250), wallets=wallets)

    assert outcome(decision).failure_code is FailureCode.NONE
    assert (outcome(decision).debit_entry_number, outcome(decision).credit_entry_number) == (4, 4)
    (new,) = decision.new_outcomes
    assert (new.debit_balance_after_minor, new.credit_balance_after_minor) == (750, 1_250)
    assert {(c.wallet_id, c.balance_minor, c.last_entry_number) for c in decision.changes} == {
        (ALICE, 750, 4),
        (BOB, 1_250, 4),
    }


def test_a_batch_sees_what_its_own_items_did(
    wallets: Wallets, make_transfer: MakeTransfer, decide: Decide
) -> None:
    """Goal: money received in a batch can be spent later in it, and not before; one change per
    wallet, however many items touch it."""
    cafe_pays = make_transfer(
        payment_id="pay_1", debit_wallet_id=CAFE, credit_wallet_id=BOB, amount_minor=1_000
    )
    alice_pays = make_transfer(payment_id="pay_2", credit_wallet_id=CAFE, amount_minor=1_000)
    cafe_pays_again = msgspec.structs.replace(cafe_pays, payment_id="pay_3")

    decision = decide(cafe_pays, alice_pays, cafe_pays_again, wallets=wallets)

    assert [outcome(decision, i).failure_code for i in range(3)] == [
        FailureCode.INSUFFICIENT_FUNDS,
        FailureCode.NONE,
        FailureCode.NONE,
    ]
    assert outcome(decision, 2).debit_entry_number == 5
    assert sorted((c.wallet_id, c.balance_minor) for c in decision.changes) == [
        (CAFE, 0),
        (ALICE, 0),
        (BOB, 2_000),
    ]


@pytest.mark.parametrize(
    ("changes", "failure_code"),
    [
        ({ALICE: {"status": WalletStatus.CLOSED}}, FailureCode.WALLET_CLOSED),
        ({BOB: {"status": WalletStatus.CLOSED}}, FailureCode.WALLET_CLOSED),
        ({ALICE: {"status": WalletStatus.FROZEN}}, FailureCode.WALLET_FROZEN),
        ({BOB: {"status": WalletStatus.FROZEN}}, FailureCode.WALLET_FROZEN),
        ({ALICE: {"balance_minor": 9}}, FailureCode.INSUFFICIENT_FUNDS),
        ({ALICE: {"held_minor": 991}}, FailureCode.INSUFFICIENT_FUNDS),
        ({BOB: {"balance_minor": 99_991}}, FailureCode.LIMIT_EXCEEDED),
        # The order in which rules win when several are broken.
        (
            {ALICE: {"status": WalletStatus.FROZEN}, BOB: {"status": WalletStatus.CLOSED}},
            FailureCode.WALLET_CLOSED,
        ),
        (
            {ALICE: {"balance_minor": 0}, BOB: {"status": WalletStatus.FROZEN}},
            FailureCode.WALLET_FROZEN,
        ),
        (
            {ALICE: {"balance_minor": 0}, BOB: {"balance_minor": 100_000}},
            FailureCode.INSUFFICIENT_FUNDS,
        ),
        # The last values that are still allowed.
        ({ALICE: {"balance_minor": 10}, BOB: {"balance_minor": 99_990}}, FailureCode.NONE),
        ({ALICE: {"held_minor": 990}}, FailureCode.NONE),
    ],
)
def test_refusals_for_good(
    changes: dict[str, dict[str, object]],
    failure_code: FailureCode,
    wallets: Wallets,
    make_transfer: MakeTransfer,
    decide: Decide,
) -> None:
    """Goal: each failure code, at its border, and which wins; a refusal is stored and moves
    nothing."""
    for wallet_id, fields in changes.items():
        changed(wallets, wallet_id, **fields)

    decision = decide(make_transfer(), wallets=wallets)

    assert outcome(decision).failure_code is failure_code
    assert [new.outcome for new in decision.new_outcomes] == decision.answers
    if failure_code:
        assert decision.changes == []
        assert outcome(decision).debit_entry_number == outcome(decision).credit_entry_number == 0


SEND, PAY = TransferKind.SEND, TransferKind.PAY
WITHDRAW, TOP_UP = TransferKind.WITHDRAW, TransferKind.TOP_UP


@pytest.mark.parametrize(
    ("kind", "debit", "credit", "fields"),
    [
        (SEND, ALICE, BOB, []),
        (PAY, ALICE, CAFE, []),
        (WITHDRAW, ALICE, BANK, []),
        (TOP_UP, BANK, ALICE, []),
        (SEND, ALICE, BANK, ["credit_wallet_id"]),
        (SEND, BANK, ALICE, ["debit_wallet_id"]),
        (SEND, FEES, ALICE, ["debit_wallet_id"]),
        (PAY, ALICE, FEES, ["credit_wallet_id"]),
        (PAY, BANK, FEES, ["debit_wallet_id", "credit_wallet_id"]),
        (WITHDRAW, ALICE, BOB, ["credit_wallet_id"]),
        (WITHDRAW, ALICE, FEES, ["credit_wallet_id"]),
        (WITHDRAW, FEES, BANK, ["debit_wallet_id"]),
        (TOP_UP, ALICE, BOB, ["debit_wallet_id"]),
        (TOP_UP, FEES, ALICE, ["debit_wallet_id"]),
        (TOP_UP, BANK, FEES, ["credit_wallet_id"]),
        (SEND, ALICE, ALICE, ["credit_wallet_id"]),
        (SEND, ALICE_EUR, BOB, ["debit_wallet_id"]),
        (SEND, ALICE, ALICE_EUR, ["credit_wallet_id"]),
        (TOP_UP, BANK, ALICE_EUR, ["credit_wallet_id"]),
    ],
)
def test_mistakes_are_named_and_not_stored(
    kind: TransferKind,
    debit: str,
    credit: str,
    fields: list[str],
    wallets: Wallets,
    make_transfer: MakeTransfer,
    decide: Decide,
) -> None:
    """Goal: which kinds may touch which wallets; a mistake names its fields and stores nothing, so
    that the payment id can still be used."""
    transfer = make_transfer(kind=kind, debit_wallet_id=debit, credit_wallet_id=credit)

    decision = decide(transfer, wallets=wallets)

    if fields:
        (error,) = decision.answers
        assert isinstance(error, InvalidArgument)
        assert [violation.field for violation in error.violations] == fields
        assert (decision.new_outcomes, decision.changes) == ([], [])
    else:
        assert outcome(decision).failure_code is FailureCode.NONE


@pytest.mark.parametrize("field", ["debit_wallet_id", "credit_wallet_id"])
def test_a_missing_wallet_is_an_error_and_no_outcome(
    field: str, wallets: Wallets, make_transfer: MakeTransfer, decide: Decide
) -> None:
    """Goal: the missing wallet is named, and nothing is stored."""
    decision = decide(make_transfer(**{field: "wal_nobody"}), wallets=wallets)

    (error,) = decision.answers
    assert isinstance(error, WalletNotFound)
    assert error.metadata == {"wallet_id": "wal_nobody"}
    assert decision.new_outcomes == []


def test_a_repeat_has_the_first_outcome(
    wallets: Wallets, make_transfer: MakeTransfer, decide: Decide
) -> None:
    """Goal: stored outcomes are answered as they are, refusals too, whatever the wallets are now;
    also inside one batch."""
    paid, refused = make_transfer(), make_transfer(payment_id="pay_2", amount_minor=5_000)
    first = decide(paid, refused, paid, wallets=wallets)
    assert first.answers[2] == first.answers[0]
    assert len(first.new_outcomes) == 2

    changed(wallets, ALICE, status=WalletStatus.CLOSED, balance_minor=50_000)
    stored = {"pay_1": outcome(first, 0), "pay_2": outcome(first, 1)}
    again = decide(paid, refused, wallets=wallets, stored=stored)

    assert again.answers == first.answers[:2]
    assert (again.new_outcomes, again.changes) == ([], [])


@pytest.mark.parametrize(
    "changes",
    [
        {"debit_wallet_id": CAFE},
        {"credit_wallet_id": CAFE},
        {"amount_minor": 11},
        {"currency_code": "EUR"},
        {"kind": TransferKind.PAY},
        {"debit_wallet_id": "wal_nobody"},
    ],
)
def test_a_payment_id_belongs_to_one_transfer(
    changes: dict[str, object], wallets: Wallets, make_transfer: MakeTransfer, decide: Decide
) -> None:
    """Goal: the same payment id with anything else is refused, stored earlier or in this batch."""
    first, other = make_transfer(), make_transfer(**changes)

    in_one_batch = decide(first, other, wallets=wallets)
    stored = {first.payment_id: outcome(in_one_batch)}
    later = decide(other, wallets=wallets, stored=stored)

    for answer in (in_one_batch.answers[1], later.answers[0]):
        assert isinstance(answer, PaymentIdReused)
        assert answer.metadata == {"payment_id": "pay_1"}
    assert len(in_one_batch.new_outcomes) == 1
    assert later.new_outcomes == []


def test_the_bank_may_owe_and_own_more_than_a_customer(
    wallets: Wallets, make_transfer: MakeTransfer, decide: Decide
) -> None:
    """Goal: system wallets know neither zero nor the customers' limit, but do know the 64 bits."""
    top_up = make_transfer(kind=TOP_UP, debit_wallet_id=BANK, credit_wallet_id=CAFE)
    withdraw = make_transfer(payment_id="pay_2", kind=WITHDRAW, credit_wallet_id=BANK)

    changed(wallets, BANK, balance_minor=200_000)
    decision = decide(top_up, withdraw, wallets=wallets)
    assert [outcome(decision, i).failure_code for i in (0, 1)] == [FailureCode.NONE] * 2

    changed(wallets, BANK, balance_minor=-SYSTEM_BALANCE_MINOR_MAX)
    decision = decide(top_up, wallets=wallets)
    assert outcome(decision).failure_code is FailureCode.INSUFFICIENT_FUNDS

    changed(wallets, BANK, balance_minor=SYSTEM_BALANCE_MINOR_MAX)
    decision = decide(withdraw, wallets=wallets)
    assert outcome(decision).failure_code is FailureCode.LIMIT_EXCEEDED
