import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrpay.ledger.v1 import ledger_pb2 as _ledger_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CorrectionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CORRECTION_STATE_UNSPECIFIED: _ClassVar[CorrectionState]
    CORRECTION_STATE_PROPOSED: _ClassVar[CorrectionState]
    CORRECTION_STATE_APPROVED: _ClassVar[CorrectionState]
    CORRECTION_STATE_REJECTED: _ClassVar[CorrectionState]
CORRECTION_STATE_UNSPECIFIED: CorrectionState
CORRECTION_STATE_PROPOSED: CorrectionState
CORRECTION_STATE_APPROVED: CorrectionState
CORRECTION_STATE_REJECTED: CorrectionState

class Correction(_message.Message):
    __slots__ = ("id", "state", "proposer", "reason", "effective_time", "reverses", "postings", "propose_time", "decider", "decision_reason", "decide_time", "transaction_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PROPOSER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    REVERSES_FIELD_NUMBER: _ClassVar[int]
    POSTINGS_FIELD_NUMBER: _ClassVar[int]
    PROPOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    DECIDER_FIELD_NUMBER: _ClassVar[int]
    DECISION_REASON_FIELD_NUMBER: _ClassVar[int]
    DECIDE_TIME_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: CorrectionState
    proposer: str
    reason: str
    effective_time: _timestamp_pb2.Timestamp
    reverses: str
    postings: _containers.RepeatedCompositeFieldContainer[_ledger_pb2.Posting]
    propose_time: _timestamp_pb2.Timestamp
    decider: str
    decision_reason: str
    decide_time: _timestamp_pb2.Timestamp
    transaction_id: str
    def __init__(self, id: _Optional[str] = ..., state: _Optional[_Union[CorrectionState, str]] = ..., proposer: _Optional[str] = ..., reason: _Optional[str] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reverses: _Optional[str] = ..., postings: _Optional[_Iterable[_Union[_ledger_pb2.Posting, _Mapping]]] = ..., propose_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decider: _Optional[str] = ..., decision_reason: _Optional[str] = ..., decide_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., transaction_id: _Optional[str] = ...) -> None: ...

class CorrectionWarning(_message.Message):
    __slots__ = ("account_id", "change_minor")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANGE_MINOR_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    change_minor: int
    def __init__(self, account_id: _Optional[str] = ..., change_minor: _Optional[int] = ...) -> None: ...

class ProposeCorrectionRequest(_message.Message):
    __slots__ = ("request_id", "actor", "reason", "effective_time", "reverses", "postings")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    REVERSES_FIELD_NUMBER: _ClassVar[int]
    POSTINGS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    actor: str
    reason: str
    effective_time: _timestamp_pb2.Timestamp
    reverses: str
    postings: _containers.RepeatedCompositeFieldContainer[_ledger_pb2.Posting]
    def __init__(self, request_id: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reverses: _Optional[str] = ..., postings: _Optional[_Iterable[_Union[_ledger_pb2.Posting, _Mapping]]] = ...) -> None: ...

class ProposeCorrectionResponse(_message.Message):
    __slots__ = ("correction", "warnings")
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    correction: Correction
    warnings: _containers.RepeatedCompositeFieldContainer[CorrectionWarning]
    def __init__(self, correction: _Optional[_Union[Correction, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[CorrectionWarning, _Mapping]]] = ...) -> None: ...

class ApproveCorrectionRequest(_message.Message):
    __slots__ = ("correction_id", "actor")
    CORRECTION_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    correction_id: str
    actor: str
    def __init__(self, correction_id: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class ApproveCorrectionResponse(_message.Message):
    __slots__ = ("correction",)
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    correction: Correction
    def __init__(self, correction: _Optional[_Union[Correction, _Mapping]] = ...) -> None: ...

class RejectCorrectionRequest(_message.Message):
    __slots__ = ("correction_id", "actor", "reason")
    CORRECTION_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    correction_id: str
    actor: str
    reason: str
    def __init__(self, correction_id: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RejectCorrectionResponse(_message.Message):
    __slots__ = ("correction",)
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    correction: Correction
    def __init__(self, correction: _Optional[_Union[Correction, _Mapping]] = ...) -> None: ...

class GetCorrectionRequest(_message.Message):
    __slots__ = ("correction_id",)
    CORRECTION_ID_FIELD_NUMBER: _ClassVar[int]
    correction_id: str
    def __init__(self, correction_id: _Optional[str] = ...) -> None: ...

class GetCorrectionResponse(_message.Message):
    __slots__ = ("correction", "warnings")
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    correction: Correction
    warnings: _containers.RepeatedCompositeFieldContainer[CorrectionWarning]
    def __init__(self, correction: _Optional[_Union[Correction, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[CorrectionWarning, _Mapping]]] = ...) -> None: ...

class ListCorrectionsRequest(_message.Message):
    __slots__ = ("state", "page_size", "page_token")
    STATE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    state: CorrectionState
    page_size: int
    page_token: str
    def __init__(self, state: _Optional[_Union[CorrectionState, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCorrectionsResponse(_message.Message):
    __slots__ = ("corrections", "next_page_token")
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    corrections: _containers.RepeatedCompositeFieldContainer[Correction]
    next_page_token: str
    def __init__(self, corrections: _Optional[_Iterable[_Union[Correction, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
