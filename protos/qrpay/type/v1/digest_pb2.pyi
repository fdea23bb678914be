from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IdRange(_message.Message):
    __slots__ = ("start_id", "end_id")
    START_ID_FIELD_NUMBER: _ClassVar[int]
    END_ID_FIELD_NUMBER: _ClassVar[int]
    start_id: str
    end_id: str
    def __init__(self, start_id: _Optional[str] = ..., end_id: _Optional[str] = ...) -> None: ...

class Digest(_message.Message):
    __slots__ = ("currency_code", "count", "amount_minor", "hash")
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    currency_code: str
    count: int
    amount_minor: int
    hash: int
    def __init__(self, currency_code: _Optional[str] = ..., count: _Optional[int] = ..., amount_minor: _Optional[int] = ..., hash: _Optional[int] = ...) -> None: ...

class RangeDigest(_message.Message):
    __slots__ = ("too_many", "moved", "refused", "pending_count", "fault_count")
    TOO_MANY_FIELD_NUMBER: _ClassVar[int]
    MOVED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    PENDING_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAULT_COUNT_FIELD_NUMBER: _ClassVar[int]
    too_many: bool
    moved: _containers.RepeatedCompositeFieldContainer[Digest]
    refused: _containers.RepeatedCompositeFieldContainer[Digest]
    pending_count: int
    fault_count: int
    def __init__(self, too_many: _Optional[bool] = ..., moved: _Optional[_Iterable[_Union[Digest, _Mapping]]] = ..., refused: _Optional[_Iterable[_Union[Digest, _Mapping]]] = ..., pending_count: _Optional[int] = ..., fault_count: _Optional[int] = ...) -> None: ...
