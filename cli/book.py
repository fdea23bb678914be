"""`qrpay ledger accounts`, `balance`, `trial-balance`, `search`: reading the book."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from chassis.channel import call
from cli import ledger_words as words
from cli.mesh import Mesh, run_with_mesh
from cli.options import Moment, data_option, echo_json, json_option
from qrpay.ledger.v1 import book_pb2 as pb
from qrpay.ledger.v1 import ledger_pb2
from qrpay.type.v1 import transfer_kind_pb2

_CALL_SECONDS = 5.0
_SUM_SECONDS = 60.0
_ACCOUNTS_PAGE_SIZE, _SEARCH_PAGE_SIZE = 500, 200
_AMOUNT_MINOR_MAX = 2**63 - 1
_AMOUNT = click.IntRange(1, _AMOUNT_MINOR_MAX)
_NUMBERS = frozenset({"BALANCE", "ACCOUNTS", "DEBITS", "CREDITS", "AMOUNT"})

_at_option = click.option(
    "--at",
    "as_of_time",
    type=Moment(),
    help="As of this moment, inclusive: a time, or how long ago (15m, 7d).  [default: now]",
)


@click.command()
@data_option
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=200, show_default=True)
@json_option
def accounts(data: Path, limit: int, as_json: bool) -> None:
    """List the accounts of the book, by id.

    A balance is credits less debits: what we owe is positive, and money at the bank negative.
    """
    found = run_with_mesh(data, lambda mesh: _accounts(mesh, limit))
    if as_json:
        echo_json([_account_fields(account) for account in found])
        return
    table = words.table_of("ACCOUNT", "CLASS", "NORMAL SIDE", "BALANCE", right=_NUMBERS)
    for account in found:
        table.add_row(
            account.id,
            words.class_word(account.account_class),
            words.normal_side(account.account_class),
            words.amount_text(account.balance_minor, account.currency_code),
        )
    words.print_table(table)


@click.command()
@click.argument("account_id", metavar="ACCOUNT")
@data_option
@_at_option
@json_option
def balance(account_id: str, data: Path, as_of_time: datetime | None, as_json: bool) -> None:
    """Print an account's balance, now or at a moment: credits less debits."""
    request = pb.GetBalanceRequest(account_id=account_id, as_of_time=as_of_time)
    answer = run_with_mesh(
        data, lambda mesh: call(mesh.book.GetBalance, request, timeout_seconds=_CALL_SECONDS)
    )
    if as_json:
        echo_json(
            {
                "account": answer.account_id,
                "class": words.class_word(answer.account_class),
                "at": None if as_of_time is None else as_of_time.isoformat(),
                "balance": answer.balance.amount_minor,
                "currency": answer.balance.currency_code,
                "transaction_id": answer.transaction_id or None,
            }
        )
    else:
        click.echo(words.money_text(answer.balance))


@click.command("trial-balance")
@data_option
@_at_option
@json_option
def trial_balance(data: Path, as_of_time: datetime | None, as_json: bool) -> None:
    """Sum all balances per currency and class, now or at a moment.

    Debits are the debit balances, credits the credit balances. Exit status 1 if they differ in a
    currency.
    """
    request = pb.SumBalancesRequest(as_of_time=as_of_time)
    answer = run_with_mesh(
        data, lambda mesh: call(mesh.book.SumBalances, request, timeout_seconds=_SUM_SECONDS)
    )
    if as_json:
        echo_json(
            {
                "balanced": answer.balanced,
                "at": None if as_of_time is None else as_of_time.isoformat(),
                "transaction_id": answer.last_transaction_id or None,
                "classes": [_sum_fields(item) for item in answer.sums],
                "totals": [_total_fields(item) for item in answer.totals],
            }
        )
    else:
        _print_sums(answer)
    if not answer.balanced:
        click.echo("Debits and credits differ. See: qrpay ledger verify", err=True)
        raise click.exceptions.Exit(1)


@click.command()
@data_option
@click.option("--payment", "source_id", default="", help="A payment, cor_... or bsl_...")
@click.option("--account", "account_id", default="", help="An account with a posting in it.")
@click.option(
    "--from",
    "start_time",
    type=Moment(),
    help="Booked then or later: a time, or how long ago (15m, 7d).",
)
@click.option("--to", "end_time", type=Moment(), help="Booked before.  [default: now]")
@click.option("--amount", type=_AMOUNT, help="Exactly this amount, minor units.")
@click.option("--min", "min_amount", type=_AMOUNT, help="At least this amount, minor units.")
@click.option("--max", "max_amount", type=_AMOUNT, help="At most this amount, minor units.")
@click.option("--currency", "currency_code", default="", help="ISO 4217 code, such as EUR.")
@click.option(
    "--kind",
    type=click.Choice([*words.TRANSFER_KINDS, *words.BOOK_KINDS]),
    help="What moved the money, or what was booked without a payment.",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def search(
    data: Path,
    source_id: str,
    account_id: str,
    start_time: datetime | None,
    end_time: datetime | None,
    amount: int | None,
    min_amount: int | None,
    max_amount: int | None,
    currency_code: str,
    kind: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Find transactions, newest first.

    Without --payment and --account it takes --from, and no more than 31 days. All that is given
    must hold; account, currency and amount of one and the same posting.
    """
    if amount is not None and (min_amount or max_amount):
        raise click.UsageError("Give --amount, or --min and --max.")
    if start_time is not None and end_time is None:
        end_time = datetime.now(UTC)
    request = pb.SearchTransactionsRequest(
        source_id=source_id,
        account_id=account_id,
        start_time=start_time,
        end_time=end_time,
        currency_code=currency_code,
        min_amount_minor=amount or min_amount or 0,
        max_amount_minor=amount or max_amount or 0,
        kind=words.TRANSFER_KINDS.get(kind or "", transfer_kind_pb2.TRANSFER_KIND_UNSPECIFIED),
        book_kind=words.BOOK_KINDS.get(kind or "", ledger_pb2.BOOK_KIND_UNSPECIFIED),
        page_size=min(limit, _SEARCH_PAGE_SIZE),
    )
    found = run_with_mesh(data, lambda mesh: _search(mesh, request, limit))
    if as_json:
        echo_json([_transaction_fields(item) for item in found])
    elif found:
        _print_transactions(found)
    else:
        click.echo("No transactions.")


async def _accounts(mesh: Mesh, limit: int) -> list[ledger_pb2.Account]:
    request = ledger_pb2.ListAccountsRequest(page_size=min(limit, _ACCOUNTS_PAGE_SIZE))
    found: list[ledger_pb2.Account] = []
    while len(found) < limit:
        page = await call(mesh.ledger.ListAccounts, request, timeout_seconds=_CALL_SECONDS)
        found += page.accounts
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    return found[:limit]


async def _search(
    mesh: Mesh, request: pb.SearchTransactionsRequest, limit: int
) -> list[ledger_pb2.Transaction]:
    found: list[ledger_pb2.Transaction] = []
    while len(found) < limit:
        page = await call(mesh.book.SearchTransactions, request, timeout_seconds=_CALL_SECONDS)
        found += page.transactions
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    return found[:limit]


def _print_sums(answer: pb.SumBalancesResponse) -> None:
    table = words.table_of(
        *("CURRENCY", "CLASS", "ACCOUNTS", "DEBITS", "CREDITS", "BALANCE"), right=_NUMBERS
    )
    for total in answer.totals:
        code = total.currency_code
        parts = [item for item in answer.sums if item.currency_code == code]
        for item in [*parts, total]:
            table.add_row(
                code,
                "all" if item is total else words.class_word(item.account_class),
                f"{item.account_count:,}",
                words.amount_text(item.debits_minor, code),
                words.amount_text(item.credits_minor, code),
                words.amount_text(item.balance_minor, code),
                style="bold" if item is total else "",
            )
    words.print_table(table)


def _print_transactions(found: list[ledger_pb2.Transaction]) -> None:
    table = words.table_of(
        *("TRANSACTION", "BOOKED (UTC)", "KIND", "OF", "DEBIT", "CREDIT", "AMOUNT"), right=_NUMBERS
    )
    for item in found:
        amounts: dict[str, int] = {}
        sides: dict[str, dict[str, None]] = {"debit": {}, "credit": {}}
        for posting in item.postings:
            side = words.direction_word(posting.direction)
            sides[side][posting.account_id] = None
            if side == "debit":
                code = posting.money.currency_code
                amounts[code] = amounts.get(code, 0) + posting.money.amount_minor
        table.add_row(
            item.id,
            words.time_text(item.book_time),
            words.kind_word(item.kind, item.book_kind),
            item.source_id,
            "\n".join(sides["debit"]),
            "\n".join(sides["credit"]),
            "\n".join(words.amount_text(amount, code) for code, amount in amounts.items()),
        )
    words.print_table(table)


def _account_fields(account: ledger_pb2.Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "class": words.class_word(account.account_class),
        "normal_side": words.normal_side(account.account_class),
        "balance": account.balance_minor,
        "currency": account.currency_code,
    }


def _sum_fields(item: pb.BalanceSum) -> dict[str, Any]:
    fields = _total_fields(item)
    return {"class": words.class_word(item.account_class), **fields}


def _total_fields(item: pb.BalanceSum) -> dict[str, Any]:
    return {
        "currency": item.currency_code,
        "accounts": item.account_count,
        "debits": item.debits_minor,
        "credits": item.credits_minor,
        "balance": item.balance_minor,
    }


def _transaction_fields(item: ledger_pb2.Transaction) -> dict[str, Any]:
    return {
        "id": item.id,
        "source_id": item.source_id,
        "payment_id": item.payment_id or None,
        "kind": words.kind_word(item.kind, item.book_kind),
        "effective_at": item.effective_time.ToJsonString(),
        "booked_at": item.book_time.ToJsonString(),
        "reverses": item.reverses or None,
        "description": item.description or None,
        "postings": [
            {
                "account": posting.account_id,
                "direction": words.direction_word(posting.direction),
                "amount": posting.money.amount_minor,
                "currency": posting.money.currency_code,
            }
            for posting in item.postings
        ],
    }


COMMANDS = {
    "accounts": accounts,
    "balance": balance,
    "trial-balance": trial_balance,
    "search": search,
}
"""What `qrpay ledger` reads, by name."""
