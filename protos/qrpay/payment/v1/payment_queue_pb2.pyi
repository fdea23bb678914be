import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrpay.payment.v1 import payment_pb2 as _payment_pb2
from qrpay.type.v1 import failure_code_pb2 as _failure_code_pb2
from qrpay.type.v1 import money_pb2 as _money_pb2
from qrpay.type.v1 import transfer_kind_pb2 as _transfer_kind_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeadLetterReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEAD_LETTER_REASON_UNSPECIFIED: _ClassVar[DeadLetterReason]
    DEAD_LETTER_REASON_MALFORMED: _ClassVar[DeadLetterReason]
    DEAD_LETTER_REASON_EXHAUSTED: _ClassVar[DeadLetterReason]
    DEAD_LETTER_REASON_OVERDUE: _ClassVar[DeadLetterReason]
    DEAD_LETTER_REASON_REFUSED: _ClassVar[DeadLetterReason]
DEAD_LETTER_REASON_UNSPECIFIED: DeadLetterReason
DEAD_LETTER_REASON_MALFORMED: DeadLetterReason
DEAD_LETTER_REASON_EXHAUSTED: DeadLetterReason
DEAD_LETTER_REASON_OVERDUE: DeadLetterReason
DEAD_LETTER_REASON_REFUSED: DeadLetterReason

class TaskBatch(_message.Message):
    __slots__ = ("batch_id", "tasks")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    tasks: _containers.RepeatedCompositeFieldContainer[TransferTask]
    def __init__(self, batch_id: _Optional[str] = ..., tasks: _Optional[_Iterable[_Union[TransferTask, _Mapping]]] = ...) -> None: ...

class TransferTask(_message.Message):
    __slots__ = ("payment_id", "debit_wallet_id", "credit_wallet_id", "money", "kind", "traceparent", "attempt", "accept_time")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    DEBIT_WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_TIME_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    debit_wallet_id: str
    credit_wallet_id: str
    money: _money_pb2.Money
    kind: _transfer_kind_pb2.TransferKind
    traceparent: str
    attempt: int
    accept_time: _timestamp_pb2.Timestamp
    def __init__(self, payment_id: _Optional[str] = ..., debit_wallet_id: _Optional[str] = ..., credit_wallet_id: _Optional[str] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., kind: _Optional[_Union[_transfer_kind_pb2.TransferKind, str]] = ..., traceparent: _Optional[str] = ..., attempt: _Optional[int] = ..., accept_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RetryTask(_message.Message):
    __slots__ = ("task", "delay_milliseconds", "last_error", "first_failure_time", "last_failure_time")
    TASK_FIELD_NUMBER: _ClassVar[int]
    DELAY_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    FIRST_FAILURE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_TIME_FIELD_NUMBER: _ClassVar[int]
    task: TransferTask
    delay_milliseconds: int
    last_error: str
    first_failure_time: _timestamp_pb2.Timestamp
    last_failure_time: _timestamp_pb2.Timestamp
    def __init__(self, task: _Optional[_Union[TransferTask, _Mapping]] = ..., delay_milliseconds: _Optional[int] = ..., last_error: _Optional[str] = ..., first_failure_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_failure_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DeadLetter(_message.Message):
    __slots__ = ("id", "reason", "payment_id", "subject", "payload", "attempts", "first_failure_time", "last_failure_time", "last_error", "consumer")
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    FIRST_FAILURE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    id: str
    reason: DeadLetterReason
    payment_id: str
    subject: str
    payload: bytes
    attempts: int
    first_failure_time: _timestamp_pb2.Timestamp
    last_failure_time: _timestamp_pb2.Timestamp
    last_error: str
    consumer: str
    def __init__(self, id: _Optional[str] = ..., reason: _Optional[_Union[DeadLetterReason, str]] = ..., payment_id: _Optional[str] = ..., subject: _Optional[str] = ..., payload: _Optional[bytes] = ..., attempts: _Optional[int] = ..., first_failure_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_failure_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_error: _Optional[str] = ..., consumer: _Optional[str] = ...) -> None: ...

class ResultBatch(_message.Message):
    __slots__ = ("batch_id", "results")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    results: _containers.RepeatedCompositeFieldContainer[TransferResult]
    def __init__(self, batch_id: _Optional[str] = ..., results: _Optional[_Iterable[_Union[TransferResult, _Mapping]]] = ...) -> None: ...

class TransferResult(_message.Message):
    __slots__ = ("task", "failure_code", "debit_entry_number", "credit_entry_number", "execute_time", "queue_time", "try_time")
    TASK_FIELD_NUMBER: _ClassVar[int]
    FAILURE_CODE_FIELD_NUMBER: _ClassVar[int]
    DEBIT_ENTRY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CREDIT_ENTRY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_TIME_FIELD_NUMBER: _ClassVar[int]
    QUEUE_TIME_FIELD_NUMBER: _ClassVar[int]
    TRY_TIME_FIELD_NUMBER: _ClassVar[int]
    task: TransferTask
    failure_code: _failure_code_pb2.FailureCode
    debit_entry_number: int
    credit_entry_number: int
    execute_time: _timestamp_pb2.Timestamp
    queue_time: _timestamp_pb2.Timestamp
    try_time: _timestamp_pb2.Timestamp
    def __init__(self, task: _Optional[_Union[TransferTask, _Mapping]] = ..., failure_code: _Optional[_Union[_failure_code_pb2.FailureCode, str]] = ..., debit_entry_number: _Optional[int] = ..., credit_entry_number: _Optional[int] = ..., execute_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., queue_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., try_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EventBatch(_message.Message):
    __slots__ = ("first_number", "last_number", "events")
    FIRST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    LAST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    first_number: int
    last_number: int
    events: _containers.RepeatedCompositeFieldContainer[_payment_pb2.PaymentEvent]
    def __init__(self, first_number: _Optional[int] = ..., last_number: _Optional[int] = ..., events: _Optional[_Iterable[_Union[_payment_pb2.PaymentEvent, _Mapping]]] = ...) -> None: ...
