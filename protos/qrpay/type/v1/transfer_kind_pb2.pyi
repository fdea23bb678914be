from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class TransferKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRANSFER_KIND_UNSPECIFIED: _ClassVar[TransferKind]
    TRANSFER_KIND_SEND: _ClassVar[TransferKind]
    TRANSFER_KIND_PAY: _ClassVar[TransferKind]
    TRANSFER_KIND_WITHDRAW: _ClassVar[TransferKind]
    TRANSFER_KIND_TOP_UP: _ClassVar[TransferKind]
TRANSFER_KIND_UNSPECIFIED: TransferKind
TRANSFER_KIND_SEND: TransferKind
TRANSFER_KIND_PAY: TransferKind
TRANSFER_KIND_WITHDRAW: TransferKind
TRANSFER_KIND_TOP_UP: TransferKind
