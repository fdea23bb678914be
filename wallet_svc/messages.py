"""Messages of ``qrpay.wallet.v1`` from and to the records of this service.

What comes in is checked here, field by field, and all faults of a message are told at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import FieldViolation, InvalidArgument, ServiceError, to_item_error
from chassis.money import AMOUNT_MINOR_MAX, CURRENCIES
from qrpay.type.v1 import failure_code_pb2
from qrpay.wallet.v1 import wallet_pb2
from wallet_svc.model import owners as owner_rules
from wallet_svc.model.records import (
    Entry,
    Outcome,
    Owner,
    OwnerKind,
    Transfer,
    TransferKind,
    Wallet,
)
from wallet_svc.operations.wallets import Resolution
from wallet_svc.store.wallets import Reference

_KINDS = {int(kind): kind for kind in TransferKind}


# --- in -------------------------------------------------------------------------------------------


def owner_request_of(message: wallet_pb2.CreateOwnerRequest) -> owner_rules.OwnerRequest:
    """The owner asked for. Raises ``InvalidArgument``."""
    faults = [
        ("request_id", owner_rules.request_id_fault(message.request_id)),
        ("kind", owner_rules.kind_fault(message.kind)),
        ("handle", owner_rules.handle_fault(message.handle)),
        ("name", owner_rules.name_fault(message.name)),
        ("currency_codes", owner_rules.currencies_fault(message.currency_codes, message.kind)),
        *(
            (f"currency_codes[{index}]", owner_rules.currency_fault(code))
            for index, code in enumerate(
                message.currency_codes[: owner_rules.CURRENCIES_PER_OWNER_MAX]
            )
        ),
    ]
    refuse(faults)
    return owner_rules.OwnerRequest(
        request_id=message.request_id,
        kind=OwnerKind(message.kind),
        handle=message.handle,
        name=message.name,
        currency_codes=tuple(sorted(set(message.currency_codes))),
    )


def refuse(faults: Iterable[tuple[str, str | None]]) -> None:
    """Raise ``InvalidArgument`` if any field of these has a fault."""
    violations = [FieldViolation(field, fault) for field, fault in faults if fault is not None]
    if violations:
        raise InvalidArgument(violations)


def transfer_of(message: wallet_pb2.Transfer) -> Transfer | InvalidArgument:
    """The transfer asked for, or what is wrong with it: other items of the batch go on."""
    money = message.money
    transfer = Transfer(
        message.payment_id,
        message.debit_wallet_id,
        message.credit_wallet_id,
        money.amount_minor,
        money.currency_code,
        _KINDS.get(message.kind, TransferKind.SEND),
    )
    # One condition for the usual case; the faults are sought only when there are some.
    if (
        0 < transfer.amount_minor <= AMOUNT_MINOR_MAX
        and transfer.currency_code in CURRENCIES
        and message.kind in _KINDS
        and transfer.debit_wallet_id != transfer.credit_wallet_id
        and owner_rules.is_plausible_id(transfer.payment_id)
        and owner_rules.is_plausible_id(transfer.debit_wallet_id)
        and owner_rules.is_plausible_id(transfer.credit_wallet_id)
    ):
        return transfer
    return InvalidArgument(_transfer_violations(message))


def _transfer_violations(message: wallet_pb2.Transfer) -> list[FieldViolation]:
    money = message.money
    faults = [
        (field, None if owner_rules.is_plausible_id(text) else "must be an id")
        for field, text in (
            ("payment_id", message.payment_id),
            ("debit_wallet_id", message.debit_wallet_id),
            ("credit_wallet_id", message.credit_wallet_id),
        )
    ]
    faults.append(("money.currency_code", owner_rules.currency_fault(money.currency_code)))
    if message.debit_wallet_id == message.credit_wallet_id:
        faults.append(("credit_wallet_id", "must not be the debit wallet"))
    if not 0 < money.amount_minor <= AMOUNT_MINOR_MAX:
        faults.append(("money.amount_minor", f"must be 1 to {AMOUNT_MINOR_MAX}"))
    if message.kind not in _KINDS:
        faults.append(("kind", "must be one of the kinds of transfer"))
    return [FieldViolation(field, fault) for field, fault in faults if fault is not None]


def references_of(messages: Iterable[wallet_pb2.WalletReference]) -> list[Reference]:
    """What is to be resolved. Nothing is refused here: what means nothing is not found."""
    return [Reference(message.reference, message.currency_code) for message in messages]


# --- out ------------------------------------------------------------------------------------------


def owner_message(owner: Owner) -> wallet_pb2.Owner:
    """An owner, for the wire."""
    return wallet_pb2.Owner(
        id=owner.id,
        kind=f"OWNER_KIND_{owner.kind.name}",
        handle=owner.handle,
        name=owner.name,
        create_time=_timestamp(owner.create_time),
    )


def wallet_message(wallet: Wallet) -> wallet_pb2.Wallet:
    """A wallet, for the wire."""
    return wallet_pb2.Wallet(
        id=wallet.id,
        owner_id=wallet.owner_id,
        currency_code=wallet.currency_code,
        status=f"WALLET_STATUS_{wallet.status.name}",
        balance_minor=wallet.balance_minor,
        held_minor=wallet.held_minor,
        last_entry_number=wallet.last_entry_number,
    )


def entry_message(entry: Entry) -> wallet_pb2.Entry:
    """An entry, for the wire."""
    return wallet_pb2.Entry(
        number=entry.number,
        payment_id=entry.payment_id,
        amount_minor=entry.amount_minor,
        balance_after_minor=entry.balance_after_minor,
        create_time=_timestamp(entry.create_time),
        counterparty_id=entry.counterparty_id,
        counterparty_name=entry.counterparty_name,
        kind=f"TRANSFER_KIND_{entry.kind.name}",
    )


def resolution_message(resolution: Resolution) -> wallet_pb2.ResolvedWallet:
    """What a reference means, for the wire."""
    message = wallet_pb2.ResolvedWallet()
    if resolution.wallet is not None:
        message.wallet.CopyFrom(wallet_message(resolution.wallet))
    if resolution.owner is not None:
        message.owner.CopyFrom(owner_message(resolution.owner))
    if resolution.error is not None:
        message.error.CopyFrom(to_item_error(resolution.error))
    return message


def execute_response(
    answers: Iterable[Outcome | ServiceError],
) -> wallet_pb2.ExecuteTransfersResponse:
    """The answers to a batch of transfers, in their order, for the wire."""
    response = wallet_pb2.ExecuteTransfersResponse()
    # Filled in place: building each message from keyword arguments takes more than twice as long.
    add = response.results.add
    timestamps: dict[datetime, Timestamp] = {}
    for answer in answers:
        result = add()
        if isinstance(answer, ServiceError):
            result.error.CopyFrom(to_item_error(answer))
            continue
        timestamp = timestamps.get(answer.execute_time)
        if timestamp is None:
            timestamp = timestamps[answer.execute_time] = _timestamp(answer.execute_time)
        outcome = result.outcome
        outcome.payment_id = answer.transfer.payment_id
        outcome.failure_code = cast("failure_code_pb2.FailureCode", answer.failure_code)
        outcome.debit_entry_number = answer.debit_entry_number
        outcome.credit_entry_number = answer.credit_entry_number
        outcome.execute_time.CopyFrom(timestamp)
    return response


def _timestamp(time: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp
