"""The rows of a group in every table, as lines of COPY's text format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from bench.history.story import Group
from qrpay.type.v1 import transfer_kind_pb2

KIND_NUMBERS = {
    name.removeprefix("TRANSFER_KIND_"): number
    for name, number in transfer_kind_pb2.TransferKind.items()
}
_NULL = "\\N"
_SWEPT_AFTER = timedelta(seconds=10)
"""The default of `sweep_after_seconds`."""


class Table(NamedTuple):
    """A table and how a group is told in it."""

    name: str
    columns: str
    rows: Callable[[Group], list[str]]


def copy_data(table: Table, groups: Sequence[Group]) -> bytes:
    """What COPY takes for these groups."""
    return "".join([row for group in groups for row in table.rows(group)]).encode()


def escape(text: str) -> str:
    """A text of somebody's own choosing, in COPY's text format."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def payment_rows(group: Group) -> list[str]:
    """payments: accepted, executed, completed."""
    create_time, complete_time = group.create_time.isoformat(), group.complete_time.isoformat()
    execute_time = group.execute_time.isoformat()
    sweep_time = (group.create_time + _SWEPT_AFTER).isoformat()
    return [
        f"{line.payment_id}\t{order.caller_id}\t{escape(order.request_id)}"
        f"\t\\\\x{order.fingerprint.hex()}\t{order.kind}\tCOMPLETED"
        f"\t{payer.owner_id}\t{escape(payer.name)}\t{payer.wallet_id}"
        f"\t{payee.owner_id}\t{escape(payee.name)}\t{payee.wallet_id}"
        f"\t{order.amount_minor}\t{order.currency_code}\t{escape(order.note)}"
        f"\t{escape(order.order_ref)}\t\t{create_time}\t{sweep_time}\t{complete_time}"
        f"\t{line.event_number or _NULL}\t{line.debit_entry_number}"
        f"\t{line.credit_entry_number}\t{create_time}\t{create_time}\t1\t{execute_time}\n"
        for line in group.lines
        for order in (line.order,)
        for payer, payee in ((order.payer, order.payee),)
    ]


def end_rows(group: Group) -> list[str]:
    """payment_ends: the list of what was completed."""
    complete_time = group.complete_time.isoformat()
    return [
        f"{line.payment_id}\t{complete_time}\tCOMPLETED\t{line.order.payer.owner_id}"
        f"\t{line.order.payee.owner_id}\t{line.event_number or _NULL}\n"
        for line in group.lines
    ]


def transfer_rows(group: Group) -> list[str]:
    """transfers: executed, none refused."""
    execute_time = group.execute_time.isoformat()
    return [
        f"{line.payment_id}\t{order.payer.wallet_id}\t{order.payee.wallet_id}"
        f"\t{order.amount_minor}\t{order.currency_code}\t{KIND_NUMBERS[order.kind]}\t0"
        f"\t{line.debit_entry_number}\t{line.credit_entry_number}\t{execute_time}\n"
        for line in group.lines
        for order in (line.order,)
    ]


def entry_rows(group: Group) -> list[str]:
    """entries: two for each transfer."""
    execute_time = group.execute_time.isoformat()
    rows = []
    for line in group.lines:
        order = line.order
        payer, payee = order.payer.wallet_id, order.payee.wallet_id
        kind = KIND_NUMBERS[order.kind]
        rows.append(
            f"{payer}\t{line.debit_entry_number}\t{line.payment_id}\t-{order.amount_minor}"
            f"\t{line.debit_balance_after_minor}\t{payee}\t{kind}\t{execute_time}\n"
            f"{payee}\t{line.credit_entry_number}\t{line.payment_id}\t{order.amount_minor}"
            f"\t{line.credit_balance_after_minor}\t{payer}\t{kind}\t{execute_time}\n"
        )
    return rows


PAYMENTS = Table(
    "payments",
    "id, caller_id, request_id, fingerprint, kind, status, payer_id, payer_name, payer_wallet_id,"
    " payee_id, payee_name, payee_wallet_id, amount_minor, currency_code, note, order_ref,"
    " traceparent, create_time, sweep_time, complete_time, event_number, payer_entry_number,"
    " payee_entry_number, queue_time, try_time, attempt, result_time",
    payment_rows,
)
PAYMENT_ENDS = Table(
    "payment_ends",
    "payment_id, complete_time, status, payer_id, payee_id, event_number",
    end_rows,
)
TRANSFERS = Table(
    "transfers",
    "payment_id, debit_wallet_id, credit_wallet_id, amount_minor, currency_code, kind,"
    " failure_code, debit_entry_number, credit_entry_number, execute_time",
    transfer_rows,
)
ENTRIES = Table(
    "entries",
    "wallet_id, number, payment_id, amount_minor, balance_after_minor, counterparty_wallet_id,"
    " kind, create_time",
    entry_rows,
)
