"""Messages from and to records: what is refused at the door, and that both sides number alike."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import InvalidArgument
from qrpay.type.v1 import failure_code_pb2, transfer_kind_pb2
from qrpay.type.v1.money_pb2 import Money
from qrpay.wallet.v1 import wallet_pb2
from wallet_svc import messages
from wallet_svc.model.records import (
    FailureCode,
    Owner,
    OwnerKind,
    Transfer,
    TransferKind,
    WalletStatus,
)
from wallet_svc.rpc import ALLOWED_CALLERS


@pytest.mark.parametrize(
    ("enum", "wire", "prefix", "left_out"),
    [
        (OwnerKind, wallet_pb2.OwnerKind, "OWNER_KIND_", {0}),
        (WalletStatus, wallet_pb2.WalletStatus, "WALLET_STATUS_", {0}),
        (TransferKind, transfer_kind_pb2.TransferKind, "TRANSFER_KIND_", {0}),
        (FailureCode, failure_code_pb2.FailureCode, "FAILURE_CODE_", {5}),
    ],
)
def test_records_and_contract_number_alike(
    enum: type[IntEnum], wire: EnumTypeWrapper, prefix: str, left_out: set[int]
) -> None:
    """Goal: one number means the same in the database, in the model and on the wire, and a value
    that the contract gains is noticed here."""
    ours = {f"{prefix}{member.name}": int(member) for member in enum}
    if enum is FailureCode:
        ours["FAILURE_CODE_UNSPECIFIED"] = ours.pop("FAILURE_CODE_NONE")
    assert ours == {name: number for name, number in wire.items() if number not in left_out}


def test_only_payments_move_money() -> None:
    """Goal: nobody else slips into the list of those who may execute transfers."""
    assert ALLOWED_CALLERS["ExecuteTransfers"] == {"payment"}
    assert ALLOWED_CALLERS["CancelTransfers"] == {"payment"}


def transfer_message(**changes: Any) -> wallet_pb2.Transfer:
    """A transfer without a fault; keyword arguments replace fields."""
    fields: dict[str, Any] = {
        "payment_id": "pay_1",
        "debit_wallet_id": "wal_a",
        "credit_wallet_id": "wal_b",
        "money": Money(currency_code="USD", amount_minor=10),
        "kind": transfer_kind_pb2.TRANSFER_KIND_SEND,
    }
    return wallet_pb2.Transfer(**{**fields, **changes})


def test_a_transfer_is_read_whole() -> None:
    """Goal: every field arrives where it belongs."""
    assert messages.transfer_of(transfer_message()) == Transfer(
        "pay_1", "wal_a", "wal_b", 10, "USD", TransferKind.SEND
    )


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"payment_id": ""}, ["payment_id"]),
        ({"payment_id": "pay\x00"}, ["payment_id"]),
        ({"payment_id": "p" * 65}, ["payment_id"]),
        ({"debit_wallet_id": "wal a"}, ["debit_wallet_id"]),
        ({"credit_wallet_id": "wäl"}, ["credit_wallet_id"]),
        ({"credit_wallet_id": "wal_a"}, ["credit_wallet_id"]),
        ({"money": Money(currency_code="USD", amount_minor=0)}, ["money.amount_minor"]),
        ({"money": Money(currency_code="USD", amount_minor=-5)}, ["money.amount_minor"]),
        ({"money": Money(currency_code="USD", amount_minor=10**15 + 1)}, ["money.amount_minor"]),
        ({"money": Money(currency_code="usd", amount_minor=5)}, ["money.currency_code"]),
        ({"money": None}, ["money.currency_code", "money.amount_minor"]),
        ({"kind": 0}, ["kind"]),
        ({"kind": 99}, ["kind"]),
        (
            {"payment_id": "", "debit_wallet_id": "", "credit_wallet_id": "", "money": None,
             "kind": 0},
            ["payment_id", "debit_wallet_id", "credit_wallet_id", "money.currency_code",
             "credit_wallet_id", "money.amount_minor", "kind"],
        ),
    ],
)  # fmt: skip
def test_a_malformed_transfer_names_every_bad_field(
    changes: dict[str, Any], fields: list[str]
) -> None:
    """Goal: each rule of a transfer message, and all of them together."""
    error = messages.transfer_of(transfer_message(**changes))

    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == fields


def test_an_owner_request_names_every_bad_field() -> None:
    """Goal: all faults are told at once, the bad currency by its place."""
    with pytest.raises(InvalidArgument) as caught:
        messages.owner_request_of(wallet_pb2.CreateOwnerRequest(currency_codes=["USD", "usd"]))

    assert [violation.field for violation in caught.value.violations] == [
        "request_id",
        "kind",
        "handle",
        "name",
        "currency_codes[1]",
    ]


def test_the_currencies_of_an_owner_request_are_sorted_and_single() -> None:
    """Goal: the order and repetition of currencies do not make another request."""
    message = wallet_pb2.CreateOwnerRequest(
        request_id="k",
        kind="OWNER_KIND_CUSTOMER",
        handle="alice",
        name="Alice",
        currency_codes=["USD", "EUR", "USD"],
    )

    assert messages.owner_request_of(message).currency_codes == ("EUR", "USD")


@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, ZoneInfo("Asia/Kathmandu")]), allow_imaginary=False
    )
)
def test_times_are_the_same_moment_on_the_wire(time: datetime) -> None:
    """Goal: to the microsecond, whatever the zone, also before 1970."""
    message = messages.owner_message(Owner("usr_1", OwnerKind.CUSTOMER, "alice", "Alice", time))

    assert message.create_time.ToDatetime(UTC) == time
