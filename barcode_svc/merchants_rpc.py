"""MerchantService: checks the message, calls the use case, builds the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from barcode_svc import merchant_model
from barcode_svc.logos import Logos
from barcode_svc.merchant_model import Place, PlaceKind
from barcode_svc.merchants import Merchants
from barcode_svc.model import LocalName, Merchant
from barcode_svc.pictures import PictureFormat
from barcode_svc.places import Places
from barcode_svc.store.history import StoredChange
from chassis.errors import InvalidArgument
from chassis.pagination import decode_page_token, encode_page_token, page_size_of
from qrpay.barcode.v1 import merchant_pb2, merchant_pb2_grpc

_WRITERS = frozenset({"gateway", "operator"})
_READERS = _WRITERS | {"gateway-reader"}
ALLOWED_CALLERS: Mapping[str, frozenset[str]] = {
    "RegisterMerchant": _WRITERS,
    "GetMerchant": _READERS | {"payment"},
    "UpdateMerchant": _WRITERS,
    "CloseMerchant": _WRITERS,
    "SetMerchantPilot": frozenset({"operator"}),
    "ListPilotMerchants": _WRITERS,
    "ListMerchantChanges": _READERS,
    "AddPlace": _WRITERS,
    "ListPlaces": _READERS,
    "RenamePlace": _WRITERS,
    "ClosePlace": _WRITERS,
    "UploadLogo": _WRITERS,
    "RenderLogo": _READERS | {"payment"},
}

PAGE_SIZE_MAX = 200
KNOWN_ETAGS_MAX = 16

_KINDS: Mapping[int, PlaceKind] = {
    merchant_pb2.PLACE_KIND_STORE: "store",
    merchant_pb2.PLACE_KIND_TERMINAL: "terminal",
}
_FORMATS: Mapping[int, PictureFormat] = {
    merchant_pb2.LOGO_FORMAT_PNG: "png",
    merchant_pb2.LOGO_FORMAT_WEBP: "webp",
}
_CHANGES_PAGE = "barcode.merchant_changes"
_PLACES_PAGE = "barcode.places"


class MerchantServicer(merchant_pb2_grpc.MerchantServiceServicer):
    """The gRPC face of merchants, their places and their logos."""

    def __init__(self, *, merchants: Merchants, places: Places, logos: Logos) -> None:
        self._merchants = merchants
        self._places = places
        self._logos = logos

    async def RegisterMerchant(
        self, request: merchant_pb2.RegisterMerchantRequest, context: Any
    ) -> merchant_pb2.RegisterMerchantResponse:
        """Register a merchant once."""
        merchant, replayed = await self._merchants.register(
            _merchant(request.merchant), request_id=request.request_id, actor=request.actor
        )
        return merchant_pb2.RegisterMerchantResponse(
            merchant=merchant_message(merchant), replayed=replayed
        )

    async def GetMerchant(
        self, request: merchant_pb2.GetMerchantRequest, context: Any
    ) -> merchant_pb2.GetMerchantResponse:
        """One merchant."""
        merchant = await self._merchants.get(request.merchant_id)
        return merchant_pb2.GetMerchantResponse(merchant=merchant_message(merchant))

    async def UpdateMerchant(
        self, request: merchant_pb2.UpdateMerchantRequest, context: Any
    ) -> merchant_pb2.UpdateMerchantResponse:
        """Change named fields."""
        _check_version(request.version)
        merchant = await self._merchants.update(
            _merchant(request.merchant),
            fields=frozenset(request.update_mask.paths),
            version=request.version,
            actor=request.actor,
        )
        return merchant_pb2.UpdateMerchantResponse(merchant=merchant_message(merchant))

    async def CloseMerchant(
        self, request: merchant_pb2.CloseMerchantRequest, context: Any
    ) -> merchant_pb2.CloseMerchantResponse:
        """Close it for good."""
        merchant = await self._merchants.close(request.merchant_id, actor=request.actor)
        return merchant_pb2.CloseMerchantResponse(merchant=merchant_message(merchant))

    async def SetMerchantPilot(
        self, request: merchant_pb2.SetMerchantPilotRequest, context: Any
    ) -> merchant_pb2.SetMerchantPilotResponse:
        """Its payments go to the canary, or no longer."""
        merchant = await self._merchants.set_pilot(
            request.merchant_id, pilot=request.pilot, actor=request.actor
        )
        return merchant_pb2.SetMerchantPilotResponse(merchant=merchant_message(merchant))

    async def ListPilotMerchants(
        self, request: merchant_pb2.ListPilotMerchantsRequest, context: Any
    ) -> merchant_pb2.ListPilotMerchantsResponse:
        """All there are."""
        return merchant_pb2.ListPilotMerchantsResponse(merchant_ids=await self._merchants.pilots())

    async def ListMerchantChanges(
        self, request: merchant_pb2.ListMerchantChangesRequest, context: Any
    ) -> merchant_pb2.ListMerchantChangesResponse:
        """A page of its history, newest first."""
        page_size = page_size_of(request.page_size, maximum=PAGE_SIZE_MAX)
        before_number = 0
        if request.page_token:
            (before_number,) = decode_page_token(_CHANGES_PAGE, request.page_token, tuple[int])
        rows = await self._merchants.changes(
            request.merchant_id, before_number=before_number, count_max=page_size + 1
        )
        page, more = rows[:page_size], len(rows) > page_size
        return merchant_pb2.ListMerchantChangesResponse(
            changes=[_change_message(row) for row in page],
            next_page_token=encode_page_token(_CHANGES_PAGE, [page[-1].number]) if more else "",
        )

    async def AddPlace(
        self, request: merchant_pb2.AddPlaceRequest, context: Any
    ) -> merchant_pb2.AddPlaceResponse:
        """Add a store or a terminal once."""
        place, replayed = await self._places.add(
            request.merchant_id,
            _kind(request.kind),
            name=request.name,
            store_id=request.store_id,
            request_id=request.request_id,
            actor=request.actor,
        )
        return merchant_pb2.AddPlaceResponse(place=_place_message(place), replayed=replayed)

    async def ListPlaces(
        self, request: merchant_pb2.ListPlacesRequest, context: Any
    ) -> merchant_pb2.ListPlacesResponse:
        """A page of stores or terminals, oldest first."""
        kind = _kind(request.kind)
        page_size = page_size_of(request.page_size, maximum=PAGE_SIZE_MAX)
        after_id = ""
        if request.page_token:
            (after_id,) = decode_page_token(_PLACES_PAGE, request.page_token, tuple[str])
        rows = await self._places.list_places(
            request.merchant_id,
            kind,
            store_id=request.store_id,
            after_id=after_id,
            count_max=page_size + 1,
        )
        page, more = rows[:page_size], len(rows) > page_size
        return merchant_pb2.ListPlacesResponse(
            places=[_place_message(row) for row in page],
            next_page_token=encode_page_token(_PLACES_PAGE, [page[-1].id]) if more else "",
        )

    async def RenamePlace(
        self, request: merchant_pb2.RenamePlaceRequest, context: Any
    ) -> merchant_pb2.RenamePlaceResponse:
        """Another name for it."""
        _check_version(request.version)
        place = await self._places.rename(
            request.merchant_id,
            request.place_id,
            name=request.name,
            version=request.version,
            actor=request.actor,
        )
        return merchant_pb2.RenamePlaceResponse(place=_place_message(place))

    async def ClosePlace(
        self, request: merchant_pb2.ClosePlaceRequest, context: Any
    ) -> merchant_pb2.ClosePlaceResponse:
        """Close it for good."""
        place = await self._places.close(request.merchant_id, request.place_id, actor=request.actor)
        return merchant_pb2.ClosePlaceResponse(place=_place_message(place))

    async def UploadLogo(
        self, request: merchant_pb2.UploadLogoRequest, context: Any
    ) -> merchant_pb2.UploadLogoResponse:
        """A new logo."""
        merchant_model.check_person(request.actor)
        merchant = await self._logos.upload(
            request.merchant_id, request.content, actor=request.actor
        )
        return merchant_pb2.UploadLogoResponse(merchant=merchant_message(merchant))

    async def RenderLogo(
        self, request: merchant_pb2.RenderLogoRequest, context: Any
    ) -> merchant_pb2.RenderLogoResponse:
        """The logo as a picture."""
        form = _FORMATS.get(request.format)
        if form is None:
            raise InvalidArgument([("format", "must be PNG or WEBP")])
        if len(request.known_etags) > KNOWN_ETAGS_MAX:
            raise InvalidArgument([("known_etags", f"must be at most {KNOWN_ETAGS_MAX}")])
        logo = await self._logos.render(
            request.merchant_id,
            sha256=request.logo_sha256,
            width=request.width,
            form=form,
            known_etags=request.known_etags,
        )
        return merchant_pb2.RenderLogoResponse(
            content=logo.content,
            etag=logo.etag,
            not_modified=logo.not_modified,
            logo_sha256=logo.sha256,
            width=logo.width,
        )


def merchant_message(merchant: Merchant) -> merchant_pb2.Merchant:
    """A merchant as the contract has it."""
    message = merchant_pb2.Merchant(
        id=merchant.id,
        name=merchant.name,
        city=merchant.city,
        category_code=merchant.category_code,
        country_code=merchant.country_code,
        currency_code=merchant.currency_code,
        version=merchant.version,
        closed=merchant.closed,
        logo_sha256=merchant.logo_sha256,
        pilot=merchant.pilot,
    )
    if merchant.local is not None:
        message.local.language_code = merchant.local.language_code
        message.local.name = merchant.local.name
        message.local.city = merchant.local.city
    return message


def _merchant(message: merchant_pb2.Merchant) -> Merchant:
    """What a request says about a merchant; output only fields do not count."""
    local = None
    if message.HasField("local"):
        local = LocalName(
            language_code=message.local.language_code,
            name=message.local.name,
            city=message.local.city,
        )
    return Merchant(
        id=message.id,
        name=message.name,
        city=message.city,
        category_code=message.category_code,
        country_code=message.country_code,
        currency_code=message.currency_code,
        local=local,
    )


def _place_message(place: Place) -> merchant_pb2.Place:
    return merchant_pb2.Place(
        id=place.id,
        merchant_id=place.merchant_id,
        store_id=place.store_id,
        name=place.name,
        version=place.version,
        closed=place.closed,
    )


def _change_message(change: StoredChange) -> merchant_pb2.MerchantChange:
    message = merchant_pb2.MerchantChange(
        number=change.number,
        actor=change.actor,
        act=change.act,
        subject_id=change.subject_id,
        fields=change.fields,
    )
    message.time.FromDatetime(change.change_time)
    return message


def _kind(number: int) -> PlaceKind:
    kind = _KINDS.get(number)
    if kind is None:
        raise InvalidArgument([("kind", "must be STORE or TERMINAL")])
    return kind


def _check_version(version: int) -> None:
    if version < 0:
        raise InvalidArgument([("version", "is negative")])
