import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrpay.ledger.v1 import ledger_pb2 as _ledger_pb2
from qrpay.type.v1 import money_pb2 as _money_pb2
from qrpay.type.v1 import transfer_kind_pb2 as _transfer_kind_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetBalanceRequest(_message.Message):
    __slots__ = ("account_id", "currency_code", "as_of_time")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    currency_code: str
    as_of_time: _timestamp_pb2.Timestamp
    def __init__(self, account_id: _Optional[str] = ..., currency_code: _Optional[str] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetBalanceResponse(_message.Message):
    __slots__ = ("account_id", "account_class", "balance", "transaction_id")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_CLASS_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    account_class: _ledger_pb2.AccountClass
    balance: _money_pb2.Money
    transaction_id: str
    def __init__(self, account_id: _Optional[str] = ..., account_class: _Optional[_Union[_ledger_pb2.AccountClass, str]] = ..., balance: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., transaction_id: _Optional[str] = ...) -> None: ...

class SumBalancesRequest(_message.Message):
    __slots__ = ("as_of_time",)
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    as_of_time: _timestamp_pb2.Timestamp
    def __init__(self, as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BalanceSum(_message.Message):
    __slots__ = ("currency_code", "account_class", "debits_minor", "credits_minor", "balance_minor", "account_count")
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_CLASS_FIELD_NUMBER: _ClassVar[int]
    DEBITS_MINOR_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MINOR_FIELD_NUMBER: _ClassVar[int]
    BALANCE_MINOR_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_COUNT_FIELD_NUMBER: _ClassVar[int]
    currency_code: str
    account_class: _ledger_pb2.AccountClass
    debits_minor: int
    credits_minor: int
    balance_minor: int
    account_count: int
    def __init__(self, currency_code: _Optional[str] = ..., account_class: _Optional[_Union[_ledger_pb2.AccountClass, str]] = ..., debits_minor: _Optional[int] = ..., credits_minor: _Optional[int] = ..., balance_minor: _Optional[int] = ..., account_count: _Optional[int] = ...) -> None: ...

class SumBalancesResponse(_message.Message):
    __slots__ = ("sums", "totals", "balanced", "last_transaction_id")
    SUMS_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    BALANCED_FIELD_NUMBER: _ClassVar[int]
    LAST_TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    sums: _containers.RepeatedCompositeFieldContainer[BalanceSum]
    totals: _containers.RepeatedCompositeFieldContainer[BalanceSum]
    balanced: bool
    last_transaction_id: str
    def __init__(self, sums: _Optional[_Iterable[_Union[BalanceSum, _Mapping]]] = ..., totals: _Optional[_Iterable[_Union[BalanceSum, _Mapping]]] = ..., balanced: _Optional[bool] = ..., last_transaction_id: _Optional[str] = ...) -> None: ...

class StatementPosting(_message.Message):
    __slots__ = ("transaction_id", "line", "direction", "money", "balance_after_minor", "counter_account_ids", "source_id", "payment_id", "kind", "book_kind", "effective_time", "book_time", "description")
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    BALANCE_AFTER_MINOR_FIELD_NUMBER: _ClassVar[int]
    COUNTER_ACCOUNT_IDS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BOOK_KIND_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    BOOK_TIME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    transaction_id: str
    line: int
    direction: _ledger_pb2.Direction
    money: _money_pb2.Money
    balance_after_minor: int
    counter_account_ids: _containers.RepeatedScalarFieldContainer[str]
    source_id: str
    payment_id: str
    kind: _transfer_kind_pb2.TransferKind
    book_kind: _ledger_pb2.BookKind
    effective_time: _timestamp_pb2.Timestamp
    book_time: _timestamp_pb2.Timestamp
    description: str
    def __init__(self, transaction_id: _Optional[str] = ..., line: _Optional[int] = ..., direction: _Optional[_Union[_ledger_pb2.Direction, str]] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., balance_after_minor: _Optional[int] = ..., counter_account_ids: _Optional[_Iterable[str]] = ..., source_id: _Optional[str] = ..., payment_id: _Optional[str] = ..., kind: _Optional[_Union[_transfer_kind_pb2.TransferKind, str]] = ..., book_kind: _Optional[_Union[_ledger_pb2.BookKind, str]] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., book_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., description: _Optional[str] = ...) -> None: ...

class ListPostingsRequest(_message.Message):
    __slots__ = ("account_id", "start_time", "end_time", "page_size", "page_token")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, account_id: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPostingsResponse(_message.Message):
    __slots__ = ("account_id", "account_class", "opening_balance", "closing_balance", "postings", "next_page_token", "last_transaction_id")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_CLASS_FIELD_NUMBER: _ClassVar[int]
    OPENING_BALANCE_FIELD_NUMBER: _ClassVar[int]
    CLOSING_BALANCE_FIELD_NUMBER: _ClassVar[int]
    POSTINGS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LAST_TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    account_class: _ledger_pb2.AccountClass
    opening_balance: _money_pb2.Money
    closing_balance: _money_pb2.Money
    postings: _containers.RepeatedCompositeFieldContainer[StatementPosting]
    next_page_token: str
    last_transaction_id: str
    def __init__(self, account_id: _Optional[str] = ..., account_class: _Optional[_Union[_ledger_pb2.AccountClass, str]] = ..., opening_balance: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., closing_balance: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., postings: _Optional[_Iterable[_Union[StatementPosting, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., last_transaction_id: _Optional[str] = ...) -> None: ...

class SearchTransactionsRequest(_message.Message):
    __slots__ = ("source_id", "account_id", "start_time", "end_time", "currency_code", "min_amount_minor", "max_amount_minor", "kind", "book_kind", "page_size", "page_token")
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    MIN_AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    MAX_AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BOOK_KIND_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    source_id: str
    account_id: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    currency_code: str
    min_amount_minor: int
    max_amount_minor: int
    kind: _transfer_kind_pb2.TransferKind
    book_kind: _ledger_pb2.BookKind
    page_size: int
    page_token: str
    def __init__(self, source_id: _Optional[str] = ..., account_id: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., currency_code: _Optional[str] = ..., min_amount_minor: _Optional[int] = ..., max_amount_minor: _Optional[int] = ..., kind: _Optional[_Union[_transfer_kind_pb2.TransferKind, str]] = ..., book_kind: _Optional[_Union[_ledger_pb2.BookKind, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class SearchTransactionsResponse(_message.Message):
    __slots__ = ("transactions", "next_page_token")
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    transactions: _containers.RepeatedCompositeFieldContainer[_ledger_pb2.Transaction]
    next_page_token: str
    def __init__(self, transactions: _Optional[_Iterable[_Union[_ledger_pb2.Transaction, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
