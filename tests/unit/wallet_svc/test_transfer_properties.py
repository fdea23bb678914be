"""What holds for every batch of transfers, whatever is in it (hypothesis)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_svc.model.records import (
    FailureCode,
    Outcome,
    Transfer,
    TransferKind,
    Wallet,
    WalletStatus,
)
from wallet_svc.model.transfers import Decision, decide_transfers

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BALANCE_MINOR_MAX = 300
USERS = ("usr_a", "usr_b", "usr_c", "mer_d")
BANK = "sys_bank"
OWNERS = (*USERS, BANK)
CURRENCIES = ("USD", "EUR")
WALLET_IDS = [f"wal_{owner}_{currency}" for owner in OWNERS for currency in CURRENCIES]

Wallets = dict[str, Wallet]
Line = tuple[int, int, int]
"""Number, amount, balance after."""


@st.composite
def wallet_sets(draw: st.DrawFn) -> Wallets:
    """A wallet of each owner in each currency: little money, so that it runs out, and some holds,
    freezes and closures."""
    wallets = {}
    for owner_id in OWNERS:
        for currency_code in CURRENCIES:
            is_system = owner_id.startswith("sys_")
            balance = draw(st.integers(-200 if is_system else 0, 250))
            wallets[f"wal_{owner_id}_{currency_code}"] = Wallet(
                id=f"wal_{owner_id}_{currency_code}",
                owner_id=owner_id,
                currency_code=currency_code,
                status=draw(st.sampled_from([WalletStatus.ACTIVE] * 12 + list(WalletStatus))),
                balance_minor=balance,
                held_minor=0 if is_system else draw(st.integers(0, balance // 3)),
                last_entry_number=draw(st.integers(0, 9)),
                may_be_negative=is_system,
            )
    return wallets


@st.composite
def sensible_transfers(draw: st.DrawFn) -> Transfer:
    """A transfer without a mistake; whether the wallets allow it is another matter."""
    kind = draw(st.sampled_from(list(TransferKind)))
    currency_code = draw(st.sampled_from(["USD", "USD", "EUR"]))
    one, two = draw(st.permutations(USERS))[:2]
    debit = BANK if kind is TransferKind.TOP_UP else one
    credit = BANK if kind is TransferKind.WITHDRAW else two
    return Transfer(
        # Few ids, so that they repeat; few wallets, so that they are shared.
        payment_id=f"pay_{draw(st.integers(1, 20))}",
        debit_wallet_id=f"wal_{debit}_{currency_code}",
        credit_wallet_id=f"wal_{credit}_{currency_code}",
        amount_minor=draw(st.integers(1, 120)),
        currency_code=currency_code,
        kind=kind,
    )


any_transfers = st.builds(
    Transfer,
    payment_id=st.integers(1, 20).map("pay_{}".format),
    debit_wallet_id=st.sampled_from([*WALLET_IDS, "wal_nobody"]),
    credit_wallet_id=st.sampled_from([*WALLET_IDS, "wal_nobody"]),
    amount_minor=st.integers(1, 120),
    currency_code=st.sampled_from(CURRENCIES),
    kind=st.sampled_from(list(TransferKind)),
)

TRANSFERS = st.lists(
    st.one_of(sensible_transfers(), sensible_transfers(), any_transfers), max_size=30
)


def decide(
    transfers: Sequence[Transfer], wallets: Wallets, stored: dict[str, Outcome] | None = None
) -> Decision:
    """Decide a batch at noon, under a low limit."""
    return decide_transfers(
        transfers,
        wallets=wallets,
        stored=stored or {},
        execute_time=NOW,
        balance_minor_max=BALANCE_MINOR_MAX,
    )


def lines_of(decision: Decision) -> dict[str, list[Line]]:
    """The entries of each wallet, in the order they are written."""
    lines: dict[str, list[Line]] = defaultdict(list)
    for new in decision.new_outcomes:
        outcome, transfer = new.outcome, new.outcome.transfer
        if outcome.failure_code is FailureCode.NONE:
            lines[transfer.debit_wallet_id].append(
                (outcome.debit_entry_number, -transfer.amount_minor, new.debit_balance_after_minor)
            )
            lines[transfer.credit_wallet_id].append(
                (outcome.credit_entry_number, transfer.amount_minor, new.credit_balance_after_minor)
            )
    return lines


class State(NamedTuple):
    """A small wallet database: what a decision leads to when it is stored."""

    wallets: Wallets
    stored: dict[str, Outcome]

    def after(self, decision: Decision) -> State:
        wallets = dict(self.wallets)
        for change in decision.changes:
            wallets[change.wallet_id] = msgspec.structs.replace(
                wallets[change.wallet_id],
                balance_minor=change.balance_minor,
                last_entry_number=change.last_entry_number,
            )
        fresh = {new.outcome.transfer.payment_id: new.outcome for new in decision.new_outcomes}
        assert not fresh.keys() & self.stored.keys(), "a payment has one outcome"
        return State(wallets, self.stored | fresh)


def described(decision: Decision) -> list[object]:
    """Answers that can be compared: errors are equal by what they say."""
    return [
        answer if isinstance(answer, Outcome) else (answer.reason, answer.metadata, str(answer))
        for answer in decision.answers
    ]


@given(wallets=wallet_sets(), transfers=TRANSFERS)
def test_entries_sum_to_zero_and_add_up_to_balances(
    wallets: Wallets, transfers: list[Transfer]
) -> None:
    """Goal: the entries of a batch sum to zero per currency; a wallet's entries are numbered
    without gaps, each balance follows from the one before, and the last is the new balance."""
    decision = decide(transfers, wallets)
    lines, changes = lines_of(decision), {c.wallet_id: c for c in decision.changes}

    assert lines.keys() == changes.keys()
    sums: dict[str, int] = defaultdict(int)
    for wallet_id, entries in lines.items():
        before = wallets[wallet_id]
        balance, number = before.balance_minor, before.last_entry_number
        for entry_number, amount, balance_after in entries:
            number, balance = number + 1, balance + amount
            assert (entry_number, balance_after) == (number, balance)
            sums[before.currency_code] += amount
        change = changes[wallet_id]
        assert (change.balance_minor, change.last_entry_number) == (balance, number)
    assert not any(sums.values())


@given(wallets=wallet_sets(), transfers=TRANSFERS)
def test_no_customer_goes_below_what_is_held_or_above_the_limit(
    wallets: Wallets, transfers: list[Transfer]
) -> None:
    """Goal: after every single entry of a customer's wallet, available is not negative; and a
    credit never ends above the limit."""
    for wallet_id, entries in lines_of(decide(transfers, wallets)).items():
        if wallets[wallet_id].may_be_negative:
            continue
        for _, amount, balance_after in entries:
            assert balance_after >= wallets[wallet_id].held_minor
            assert amount < 0 or balance_after <= BALANCE_MINOR_MAX


@given(wallets=wallet_sets(), transfers=TRANSFERS)
def test_a_repeated_batch_changes_nothing_and_answers_alike(
    wallets: Wallets, transfers: list[Transfer]
) -> None:
    """Goal: a second delivery finds every outcome of the first. What was a mistake may be answered
    otherwise the second time, because its payment id may have been used after it."""
    first = decide(transfers, wallets)
    state = State(wallets, {}).after(first)

    second = decide(transfers, state.wallets, state.stored)

    for answer, again in zip(first.answers, second.answers, strict=True):
        if isinstance(answer, Outcome):
            assert again == answer
    repeated = {new.outcome.transfer.payment_id for new in second.new_outcomes}
    assert not repeated & state.stored.keys()
    assert second.changes == [] or repeated


@given(wallets=wallet_sets(), transfers=TRANSFERS, cut=st.integers(0, 30))
def test_where_a_batch_is_cut_does_not_matter(
    wallets: Wallets, transfers: list[Transfer], cut: int
) -> None:
    """Goal: a batch that is halved to find a poisoned item ends like the whole."""
    whole = decide(transfers, wallets)

    start = State(wallets, {})
    head = decide(transfers[:cut], *start)
    tail = decide(transfers[cut:], *start.after(head))

    assert described(head) + described(tail) == described(whole)
    assert start.after(head).after(tail) == start.after(whole)


@given(wallets=wallet_sets(), transfers=TRANSFERS)
def test_neighbours_that_moved_nothing_might_as_well_not_be_there(
    wallets: Wallets, transfers: list[Transfer]
) -> None:
    """Goal: refused items and mistakes have no influence on the others."""
    whole = decide(transfers, wallets)
    moved = [
        (transfer, answer)
        for transfer, answer in zip(transfers, whole.answers, strict=True)
        if isinstance(answer, Outcome) and answer.failure_code is FailureCode.NONE
    ]

    alone = decide([transfer for transfer, _ in moved], wallets)

    assert alone.answers == [answer for _, answer in moved]
    assert alone.changes == whole.changes


@given(wallets=wallet_sets(), transfers=TRANSFERS, order=st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_the_order_of_strangers_does_not_matter(
    wallets: Wallets, transfers: list[Transfer], order: object
) -> None:
    """Goal: items that share no wallet and no payment id with each other may come in any order.
    Dollars and euros are such strangers, as long as their payment ids are."""
    dollars = [item for item in transfers if is_all(item, "USD")]
    euros = [
        msgspec.structs.replace(item, payment_id=f"{item.payment_id}_eur")
        for item in transfers
        if is_all(item, "EUR")
    ]
    mixed = [*dollars, *euros]
    order.shuffle(mixed)  # type: ignore[attr-defined]
    # A shuffle that keeps the order within each currency.
    lanes = {"USD": iter(dollars), "EUR": iter(euros)}
    mixed = [next(lanes[item.currency_code]) for item in mixed]

    together = decide(mixed, wallets)
    apart = {"USD": decide(dollars, wallets), "EUR": decide(euros, wallets)}

    answers = {
        lane: [
            answer
            for item, answer in zip(mixed, described(together), strict=True)
            if item.currency_code == lane
        ]
        for lane in lanes
    }
    assert answers == {lane: described(decision) for lane, decision in apart.items()}


def is_all(transfer: Transfer, currency_code: str) -> bool:
    """Whether the money and both wallets are in this currency."""
    return transfer.currency_code == currency_code and all(
        wallet_id.endswith(currency_code)
        for wallet_id in (transfer.debit_wallet_id, transfer.credit_wallet_id)
    )
