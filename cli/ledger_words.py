"""Words for what the book numbers: classes of accounts, sides, kinds; and amounts."""

from __future__ import annotations

import sys

from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table

from chassis.money import CURRENCIES, Money
from qrpay.ledger.v1 import ledger_pb2
from qrpay.payment.v1 import payment_pb2
from qrpay.type.v1 import money_pb2, transfer_kind_pb2

_DEBIT_CLASSES = {ledger_pb2.ACCOUNT_CLASS_BANK_CLEARING, ledger_pb2.ACCOUNT_CLASS_BANK_CHARGES}
TRANSFER_KINDS: dict[str, transfer_kind_pb2.TransferKind] = {
    name.removeprefix("TRANSFER_KIND_").replace("_", "-").lower(): number  # type: ignore[misc]
    for name, number in transfer_kind_pb2.TransferKind.items()
    if number
}
"""Kinds of payments, by word."""
BOOK_KINDS: dict[str, ledger_pb2.BookKind] = {
    name.removeprefix("BOOK_KIND_").replace("_", "-").lower(): number  # type: ignore[misc]
    for name, number in ledger_pb2.BookKind.items()
    if number
}
"""Kinds of what no payment caused, by word."""
_CLASS_WORDS = {
    number: name.removeprefix("ACCOUNT_CLASS_").replace("_", " ").lower()
    for name, number in ledger_pb2.AccountClass.items()
    if number
}
_KIND_WORDS = {number: word for word, number in {**TRANSFER_KINDS, **BOOK_KINDS}.items()}


def class_word(account_class: int) -> str:
    """``bank clearing``; ``unknown`` until the ledger has asked whose the wallet is."""
    return _CLASS_WORDS.get(account_class, "unknown")


def normal_side(account_class: int) -> str:
    """The side that raises such an account's balance: ``debit`` or ``credit``."""
    if account_class not in _CLASS_WORDS:
        return "unknown"
    return "debit" if account_class in _DEBIT_CLASSES else "credit"


def kind_word(kind: int, book_kind: int) -> str:
    """``top-up``, ``bank-fee``; of a later release its number."""
    number = kind or book_kind
    return _KIND_WORDS.get(number, str(number))


def status_word(status: payment_pb2.PaymentStatus) -> str:
    """Where a payment is in its life, as the HTTP API writes it."""
    return payment_pb2.PaymentStatus.Name(status).removeprefix("PAYMENT_STATUS_")


def direction_word(direction: int) -> str:
    """``debit`` or ``credit``."""
    return "debit" if direction == ledger_pb2.DIRECTION_DEBIT else "credit"


def amount_text(amount_minor: int, currency_code: str) -> str:
    """``1,234.50 EUR``; in minor units if the currency's decimals are not known."""
    if currency_code not in CURRENCIES:
        return f"{amount_minor:,} {currency_code} (minor units)"
    return str(Money(currency_code, amount_minor))


def money_text(money: money_pb2.Money) -> str:
    """The same of a message."""
    return amount_text(money.amount_minor, money.currency_code)


def time_text(moment: Timestamp) -> str:
    """A time in UTC, to the second: ``2026-03-05 12:00:00``."""
    return moment.ToDatetime().isoformat(" ", "seconds")


def table_of(*headings: str, right: frozenset[str] = frozenset()) -> Table:
    """An empty table; the columns in ``right`` have numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, heading in enumerate(headings):
        table.add_column(
            heading, justify="right" if heading in right else "left", no_wrap=place == 0
        )
    return table


def print_table(table: Table) -> None:
    """Print it, as wide as it needs to be where no person looks."""
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table, highlight=False, markup=False)
