import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PlaceKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PLACE_KIND_UNSPECIFIED: _ClassVar[PlaceKind]
    PLACE_KIND_STORE: _ClassVar[PlaceKind]
    PLACE_KIND_TERMINAL: _ClassVar[PlaceKind]

class LogoFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOGO_FORMAT_UNSPECIFIED: _ClassVar[LogoFormat]
    LOGO_FORMAT_PNG: _ClassVar[LogoFormat]
    LOGO_FORMAT_WEBP: _ClassVar[LogoFormat]
PLACE_KIND_UNSPECIFIED: PlaceKind
PLACE_KIND_STORE: PlaceKind
PLACE_KIND_TERMINAL: PlaceKind
LOGO_FORMAT_UNSPECIFIED: LogoFormat
LOGO_FORMAT_PNG: LogoFormat
LOGO_FORMAT_WEBP: LogoFormat

class Merchant(_message.Message):
    __slots__ = ("id", "name", "city", "category_code", "country_code", "currency_code", "local", "version", "closed", "logo_sha256", "pilot")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CITY_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_CODE_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    LOCAL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    LOGO_SHA256_FIELD_NUMBER: _ClassVar[int]
    PILOT_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    city: str
    category_code: str
    country_code: str
    currency_code: str
    local: LocalName
    version: int
    closed: bool
    logo_sha256: str
    pilot: bool
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., city: _Optional[str] = ..., category_code: _Optional[str] = ..., country_code: _Optional[str] = ..., currency_code: _Optional[str] = ..., local: _Optional[_Union[LocalName, _Mapping]] = ..., version: _Optional[int] = ..., closed: _Optional[bool] = ..., logo_sha256: _Optional[str] = ..., pilot: _Optional[bool] = ...) -> None: ...

class LocalName(_message.Message):
    __slots__ = ("language_code", "name", "city")
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CITY_FIELD_NUMBER: _ClassVar[int]
    language_code: str
    name: str
    city: str
    def __init__(self, language_code: _Optional[str] = ..., name: _Optional[str] = ..., city: _Optional[str] = ...) -> None: ...

class Place(_message.Message):
    __slots__ = ("id", "merchant_id", "store_id", "name", "version", "closed")
    ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    id: str
    merchant_id: str
    store_id: str
    name: str
    version: int
    closed: bool
    def __init__(self, id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., store_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[int] = ..., closed: _Optional[bool] = ...) -> None: ...

class MerchantChange(_message.Message):
    __slots__ = ("number", "time", "actor", "act", "subject_id", "fields")
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    number: int
    time: _timestamp_pb2.Timestamp
    actor: str
    act: str
    subject_id: str
    fields: _containers.ScalarMap[str, str]
    def __init__(self, number: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., act: _Optional[str] = ..., subject_id: _Optional[str] = ..., fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class RegisterMerchantRequest(_message.Message):
    __slots__ = ("merchant", "request_id", "actor")
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    request_id: str
    actor: str
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ..., request_id: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class RegisterMerchantResponse(_message.Message):
    __slots__ = ("merchant", "replayed")
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    replayed: bool
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

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

class UpdateMerchantRequest(_message.Message):
    __slots__ = ("merchant", "update_mask", "version", "actor")
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    update_mask: _field_mask_pb2.FieldMask
    version: int
    actor: str
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., version: _Optional[int] = ..., actor: _Optional[str] = ...) -> None: ...

class UpdateMerchantResponse(_message.Message):
    __slots__ = ("merchant",)
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ...) -> None: ...

class CloseMerchantRequest(_message.Message):
    __slots__ = ("merchant_id", "actor")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    actor: str
    def __init__(self, merchant_id: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class CloseMerchantResponse(_message.Message):
    __slots__ = ("merchant",)
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ...) -> None: ...

class SetMerchantPilotRequest(_message.Message):
    __slots__ = ("merchant_id", "pilot", "actor")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    PILOT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    pilot: bool
    actor: str
    def __init__(self, merchant_id: _Optional[str] = ..., pilot: _Optional[bool] = ..., actor: _Optional[str] = ...) -> None: ...

class SetMerchantPilotResponse(_message.Message):
    __slots__ = ("merchant",)
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ...) -> None: ...

class ListPilotMerchantsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPilotMerchantsResponse(_message.Message):
    __slots__ = ("merchant_ids",)
    MERCHANT_IDS_FIELD_NUMBER: _ClassVar[int]
    merchant_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, merchant_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ListMerchantChangesRequest(_message.Message):
    __slots__ = ("merchant_id", "page_size", "page_token")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    page_size: int
    page_token: str
    def __init__(self, merchant_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMerchantChangesResponse(_message.Message):
    __slots__ = ("changes", "next_page_token")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[MerchantChange]
    next_page_token: str
    def __init__(self, changes: _Optional[_Iterable[_Union[MerchantChange, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AddPlaceRequest(_message.Message):
    __slots__ = ("merchant_id", "kind", "store_id", "name", "request_id", "actor")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    kind: PlaceKind
    store_id: str
    name: str
    request_id: str
    actor: str
    def __init__(self, merchant_id: _Optional[str] = ..., kind: _Optional[_Union[PlaceKind, str]] = ..., store_id: _Optional[str] = ..., name: _Optional[str] = ..., request_id: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class AddPlaceResponse(_message.Message):
    __slots__ = ("place", "replayed")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    place: Place
    replayed: bool
    def __init__(self, place: _Optional[_Union[Place, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class ListPlacesRequest(_message.Message):
    __slots__ = ("merchant_id", "kind", "store_id", "page_size", "page_token")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    kind: PlaceKind
    store_id: str
    page_size: int
    page_token: str
    def __init__(self, merchant_id: _Optional[str] = ..., kind: _Optional[_Union[PlaceKind, str]] = ..., store_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPlacesResponse(_message.Message):
    __slots__ = ("places", "next_page_token")
    PLACES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    places: _containers.RepeatedCompositeFieldContainer[Place]
    next_page_token: str
    def __init__(self, places: _Optional[_Iterable[_Union[Place, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RenamePlaceRequest(_message.Message):
    __slots__ = ("merchant_id", "place_id", "name", "version", "actor")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    PLACE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    place_id: str
    name: str
    version: int
    actor: str
    def __init__(self, merchant_id: _Optional[str] = ..., place_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[int] = ..., actor: _Optional[str] = ...) -> None: ...

class RenamePlaceResponse(_message.Message):
    __slots__ = ("place",)
    PLACE_FIELD_NUMBER: _ClassVar[int]
    place: Place
    def __init__(self, place: _Optional[_Union[Place, _Mapping]] = ...) -> None: ...

class ClosePlaceRequest(_message.Message):
    __slots__ = ("merchant_id", "place_id", "actor")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    PLACE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    place_id: str
    actor: str
    def __init__(self, merchant_id: _Optional[str] = ..., place_id: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class ClosePlaceResponse(_message.Message):
    __slots__ = ("place",)
    PLACE_FIELD_NUMBER: _ClassVar[int]
    place: Place
    def __init__(self, place: _Optional[_Union[Place, _Mapping]] = ...) -> None: ...

class UploadLogoRequest(_message.Message):
    __slots__ = ("merchant_id", "content", "actor")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    content: bytes
    actor: str
    def __init__(self, merchant_id: _Optional[str] = ..., content: _Optional[bytes] = ..., actor: _Optional[str] = ...) -> None: ...

class UploadLogoResponse(_message.Message):
    __slots__ = ("merchant",)
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ...) -> None: ...

class RenderLogoRequest(_message.Message):
    __slots__ = ("merchant_id", "logo_sha256", "width", "format", "known_etags")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    LOGO_SHA256_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    KNOWN_ETAGS_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    logo_sha256: str
    width: int
    format: LogoFormat
    known_etags: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, merchant_id: _Optional[str] = ..., logo_sha256: _Optional[str] = ..., width: _Optional[int] = ..., format: _Optional[_Union[LogoFormat, str]] = ..., known_etags: _Optional[_Iterable[str]] = ...) -> None: ...

class RenderLogoResponse(_message.Message):
    __slots__ = ("content", "etag", "not_modified", "logo_sha256", "width")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    NOT_MODIFIED_FIELD_NUMBER: _ClassVar[int]
    LOGO_SHA256_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    etag: str
    not_modified: bool
    logo_sha256: str
    width: int
    def __init__(self, content: _Optional[bytes] = ..., etag: _Optional[str] = ..., not_modified: _Optional[bool] = ..., logo_sha256: _Optional[str] = ..., width: _Optional[int] = ...) -> None: ...
