import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DifferenceKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIFFERENCE_KIND_UNSPECIFIED: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_MISSING_IN_PAYMENTS: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_MISSING_IN_WALLET: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_MISSING_IN_LEDGER: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_EXTRA_IN_PAYMENTS: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_EXTRA_IN_WALLET: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_EXTRA_IN_LEDGER: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_AMOUNT: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_CURRENCY: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_PARTIES: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_STATUS: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_BALANCE_DRIFT: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_STUCK: _ClassVar[DifferenceKind]

class DifferenceAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIFFERENCE_ACTION_UNSPECIFIED: _ClassVar[DifferenceAction]
    DIFFERENCE_ACTION_POSTED: _ClassVar[DifferenceAction]
    DIFFERENCE_ACTION_REPUBLISHED: _ClassVar[DifferenceAction]
    DIFFERENCE_ACTION_FROZEN: _ClassVar[DifferenceAction]
    DIFFERENCE_ACTION_CASE_OPENED: _ClassVar[DifferenceAction]
    DIFFERENCE_ACTION_RESOLVED: _ClassVar[DifferenceAction]
    DIFFERENCE_ACTION_FAILED: _ClassVar[DifferenceAction]

class CaseState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CASE_STATE_UNSPECIFIED: _ClassVar[CaseState]
    CASE_STATE_OPEN: _ClassVar[CaseState]
    CASE_STATE_HEALED: _ClassVar[CaseState]
    CASE_STATE_RESOLVED: _ClassVar[CaseState]

class CaseAct(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CASE_ACT_UNSPECIFIED: _ClassVar[CaseAct]
    CASE_ACT_FOUND: _ClassVar[CaseAct]
    CASE_ACT_HEALED: _ClassVar[CaseAct]
    CASE_ACT_FROZEN: _ClassVar[CaseAct]
    CASE_ACT_RESOLVED: _ClassVar[CaseAct]
    CASE_ACT_UNFROZEN: _ClassVar[CaseAct]
DIFFERENCE_KIND_UNSPECIFIED: DifferenceKind
DIFFERENCE_KIND_MISSING_IN_PAYMENTS: DifferenceKind
DIFFERENCE_KIND_MISSING_IN_WALLET: DifferenceKind
DIFFERENCE_KIND_MISSING_IN_LEDGER: DifferenceKind
DIFFERENCE_KIND_EXTRA_IN_PAYMENTS: DifferenceKind
DIFFERENCE_KIND_EXTRA_IN_WALLET: DifferenceKind
DIFFERENCE_KIND_EXTRA_IN_LEDGER: DifferenceKind
DIFFERENCE_KIND_AMOUNT: DifferenceKind
DIFFERENCE_KIND_CURRENCY: DifferenceKind
DIFFERENCE_KIND_PARTIES: DifferenceKind
DIFFERENCE_KIND_STATUS: DifferenceKind
DIFFERENCE_KIND_BALANCE_DRIFT: DifferenceKind
DIFFERENCE_KIND_STUCK: DifferenceKind
DIFFERENCE_ACTION_UNSPECIFIED: DifferenceAction
DIFFERENCE_ACTION_POSTED: DifferenceAction
DIFFERENCE_ACTION_REPUBLISHED: DifferenceAction
DIFFERENCE_ACTION_FROZEN: DifferenceAction
DIFFERENCE_ACTION_CASE_OPENED: DifferenceAction
DIFFERENCE_ACTION_RESOLVED: DifferenceAction
DIFFERENCE_ACTION_FAILED: DifferenceAction
CASE_STATE_UNSPECIFIED: CaseState
CASE_STATE_OPEN: CaseState
CASE_STATE_HEALED: CaseState
CASE_STATE_RESOLVED: CaseState
CASE_ACT_UNSPECIFIED: CaseAct
CASE_ACT_FOUND: CaseAct
CASE_ACT_HEALED: CaseAct
CASE_ACT_FROZEN: CaseAct
CASE_ACT_RESOLVED: CaseAct
CASE_ACT_UNFROZEN: CaseAct

class Difference(_message.Message):
    __slots__ = ("kind", "payment_id", "wallet_id", "expected", "found", "action", "case_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    kind: DifferenceKind
    payment_id: str
    wallet_id: str
    expected: str
    found: str
    action: DifferenceAction
    case_id: str
    def __init__(self, kind: _Optional[_Union[DifferenceKind, str]] = ..., payment_id: _Optional[str] = ..., wallet_id: _Optional[str] = ..., expected: _Optional[str] = ..., found: _Optional[str] = ..., action: _Optional[_Union[DifferenceAction, str]] = ..., case_id: _Optional[str] = ...) -> None: ...

class Checked(_message.Message):
    __slots__ = ("payments", "transfers", "transactions")
    PAYMENTS_FIELD_NUMBER: _ClassVar[int]
    TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    payments: int
    transfers: int
    transactions: int
    def __init__(self, payments: _Optional[int] = ..., transfers: _Optional[int] = ..., transactions: _Optional[int] = ...) -> None: ...

class Buckets(_message.Message):
    __slots__ = ("compared", "differing")
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    DIFFERING_FIELD_NUMBER: _ClassVar[int]
    compared: int
    differing: int
    def __init__(self, compared: _Optional[int] = ..., differing: _Optional[int] = ...) -> None: ...

class ReconciliationReport(_message.Message):
    __slots__ = ("checked", "buckets", "differences", "seconds")
    CHECKED_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    checked: Checked
    buckets: Buckets
    differences: _containers.RepeatedCompositeFieldContainer[Difference]
    seconds: float
    def __init__(self, checked: _Optional[_Union[Checked, _Mapping]] = ..., buckets: _Optional[_Union[Buckets, _Mapping]] = ..., differences: _Optional[_Iterable[_Union[Difference, _Mapping]]] = ..., seconds: _Optional[float] = ...) -> None: ...

class ReconcileRequest(_message.Message):
    __slots__ = ("pass_id", "since_time", "heal", "wait_seconds")
    PASS_ID_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    HEAL_FIELD_NUMBER: _ClassVar[int]
    WAIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    pass_id: str
    since_time: _timestamp_pb2.Timestamp
    heal: bool
    wait_seconds: float
    def __init__(self, pass_id: _Optional[str] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., heal: _Optional[bool] = ..., wait_seconds: _Optional[float] = ...) -> None: ...

class ReconcileResponse(_message.Message):
    __slots__ = ("pass_id", "done", "progress", "report", "open_case_count")
    PASS_ID_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    OPEN_CASE_COUNT_FIELD_NUMBER: _ClassVar[int]
    pass_id: str
    done: bool
    progress: float
    report: ReconciliationReport
    open_case_count: int
    def __init__(self, pass_id: _Optional[str] = ..., done: _Optional[bool] = ..., progress: _Optional[float] = ..., report: _Optional[_Union[ReconciliationReport, _Mapping]] = ..., open_case_count: _Optional[int] = ...) -> None: ...

class Case(_message.Message):
    __slots__ = ("id", "state", "difference", "explanation", "first_seen_time", "last_seen_time", "resolved_by", "reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: CaseState
    difference: Difference
    explanation: str
    first_seen_time: _timestamp_pb2.Timestamp
    last_seen_time: _timestamp_pb2.Timestamp
    resolved_by: str
    reason: str
    def __init__(self, id: _Optional[str] = ..., state: _Optional[_Union[CaseState, str]] = ..., difference: _Optional[_Union[Difference, _Mapping]] = ..., explanation: _Optional[str] = ..., first_seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resolved_by: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class CaseRecord(_message.Message):
    __slots__ = ("act", "actor", "why", "time")
    ACT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    act: CaseAct
    actor: str
    why: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, act: _Optional[_Union[CaseAct, str]] = ..., actor: _Optional[str] = ..., why: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListCasesRequest(_message.Message):
    __slots__ = ("state", "subject_id", "page_size", "page_token")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    state: CaseState
    subject_id: str
    page_size: int
    page_token: str
    def __init__(self, state: _Optional[_Union[CaseState, str]] = ..., subject_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCasesResponse(_message.Message):
    __slots__ = ("cases", "next_page_token")
    CASES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    cases: _containers.RepeatedCompositeFieldContainer[Case]
    next_page_token: str
    def __init__(self, cases: _Optional[_Iterable[_Union[Case, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetCaseRequest(_message.Message):
    __slots__ = ("case_id",)
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    case_id: str
    def __init__(self, case_id: _Optional[str] = ...) -> None: ...

class GetCaseResponse(_message.Message):
    __slots__ = ("case", "records")
    CASE_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    case: Case
    records: _containers.RepeatedCompositeFieldContainer[CaseRecord]
    def __init__(self, case: _Optional[_Union[Case, _Mapping]] = ..., records: _Optional[_Iterable[_Union[CaseRecord, _Mapping]]] = ...) -> None: ...

class ResolveCaseRequest(_message.Message):
    __slots__ = ("case_id", "actor", "why", "unfreeze")
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    UNFREEZE_FIELD_NUMBER: _ClassVar[int]
    case_id: str
    actor: str
    why: str
    unfreeze: bool
    def __init__(self, case_id: _Optional[str] = ..., actor: _Optional[str] = ..., why: _Optional[str] = ..., unfreeze: _Optional[bool] = ...) -> None: ...

class ResolveCaseResponse(_message.Message):
    __slots__ = ("case",)
    CASE_FIELD_NUMBER: _ClassVar[int]
    case: Case
    def __init__(self, case: _Optional[_Union[Case, _Mapping]] = ...) -> None: ...
