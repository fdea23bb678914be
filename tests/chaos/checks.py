"""What must be true of the books and of the answers. Pure: rows in, broken rules out.

I1 to I9 are the invariants of ARCHITECTURE.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from tests.chaos.answers import HISTORY_CHECKS
from tests.chaos.history import Operation
from tests.chaos.snapshot import Row, Snapshot

_CREDIT = 2
_FAILURES = {
    0: None,
    1: "INSUFFICIENT_FUNDS",
    2: "WALLET_CLOSED",
    3: "WALLET_FROZEN",
    4: "LIMIT_EXCEEDED",
}
"""Why a transfer failed, as wallet and as payment say it."""


class Violation(NamedTuple):
    """A rule that does not hold."""

    check: str
    detail: str

    def __str__(self) -> str:
        return f"{self.check}: {self.detail}"


def _sums(snapshot: Snapshot) -> Iterator[str]:
    """I1: entries sum to zero per currency, and to the balance per wallet."""
    currency_of = {wallet["id"]: wallet["currency_code"] for wallet in snapshot.wallets}
    per_currency: Counter[str] = Counter()
    per_wallet: Counter[str] = Counter()
    for entry in snapshot.entries:
        per_currency[currency_of[entry["wallet_id"]]] += entry["amount_minor"]
        per_wallet[entry["wallet_id"]] += entry["amount_minor"]
    yield from (f"{code} sums to {total}" for code, total in per_currency.items() if total)
    for wallet in snapshot.wallets:
        if wallet["balance_minor"] != per_wallet[wallet["id"]]:
            yield f"{wallet['id']} has {wallet['balance_minor']}, not {per_wallet[wallet['id']]}"


def _negatives(snapshot: Snapshot) -> Iterator[str]:
    """I2: no user's available balance is negative, now or at any entry."""
    free = {wallet["id"] for wallet in snapshot.wallets if wallet["may_be_negative"]}
    for wallet in snapshot.wallets:
        if wallet["id"] not in free and wallet["balance_minor"] < wallet["held_minor"]:
            yield f"{wallet['id']} has {wallet['balance_minor']}"
    for entry in snapshot.entries:
        if entry["wallet_id"] not in free and entry["balance_after_minor"] < 0:
            yield f"{entry['wallet_id']} was negative at {entry['number']}"


def _numbers(snapshot: Snapshot) -> Iterator[str]:
    """I7: entries are numbered 1, 2, 3 ..., and each balance follows from the one before."""
    lines: defaultdict[str, list[Row]] = defaultdict(list)
    for entry in snapshot.entries:
        lines[entry["wallet_id"]].append(entry)
    for wallet in snapshot.wallets:
        balance = 0
        mine = sorted(lines[wallet["id"]], key=lambda row: row["number"])
        if [row["number"] for row in mine] != list(range(1, wallet["last_entry_number"] + 1)):
            yield f"{wallet['id']} is not numbered 1 to {wallet['last_entry_number']}"
        for row in mine:
            balance += row["amount_minor"]
            if row["balance_after_minor"] != balance:
                yield f"{wallet['id']} entry {row['number']} does not follow from the one before"
                break


def _once(snapshot: Snapshot) -> Iterator[str]:
    """I3: a payment is one transfer of what was asked, and two entries if it moved money."""
    transfers: defaultdict[str, list[Row]] = defaultdict(list)
    entries: defaultdict[str, list[Row]] = defaultdict(list)
    for row in snapshot.transfers:
        transfers[row["payment_id"]].append(row)
    for row in snapshot.entries:
        entries[row["payment_id"]].append(row)
    for payment in snapshot.payments:
        yield from _one_payment(payment, transfers[payment["id"]], entries[payment["id"]])
    known = {payment["id"] for payment in snapshot.payments}
    yield from (f"{item} has a transfer and no payment" for item in transfers.keys() - known)
    yield from (f"{item} has entries and no payment" for item in entries.keys() - known)


def _one_payment(payment: Row, transfers: list[Row], entries: list[Row]) -> Iterator[str]:
    moved = [row for row in transfers if row["failure_code"] == 0]
    payment_id, completed = payment["id"], payment["status"] == "COMPLETED"
    if len(transfers) != 1 or len(moved) != completed:
        yield f"{payment_id} is {payment['status']} with {len(moved)} of {len(transfers)} moved"
    wanted: Counter[tuple[str, int]] = Counter(
        {
            (payment["payer_wallet_id"], -payment["amount_minor"]): int(completed),
            (payment["payee_wallet_id"], payment["amount_minor"]): int(completed),
        }
    )
    found = Counter((row["wallet_id"], row["amount_minor"]) for row in entries)
    if +wanted != found:
        yield f"{payment_id} of {payment['amount_minor']} left entries {dict(found)}"
    for row in transfers:
        asked = (payment["payer_wallet_id"], payment["payee_wallet_id"], payment["amount_minor"])
        if asked != (row["debit_wallet_id"], row["credit_wallet_id"], row["amount_minor"]):
            yield f"{payment_id} is not the transfer that was asked for"


def _ends(snapshot: Snapshot) -> Iterator[str]:
    """I4: everything is terminal."""
    for payment in snapshot.payments:
        if payment["status"] not in ("COMPLETED", "FAILED"):
            yield f"{payment['id']} is {payment['status']}"


def _barcodes(snapshot: Snapshot) -> Iterator[str]:
    """I5: an issuance of a barcode pays at most once."""
    uses = Counter(row["barcode_issuance_id"] for row in snapshot.payments)
    yield from (f"{item} paid {n} times" for item, n in uses.items() if item and n > 1)


def _journal(snapshot: Snapshot) -> Iterator[str]:
    """I6: each transaction balances, and books one completed payment with its sides and amount."""
    transactions: defaultdict[str, list[Row]] = defaultdict(list)
    for row in snapshot.postings:
        transactions[row["transaction_number"]].append(row)
    booked: Counter[str] = Counter()
    sides: dict[str, set[tuple[str, int]]] = {}
    for transaction_number, rows in transactions.items():
        lines = [(row["account_id"], _signed(row)) for row in rows if row["account_id"]]
        if not lines or sum(amount for _, amount in lines) != 0:
            yield f"{transaction_number} does not balance"
        booked[rows[0]["payment_id"]] += 1
        sides[rows[0]["payment_id"]] = set(lines)
    for payment in snapshot.payments:
        completed = payment["status"] == "COMPLETED"
        if booked.pop(payment["id"], 0) != completed:
            yield f"{payment['id']} is {payment['status']} and not booked accordingly"
        elif completed and sides[payment["id"]] != {
            (payment["payer_wallet_id"], -payment["amount_minor"]),
            (payment["payee_wallet_id"], payment["amount_minor"]),
        }:
            yield f"{payment['id']} is booked with other sides or amounts"
    yield from (f"{item} is booked and no payment" for item in booked)


def _signed(row: Row) -> int:
    amount: int = row["amount_minor"]
    return amount if row["direction"] == _CREDIT else -amount


def _accounts(snapshot: Snapshot) -> Iterator[str]:
    """Wallet balances and ledger accounts agree."""
    accounts = {row["id"]: row["balance_minor"] for row in snapshot.accounts}
    for wallet in snapshot.wallets:
        if wallet["balance_minor"] != accounts.get(wallet["id"], 0):
            booked = accounts.get(wallet["id"])
            yield f"{wallet['id']} has {wallet['balance_minor']}, ledger {booked}"


def _events(snapshot: Snapshot) -> Iterator[str]:
    """Event numbers are 1, 2, 3 ... over all payments that are somebody's event."""
    numbers = sorted(row["event_number"] for row in snapshot.payments if row["event_number"])
    if numbers != list(range(1, len(numbers) + 1)):
        yield "event numbers have gaps or repeat"
    for row in snapshot.payments:
        if row["status"] != "PENDING" and row["kind"] != "TOP_UP" and not row["event_number"]:
            yield f"{row['id']} ended and nobody was told"


def _letters(snapshot: Snapshot) -> Iterator[str]:
    """I8: no good payment ended in a dead letter."""
    for row in snapshot.dead_letters:
        if row["state"] == "OPEN" or row["payment_id"]:
            yield f"{row['id']} ({row['payment_id'] or row['subject']}): {row['last_error']}"


def _agree(snapshot: Snapshot) -> Iterator[str]:
    """A payment, its transfer, its entries and its posting tell the same story: how it ended, in
    which currency, and under which number each side has it."""
    transfers = {row["payment_id"]: row for row in snapshot.transfers}
    numbers = {(row["payment_id"], row["wallet_id"]): row["number"] for row in snapshot.entries}
    currencies: defaultdict[str, set[str]] = defaultdict(set)
    for row in snapshot.postings:
        currencies[row["payment_id"]].add(row["currency_code"])
    for payment in snapshot.payments:
        transfer = transfers.get(payment["id"])
        if transfer is None or payment["status"] == "PENDING":
            continue  # said by others
        told = (payment["payer_entry_number"] or 0, payment["payee_entry_number"] or 0)
        executed = (transfer["debit_entry_number"], transfer["credit_entry_number"])
        written = tuple(
            numbers.get((payment["id"], payment[side]), 0)
            for side in ("payer_wallet_id", "payee_wallet_id")
        )
        if not told == executed == written:
            yield f"{payment['id']} is told {told}, executed {executed}, written {written}"
        if _FAILURES.get(transfer["failure_code"], "?") != payment["failure_code"]:
            yield f"{payment['id']} failed for {payment['failure_code']}, not {transfer}"
        others = {transfer["currency_code"], *currencies[payment["id"]]}
        if others != {payment["currency_code"]}:
            yield f"{payment['id']} of {payment['currency_code']} is elsewhere of {others}"


def _nothing_rewritten(snapshot: Snapshot) -> Iterator[str]:
    """A terminal status never goes back; transfers, entries and the journal are append-only."""
    yield from snapshot.rewritten


def _journal_rights(snapshot: Snapshot) -> Iterator[str]:
    """I6: no service may change or remove what is in the journal."""
    for row in snapshot.rights:
        if row["table"] in ("journal_batches", "journal_transactions", "postings"):
            yield f"{row['role']} may {row['right']} {row['table']}"


def _no_deadlocks(snapshot: Snapshot) -> Iterator[str]:
    """Everybody locks in one order. A deadlock would be tried again, and so be seen by nobody."""
    yield from (f"{row['n']} deadlocks in {row['database']}" for row in snapshot.deadlocks)


def _statements(snapshot: Snapshot) -> Iterator[str]:
    """What people are shown of their wallets is what is in the books."""
    wallets = {row["id"]: row for row in snapshot.wallets}
    written: defaultdict[str, list[tuple[int, str, int, int]]] = defaultdict(list)
    for row in snapshot.entries:
        line = (row["number"], row["payment_id"], row["amount_minor"], row["balance_after_minor"])
        written[row["wallet_id"]].append(line)
    for shown in snapshot.statements:
        wallet = wallets[shown["id"]]
        if shown["available"] != wallet["balance_minor"] - wallet["held_minor"]:
            yield f"{shown['id']} is shown to have {shown['available']}"
        lines = [
            (line["number"], line["payment_id"], line["amount"], line["balance_after"])
            for line in shown["entries"]
        ]
        if lines != sorted(written[shown["id"]]):
            yield f"{shown['id']} is shown {len(lines)} other entries than it has"


BOOK_CHECKS: dict[str, Callable[[Snapshot], Iterable[str]]] = {
    "I1 sums": _sums,
    "I2 no negative wallet": _negatives,
    "I3 money moves once": _once,
    "I4 everything ends": _ends,
    "I5 issuance pays once": _barcodes,
    "I6 journal": _journal,
    "I7 entry numbers": _numbers,
    "I8 no dead letters": _letters,
    "accounts agree": _accounts,
    "event numbers": _events,
    "books agree": _agree,
    "nothing is rewritten": _nothing_rewritten,
    "I6 journal rights": _journal_rights,
    "statements are right": _statements,
    "no deadlocks": _no_deadlocks,
}


def check_all(snapshot: Snapshot, history: Sequence[Operation]) -> list[Violation]:
    """Every rule that is broken."""
    found: list[Violation] = []
    for name, check in BOOK_CHECKS.items():
        found += [Violation(name, detail) for detail in check(snapshot)]
    for name, history_check in HISTORY_CHECKS.items():
        found += [Violation(name, detail) for detail in history_check(snapshot, history)]
    return found
