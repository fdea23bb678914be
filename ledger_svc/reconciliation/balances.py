"""Whether a wallet, its entries and its account agree. Pure: rows in, decisions out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from ledger_svc.reconciliation.model import (
    AccountRow,
    BalanceRow,
    Difference,
    EntryFault,
    Kind,
    Remedy,
)


def drifts_of_faults(
    faults: Iterable[EntryFault], *, explained: Collection[str]
) -> list[Difference]:
    """A balance drift for each wallet with entries that do not fit, after the first of them.

    Of a payment in ``explained`` the transfer is known to be wrong: that its entries differ from it
    follows, and is not told again.
    """
    first: dict[str, EntryFault] = {}
    for fault in sorted(faults, key=lambda item: (item.wallet_id, item.number)):
        if fault.is_chain or fault.payment_id not in explained:
            first.setdefault(fault.wallet_id, fault)
    return [
        _drift(
            fault.wallet_id,
            f"entry {fault.number}: {fault.expected}",
            f"entry {fault.number}: {fault.found}",
            identity=f"entry {fault.number}",
        )
        for fault in first.values()
    ]


def own_drift(wallet: BalanceRow) -> Difference | None:
    """How a wallet's balance differs from what its last entry says; None if not."""
    entry = (wallet.entry_number, wallet.entry_balance_minor)
    if entry == (wallet.last_entry_number, wallet.balance_minor):
        return None
    code = wallet.currency_code
    return _drift(
        wallet.wallet_id,
        f"{wallet.entry_balance_minor} {code} after entry {wallet.entry_number}",
        f"{wallet.balance_minor} {code} after entry {wallet.last_entry_number}",
        identity=f"entries {wallet.balance_minor - wallet.entry_balance_minor}",
    )


def ledger_drift(wallet: BalanceRow | None, account: AccountRow | None) -> Difference | None:
    """How an account's balance differs from the wallet's at the same moment; None if not.

    Who has none of the two has nothing.
    """
    has = (wallet.as_of_minor, wallet.currency_code) if wallet else (0, "")
    books = (account.as_of_minor, account.currency_code) if account else (0, "")
    if has == books or has[0] == books[0] == 0:
        return None
    known = wallet or account
    assert known is not None, "one of them has something"
    return _drift(
        known.wallet_id,
        f"{has[0]} {has[1]}" if wallet else "no wallet",
        f"{books[0]} {books[1]} in ledger" if account else "no account in ledger",
        identity=f"ledger {books[0] - has[0]} {has[1]} {books[1]}",
    )


class Comparison(NamedTuple):
    """A wallet beside its account, with all that the account cannot have yet."""

    unbooked_ids: list[str]
    """What moved the wallet and was not in the journal then."""
    off_minor: int | None
    """What the account has too much (negative: too little), apart from these; None: so many are not
    booked that nothing can be said."""


def compare_moves(
    moves: Sequence[tuple[str, int]],
    *,
    balance_minor: int,
    is_complete: bool,
    account_minor: int,
    booked: Collection[str],
) -> Comparison:
    """Compare a wallet with its account. ``moves``: payment and amount of what moved it last, the
    newest first; ``balance_minor``: after the newest; ``is_complete``: there are no others;
    ``booked``: those of them that the account has."""
    places = [place for place, (payment_id, _) in enumerate(moves) if payment_id not in booked]
    unbooked = [moves[place] for place in places]
    off_minor = account_minor - balance_minor + sum(amount for _, amount in unbooked)
    # Where the older half has gaps, what is older still may have some too.
    is_certain = is_complete or not any(place >= len(moves) // 2 for place in places)
    return Comparison([payment_id for payment_id, _ in unbooked], off_minor if is_certain else None)


def _drift(wallet_id: str, expected: str, found: str, *, identity: str) -> Difference:
    return Difference(
        Kind.BALANCE_DRIFT, "", wallet_id, expected, found, Remedy.FREEZE, identity, (wallet_id,)
    )


def one_per_wallet(candidates: Iterable[Difference]) -> list[Difference]:
    """The first drift of each wallet: what else is wrong with it mostly follows."""
    first: dict[str, Difference] = {}
    for item in candidates:
        first.setdefault(item.wallet_id, item)
    return list(first.values())
