import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrpay.barcode.v1 import merchant_pb2 as _merchant_pb2
from qrpay.type.v1 import item_error_pb2 as _item_error_pb2
from qrpay.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QrFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QR_FORMAT_UNSPECIFIED: _ClassVar[QrFormat]
    QR_FORMAT_TEXT: _ClassVar[QrFormat]
    QR_FORMAT_SVG: _ClassVar[QrFormat]
    QR_FORMAT_PNG: _ClassVar[QrFormat]

class PosterSize(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POSTER_SIZE_UNSPECIFIED: _ClassVar[PosterSize]
    POSTER_SIZE_A4: _ClassVar[PosterSize]
    POSTER_SIZE_A6: _ClassVar[PosterSize]
QR_FORMAT_UNSPECIFIED: QrFormat
QR_FORMAT_TEXT: QrFormat
QR_FORMAT_SVG: QrFormat
QR_FORMAT_PNG: QrFormat
POSTER_SIZE_UNSPECIFIED: PosterSize
POSTER_SIZE_A4: PosterSize
POSTER_SIZE_A6: PosterSize

class IssueBarcodeRequest(_message.Message):
    __slots__ = ("owner_id", "device", "without_images")
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_IMAGES_FIELD_NUMBER: _ClassVar[int]
    owner_id: str
    device: str
    without_images: bool
    def __init__(self, owner_id: _Optional[str] = ..., device: _Optional[str] = ..., without_images: _Optional[bool] = ...) -> None: ...

class IssueBarcodesRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[BarcodeIssue]
    def __init__(self, items: _Optional[_Iterable[_Union[BarcodeIssue, _Mapping]]] = ...) -> None: ...

class BarcodeIssue(_message.Message):
    __slots__ = ("owner_id", "device", "without_images")
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_IMAGES_FIELD_NUMBER: _ClassVar[int]
    owner_id: str
    device: str
    without_images: bool
    def __init__(self, owner_id: _Optional[str] = ..., device: _Optional[str] = ..., without_images: _Optional[bool] = ...) -> None: ...

class IssueBarcodesResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[IssueBarcodeResult]
    def __init__(self, results: _Optional[_Iterable[_Union[IssueBarcodeResult, _Mapping]]] = ...) -> None: ...

class IssueBarcodeResult(_message.Message):
    __slots__ = ("barcode", "error")
    BARCODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    barcode: IssuedBarcode
    error: _item_error_pb2.ItemError
    def __init__(self, barcode: _Optional[_Union[IssuedBarcode, _Mapping]] = ..., error: _Optional[_Union[_item_error_pb2.ItemError, _Mapping]] = ...) -> None: ...

class IssuedBarcode(_message.Message):
    __slots__ = ("code", "expire_time", "ttl_seconds", "qr_svg", "code128_svg")
    CODE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    QR_SVG_FIELD_NUMBER: _ClassVar[int]
    CODE128_SVG_FIELD_NUMBER: _ClassVar[int]
    code: str
    expire_time: _timestamp_pb2.Timestamp
    ttl_seconds: int
    qr_svg: str
    code128_svg: str
    def __init__(self, code: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ttl_seconds: _Optional[int] = ..., qr_svg: _Optional[str] = ..., code128_svg: _Optional[str] = ...) -> None: ...

class IssueBarcodeResponse(_message.Message):
    __slots__ = ("code", "expire_time", "ttl_seconds", "qr_svg", "code128_svg")
    CODE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    QR_SVG_FIELD_NUMBER: _ClassVar[int]
    CODE128_SVG_FIELD_NUMBER: _ClassVar[int]
    code: str
    expire_time: _timestamp_pb2.Timestamp
    ttl_seconds: int
    qr_svg: str
    code128_svg: str
    def __init__(self, code: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ttl_seconds: _Optional[int] = ..., qr_svg: _Optional[str] = ..., code128_svg: _Optional[str] = ...) -> None: ...

class RedeemBarcodesRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[BarcodeRedemption]
    def __init__(self, items: _Optional[_Iterable[_Union[BarcodeRedemption, _Mapping]]] = ...) -> None: ...

class BarcodeRedemption(_message.Message):
    __slots__ = ("code", "redemption_token", "merchant_id", "money")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REDEMPTION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    code: str
    redemption_token: str
    merchant_id: str
    money: _money_pb2.Money
    def __init__(self, code: _Optional[str] = ..., redemption_token: _Optional[str] = ..., merchant_id: _Optional[str] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class RedeemBarcodesResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[RedeemBarcodeResult]
    def __init__(self, results: _Optional[_Iterable[_Union[RedeemBarcodeResult, _Mapping]]] = ...) -> None: ...

class RedeemBarcodeResult(_message.Message):
    __slots__ = ("barcode", "error")
    BARCODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    barcode: RedeemedBarcode
    error: _item_error_pb2.ItemError
    def __init__(self, barcode: _Optional[_Union[RedeemedBarcode, _Mapping]] = ..., error: _Optional[_Union[_item_error_pb2.ItemError, _Mapping]] = ...) -> None: ...

class RedeemedBarcode(_message.Message):
    __slots__ = ("issuance_id", "owner_id")
    ISSUANCE_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    issuance_id: str
    owner_id: str
    def __init__(self, issuance_id: _Optional[str] = ..., owner_id: _Optional[str] = ...) -> None: ...

class RenderMerchantQrRequest(_message.Message):
    __slots__ = ("merchant_id", "format", "money", "reference", "store_id", "terminal_id", "lifetime_seconds")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    format: QrFormat
    money: _money_pb2.Money
    reference: str
    store_id: str
    terminal_id: str
    lifetime_seconds: int
    def __init__(self, merchant_id: _Optional[str] = ..., format: _Optional[_Union[QrFormat, str]] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reference: _Optional[str] = ..., store_id: _Optional[str] = ..., terminal_id: _Optional[str] = ..., lifetime_seconds: _Optional[int] = ...) -> None: ...

class RenderMerchantQrResponse(_message.Message):
    __slots__ = ("content", "content_type", "etag", "static", "serial", "expire_time")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    STATIC_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    content_type: str
    etag: str
    static: bool
    serial: int
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, content: _Optional[bytes] = ..., content_type: _Optional[str] = ..., etag: _Optional[str] = ..., static: _Optional[bool] = ..., serial: _Optional[int] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RevokeMerchantQrRequest(_message.Message):
    __slots__ = ("merchant_id", "store_id", "serial")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    store_id: str
    serial: int
    def __init__(self, merchant_id: _Optional[str] = ..., store_id: _Optional[str] = ..., serial: _Optional[int] = ...) -> None: ...

class RevokeMerchantQrResponse(_message.Message):
    __slots__ = ("serial",)
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    serial: int
    def __init__(self, serial: _Optional[int] = ...) -> None: ...

class ListQrKeysRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListQrKeysResponse(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[QrKey]
    def __init__(self, keys: _Optional[_Iterable[_Union[QrKey, _Mapping]]] = ...) -> None: ...

class QrKey(_message.Message):
    __slots__ = ("key_id", "public_key")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    public_key: bytes
    def __init__(self, key_id: _Optional[str] = ..., public_key: _Optional[bytes] = ...) -> None: ...

class RenderPosterRequest(_message.Message):
    __slots__ = ("merchant_id", "size", "language")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    size: PosterSize
    language: str
    def __init__(self, merchant_id: _Optional[str] = ..., size: _Optional[_Union[PosterSize, str]] = ..., language: _Optional[str] = ...) -> None: ...

class RenderPosterResponse(_message.Message):
    __slots__ = ("content", "content_type", "etag")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    content_type: str
    etag: str
    def __init__(self, content: _Optional[bytes] = ..., content_type: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DecodeQrsRequest(_message.Message):
    __slots__ = ("texts",)
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    texts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, texts: _Optional[_Iterable[str]] = ...) -> None: ...

class DecodeQrsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[DecodedQr]
    def __init__(self, results: _Optional[_Iterable[_Union[DecodedQr, _Mapping]]] = ...) -> None: ...

class DecodedQr(_message.Message):
    __slots__ = ("merchant", "money", "reference", "static", "error", "store_id", "terminal_id", "expire_time")
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    STATIC_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    merchant: _merchant_pb2.Merchant
    money: _money_pb2.Money
    reference: str
    static: bool
    error: _item_error_pb2.ItemError
    store_id: str
    terminal_id: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, merchant: _Optional[_Union[_merchant_pb2.Merchant, _Mapping]] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reference: _Optional[str] = ..., static: _Optional[bool] = ..., error: _Optional[_Union[_item_error_pb2.ItemError, _Mapping]] = ..., store_id: _Optional[str] = ..., terminal_id: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
