"""How a batch of transfers ends: who pays whom, what is refused, which entries are written.

The whole of money moving is here, as one pure function. Its callers promise that the wallets are
locked and the stored outcomes were read after that, so that nothing can change in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from chassis.errors import FieldViolation, InvalidArgument, ServiceError
from wallet_svc.errors import PaymentIdReused, WalletNotFound
from wallet_svc.model.records import (
    BANK_OWNER_ID,
    SYSTEM_OWNER_PREFIX,
    FailureCode,
    NewOutcome,
    Outcome,
    Transfer,
    TransferKind,
    Wallet,
    WalletStatus,
)

SYSTEM_BALANCE_MINOR_MAX = 9 * 10**18
"""How far a system wallet may go from zero, in either direction: a 64-bit integer holds 9.2e18."""

# Module level, because looking an enum member up through its class costs as much as a comparison.
_CLOSED, _FROZEN = WalletStatus.CLOSED, WalletStatus.FROZEN


class WalletChange(msgspec.Struct, frozen=True, gc=False):
    """What a wallet is after the batch, in the columns that the batch changed."""

    wallet_id: str
    balance_minor: int
    last_entry_number: int


class Decision(msgspec.Struct, frozen=True):
    """What to answer and what to write."""

    answers: list[Outcome | ServiceError]
    """One per transfer, in request order."""
    new_outcomes: list[NewOutcome]
    """To be stored, in request order; refused ones too, so that a repeat is refused alike."""
    changes: list[WalletChange]
    """One per wallet that money moved into or out of."""


class _Account:
    """A wallet while the batch runs over it."""

    __slots__ = (
        "balance_minor",
        "balance_minor_max",
        "balance_minor_min",
        "is_system",
        "last_entry_number",
        "wallet",
    )

    def __init__(self, wallet: Wallet, balance_minor_max: int) -> None:
        self.wallet = wallet
        self.balance_minor = wallet.balance_minor
        self.last_entry_number = wallet.last_entry_number
        self.is_system = wallet.owner_id.startswith(SYSTEM_OWNER_PREFIX)
        # What is held cannot be spent: the balance must stay at or above it.
        self.balance_minor_min = (
            -SYSTEM_BALANCE_MINOR_MAX if wallet.may_be_negative else wallet.held_minor
        )
        self.balance_minor_max = SYSTEM_BALANCE_MINOR_MAX if self.is_system else balance_minor_max

    def enter(self, amount_minor: int) -> None:
        """Write one entry; negative for a debit. The bounds were checked before."""
        self.balance_minor += amount_minor
        self.last_entry_number += 1


def decide_transfers(
    transfers: Sequence[Transfer],
    *,
    wallets: Mapping[str, Wallet],
    stored: Mapping[str, Outcome],
    execute_time: datetime,
    balance_minor_max: int,
) -> Decision:
    """Walk a batch in request order; each transfer sees the balances that those before it left.

    ``wallets`` by id: all that exist of those named. ``stored``: outcomes by payment id, from
    earlier batches. ``balance_minor_max`` limits every wallet that is not the system's.
    The answer to a transfer is its outcome, or ``PaymentIdReused``, ``WalletNotFound`` or
    ``InvalidArgument``: then nothing of it is stored.
    """
    accounts = {
        wallet_id: _Account(wallet, balance_minor_max) for wallet_id, wallet in wallets.items()
    }
    answers: list[Outcome | ServiceError] = []
    known: dict[str, Outcome] = {**stored}
    new_outcomes: list[NewOutcome] = []
    for transfer in transfers:
        before = known.get(transfer.payment_id)
        if before is not None:
            answers.append(_repeat(transfer, before))
            continue
        debit = accounts.get(transfer.debit_wallet_id)
        credit = accounts.get(transfer.credit_wallet_id)
        if debit is None or credit is None:
            missing = transfer.debit_wallet_id if debit is None else transfer.credit_wallet_id
            answers.append(WalletNotFound(wallet_id=missing))
            continue
        if violations := _violations(transfer, debit, credit):
            answers.append(InvalidArgument(violations))
            continue
        new = _execute(transfer, debit, credit, execute_time)
        known[transfer.payment_id] = new.outcome
        new_outcomes.append(new)
        answers.append(new.outcome)
    return Decision(answers=answers, new_outcomes=new_outcomes, changes=_changes(accounts))


def decide_cancellations(
    transfers: Sequence[Transfer], *, stored: Mapping[str, Outcome], execute_time: datetime
) -> Decision:
    """End transfers that have no outcome yet, without moving money; those that have keep it.

    Wallets are not looked at: what can never be executed can be cancelled too.
    """
    known: dict[str, Outcome] = {**stored}
    new_outcomes: list[NewOutcome] = []
    answers: list[Outcome | ServiceError] = []
    for transfer in transfers:
        if (before := known.get(transfer.payment_id)) is None:
            outcome = Outcome(transfer, FailureCode.CANCELLED, 0, 0, execute_time)
            known[transfer.payment_id] = outcome
            new_outcomes.append(NewOutcome(outcome, 0, 0))
            answers.append(outcome)
        else:
            answers.append(_repeat(transfer, before))
    return Decision(answers=answers, new_outcomes=new_outcomes, changes=[])


def _repeat(transfer: Transfer, before: Outcome) -> Outcome | ServiceError:
    if before.transfer != transfer:
        return PaymentIdReused(payment_id=transfer.payment_id)
    return before


def _violations(transfer: Transfer, debit: _Account, credit: _Account) -> list[FieldViolation]:
    """What is wrong with a transfer now that its wallets are known; usually nothing."""
    currency_code, kind = transfer.currency_code, transfer.kind
    if (
        currency_code == debit.wallet.currency_code == credit.wallet.currency_code
        and (kind == TransferKind.SEND or kind == TransferKind.PAY)
        and not (debit.is_system or credit.is_system)
        and debit is not credit
    ):
        return []
    violations = [
        FieldViolation(field, f"must be a wallet in {currency_code}")
        for field, side in (("debit_wallet_id", debit), ("credit_wallet_id", credit))
        if side.wallet.currency_code != currency_code
    ]
    if debit is credit:
        violations.append(FieldViolation("credit_wallet_id", "must not be the debit wallet"))
    # Only a withdrawal goes to the bank and only a top-up comes from it; fees and suspense take
    # part in none of the kinds there are.
    debit_wanted = BANK_OWNER_ID if kind == TransferKind.TOP_UP else None
    credit_wanted = BANK_OWNER_ID if kind == TransferKind.WITHDRAW else None
    for field, side, wanted in (
        ("debit_wallet_id", debit, debit_wanted),
        ("credit_wallet_id", credit, credit_wanted),
    ):
        if wanted is None and side.is_system:
            violations.append(FieldViolation(field, "must not be a wallet of the system"))
        elif wanted is not None and side.wallet.owner_id != wanted:
            violations.append(FieldViolation(field, "must be the bank clearing wallet"))
    return violations


def _execute(
    transfer: Transfer, debit: _Account, credit: _Account, execute_time: datetime
) -> NewOutcome:
    failure_code = _failure(transfer.amount_minor, debit, credit)
    if failure_code:
        return NewOutcome(Outcome(transfer, failure_code, 0, 0, execute_time), 0, 0)
    debit.enter(-transfer.amount_minor)
    credit.enter(transfer.amount_minor)
    outcome = Outcome(
        transfer,
        failure_code,
        debit.last_entry_number,
        credit.last_entry_number,
        execute_time,
    )
    return NewOutcome(outcome, debit.balance_minor, credit.balance_minor)


def _failure(amount_minor: int, debit: _Account, credit: _Account) -> FailureCode:
    """The first rule that the transfer breaks, in the order that the contract's users rely on."""
    debit_status, credit_status = debit.wallet.status, credit.wallet.status
    if debit_status == _CLOSED or credit_status == _CLOSED:
        return FailureCode.WALLET_CLOSED
    if debit_status == _FROZEN or credit_status == _FROZEN:
        return FailureCode.WALLET_FROZEN
    if debit.balance_minor - amount_minor < debit.balance_minor_min:
        return FailureCode.INSUFFICIENT_FUNDS
    if credit.balance_minor + amount_minor > credit.balance_minor_max:
        return FailureCode.LIMIT_EXCEEDED
    return FailureCode.NONE


def _changes(accounts: Mapping[str, _Account]) -> list[WalletChange]:
    """What the batch left, after a check that it neither made money nor lost any."""
    moved_minor: dict[str, int] = {}
    changes = []
    for wallet_id, account in accounts.items():
        before = account.wallet
        if account.last_entry_number == before.last_entry_number:
            continue
        moved_minor[before.currency_code] = (
            moved_minor.get(before.currency_code, 0) + account.balance_minor - before.balance_minor
        )
        changes.append(WalletChange(wallet_id, account.balance_minor, account.last_entry_number))
        assert account.balance_minor >= min(account.balance_minor_min, before.balance_minor), (
            "no wallet is left with less than it may have"
        )
    assert not any(moved_minor.values()), "what is debited is credited, in each currency"
    return changes
