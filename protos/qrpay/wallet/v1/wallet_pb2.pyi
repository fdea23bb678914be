import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrpay.type.v1 import digest_pb2 as _digest_pb2
from qrpay.type.v1 import failure_code_pb2 as _failure_code_pb2
from qrpay.type.v1 import item_error_pb2 as _item_error_pb2
from qrpay.type.v1 import money_pb2 as _money_pb2
from qrpay.type.v1 import transfer_kind_pb2 as _transfer_kind_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OwnerKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OWNER_KIND_UNSPECIFIED: _ClassVar[OwnerKind]
    OWNER_KIND_CUSTOMER: _ClassVar[OwnerKind]
    OWNER_KIND_MERCHANT: _ClassVar[OwnerKind]
    OWNER_KIND_OPERATOR: _ClassVar[OwnerKind]
    OWNER_KIND_SYSTEM: _ClassVar[OwnerKind]

class WalletStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WALLET_STATUS_UNSPECIFIED: _ClassVar[WalletStatus]
    WALLET_STATUS_ACTIVE: _ClassVar[WalletStatus]
    WALLET_STATUS_FROZEN: _ClassVar[WalletStatus]
    WALLET_STATUS_CLOSED: _ClassVar[WalletStatus]
OWNER_KIND_UNSPECIFIED: OwnerKind
OWNER_KIND_CUSTOMER: OwnerKind
OWNER_KIND_MERCHANT: OwnerKind
OWNER_KIND_OPERATOR: OwnerKind
OWNER_KIND_SYSTEM: OwnerKind
WALLET_STATUS_UNSPECIFIED: WalletStatus
WALLET_STATUS_ACTIVE: WalletStatus
WALLET_STATUS_FROZEN: WalletStatus
WALLET_STATUS_CLOSED: WalletStatus

class Owner(_message.Message):
    __slots__ = ("id", "kind", "handle", "name", "create_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: OwnerKind
    handle: str
    name: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[_Union[OwnerKind, str]] = ..., handle: _Optional[str] = ..., name: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Wallet(_message.Message):
    __slots__ = ("id", "owner_id", "currency_code", "status", "balance_minor", "held_minor", "last_entry_number")
    ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    BALANCE_MINOR_FIELD_NUMBER: _ClassVar[int]
    HELD_MINOR_FIELD_NUMBER: _ClassVar[int]
    LAST_ENTRY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    id: str
    owner_id: str
    currency_code: str
    status: WalletStatus
    balance_minor: int
    held_minor: int
    last_entry_number: int
    def __init__(self, id: _Optional[str] = ..., owner_id: _Optional[str] = ..., currency_code: _Optional[str] = ..., status: _Optional[_Union[WalletStatus, str]] = ..., balance_minor: _Optional[int] = ..., held_minor: _Optional[int] = ..., last_entry_number: _Optional[int] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("number", "payment_id", "amount_minor", "balance_after_minor", "create_time", "counterparty_id", "counterparty_name", "kind")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    BALANCE_AFTER_MINOR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    COUNTERPARTY_ID_FIELD_NUMBER: _ClassVar[int]
    COUNTERPARTY_NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    number: int
    payment_id: str
    amount_minor: int
    balance_after_minor: int
    create_time: _timestamp_pb2.Timestamp
    counterparty_id: str
    counterparty_name: str
    kind: _transfer_kind_pb2.TransferKind
    def __init__(self, number: _Optional[int] = ..., payment_id: _Optional[str] = ..., amount_minor: _Optional[int] = ..., balance_after_minor: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., counterparty_id: _Optional[str] = ..., counterparty_name: _Optional[str] = ..., kind: _Optional[_Union[_transfer_kind_pb2.TransferKind, str]] = ...) -> None: ...

class CreateOwnerRequest(_message.Message):
    __slots__ = ("request_id", "kind", "handle", "name", "currency_codes")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    kind: OwnerKind
    handle: str
    name: str
    currency_codes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request_id: _Optional[str] = ..., kind: _Optional[_Union[OwnerKind, str]] = ..., handle: _Optional[str] = ..., name: _Optional[str] = ..., currency_codes: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateOwnerResponse(_message.Message):
    __slots__ = ("owner", "wallets")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    WALLETS_FIELD_NUMBER: _ClassVar[int]
    owner: Owner
    wallets: _containers.RepeatedCompositeFieldContainer[Wallet]
    def __init__(self, owner: _Optional[_Union[Owner, _Mapping]] = ..., wallets: _Optional[_Iterable[_Union[Wallet, _Mapping]]] = ...) -> None: ...

class GetOwnerRequest(_message.Message):
    __slots__ = ("owner_id", "handle")
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    owner_id: str
    handle: str
    def __init__(self, owner_id: _Optional[str] = ..., handle: _Optional[str] = ...) -> None: ...

class GetOwnerResponse(_message.Message):
    __slots__ = ("owner",)
    OWNER_FIELD_NUMBER: _ClassVar[int]
    owner: Owner
    def __init__(self, owner: _Optional[_Union[Owner, _Mapping]] = ...) -> None: ...

class OpenWalletRequest(_message.Message):
    __slots__ = ("owner_id", "currency_code")
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    owner_id: str
    currency_code: str
    def __init__(self, owner_id: _Optional[str] = ..., currency_code: _Optional[str] = ...) -> None: ...

class OpenWalletResponse(_message.Message):
    __slots__ = ("wallet",)
    WALLET_FIELD_NUMBER: _ClassVar[int]
    wallet: Wallet
    def __init__(self, wallet: _Optional[_Union[Wallet, _Mapping]] = ...) -> None: ...

class FreezeWalletRequest(_message.Message):
    __slots__ = ("wallet_id",)
    WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    wallet_id: str
    def __init__(self, wallet_id: _Optional[str] = ...) -> None: ...

class FreezeWalletResponse(_message.Message):
    __slots__ = ("wallet",)
    WALLET_FIELD_NUMBER: _ClassVar[int]
    wallet: Wallet
    def __init__(self, wallet: _Optional[_Union[Wallet, _Mapping]] = ...) -> None: ...

class UnfreezeWalletRequest(_message.Message):
    __slots__ = ("wallet_id",)
    WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    wallet_id: str
    def __init__(self, wallet_id: _Optional[str] = ...) -> None: ...

class UnfreezeWalletResponse(_message.Message):
    __slots__ = ("wallet",)
    WALLET_FIELD_NUMBER: _ClassVar[int]
    wallet: Wallet
    def __init__(self, wallet: _Optional[_Union[Wallet, _Mapping]] = ...) -> None: ...

class CloseWalletRequest(_message.Message):
    __slots__ = ("wallet_id",)
    WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    wallet_id: str
    def __init__(self, wallet_id: _Optional[str] = ...) -> None: ...

class CloseWalletResponse(_message.Message):
    __slots__ = ("wallet",)
    WALLET_FIELD_NUMBER: _ClassVar[int]
    wallet: Wallet
    def __init__(self, wallet: _Optional[_Union[Wallet, _Mapping]] = ...) -> None: ...

class ResolveWalletsRequest(_message.Message):
    __slots__ = ("references",)
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    references: _containers.RepeatedCompositeFieldContainer[WalletReference]
    def __init__(self, references: _Optional[_Iterable[_Union[WalletReference, _Mapping]]] = ...) -> None: ...

class WalletReference(_message.Message):
    __slots__ = ("reference", "currency_code")
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    reference: str
    currency_code: str
    def __init__(self, reference: _Optional[str] = ..., currency_code: _Optional[str] = ...) -> None: ...

class ResolveWalletsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ResolvedWallet]
    def __init__(self, results: _Optional[_Iterable[_Union[ResolvedWallet, _Mapping]]] = ...) -> None: ...

class ResolvedWallet(_message.Message):
    __slots__ = ("wallet", "owner", "error")
    WALLET_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    wallet: Wallet
    owner: Owner
    error: _item_error_pb2.ItemError
    def __init__(self, wallet: _Optional[_Union[Wallet, _Mapping]] = ..., owner: _Optional[_Union[Owner, _Mapping]] = ..., error: _Optional[_Union[_item_error_pb2.ItemError, _Mapping]] = ...) -> None: ...

class BatchGetWalletsRequest(_message.Message):
    __slots__ = ("wallet_ids",)
    WALLET_IDS_FIELD_NUMBER: _ClassVar[int]
    wallet_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, wallet_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class BatchGetWalletsResponse(_message.Message):
    __slots__ = ("wallets",)
    WALLETS_FIELD_NUMBER: _ClassVar[int]
    wallets: _containers.RepeatedCompositeFieldContainer[Wallet]
    def __init__(self, wallets: _Optional[_Iterable[_Union[Wallet, _Mapping]]] = ...) -> None: ...

class ListWalletsRequest(_message.Message):
    __slots__ = ("owner_id",)
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    owner_id: str
    def __init__(self, owner_id: _Optional[str] = ...) -> None: ...

class ListWalletsResponse(_message.Message):
    __slots__ = ("wallets",)
    WALLETS_FIELD_NUMBER: _ClassVar[int]
    wallets: _containers.RepeatedCompositeFieldContainer[Wallet]
    def __init__(self, wallets: _Optional[_Iterable[_Union[Wallet, _Mapping]]] = ...) -> None: ...

class ListEntriesRequest(_message.Message):
    __slots__ = ("owner_id", "currency_code", "after_number", "page_size")
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    AFTER_NUMBER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    owner_id: str
    currency_code: str
    after_number: int
    page_size: int
    def __init__(self, owner_id: _Optional[str] = ..., currency_code: _Optional[str] = ..., after_number: _Optional[int] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListEntriesResponse(_message.Message):
    __slots__ = ("entries", "next_after_number")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_AFTER_NUMBER_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    next_after_number: int
    def __init__(self, entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ..., next_after_number: _Optional[int] = ...) -> None: ...

class GetEntrySpanRequest(_message.Message):
    __slots__ = ("owner_id", "currency_code", "start_time", "end_time")
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    owner_id: str
    currency_code: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, owner_id: _Optional[str] = ..., currency_code: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetEntrySpanResponse(_message.Message):
    __slots__ = ("owner", "wallet_id", "after_number", "last_number", "opening_balance_minor", "closing_balance_minor")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_NUMBER_FIELD_NUMBER: _ClassVar[int]
    LAST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    OPENING_BALANCE_MINOR_FIELD_NUMBER: _ClassVar[int]
    CLOSING_BALANCE_MINOR_FIELD_NUMBER: _ClassVar[int]
    owner: Owner
    wallet_id: str
    after_number: int
    last_number: int
    opening_balance_minor: int
    closing_balance_minor: int
    def __init__(self, owner: _Optional[_Union[Owner, _Mapping]] = ..., wallet_id: _Optional[str] = ..., after_number: _Optional[int] = ..., last_number: _Optional[int] = ..., opening_balance_minor: _Optional[int] = ..., closing_balance_minor: _Optional[int] = ...) -> None: ...

class Transfer(_message.Message):
    __slots__ = ("payment_id", "debit_wallet_id", "credit_wallet_id", "money", "kind", "traceparent")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    DEBIT_WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    debit_wallet_id: str
    credit_wallet_id: str
    money: _money_pb2.Money
    kind: _transfer_kind_pb2.TransferKind
    traceparent: str
    def __init__(self, payment_id: _Optional[str] = ..., debit_wallet_id: _Optional[str] = ..., credit_wallet_id: _Optional[str] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., kind: _Optional[_Union[_transfer_kind_pb2.TransferKind, str]] = ..., traceparent: _Optional[str] = ...) -> None: ...

class TransferOutcome(_message.Message):
    __slots__ = ("payment_id", "failure_code", "debit_entry_number", "credit_entry_number", "execute_time")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    FAILURE_CODE_FIELD_NUMBER: _ClassVar[int]
    DEBIT_ENTRY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CREDIT_ENTRY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_TIME_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    failure_code: _failure_code_pb2.FailureCode
    debit_entry_number: int
    credit_entry_number: int
    execute_time: _timestamp_pb2.Timestamp
    def __init__(self, payment_id: _Optional[str] = ..., failure_code: _Optional[_Union[_failure_code_pb2.FailureCode, str]] = ..., debit_entry_number: _Optional[int] = ..., credit_entry_number: _Optional[int] = ..., execute_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ExecuteTransfersRequest(_message.Message):
    __slots__ = ("transfers",)
    TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    transfers: _containers.RepeatedCompositeFieldContainer[Transfer]
    def __init__(self, transfers: _Optional[_Iterable[_Union[Transfer, _Mapping]]] = ...) -> None: ...

class ExecuteTransfersResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ExecuteTransferResult]
    def __init__(self, results: _Optional[_Iterable[_Union[ExecuteTransferResult, _Mapping]]] = ...) -> None: ...

class ExecuteTransferResult(_message.Message):
    __slots__ = ("outcome", "error")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    outcome: TransferOutcome
    error: _item_error_pb2.ItemError
    def __init__(self, outcome: _Optional[_Union[TransferOutcome, _Mapping]] = ..., error: _Optional[_Union[_item_error_pb2.ItemError, _Mapping]] = ...) -> None: ...

class CancelTransfersRequest(_message.Message):
    __slots__ = ("transfers",)
    TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    transfers: _containers.RepeatedCompositeFieldContainer[Transfer]
    def __init__(self, transfers: _Optional[_Iterable[_Union[Transfer, _Mapping]]] = ...) -> None: ...

class CancelTransfersResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ExecuteTransferResult]
    def __init__(self, results: _Optional[_Iterable[_Union[ExecuteTransferResult, _Mapping]]] = ...) -> None: ...

class BatchGetTransfersRequest(_message.Message):
    __slots__ = ("payment_ids",)
    PAYMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    payment_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, payment_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class BatchGetTransfersResponse(_message.Message):
    __slots__ = ("transfers",)
    TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    transfers: _containers.RepeatedCompositeFieldContainer[ExecutedTransfer]
    def __init__(self, transfers: _Optional[_Iterable[_Union[ExecutedTransfer, _Mapping]]] = ...) -> None: ...

class ExecutedTransfer(_message.Message):
    __slots__ = ("transfer", "outcome")
    TRANSFER_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    transfer: Transfer
    outcome: TransferOutcome
    def __init__(self, transfer: _Optional[_Union[Transfer, _Mapping]] = ..., outcome: _Optional[_Union[TransferOutcome, _Mapping]] = ...) -> None: ...

class DigestTransfersRequest(_message.Message):
    __slots__ = ("ranges", "rows_max")
    RANGES_FIELD_NUMBER: _ClassVar[int]
    ROWS_MAX_FIELD_NUMBER: _ClassVar[int]
    ranges: _containers.RepeatedCompositeFieldContainer[_digest_pb2.IdRange]
    rows_max: int
    def __init__(self, ranges: _Optional[_Iterable[_Union[_digest_pb2.IdRange, _Mapping]]] = ..., rows_max: _Optional[int] = ...) -> None: ...

class DigestTransfersResponse(_message.Message):
    __slots__ = ("digests",)
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedCompositeFieldContainer[_digest_pb2.RangeDigest]
    def __init__(self, digests: _Optional[_Iterable[_Union[_digest_pb2.RangeDigest, _Mapping]]] = ...) -> None: ...

class EntryFault(_message.Message):
    __slots__ = ("payment_id", "wallet_id", "number", "is_chain", "expected", "found")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    IS_CHAIN_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    wallet_id: str
    number: int
    is_chain: bool
    expected: str
    found: str
    def __init__(self, payment_id: _Optional[str] = ..., wallet_id: _Optional[str] = ..., number: _Optional[int] = ..., is_chain: _Optional[bool] = ..., expected: _Optional[str] = ..., found: _Optional[str] = ...) -> None: ...

class ListTransferRecordsRequest(_message.Message):
    __slots__ = ("ranges",)
    RANGES_FIELD_NUMBER: _ClassVar[int]
    ranges: _containers.RepeatedCompositeFieldContainer[_digest_pb2.IdRange]
    def __init__(self, ranges: _Optional[_Iterable[_Union[_digest_pb2.IdRange, _Mapping]]] = ...) -> None: ...

class ListTransferRecordsResponse(_message.Message):
    __slots__ = ("transfers", "faults", "too_many")
    TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    TOO_MANY_FIELD_NUMBER: _ClassVar[int]
    transfers: _containers.RepeatedCompositeFieldContainer[ExecutedTransfer]
    faults: _containers.RepeatedCompositeFieldContainer[EntryFault]
    too_many: bool
    def __init__(self, transfers: _Optional[_Iterable[_Union[ExecutedTransfer, _Mapping]]] = ..., faults: _Optional[_Iterable[_Union[EntryFault, _Mapping]]] = ..., too_many: _Optional[bool] = ...) -> None: ...

class DigestBalancesRequest(_message.Message):
    __slots__ = ("ranges", "as_of_time", "rows_max")
    RANGES_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    ROWS_MAX_FIELD_NUMBER: _ClassVar[int]
    ranges: _containers.RepeatedCompositeFieldContainer[_digest_pb2.IdRange]
    as_of_time: _timestamp_pb2.Timestamp
    rows_max: int
    def __init__(self, ranges: _Optional[_Iterable[_Union[_digest_pb2.IdRange, _Mapping]]] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rows_max: _Optional[int] = ...) -> None: ...

class DigestBalancesResponse(_message.Message):
    __slots__ = ("digests",)
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedCompositeFieldContainer[_digest_pb2.RangeDigest]
    def __init__(self, digests: _Optional[_Iterable[_Union[_digest_pb2.RangeDigest, _Mapping]]] = ...) -> None: ...

class BalanceRecord(_message.Message):
    __slots__ = ("wallet_id", "money", "is_system", "balance_minor", "last_entry_number", "entry_number", "entry_balance_minor")
    WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    IS_SYSTEM_FIELD_NUMBER: _ClassVar[int]
    BALANCE_MINOR_FIELD_NUMBER: _ClassVar[int]
    LAST_ENTRY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    ENTRY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    ENTRY_BALANCE_MINOR_FIELD_NUMBER: _ClassVar[int]
    wallet_id: str
    money: _money_pb2.Money
    is_system: bool
    balance_minor: int
    last_entry_number: int
    entry_number: int
    entry_balance_minor: int
    def __init__(self, wallet_id: _Optional[str] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., is_system: _Optional[bool] = ..., balance_minor: _Optional[int] = ..., last_entry_number: _Optional[int] = ..., entry_number: _Optional[int] = ..., entry_balance_minor: _Optional[int] = ...) -> None: ...

class ListBalanceRecordsRequest(_message.Message):
    __slots__ = ("ranges", "as_of_time")
    RANGES_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    ranges: _containers.RepeatedCompositeFieldContainer[_digest_pb2.IdRange]
    as_of_time: _timestamp_pb2.Timestamp
    def __init__(self, ranges: _Optional[_Iterable[_Union[_digest_pb2.IdRange, _Mapping]]] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListBalanceRecordsResponse(_message.Message):
    __slots__ = ("records", "too_many")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    TOO_MANY_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[BalanceRecord]
    too_many: bool
    def __init__(self, records: _Optional[_Iterable[_Union[BalanceRecord, _Mapping]]] = ..., too_many: _Optional[bool] = ...) -> None: ...

class ListNewestMovesRequest(_message.Message):
    __slots__ = ("wallet_id", "count_max")
    WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_MAX_FIELD_NUMBER: _ClassVar[int]
    wallet_id: str
    count_max: int
    def __init__(self, wallet_id: _Optional[str] = ..., count_max: _Optional[int] = ...) -> None: ...

class ListNewestMovesResponse(_message.Message):
    __slots__ = ("moves", "balance_minor", "is_complete")
    MOVES_FIELD_NUMBER: _ClassVar[int]
    BALANCE_MINOR_FIELD_NUMBER: _ClassVar[int]
    IS_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    moves: _containers.RepeatedCompositeFieldContainer[Move]
    balance_minor: int
    is_complete: bool
    def __init__(self, moves: _Optional[_Iterable[_Union[Move, _Mapping]]] = ..., balance_minor: _Optional[int] = ..., is_complete: _Optional[bool] = ...) -> None: ...

class Move(_message.Message):
    __slots__ = ("payment_id", "amount_minor")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    amount_minor: int
    def __init__(self, payment_id: _Optional[str] = ..., amount_minor: _Optional[int] = ...) -> None: ...
