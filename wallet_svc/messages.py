"""Messages of ``qrpay.wallet.v1`` from and to the records of this service.

What comes in is checked here, field by field, and all faults of a message are told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.digests import digest_message
from chassis.errors import FieldViolation, InvalidArgument, ServiceError, to_item_error
from chassis.money import AMOUNT_MINOR_MAX, CURRENCIES
from qrpay.type.v1 import digest_pb2, failure_code_pb2, money_pb2, transfer_kind_pb2
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
from wallet_svc.operations.digests import TransferDigest
from wallet_svc.operations.wallets import EntrySpan, Resolution
from wallet_svc.store.digests import Balance, BalanceSum, EntryFault, Move
from wallet_svc.store.wallets import Reference

_MOVES_DEFAULT, _MOVES_MAX = 1_000, 10_000
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


def span_of(message: wallet_pb2.GetEntrySpanRequest) -> tuple[datetime, datetime]:
    """The first moment of the span, and the first one after it. Raises ``InvalidArgument``."""
    start, end = _time_of(message.start_time), _time_of(message.end_time)
    refuse(
        [
            ("currency_code", owner_rules.currency_fault(message.currency_code)),
            ("start_time", "must be a time" if start is None else None),
            ("end_time", "must be a time" if end is None else None),
        ]
    )
    assert start is not None
    assert end is not None
    refuse([("end_time", None if start < end else "must be later than start_time")])
    return start, end


def _time_of(timestamp: Timestamp) -> datetime | None:
    try:
        return timestamp.ToDatetime(UTC)
    except (ValueError, OverflowError):
        return None  # beyond what protobuf allows (years 1 to 9999)


def as_of_time_of(
    message: wallet_pb2.DigestBalancesRequest | wallet_pb2.ListBalanceRecordsRequest,
) -> datetime:
    """The moment asked about. Raises ``InvalidArgument``."""
    try:
        if message.HasField("as_of_time"):
            return message.as_of_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidArgument([("as_of_time", "must be a time")])


def move_count_of(message: wallet_pb2.ListNewestMovesRequest) -> int:
    """How many moves are to be listed. Raises ``InvalidArgument``."""
    if message.count_max < 0:
        raise InvalidArgument([("count_max", "must not be negative")])
    return min(message.count_max, _MOVES_MAX) or _MOVES_DEFAULT


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


def entry_span_response(span: EntrySpan) -> wallet_pb2.GetEntrySpanResponse:
    """A span of entries, for the wire."""
    return wallet_pb2.GetEntrySpanResponse(
        owner=owner_message(span.owner),
        wallet_id=span.wallet_id,
        after_number=span.before.number,
        last_number=span.last.number,
        opening_balance_minor=span.before.balance_minor,
        closing_balance_minor=span.last.balance_minor,
    )


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


def transfer_digest(digest: TransferDigest | None) -> digest_pb2.RangeDigest:
    """What a range of transfers adds up to, for the wire; None: too many."""
    if digest is None:
        return digest_pb2.RangeDigest(too_many=True)
    message = digest_pb2.RangeDigest(fault_count=digest.fault_count)
    for item in digest.sums:
        (message.refused if item.is_refused else message.moved).append(
            digest_message(item.currency_code, item.row_count, item.amount_minor, item.hash)
        )
    return message


def balance_digest(sums: list[BalanceSum] | None) -> digest_pb2.RangeDigest:
    """What a range of balances adds up to, for the wire; None: too many."""
    if sums is None:
        return digest_pb2.RangeDigest(too_many=True)
    return digest_pb2.RangeDigest(
        moved=[
            digest_message(item.currency_code, item.row_count, item.balance_minor, item.hash)
            for item in sums
            if item.row_count
        ],
        fault_count=sum(item.fault_count for item in sums),
    )


def fault_message(fault: EntryFault) -> wallet_pb2.EntryFault:
    """An entry that does not fit, for the wire."""
    return wallet_pb2.EntryFault(**fault._asdict())


def balance_message(balance: Balance) -> wallet_pb2.BalanceRecord:
    """What a wallet had at a moment, for the wire."""
    return wallet_pb2.BalanceRecord(
        wallet_id=balance.wallet_id,
        money=money_pb2.Money(
            currency_code=balance.currency_code, amount_minor=balance.as_of_minor
        ),
        is_system=balance.is_system,
        balance_minor=balance.balance_minor,
        last_entry_number=balance.last_entry_number,
        entry_number=balance.entry_number,
        entry_balance_minor=balance.entry_balance_minor,
    )


def newest_moves_response(
    moves: Sequence[Move], *, count_max: int
) -> wallet_pb2.ListNewestMovesResponse:
    """What moved a wallet last, for the wire; one more than ``count_max`` says that there are
    others."""
    return wallet_pb2.ListNewestMovesResponse(
        moves=[
            wallet_pb2.Move(payment_id=move.payment_id, amount_minor=move.amount_minor)
            for move in moves[:count_max]
        ],
        balance_minor=moves[0].balance_after_minor if moves else 0,
        is_complete=len(moves) <= count_max,
    )


def _fill_timestamp(message: Timestamp, time: datetime) -> None:
    # Timestamp.FromDatetime takes several microseconds.
    since = time - _EPOCH
    message.seconds = since.days * 86_400 + since.seconds
    message.nanos = since.microseconds * 1_000
