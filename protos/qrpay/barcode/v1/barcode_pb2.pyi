import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
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
QR_FORMAT_UNSPECIFIED: QrFormat
QR_FORMAT_TEXT: QrFormat
QR_FORMAT_SVG: QrFormat
QR_FORMAT_PNG: QrFormat

class Merchant(_message.Message):
    __slots__ = ("id", "name", "city", "category_code", "country_code", "currency_code")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CITY_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_CODE_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    city: str
    category_code: str
    country_code: str
    currency_code: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., city: _Optional[str] = ..., category_code: _Optional[str] = ..., country_code: _Optional[str] = ..., currency_code: _Optional[str] = ...) -> None: ...

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

class RegisterMerchantRequest(_message.Message):
    __slots__ = ("merchant",)
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ...) -> None: ...

class RegisterMerchantResponse(_message.Message):
    __slots__ = ("merchant",)
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ...) -> None: ...

class GetMerchantRequest(_message.Message):
    __slots__ = ("merchant_id",)
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    def __init__(self, merchant_id: _Optional[str] = ...) -> None: ...

class GetMerchantResponse(_message.Message):
    __slots__ = ("merchant",)
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ...) -> None: ...

class RenderMerchantQrRequest(_message.Message):
    __slots__ = ("merchant_id", "format", "money", "reference")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    format: QrFormat
    money: _money_pb2.Money
    reference: str
    def __init__(self, merchant_id: _Optional[str] = ..., format: _Optional[_Union[QrFormat, str]] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reference: _Optional[str] = ...) -> None: ...

class RenderMerchantQrResponse(_message.Message):
    __slots__ = ("content", "content_type", "etag", "static")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    STATIC_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    content_type: str
    etag: str
    static: bool
    def __init__(self, content: _Optional[bytes] = ..., content_type: _Optional[str] = ..., etag: _Optional[str] = ..., static: _Optional[bool] = ...) -> None: ...

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
    __slots__ = ("merchant", "money", "reference", "static", "error")
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    STATIC_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    money: _money_pb2.Money
    reference: str
    static: bool
    error: _item_error_pb2.ItemError
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ..., money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reference: _Optional[str] = ..., static: _Optional[bool] = ..., error: _Optional[_Union[_item_error_pb2.ItemError, _Mapping]] = ...) -> None: ...
