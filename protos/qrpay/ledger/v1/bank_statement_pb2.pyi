import datetime

from qrpay.type.v1 import money_pb2 as _money_pb2
from qrpay.type.v1 import transfer_kind_pb2 as _transfer_kind_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BankStatementFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BANK_STATEMENT_FORMAT_UNSPECIFIED: _ClassVar[BankStatementFormat]
    BANK_STATEMENT_FORMAT_CAMT_053: _ClassVar[BankStatementFormat]
    BANK_STATEMENT_FORMAT_CSV: _ClassVar[BankStatementFormat]

class BankStatementLineKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BANK_STATEMENT_LINE_KIND_UNSPECIFIED: _ClassVar[BankStatementLineKind]
    BANK_STATEMENT_LINE_KIND_MOVEMENT: _ClassVar[BankStatementLineKind]
    BANK_STATEMENT_LINE_KIND_FEE: _ClassVar[BankStatementLineKind]

class MatchMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MATCH_METHOD_UNSPECIFIED: _ClassVar[MatchMethod]
    MATCH_METHOD_REFERENCE: _ClassVar[MatchMethod]
    MATCH_METHOD_AMOUNT: _ClassVar[MatchMethod]
    MATCH_METHOD_HAND: _ClassVar[MatchMethod]
BANK_STATEMENT_FORMAT_UNSPECIFIED: BankStatementFormat
BANK_STATEMENT_FORMAT_CAMT_053: BankStatementFormat
BANK_STATEMENT_FORMAT_CSV: BankStatementFormat
BANK_STATEMENT_LINE_KIND_UNSPECIFIED: BankStatementLineKind
BANK_STATEMENT_LINE_KIND_MOVEMENT: BankStatementLineKind
BANK_STATEMENT_LINE_KIND_FEE: BankStatementLineKind
MATCH_METHOD_UNSPECIFIED: MatchMethod
MATCH_METHOD_REFERENCE: MatchMethod
MATCH_METHOD_AMOUNT: MatchMethod
MATCH_METHOD_HAND: MatchMethod

class BankStatement(_message.Message):
    __slots__ = ("id", "account", "reference", "currency_code", "start_date", "end_date", "opening_minor", "closing_minor", "line_count", "actor", "import_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    START_DATE_FIELD_NUMBER: _ClassVar[int]
    END_DATE_FIELD_NUMBER: _ClassVar[int]
    OPENING_MINOR_FIELD_NUMBER: _ClassVar[int]
    CLOSING_MINOR_FIELD_NUMBER: _ClassVar[int]
    LINE_COUNT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    IMPORT_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    account: str
    reference: str
    currency_code: str
    start_date: str
    end_date: str
    opening_minor: int
    closing_minor: int
    line_count: int
    actor: str
    import_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., account: _Optional[str] = ..., reference: _Optional[str] = ..., currency_code: _Optional[str] = ..., start_date: _Optional[str] = ..., end_date: _Optional[str] = ..., opening_minor: _Optional[int] = ..., closing_minor: _Optional[int] = ..., line_count: _Optional[int] = ..., actor: _Optional[str] = ..., import_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BankStatementLine(_message.Message):
    __slots__ = ("id", "bank_statement_id", "position", "kind", "money", "booking_date", "value_date", "bank_reference", "counterparty", "texts", "match_method", "payment_id", "match_reason", "transaction_id", "candidate_payment_ids")
    ID_FIELD_NUMBER: _ClassVar[int]
    BANK_STATEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    BOOKING_DATE_FIELD_NUMBER: _ClassVar[int]
    VALUE_DATE_FIELD_NUMBER: _ClassVar[int]
    BANK_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    COUNTERPARTY_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    MATCH_METHOD_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    MATCH_REASON_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_PAYMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    id: str
    bank_statement_id: str
    position: str
    kind: BankStatementLineKind
    money: _money_pb2.Money
    booking_date: str
    value_date: str
    bank_reference: str
    counterparty: str
    texts: str
    match_method: MatchMethod
    payment_id: str
    match_reason: str
    transaction_id: str
    candidate_payment_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., bank_statement_id: _Optional[str] = ..., position: _Optional[str] = ..., kind: _Optional[_Union[BankStatementLineKind, str]] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., booking_date: _Optional[str] = ..., value_date: _Optional[str] = ..., bank_reference: _Optional[str] = ..., counterparty: _Optional[str] = ..., texts: _Optional[str] = ..., match_method: _Optional[_Union[MatchMethod, str]] = ..., payment_id: _Optional[str] = ..., match_reason: _Optional[str] = ..., transaction_id: _Optional[str] = ..., candidate_payment_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class UnmatchedPayment(_message.Message):
    __slots__ = ("payment_id", "kind", "money", "effective_time")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    kind: _transfer_kind_pb2.TransferKind
    money: _money_pb2.Money
    effective_time: _timestamp_pb2.Timestamp
    def __init__(self, payment_id: _Optional[str] = ..., kind: _Optional[_Union[_transfer_kind_pb2.TransferKind, str]] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ImportBankStatementRequest(_message.Message):
    __slots__ = ("content", "format", "account", "currency_code", "reference", "actor")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    format: BankStatementFormat
    account: str
    currency_code: str
    reference: str
    actor: str
    def __init__(self, content: _Optional[bytes] = ..., format: _Optional[_Union[BankStatementFormat, str]] = ..., account: _Optional[str] = ..., currency_code: _Optional[str] = ..., reference: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class ImportBankStatementResponse(_message.Message):
    __slots__ = ("statements",)
    STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    statements: _containers.RepeatedCompositeFieldContainer[ImportedBankStatement]
    def __init__(self, statements: _Optional[_Iterable[_Union[ImportedBankStatement, _Mapping]]] = ...) -> None: ...

class ImportedBankStatement(_message.Message):
    __slots__ = ("statement", "repeated_import", "matched_by_reference", "matched_by_amount", "matched_by_hand", "fees_booked", "unmatched")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    REPEATED_IMPORT_FIELD_NUMBER: _ClassVar[int]
    MATCHED_BY_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    MATCHED_BY_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    MATCHED_BY_HAND_FIELD_NUMBER: _ClassVar[int]
    FEES_BOOKED_FIELD_NUMBER: _ClassVar[int]
    UNMATCHED_FIELD_NUMBER: _ClassVar[int]
    statement: BankStatement
    repeated_import: bool
    matched_by_reference: int
    matched_by_amount: int
    matched_by_hand: int
    fees_booked: int
    unmatched: int
    def __init__(self, statement: _Optional[_Union[BankStatement, _Mapping]] = ..., repeated_import: _Optional[bool] = ..., matched_by_reference: _Optional[int] = ..., matched_by_amount: _Optional[int] = ..., matched_by_hand: _Optional[int] = ..., fees_booked: _Optional[int] = ..., unmatched: _Optional[int] = ...) -> None: ...

class ListBankStatementLinesRequest(_message.Message):
    __slots__ = ("currency_code", "unmatched_only", "page_size", "page_token")
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    UNMATCHED_ONLY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    currency_code: str
    unmatched_only: bool
    page_size: int
    page_token: str
    def __init__(self, currency_code: _Optional[str] = ..., unmatched_only: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListBankStatementLinesResponse(_message.Message):
    __slots__ = ("lines", "next_page_token")
    LINES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[BankStatementLine]
    next_page_token: str
    def __init__(self, lines: _Optional[_Iterable[_Union[BankStatementLine, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListUnmatchedPaymentsRequest(_message.Message):
    __slots__ = ("currency_code", "page_size", "page_token")
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    currency_code: str
    page_size: int
    page_token: str
    def __init__(self, currency_code: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListUnmatchedPaymentsResponse(_message.Message):
    __slots__ = ("payments", "next_page_token")
    PAYMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    payments: _containers.RepeatedCompositeFieldContainer[UnmatchedPayment]
    next_page_token: str
    def __init__(self, payments: _Optional[_Iterable[_Union[UnmatchedPayment, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class MatchBankStatementLineRequest(_message.Message):
    __slots__ = ("line_id", "payment_id", "actor", "reason")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    line_id: str
    payment_id: str
    actor: str
    reason: str
    def __init__(self, line_id: _Optional[str] = ..., payment_id: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class MatchBankStatementLineResponse(_message.Message):
    __slots__ = ("line",)
    LINE_FIELD_NUMBER: _ClassVar[int]
    line: BankStatementLine
    def __init__(self, line: _Optional[_Union[BankStatementLine, _Mapping]] = ...) -> None: ...
