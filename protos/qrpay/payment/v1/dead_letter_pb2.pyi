import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrpay.payment.v1 import payment_pb2 as _payment_pb2
from qrpay.payment.v1 import payment_queue_pb2 as _payment_queue_pb2
from qrpay.type.v1 import item_error_pb2 as _item_error_pb2
from qrpay.wallet.v1 import wallet_pb2 as _wallet_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeadLetterState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEAD_LETTER_STATE_UNSPECIFIED: _ClassVar[DeadLetterState]
    DEAD_LETTER_STATE_OPEN: _ClassVar[DeadLetterState]
    DEAD_LETTER_STATE_REDRIVEN: _ClassVar[DeadLetterState]
    DEAD_LETTER_STATE_DISCARDED: _ClassVar[DeadLetterState]
    DEAD_LETTER_STATE_SETTLED: _ClassVar[DeadLetterState]

class DeadLetterAct(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEAD_LETTER_ACT_UNSPECIFIED: _ClassVar[DeadLetterAct]
    DEAD_LETTER_ACT_FILED: _ClassVar[DeadLetterAct]
    DEAD_LETTER_ACT_REDRIVEN: _ClassVar[DeadLetterAct]
    DEAD_LETTER_ACT_DISCARDED: _ClassVar[DeadLetterAct]
    DEAD_LETTER_ACT_DISCARD_REFUSED: _ClassVar[DeadLetterAct]
    DEAD_LETTER_ACT_SETTLED: _ClassVar[DeadLetterAct]
DEAD_LETTER_STATE_UNSPECIFIED: DeadLetterState
DEAD_LETTER_STATE_OPEN: DeadLetterState
DEAD_LETTER_STATE_REDRIVEN: DeadLetterState
DEAD_LETTER_STATE_DISCARDED: DeadLetterState
DEAD_LETTER_STATE_SETTLED: DeadLetterState
DEAD_LETTER_ACT_UNSPECIFIED: DeadLetterAct
DEAD_LETTER_ACT_FILED: DeadLetterAct
DEAD_LETTER_ACT_REDRIVEN: DeadLetterAct
DEAD_LETTER_ACT_DISCARDED: DeadLetterAct
DEAD_LETTER_ACT_DISCARD_REFUSED: DeadLetterAct
DEAD_LETTER_ACT_SETTLED: DeadLetterAct

class FiledDeadLetter(_message.Message):
    __slots__ = ("letter", "state", "file_time")
    LETTER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FILE_TIME_FIELD_NUMBER: _ClassVar[int]
    letter: _payment_queue_pb2.DeadLetter
    state: DeadLetterState
    file_time: _timestamp_pb2.Timestamp
    def __init__(self, letter: _Optional[_Union[_payment_queue_pb2.DeadLetter, _Mapping]] = ..., state: _Optional[_Union[DeadLetterState, str]] = ..., file_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DeadLetterRecord(_message.Message):
    __slots__ = ("act", "actor", "why", "time")
    ACT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    act: DeadLetterAct
    actor: str
    why: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, act: _Optional[_Union[DeadLetterAct, str]] = ..., actor: _Optional[str] = ..., why: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DeadLetterFilter(_message.Message):
    __slots__ = ("state", "reason", "payment_id", "consumer")
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    state: DeadLetterState
    reason: _payment_queue_pb2.DeadLetterReason
    payment_id: str
    consumer: str
    def __init__(self, state: _Optional[_Union[DeadLetterState, str]] = ..., reason: _Optional[_Union[_payment_queue_pb2.DeadLetterReason, str]] = ..., payment_id: _Optional[str] = ..., consumer: _Optional[str] = ...) -> None: ...

class ListDeadLettersRequest(_message.Message):
    __slots__ = ("filter", "page_size", "page_token")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: DeadLetterFilter
    page_size: int
    page_token: str
    def __init__(self, filter: _Optional[_Union[DeadLetterFilter, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDeadLettersResponse(_message.Message):
    __slots__ = ("letters", "next_page_token")
    LETTERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    letters: _containers.RepeatedCompositeFieldContainer[FiledDeadLetter]
    next_page_token: str
    def __init__(self, letters: _Optional[_Iterable[_Union[FiledDeadLetter, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetDeadLetterRequest(_message.Message):
    __slots__ = ("dead_letter_id",)
    DEAD_LETTER_ID_FIELD_NUMBER: _ClassVar[int]
    dead_letter_id: str
    def __init__(self, dead_letter_id: _Optional[str] = ...) -> None: ...

class GetDeadLetterResponse(_message.Message):
    __slots__ = ("letter", "records", "payment", "transfer", "event_number")
    LETTER_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_FIELD_NUMBER: _ClassVar[int]
    EVENT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    letter: FiledDeadLetter
    records: _containers.RepeatedCompositeFieldContainer[DeadLetterRecord]
    payment: _payment_pb2.Payment
    transfer: _wallet_pb2.TransferOutcome
    event_number: int
    def __init__(self, letter: _Optional[_Union[FiledDeadLetter, _Mapping]] = ..., records: _Optional[_Iterable[_Union[DeadLetterRecord, _Mapping]]] = ..., payment: _Optional[_Union[_payment_pb2.Payment, _Mapping]] = ..., transfer: _Optional[_Union[_wallet_pb2.TransferOutcome, _Mapping]] = ..., event_number: _Optional[int] = ...) -> None: ...

class RedriveDeadLettersRequest(_message.Message):
    __slots__ = ("dead_letter_ids", "actor", "why")
    DEAD_LETTER_IDS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    dead_letter_ids: _containers.RepeatedScalarFieldContainer[str]
    actor: str
    why: str
    def __init__(self, dead_letter_ids: _Optional[_Iterable[str]] = ..., actor: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...

class RedriveDeadLettersResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[RedriveDeadLetterResult]
    def __init__(self, results: _Optional[_Iterable[_Union[RedriveDeadLetterResult, _Mapping]]] = ...) -> None: ...

class RedriveDeadLetterResult(_message.Message):
    __slots__ = ("letter", "error")
    LETTER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    letter: FiledDeadLetter
    error: _item_error_pb2.ItemError
    def __init__(self, letter: _Optional[_Union[FiledDeadLetter, _Mapping]] = ..., error: _Optional[_Union[_item_error_pb2.ItemError, _Mapping]] = ...) -> None: ...

class DiscardDeadLetterRequest(_message.Message):
    __slots__ = ("dead_letter_id", "actor", "why")
    DEAD_LETTER_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    dead_letter_id: str
    actor: str
    why: str
    def __init__(self, dead_letter_id: _Optional[str] = ..., actor: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...

class DiscardDeadLetterResponse(_message.Message):
    __slots__ = ("letter",)
    LETTER_FIELD_NUMBER: _ClassVar[int]
    letter: FiledDeadLetter
    def __init__(self, letter: _Optional[_Union[FiledDeadLetter, _Mapping]] = ...) -> None: ...
