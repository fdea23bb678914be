import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrpay.payment.v1 import payment_pb2 as _payment_pb2
from qrpay.type.v1 import failure_code_pb2 as _failure_code_pb2
from qrpay.type.v1 import money_pb2 as _money_pb2
from qrpay.type.v1 import transfer_kind_pb2 as _transfer_kind_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

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

class ResultBatch(_message.Message):
    __slots__ = ("batch_id", "results")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    results: _containers.RepeatedCompositeFieldContainer[TransferResult]
    def __init__(self, batch_id: _Optional[str] = ..., results: _Optional[_Iterable[_Union[TransferResult, _Mapping]]] = ...) -> None: ...

class TransferResult(_message.Message):
    __slots__ = ("task", "failure_code", "debit_entry_number", "credit_entry_number", "execute_time")
    TASK_FIELD_NUMBER: _ClassVar[int]
    FAILURE_CODE_FIELD_NUMBER: _ClassVar[int]
    DEBIT_ENTRY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CREDIT_ENTRY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_TIME_FIELD_NUMBER: _ClassVar[int]
    task: TransferTask
    failure_code: _failure_code_pb2.FailureCode
    debit_entry_number: int
    credit_entry_number: int
    execute_time: _timestamp_pb2.Timestamp
    def __init__(self, task: _Optional[_Union[TransferTask, _Mapping]] = ..., failure_code: _Optional[_Union[_failure_code_pb2.FailureCode, str]] = ..., debit_entry_number: _Optional[int] = ..., credit_entry_number: _Optional[int] = ..., execute_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EventBatch(_message.Message):
    __slots__ = ("first_number", "last_number", "events")
    FIRST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    LAST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    first_number: int
    last_number: int
    events: _containers.RepeatedCompositeFieldContainer[_payment_pb2.PaymentEvent]
    def __init__(self, first_number: _Optional[int] = ..., last_number: _Optional[int] = ..., events: _Optional[_Iterable[_Union[_payment_pb2.PaymentEvent, _Mapping]]] = ...) -> None: ...
