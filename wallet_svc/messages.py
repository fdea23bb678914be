"""Messages of ``qrpay.wallet.v1`` from and to the records of this service.

What comes in is checked here, field by field, and all faults of a message are told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import FieldViolation, InvalidArgument, ServiceError, to_item_error
from chassis.money import AMOUNT_MINOR_MAX, CURRENCIES
from qrpay.type.v1 import failure_code_pb2, transfer_kind_pb2
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

# Messages are filled in place: building them from keyword arguments takes more than twice as long,
# and a batch makes hundreds.

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def owner_message(owner: Owner) -> wallet_pb2.Owner:
    """An owner, for the wire."""
    message = wallet_pb2.Owner()
    _fill_owner(message, owner)
    return message


def _fill_owner(message: wallet_pb2.Owner, owner: Owner) -> None:
    message.id = owner.id
    message.kind = cast("wallet_pb2.OwnerKind", owner.kind)
    message.handle = owner.handle
    message.name = owner.name
    _fill_timestamp(message.create_time, owner.create_time)


def wallet_message(wallet: Wallet) -> wallet_pb2.Wallet:
    """A wallet, for the wire."""
    message = wallet_pb2.Wallet()
    _fill_wallet(message, wallet)
    return message


def _fill_wallet(message: wallet_pb2.Wallet, wallet: Wallet) -> None:
    message.id = wallet.id
    message.owner_id = wallet.owner_id
    message.currency_code = wallet.currency_code
    message.status = cast("wallet_pb2.WalletStatus", wallet.status)
    message.balance_minor = wallet.balance_minor
    message.held_minor = wallet.held_minor
    message.last_entry_number = wallet.last_entry_number


def entry_message(entry: Entry) -> wallet_pb2.Entry:
    """An entry, for the wire."""
    message = wallet_pb2.Entry()
    message.number = entry.number
    message.payment_id = entry.payment_id
    message.amount_minor = entry.amount_minor
    message.balance_after_minor = entry.balance_after_minor
    _fill_timestamp(message.create_time, entry.create_time)
    message.counterparty_id = entry.counterparty_id
    message.counterparty_name = entry.counterparty_name
    message.kind = cast("transfer_kind_pb2.TransferKind", entry.kind)
    return message


def resolve_response(resolutions: Iterable[Resolution]) -> wallet_pb2.ResolveWalletsResponse:
    """What the references mean, in their order, for the wire."""
    response = wallet_pb2.ResolveWalletsResponse()
    add = response.results.add
    for resolution in resolutions:
        message = add()
        if resolution.wallet is not None:
            _fill_wallet(message.wallet, resolution.wallet)
        if resolution.owner is not None:
            _fill_owner(message.owner, resolution.owner)
        if resolution.error is not None:
            message.error.CopyFrom(to_item_error(resolution.error))
    return response


def fill_results(
    add: Callable[[], wallet_pb2.ExecuteTransferResult],
    answers: Iterable[Outcome | ServiceError],
) -> None:
    """The answers to a batch of transfers, in their order, for the wire: each into what ``add``
    makes."""
    for answer in answers:
        result = add()
        if isinstance(answer, ServiceError):
            result.error.CopyFrom(to_item_error(answer))
            continue
        _fill_outcome(result.outcome, answer)


def _fill_outcome(message: wallet_pb2.TransferOutcome, outcome: Outcome) -> None:
    message.payment_id = outcome.transfer.payment_id
    message.failure_code = cast("failure_code_pb2.FailureCode", outcome.failure_code)
    message.debit_entry_number = outcome.debit_entry_number
    message.credit_entry_number = outcome.credit_entry_number
    _fill_timestamp(message.execute_time, outcome.execute_time)


def executed_transfer_message(outcome: Outcome) -> wallet_pb2.ExecutedTransfer:
    """A transfer and what became of it, for the wire."""
    message = wallet_pb2.ExecutedTransfer()
    transfer, asked = outcome.transfer, message.transfer
    asked.payment_id = transfer.payment_id
    asked.debit_wallet_id = transfer.debit_wallet_id
    asked.credit_wallet_id = transfer.credit_wallet_id
    asked.money.currency_code = transfer.currency_code
    asked.money.amount_minor = transfer.amount_minor
    asked.kind = cast("transfer_kind_pb2.TransferKind", transfer.kind)
    _fill_outcome(message.outcome, outcome)
    return message


def _fill_timestamp(message: Timestamp, time: datetime) -> None:
    # Timestamp.FromDatetime takes several microseconds.
    since = time - _EPOCH
    message.seconds = since.days * 86_400 + since.seconds
    message.nanos = since.microseconds * 1_000
