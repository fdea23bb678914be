import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrpay.payment.v1 import payment_pb2 as _payment_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TimelineStepKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIMELINE_STEP_KIND_UNSPECIFIED: _ClassVar[TimelineStepKind]
    TIMELINE_STEP_KIND_ACCEPTED: _ClassVar[TimelineStepKind]
    TIMELINE_STEP_KIND_QUEUED: _ClassVar[TimelineStepKind]
    TIMELINE_STEP_KIND_TRIED: _ClassVar[TimelineStepKind]
    TIMELINE_STEP_KIND_RESTED: _ClassVar[TimelineStepKind]
    TIMELINE_STEP_KIND_EXECUTED: _ClassVar[TimelineStepKind]
    TIMELINE_STEP_KIND_REPORTED: _ClassVar[TimelineStepKind]
    TIMELINE_STEP_KIND_TOLD: _ClassVar[TimelineStepKind]
    TIMELINE_STEP_KIND_SWEPT: _ClassVar[TimelineStepKind]
    TIMELINE_STEP_KIND_DEAD_LETTERED: _ClassVar[TimelineStepKind]
    TIMELINE_STEP_KIND_REDRIVEN: _ClassVar[TimelineStepKind]
    TIMELINE_STEP_KIND_DISCARDED: _ClassVar[TimelineStepKind]
    TIMELINE_STEP_KIND_DISCARD_REFUSED: _ClassVar[TimelineStepKind]
    TIMELINE_STEP_KIND_SETTLED: _ClassVar[TimelineStepKind]
TIMELINE_STEP_KIND_UNSPECIFIED: TimelineStepKind
TIMELINE_STEP_KIND_ACCEPTED: TimelineStepKind
TIMELINE_STEP_KIND_QUEUED: TimelineStepKind
TIMELINE_STEP_KIND_TRIED: TimelineStepKind
TIMELINE_STEP_KIND_RESTED: TimelineStepKind
TIMELINE_STEP_KIND_EXECUTED: TimelineStepKind
TIMELINE_STEP_KIND_REPORTED: TimelineStepKind
TIMELINE_STEP_KIND_TOLD: TimelineStepKind
TIMELINE_STEP_KIND_SWEPT: TimelineStepKind
TIMELINE_STEP_KIND_DEAD_LETTERED: TimelineStepKind
TIMELINE_STEP_KIND_REDRIVEN: TimelineStepKind
TIMELINE_STEP_KIND_DISCARDED: TimelineStepKind
TIMELINE_STEP_KIND_DISCARD_REFUSED: TimelineStepKind
TIMELINE_STEP_KIND_SETTLED: TimelineStepKind

class TimelineStep(_message.Message):
    __slots__ = ("kind", "start_time", "end_time", "attempt", "reason", "actor", "why")
    KIND_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    kind: TimelineStepKind
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    attempt: int
    reason: str
    actor: str
    why: str
    def __init__(self, kind: _Optional[_Union[TimelineStepKind, str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attempt: _Optional[int] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...

class GetTimelineRequest(_message.Message):
    __slots__ = ("payment_id", "viewer_id")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VIEWER_ID_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    viewer_id: str
    def __init__(self, payment_id: _Optional[str] = ..., viewer_id: _Optional[str] = ...) -> None: ...

class GetTimelineResponse(_message.Message):
    __slots__ = ("payment", "steps", "wallet_silent", "event_number")
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    WALLET_SILENT_FIELD_NUMBER: _ClassVar[int]
    EVENT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    payment: _payment_pb2.Payment
    steps: _containers.RepeatedCompositeFieldContainer[TimelineStep]
    wallet_silent: bool
    event_number: int
    def __init__(self, payment: _Optional[_Union[_payment_pb2.Payment, _Mapping]] = ..., steps: _Optional[_Iterable[_Union[TimelineStep, _Mapping]]] = ..., wallet_silent: _Optional[bool] = ..., event_number: _Optional[int] = ...) -> None: ...
