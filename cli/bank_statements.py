"""`qrpay bank-statement`: what the bank says, beside what the book says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from chassis.channel import call
from chassis.money import Money
from cli.mesh import Mesh, run_with_mesh
from cli.options import actor_option, data_option, echo_json, json_option
from qrpay.ledger.v1 import bank_statement_pb2 as pb
from qrpay.type.v1 import money_pb2

_CALL_SECONDS = 5.0
_IMPORT_SECONDS = 60.0
_PAGE_SIZE = 200
_BYTES_MAX = 3 * 1024 * 1024
_METHODS = {
    pb.MATCH_METHOD_REFERENCE: "reference",
    pb.MATCH_METHOD_AMOUNT: "amount",
    pb.MATCH_METHOD_HAND: "hand",
}

_currency_option: Callable[[Any], Any] = click.option(
    "--currency", "currency_code", required=True, help="ISO 4217 code, such as EUR."
)


@click.group()
def command() -> None:
    """Compare the bank's statements with the book.

    `import` reads a file, books the bank's fees and matches lines to withdrawals and top-ups;
    `unmatched` shows what is left over on either side; `match` decides by hand.
    """


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@data_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["camt.053", "csv"]),
    help="How it is written; csv if the file is called so, else camt.053.",
)
@click.option("--account", default="", help="The IBAN. camt.053: refuse a file of another one.")
@click.option("--currency", "currency_code", default="", help="camt.053: refuse another one.")
@click.option("--reference", default="", help="CSV: the statement's id.  [default: the file name]")
@actor_option
@json_option
def import_command(
    file: Path,
    data: Path,
    form: str | None,
    account: str,
    currency_code: str,
    reference: str,
    actor: str,
    as_json: bool,
) -> None:
    """Import a statement of the bank. The same file again imports nothing, and matches anew."""
    is_csv = (form or ("csv" if file.suffix.lower() == ".csv" else "")) == "csv"
    if is_csv and not (account and currency_code):
        raise click.UsageError("A CSV file needs --account and --currency.")
    if file.stat().st_size > _BYTES_MAX:
        raise click.UsageError(f"The file has more than {_BYTES_MAX} bytes.")
    request = pb.ImportBankStatementRequest(
        content=file.read_bytes(),
        format=pb.BANK_STATEMENT_FORMAT_CSV if is_csv else pb.BANK_STATEMENT_FORMAT_CAMT_053,
        account=account,
        currency_code=currency_code,
        reference=(reference or file.stem) if is_csv else reference,
        actor=actor,
    )
    answer = run_with_mesh(
        data,
        lambda mesh: call(
            mesh.bank_statements.ImportBankStatement, request, timeout_seconds=_IMPORT_SECONDS
        ),
    )
    if as_json:
        echo_json([_imported_fields(item) for item in answer.statements])
        return
    for item in answer.statements:
        _print_imported(item)


@command.command("unmatched")
@data_option
@_currency_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True)
@json_option
def unmatched_command(data: Path, currency_code: str, limit: int, as_json: bool) -> None:
    """Show lines without a payment, and payments without a line."""

    async def look(mesh: Mesh) -> tuple[list[pb.BankStatementLine], list[pb.UnmatchedPayment]]:
        return await _lines(mesh, currency_code, limit), await _payments(mesh, currency_code, limit)

    lines, payments = run_with_mesh(data, look)
    if as_json:
        echo_json(
            {
                "lines": [_line_fields(line) for line in lines],
                "payments": [_payment_fields(payment) for payment in payments],
            }
        )
        return
    _print_unmatched(lines, payments)


@command.command("match")
@click.argument("line_id")
@click.argument("payment_id")
@data_option
@actor_option
@click.option("--why", required=True, help="Why, for the record.")
@json_option
def match_command(
    line_id: str, payment_id: str, data: Path, actor: str, why: str, as_json: bool
) -> None:
    """Match a line to a payment by hand, for ever. Their amounts must be equal."""
    request = pb.MatchBankStatementLineRequest(
        line_id=line_id, payment_id=payment_id, actor=actor, reason=why
    )
    answer = run_with_mesh(
        data,
        lambda mesh: call(
            mesh.bank_statements.MatchBankStatementLine, request, timeout_seconds=_CALL_SECONDS
        ),
    )
    if as_json:
        echo_json(_line_fields(answer.line))
    else:
        click.echo(f"Matched {line_id} to {payment_id}.")


async def _lines(mesh: Mesh, currency_code: str, limit: int) -> list[pb.BankStatementLine]:
    found: list[pb.BankStatementLine] = []
    request = pb.ListBankStatementLinesRequest(
        currency_code=currency_code, unmatched_only=True, page_size=min(_PAGE_SIZE, limit)
    )
    while len(found) < limit:
        page = await call(
            mesh.bank_statements.ListBankStatementLines, request, timeout_seconds=_CALL_SECONDS
        )
        found += page.lines
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    return found[:limit]


async def _payments(mesh: Mesh, currency_code: str, limit: int) -> list[pb.UnmatchedPayment]:
    found: list[pb.UnmatchedPayment] = []
    request = pb.ListUnmatchedPaymentsRequest(
        currency_code=currency_code, page_size=min(_PAGE_SIZE, limit)
    )
    while len(found) < limit:
        page = await call(
            mesh.bank_statements.ListUnmatchedPayments, request, timeout_seconds=_CALL_SECONDS
        )
        found += page.payments
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    return found[:limit]


def _print_imported(item: pb.ImportedBankStatement) -> None:
    statement = item.statement
    again = " (imported before)" if item.repeated_import else ""
    click.echo(f"Statement {statement.reference} of {statement.account}{again}")
    facts = {
        "days": f"{statement.start_date} to {statement.end_date}",
        "balance": f"{_amount(statement.opening_minor, statement.currency_code)} to "
        f"{_amount(statement.closing_minor, statement.currency_code)}",
        "lines": str(statement.line_count),
        "matched": f"{item.matched_by_reference} by reference, {item.matched_by_amount} by amount, "
        f"{item.matched_by_hand} by hand",
        "fees booked": str(item.fees_booked),
        "unmatched": str(item.unmatched),
    }
    for name, value in facts.items():
        click.echo(f"  {name:<12} {value}")


def _print_unmatched(
    lines: list[pb.BankStatementLine], payments: list[pb.UnmatchedPayment]
) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    if lines:
        table = _table("BANK LINE", "DAY", "AMOUNT", "FROM OR TO", "TEXTS", "COULD BE")
        for line in lines:
            table.add_row(
                line.id,
                line.booking_date,
                _money(line.money),
                line.counterparty,
                line.texts.replace("\n", " "),
                "\n".join(line.candidate_payment_ids) or "-",
            )
        console.print(table, highlight=False, markup=False)
    if payments:
        table = _table("PAYMENT", "DAY", "AMOUNT")
        for payment in payments:
            day = payment.effective_time.ToDatetime().date().isoformat()
            table.add_row(payment.payment_id, day, _money(payment.money))
        console.print(table, highlight=False, markup=False)
    click.echo(f"{len(lines)} lines without a payment, {len(payments)} payments without a line.")


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(first, no_wrap=True, min_width=30)
    for heading in others:
        table.add_column(heading, justify="right" if heading == "AMOUNT" else "left")
    return table


def _imported_fields(item: pb.ImportedBankStatement) -> dict[str, Any]:
    statement = item.statement
    return {
        "id": statement.id,
        "account": statement.account,
        "reference": statement.reference,
        "currency": statement.currency_code,
        "start_date": statement.start_date,
        "end_date": statement.end_date,
        "opening": statement.opening_minor,
        "closing": statement.closing_minor,
        "lines": statement.line_count,
        "repeated": item.repeated_import,
        "matched_by_reference": item.matched_by_reference,
        "matched_by_amount": item.matched_by_amount,
        "matched_by_hand": item.matched_by_hand,
        "fees_booked": item.fees_booked,
        "unmatched": item.unmatched,
    }


def _line_fields(line: pb.BankStatementLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "statement": line.bank_statement_id,
        "position": line.position,
        "amount": line.money.amount_minor,
        "currency": line.money.currency_code,
        "booking_date": line.booking_date,
        "bank_reference": line.bank_reference or None,
        "counterparty": line.counterparty or None,
        "texts": line.texts or None,
        "matched_by": _METHODS.get(line.match_method),
        "payment_id": line.payment_id or None,
        "candidates": list(line.candidate_payment_ids),
    }


def _payment_fields(payment: pb.UnmatchedPayment) -> dict[str, Any]:
    return {
        "payment_id": payment.payment_id,
        "amount": payment.money.amount_minor,
        "currency": payment.money.currency_code,
        "at": payment.effective_time.ToJsonString(),
    }


def _money(money: money_pb2.Money) -> str:
    return _amount(money.amount_minor, money.currency_code)


def _amount(amount_minor: int, currency_code: str) -> str:
    return str(Money(currency_code, amount_minor))
