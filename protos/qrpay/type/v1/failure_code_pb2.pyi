from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class FailureCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_CODE_UNSPECIFIED: _ClassVar[FailureCode]
    FAILURE_CODE_INSUFFICIENT_FUNDS: _ClassVar[FailureCode]
    FAILURE_CODE_WALLET_CLOSED: _ClassVar[FailureCode]
    FAILURE_CODE_WALLET_FROZEN: _ClassVar[FailureCode]
    FAILURE_CODE_LIMIT_EXCEEDED: _ClassVar[FailureCode]
    FAILURE_CODE_BANK_REJECTED: _ClassVar[FailureCode]
    FAILURE_CODE_CANCELLED: _ClassVar[FailureCode]
FAILURE_CODE_UNSPECIFIED: FailureCode
FAILURE_CODE_INSUFFICIENT_FUNDS: FailureCode
FAILURE_CODE_WALLET_CLOSED: FailureCode
FAILURE_CODE_WALLET_FROZEN: FailureCode
FAILURE_CODE_LIMIT_EXCEEDED: FailureCode
FAILURE_CODE_BANK_REJECTED: FailureCode
FAILURE_CODE_CANCELLED: FailureCode
