import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrpay.type.v1 import money_pb2 as _money_pb2
from qrpay.type.v1 import transfer_kind_pb2 as _transfer_kind_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Direction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIRECTION_UNSPECIFIED: _ClassVar[Direction]
    DIRECTION_DEBIT: _ClassVar[Direction]
    DIRECTION_CREDIT: _ClassVar[Direction]

class AccountClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCOUNT_CLASS_UNSPECIFIED: _ClassVar[AccountClass]
    ACCOUNT_CLASS_CUSTOMER: _ClassVar[AccountClass]
    ACCOUNT_CLASS_MERCHANT: _ClassVar[AccountClass]
    ACCOUNT_CLASS_BANK_CLEARING: _ClassVar[AccountClass]
    ACCOUNT_CLASS_FEES: _ClassVar[AccountClass]
    ACCOUNT_CLASS_SUSPENSE: _ClassVar[AccountClass]
    ACCOUNT_CLASS_BANK_CHARGES: _ClassVar[AccountClass]

class BookKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BOOK_KIND_UNSPECIFIED: _ClassVar[BookKind]
    BOOK_KIND_REVERSAL: _ClassVar[BookKind]
    BOOK_KIND_CORRECTION: _ClassVar[BookKind]
    BOOK_KIND_BANK_FEE: _ClassVar[BookKind]
DIRECTION_UNSPECIFIED: Direction
DIRECTION_DEBIT: Direction
DIRECTION_CREDIT: Direction
ACCOUNT_CLASS_UNSPECIFIED: AccountClass
ACCOUNT_CLASS_CUSTOMER: AccountClass
ACCOUNT_CLASS_MERCHANT: AccountClass
ACCOUNT_CLASS_BANK_CLEARING: AccountClass
ACCOUNT_CLASS_FEES: AccountClass
ACCOUNT_CLASS_SUSPENSE: AccountClass
ACCOUNT_CLASS_BANK_CHARGES: AccountClass
BOOK_KIND_UNSPECIFIED: BookKind
BOOK_KIND_REVERSAL: BookKind
BOOK_KIND_CORRECTION: BookKind
BOOK_KIND_BANK_FEE: BookKind

class Account(_message.Message):
    __slots__ = ("id", "currency_code", "debits_posted_minor", "credits_posted_minor", "balance_minor", "account_class")
    ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    DEBITS_POSTED_MINOR_FIELD_NUMBER: _ClassVar[int]
    CREDITS_POSTED_MINOR_FIELD_NUMBER: _ClassVar[int]
    BALANCE_MINOR_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_CLASS_FIELD_NUMBER: _ClassVar[int]
    id: str
    currency_code: str
    debits_posted_minor: int
    credits_posted_minor: int
    balance_minor: int
    account_class: AccountClass
    def __init__(self, id: _Optional[str] = ..., currency_code: _Optional[str] = ..., debits_posted_minor: _Optional[int] = ..., credits_posted_minor: _Optional[int] = ..., balance_minor: _Optional[int] = ..., account_class: _Optional[_Union[AccountClass, str]] = ...) -> None: ...

class Posting(_message.Message):
    __slots__ = ("account_id", "direction", "money")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    direction: Direction
    money: _money_pb2.Money
    def __init__(self, account_id: _Optional[str] = ..., direction: _Optional[_Union[Direction, str]] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class Transaction(_message.Message):
    __slots__ = ("id", "payment_id", "kind", "effective_time", "book_time", "postings", "source_id", "book_kind", "reverses", "description")
    ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    BOOK_TIME_FIELD_NUMBER: _ClassVar[int]
    POSTINGS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    BOOK_KIND_FIELD_NUMBER: _ClassVar[int]
    REVERSES_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    id: str
    payment_id: str
    kind: _transfer_kind_pb2.TransferKind
    effective_time: _timestamp_pb2.Timestamp
    book_time: _timestamp_pb2.Timestamp
    postings: _containers.RepeatedCompositeFieldContainer[Posting]
    source_id: str
    book_kind: BookKind
    reverses: str
    description: str
    def __init__(self, id: _Optional[str] = ..., payment_id: _Optional[str] = ..., kind: _Optional[_Union[_transfer_kind_pb2.TransferKind, str]] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., book_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., postings: _Optional[_Iterable[_Union[Posting, _Mapping]]] = ..., source_id: _Optional[str] = ..., book_kind: _Optional[_Union[BookKind, str]] = ..., reverses: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class TrialBalanceLine(_message.Message):
    __slots__ = ("currency_code", "debits_minor", "credits_minor", "account_count")
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    DEBITS_MINOR_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MINOR_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_COUNT_FIELD_NUMBER: _ClassVar[int]
    currency_code: str
    debits_minor: int
    credits_minor: int
    account_count: int
    def __init__(self, currency_code: _Optional[str] = ..., debits_minor: _Optional[int] = ..., credits_minor: _Optional[int] = ..., account_count: _Optional[int] = ...) -> None: ...

class BatchGetAccountsRequest(_message.Message):
    __slots__ = ("account_ids",)
    ACCOUNT_IDS_FIELD_NUMBER: _ClassVar[int]
    account_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, account_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class BatchGetAccountsResponse(_message.Message):
    __slots__ = ("accounts",)
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    accounts: _containers.RepeatedCompositeFieldContainer[Account]
    def __init__(self, accounts: _Optional[_Iterable[_Union[Account, _Mapping]]] = ...) -> None: ...

class ListAccountsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAccountsResponse(_message.Message):
    __slots__ = ("accounts", "next_page_token")
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    accounts: _containers.RepeatedCompositeFieldContainer[Account]
    next_page_token: str
    def __init__(self, accounts: _Optional[_Iterable[_Union[Account, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetTransactionRequest(_message.Message):
    __slots__ = ("payment_id",)
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    def __init__(self, payment_id: _Optional[str] = ...) -> None: ...

class GetTransactionResponse(_message.Message):
    __slots__ = ("transaction",)
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    transaction: Transaction
    def __init__(self, transaction: _Optional[_Union[Transaction, _Mapping]] = ...) -> None: ...

class GetTrialBalanceRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetTrialBalanceResponse(_message.Message):
    __slots__ = ("lines", "balanced")
    LINES_FIELD_NUMBER: _ClassVar[int]
    BALANCED_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[TrialBalanceLine]
    balanced: bool
    def __init__(self, lines: _Optional[_Iterable[_Union[TrialBalanceLine, _Mapping]]] = ..., balanced: _Optional[bool] = ...) -> None: ...

class GetReceiptRequest(_message.Message):
    __slots__ = ("payment_id",)
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    def __init__(self, payment_id: _Optional[str] = ...) -> None: ...

class GetReceiptResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: bytes
    def __init__(self, receipt: _Optional[bytes] = ...) -> None: ...

class ListReceiptKeysRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReceiptKey(_message.Message):
    __slots__ = ("id", "x")
    ID_FIELD_NUMBER: _ClassVar[int]
    X_FIELD_NUMBER: _ClassVar[int]
    id: str
    x: str
    def __init__(self, id: _Optional[str] = ..., x: _Optional[str] = ...) -> None: ...

class ListReceiptKeysResponse(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[ReceiptKey]
    def __init__(self, keys: _Optional[_Iterable[_Union[ReceiptKey, _Mapping]]] = ...) -> None: ...
