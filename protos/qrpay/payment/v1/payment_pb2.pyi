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

class PaymentStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYMENT_STATUS_UNSPECIFIED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_PENDING: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_COMPLETED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_FAILED: _ClassVar[PaymentStatus]
PAYMENT_STATUS_UNSPECIFIED: PaymentStatus
PAYMENT_STATUS_PENDING: PaymentStatus
PAYMENT_STATUS_COMPLETED: PaymentStatus
PAYMENT_STATUS_FAILED: PaymentStatus

class Party(_message.Message):
    __slots__ = ("id", "name")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class Payment(_message.Message):
    __slots__ = ("id", "kind", "status", "failure_code", "payer", "payee", "money", "note", "order_ref", "create_time", "complete_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_CODE_FIELD_NUMBER: _ClassVar[int]
    PAYER_FIELD_NUMBER: _ClassVar[int]
    PAYEE_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ORDER_REF_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: _transfer_kind_pb2.TransferKind
    status: PaymentStatus
    failure_code: _failure_code_pb2.FailureCode
    payer: Party
    payee: Party
    money: _money_pb2.Money
    note: str
    order_ref: str
    create_time: _timestamp_pb2.Timestamp
    complete_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[_Union[_transfer_kind_pb2.TransferKind, str]] = ..., status: _Optional[_Union[PaymentStatus, str]] = ..., failure_code: _Optional[_Union[_failure_code_pb2.FailureCode, str]] = ..., payer: _Optional[_Union[Party, _Mapping]] = ..., payee: _Optional[_Union[Party, _Mapping]] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., note: _Optional[str] = ..., order_ref: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., complete_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PaymentEvent(_message.Message):
    __slots__ = ("number", "payment", "payer_entry_number", "payee_entry_number")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    PAYER_ENTRY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    PAYEE_ENTRY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    payment: Payment
    payer_entry_number: int
    payee_entry_number: int
    def __init__(self, number: _Optional[int] = ..., payment: _Optional[_Union[Payment, _Mapping]] = ..., payer_entry_number: _Optional[int] = ..., payee_entry_number: _Optional[int] = ...) -> None: ...

class BankAccount(_message.Message):
    __slots__ = ("id", "holder", "masked_iban")
    ID_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    MASKED_IBAN_FIELD_NUMBER: _ClassVar[int]
    id: str
    holder: str
    masked_iban: str
    def __init__(self, id: _Optional[str] = ..., holder: _Optional[str] = ..., masked_iban: _Optional[str] = ...) -> None: ...

class PaymentRequest(_message.Message):
    __slots__ = ("caller_id", "request_id", "send", "qr", "barcode", "withdraw", "top_up", "money", "note", "order_ref", "traceparent")
    CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SEND_FIELD_NUMBER: _ClassVar[int]
    QR_FIELD_NUMBER: _ClassVar[int]
    BARCODE_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ORDER_REF_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    caller_id: str
    request_id: str
    send: SendMove
    qr: QrMove
    barcode: BarcodeMove
    withdraw: WithdrawMove
    top_up: TopUpMove
    money: _money_pb2.Money
    note: str
    order_ref: str
    traceparent: str
    def __init__(self, caller_id: _Optional[str] = ..., request_id: _Optional[str] = ..., send: _Optional[_Union[SendMove, _Mapping]] = ..., qr: _Optional[_Union[QrMove, _Mapping]] = ..., barcode: _Optional[_Union[BarcodeMove, _Mapping]] = ..., withdraw: _Optional[_Union[WithdrawMove, _Mapping]] = ..., top_up: _Optional[_Union[TopUpMove, _Mapping]] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., note: _Optional[str] = ..., order_ref: _Optional[str] = ..., traceparent: _Optional[str] = ...) -> None: ...

class SendMove(_message.Message):
    __slots__ = ("recipient",)
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    recipient: str
    def __init__(self, recipient: _Optional[str] = ...) -> None: ...

class QrMove(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class BarcodeMove(_message.Message):
    __slots__ = ("code",)
    CODE_FIELD_NUMBER: _ClassVar[int]
    code: str
    def __init__(self, code: _Optional[str] = ...) -> None: ...

class WithdrawMove(_message.Message):
    __slots__ = ("bank_account_id",)
    BANK_ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    bank_account_id: str
    def __init__(self, bank_account_id: _Optional[str] = ...) -> None: ...

class TopUpMove(_message.Message):
    __slots__ = ("recipient",)
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    recipient: str
    def __init__(self, recipient: _Optional[str] = ...) -> None: ...

class SubmitPaymentsRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[PaymentRequest]
    def __init__(self, items: _Optional[_Iterable[_Union[PaymentRequest, _Mapping]]] = ...) -> None: ...

class SubmitPaymentsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[SubmitPaymentResult]
    def __init__(self, results: _Optional[_Iterable[_Union[SubmitPaymentResult, _Mapping]]] = ...) -> None: ...

class SubmitPaymentResult(_message.Message):
    __slots__ = ("payment", "error", "replayed")
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    payment: Payment
    error: _item_error_pb2.ItemError
    replayed: bool
    def __init__(self, payment: _Optional[_Union[Payment, _Mapping]] = ..., error: _Optional[_Union[_item_error_pb2.ItemError, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class GetPaymentRequest(_message.Message):
    __slots__ = ("payment_id", "viewer_id")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VIEWER_ID_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    viewer_id: str
    def __init__(self, payment_id: _Optional[str] = ..., viewer_id: _Optional[str] = ...) -> None: ...

class GetPaymentResponse(_message.Message):
    __slots__ = ("payment",)
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    payment: Payment
    def __init__(self, payment: _Optional[_Union[Payment, _Mapping]] = ...) -> None: ...

class BatchGetPaymentsRequest(_message.Message):
    __slots__ = ("payment_ids",)
    PAYMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    payment_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, payment_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class BatchGetPaymentsResponse(_message.Message):
    __slots__ = ("payments",)
    PAYMENTS_FIELD_NUMBER: _ClassVar[int]
    payments: _containers.RepeatedCompositeFieldContainer[Payment]
    def __init__(self, payments: _Optional[_Iterable[_Union[Payment, _Mapping]]] = ...) -> None: ...

class ListCompletedPaymentsRequest(_message.Message):
    __slots__ = ("start_time", "page_size", "page_token")
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    start_time: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCompletedPaymentsResponse(_message.Message):
    __slots__ = ("payment_ids", "next_page_token", "end_time")
    PAYMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    payment_ids: _containers.RepeatedScalarFieldContainer[str]
    next_page_token: str
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, payment_ids: _Optional[_Iterable[str]] = ..., next_page_token: _Optional[str] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListPaymentsRequest(_message.Message):
    __slots__ = ("owner_id", "page_size", "page_token", "status", "kind", "start_time", "end_time")
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    owner_id: str
    page_size: int
    page_token: str
    status: PaymentStatus
    kind: _transfer_kind_pb2.TransferKind
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, owner_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., status: _Optional[_Union[PaymentStatus, str]] = ..., kind: _Optional[_Union[_transfer_kind_pb2.TransferKind, str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListPaymentsResponse(_message.Message):
    __slots__ = ("payments", "next_page_token")
    PAYMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    payments: _containers.RepeatedCompositeFieldContainer[Payment]
    next_page_token: str
    def __init__(self, payments: _Optional[_Iterable[_Union[Payment, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListPaymentEventsRequest(_message.Message):
    __slots__ = ("owner_id", "after_number", "page_size")
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_NUMBER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    owner_id: str
    after_number: int
    page_size: int
    def __init__(self, owner_id: _Optional[str] = ..., after_number: _Optional[int] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListPaymentEventsResponse(_message.Message):
    __slots__ = ("events", "more", "head_number")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    HEAD_NUMBER_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[PaymentEvent]
    more: bool
    head_number: int
    def __init__(self, events: _Optional[_Iterable[_Union[PaymentEvent, _Mapping]]] = ..., more: _Optional[bool] = ..., head_number: _Optional[int] = ...) -> None: ...

class CreateBankAccountRequest(_message.Message):
    __slots__ = ("owner_id", "holder", "iban")
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    IBAN_FIELD_NUMBER: _ClassVar[int]
    owner_id: str
    holder: str
    iban: str
    def __init__(self, owner_id: _Optional[str] = ..., holder: _Optional[str] = ..., iban: _Optional[str] = ...) -> None: ...

class CreateBankAccountResponse(_message.Message):
    __slots__ = ("bank_account",)
    BANK_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    bank_account: BankAccount
    def __init__(self, bank_account: _Optional[_Union[BankAccount, _Mapping]] = ...) -> None: ...

class ListBankAccountsRequest(_message.Message):
    __slots__ = ("owner_id",)
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    owner_id: str
    def __init__(self, owner_id: _Optional[str] = ...) -> None: ...

class ListBankAccountsResponse(_message.Message):
    __slots__ = ("bank_accounts",)
    BANK_ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    bank_accounts: _containers.RepeatedCompositeFieldContainer[BankAccount]
    def __init__(self, bank_accounts: _Optional[_Iterable[_Union[BankAccount, _Mapping]]] = ...) -> None: ...

class DigestPaymentsRequest(_message.Message):
    __slots__ = ("ranges", "rows_max")
    RANGES_FIELD_NUMBER: _ClassVar[int]
    ROWS_MAX_FIELD_NUMBER: _ClassVar[int]
    ranges: _containers.RepeatedCompositeFieldContainer[_digest_pb2.IdRange]
    rows_max: int
    def __init__(self, ranges: _Optional[_Iterable[_Union[_digest_pb2.IdRange, _Mapping]]] = ..., rows_max: _Optional[int] = ...) -> None: ...

class DigestPaymentsResponse(_message.Message):
    __slots__ = ("digests",)
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedCompositeFieldContainer[_digest_pb2.RangeDigest]
    def __init__(self, digests: _Optional[_Iterable[_Union[_digest_pb2.RangeDigest, _Mapping]]] = ...) -> None: ...

class PaymentRecord(_message.Message):
    __slots__ = ("payment_id", "kind", "debit_wallet_id", "credit_wallet_id", "money", "status", "failure_code", "create_time", "complete_time", "is_set_aside")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DEBIT_WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_CODE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_TIME_FIELD_NUMBER: _ClassVar[int]
    IS_SET_ASIDE_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    kind: _transfer_kind_pb2.TransferKind
    debit_wallet_id: str
    credit_wallet_id: str
    money: _money_pb2.Money
    status: PaymentStatus
    failure_code: _failure_code_pb2.FailureCode
    create_time: _timestamp_pb2.Timestamp
    complete_time: _timestamp_pb2.Timestamp
    is_set_aside: bool
    def __init__(self, payment_id: _Optional[str] = ..., kind: _Optional[_Union[_transfer_kind_pb2.TransferKind, str]] = ..., debit_wallet_id: _Optional[str] = ..., credit_wallet_id: _Optional[str] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., status: _Optional[_Union[PaymentStatus, str]] = ..., failure_code: _Optional[_Union[_failure_code_pb2.FailureCode, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., complete_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., is_set_aside: _Optional[bool] = ...) -> None: ...

class ListPaymentRecordsRequest(_message.Message):
    __slots__ = ("ranges",)
    RANGES_FIELD_NUMBER: _ClassVar[int]
    ranges: _containers.RepeatedCompositeFieldContainer[_digest_pb2.IdRange]
    def __init__(self, ranges: _Optional[_Iterable[_Union[_digest_pb2.IdRange, _Mapping]]] = ...) -> None: ...

class ListPaymentRecordsResponse(_message.Message):
    __slots__ = ("records", "too_many")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    TOO_MANY_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[PaymentRecord]
    too_many: bool
    def __init__(self, records: _Optional[_Iterable[_Union[PaymentRecord, _Mapping]]] = ..., too_many: _Optional[bool] = ...) -> None: ...

class RepublishPaymentsRequest(_message.Message):
    __slots__ = ("payment_ids",)
    PAYMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    payment_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, payment_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class RepublishPaymentsResponse(_message.Message):
    __slots__ = ("payment_ids",)
    PAYMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    payment_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, payment_ids: _Optional[_Iterable[str]] = ...) -> None: ...
