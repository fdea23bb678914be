"""What may be proposed, who may decide, and what is booked then. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple

from chassis.errors import ServiceError
from chassis.money import AMOUNT_MINOR_MAX, CURRENCIES
from ledger_svc.errors import (
    AccountCurrencyMismatch,
    AccountNotFound,
    CorrectionDecided,
    RequestIdReused,
    SamePerson,
)
from ledger_svc.model import (
    CREDIT,
    DEBIT,
    SYSTEM_CLASS_MIN,
    Draft,
    DraftPosting,
    bank_charges_account,
    is_id,
)
from ledger_svc.store.accounts import Account
from ledger_svc.store.transactions import microseconds_of

POSTINGS_MIN, POSTINGS_MAX = 2, 64
_REVERSAL, _CORRECTION = 101, 102
"""qrpay.ledger.v1.BookKind."""


class State(IntEnum):
    """Where a correction is in its life; the numbers are the contract's."""

    PROPOSED = 1
    APPROVED = 2
    REJECTED = 3


class Proposal(NamedTuple):
    """What somebody wants to be booked."""

    request_id: str
    actor: str
    caller: str
    """Whose certificate the request came with."""
    reason: str
    effective_time: datetime | None
    """None: when it is proposed."""
    reverses_number: int | None
    postings: tuple[DraftPosting, ...]
    """Of a reversal too."""


class Decision(NamedTuple):
    """What somebody says to it."""

    is_approved: bool
    actor: str
    caller: str
    reason: str
    """Empty if approved."""
    time: datetime


class Correction(NamedTuple):
    """A proposal that is on file, with what became of it."""

    id: str
    request_id: str
    actor: str
    caller: str
    reason: str
    effective_time: datetime
    reverses_number: int | None
    postings: tuple[DraftPosting, ...]
    propose_time: datetime
    decision: Decision | None
    transaction_number: int | None
    """Of the journal, when it is booked."""

    @property
    def state(self) -> State:
        """Where it is in its life."""
        if self.decision is None:
            return State.PROPOSED
        return State.APPROVED if self.decision.is_approved else State.REJECTED


def swapped(postings: Sequence[DraftPosting]) -> tuple[DraftPosting, ...]:
    """What takes postings back."""
    return tuple(
        item._replace(direction=CREDIT if item.direction == DEBIT else DEBIT) for item in postings
    )


def postings_faults(postings: Sequence[DraftPosting]) -> dict[str, str]:
    """What is wrong with postings that somebody wrote, by field."""
    if not POSTINGS_MIN <= len(postings) <= POSTINGS_MAX:
        return {"postings": f"must be {POSTINGS_MIN} to {POSTINGS_MAX}"}
    faults = {}
    for place, posting in enumerate(postings):
        name = f"postings[{place}]"
        if not is_id(posting.account_id):
            faults[f"{name}.account_id"] = "must be the id of an account"
        if posting.direction not in (DEBIT, CREDIT):
            faults[f"{name}.direction"] = "must be debit or credit"
        if posting.currency_code not in CURRENCIES:
            faults[f"{name}.money.currency_code"] = "must be an ISO 4217 code that we know"
        if not 1 <= posting.amount_minor <= AMOUNT_MINOR_MAX:
            faults[f"{name}.money.amount_minor"] = f"must be 1 to {AMOUNT_MINOR_MAX}"
    if not faults and (unequal := _unequal_currencies(postings)):
        faults["postings"] = f"debits and credits differ in {', '.join(unequal)}"
    return faults


def accounts_fault(
    postings: Sequence[DraftPosting], accounts: Mapping[str, Account]
) -> ServiceError | None:
    """Why these accounts cannot be posted to; None if they can.

    A misspelt id must not make an account: it has to be there, or be one that needs no wallet.
    """
    for account_id, _, currency_code, _ in postings:
        if account_id == bank_charges_account(currency_code):
            continue
        if account_id not in accounts:
            return AccountNotFound(account_id=account_id)
        if accounts[account_id].currency_code != currency_code:
            return AccountCurrencyMismatch(account_id=account_id)
    return None


def repeat_fault(proposal: Proposal, there: Correction) -> ServiceError | None:
    """Why a proposal is no repeat of the one with its request_id; None if it is one."""
    fields = ["actor", "reason", "reverses_number", "postings"]
    if proposal.effective_time is not None:
        fields.append("effective_time")
    if any(getattr(proposal, name) != getattr(there, name) for name in fields):
        return RequestIdReused(correction_id=there.id)
    return None


def decision_fault(correction: Correction, *, actor: str, is_approved: bool) -> ServiceError | None:
    """Why this person cannot decide so; None if that can be, or is the case already."""
    if is_approved and actor.casefold() == correction.actor.casefold():
        return SamePerson(correction_id=correction.id)
    if correction.decision is not None and correction.decision.is_approved != is_approved:
        return CorrectionDecided(correction_id=correction.id, state=correction.state.name.lower())
    return None


def draft_of(correction: Correction, *, approver: str, of_payment: bool) -> Draft:
    """What is booked. The two persons are named in the book, which is signed."""
    return Draft(
        correction.id,
        _CORRECTION if correction.reverses_number is None else _REVERSAL,
        microseconds_of(correction.effective_time),
        f"{correction.reason} (proposed by {correction.actor}, approved by {approver})",
        correction.reverses_number,
        correction.postings,
        of_payment,
    )


def drifts(
    postings: Sequence[DraftPosting], accounts: Mapping[str, Account], *, of_payment: bool
) -> dict[str, int]:
    """By how much the balances of wallets' accounts change without their wallets, by account.

    The system's own accounts are left out, as reconciliation leaves them out, unless what is taken
    back is a payment: that had moved their wallets too, or was thought to have.
    """
    changes: Counter[str] = Counter()
    for posting in postings:
        account = accounts.get(posting.account_id)
        if account is None or posting.account_id == bank_charges_account(account.currency_code):
            continue
        if of_payment or account.class_ is None or account.class_ < SYSTEM_CLASS_MIN:
            changes[posting.account_id] += _signed(posting)
    return {account_id: change for account_id, change in sorted(changes.items()) if change}


def _unequal_currencies(postings: Sequence[DraftPosting]) -> list[str]:
    sums: Counter[str] = Counter()
    for posting in postings:
        sums[posting.currency_code] += _signed(posting)
    return sorted(code for code, total in sums.items() if total)


def _signed(posting: DraftPosting) -> int:
    """What it adds to its account's balance."""
    return posting.amount_minor if posting.direction == CREDIT else -posting.amount_minor
