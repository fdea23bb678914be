"""A stand-in for MerchantService: one merchant, and what a test does to it."""

from __future__ import annotations

from typing import Any

import grpc

from qrpay.barcode.v1 import merchant_pb2, merchant_pb2_grpc
from tests.integration.gateway.fakes import MERCHANT_ID, Faults, refusal

STORE_ID, TERMINAL_ID = "sto_01K000000000000000000000ST", "trm_01K000000000000000000000TR"
LOGO_SHA256 = "ab" * 32


class FakeMerchants(merchant_pb2_grpc.MerchantServiceServicer):
    """Answers with the same few records, and remembers what it was asked."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.requests: list[Any] = []
        self.pilots: list[str] = []
        self.registered: dict[tuple[str, str], merchant_pb2.Merchant] = {}
        self.merchant = merchant_pb2.Merchant(
            id=MERCHANT_ID,
            name="Cafe Luna",
            city="Lisbon",
            category_code="5814",
            country_code="PT",
            currency_code="USD",
            version=3,
        )

    def reset(self) -> None:
        """Behave, and forget what was asked."""
        self.faults.clear()
        self.requests.clear()
        self.pilots.clear()

    async def RegisterMerchant(self, request: Any, context: Any) -> Any:
        """Keep it under its key."""
        await self._strike("RegisterMerchant", request)
        key = (request.actor, request.request_id)
        replayed = key in self.registered
        merchant = self.registered.setdefault(key, request.merchant)
        merchant.version = 1
        return merchant_pb2.RegisterMerchantResponse(merchant=merchant, replayed=replayed)

    async def GetMerchant(self, request: Any, context: Any) -> Any:
        """The merchant."""
        await self._strike("GetMerchant", request)
        return merchant_pb2.GetMerchantResponse(merchant=self.merchant)

    async def UpdateMerchant(self, request: Any, context: Any) -> Any:
        """The merchant with the named fields, if the version is right."""
        await self._strike("UpdateMerchant", request)
        self._check_version(request.version)
        changed = merchant_pb2.Merchant()
        changed.CopyFrom(self.merchant)
        request.update_mask.MergeMessage(request.merchant, changed)
        changed.version += 1
        return merchant_pb2.UpdateMerchantResponse(merchant=changed)

    async def CloseMerchant(self, request: Any, context: Any) -> Any:
        """The merchant, closed."""
        await self._strike("CloseMerchant", request)
        closed = merchant_pb2.Merchant()
        closed.CopyFrom(self.merchant)
        closed.closed = True
        return merchant_pb2.CloseMerchantResponse(merchant=closed)

    async def SetMerchantPilot(self, request: Any, context: Any) -> Any:
        """Nobody asks."""
        raise NotImplementedError

    async def ListPilotMerchants(self, request: Any, context: Any) -> Any:
        """As the test says."""
        await self.faults.strike("ListPilotMerchants")
        return merchant_pb2.ListPilotMerchantsResponse(merchant_ids=self.pilots)

    async def ListMerchantChanges(self, request: Any, context: Any) -> Any:
        """One change, and there are more."""
        await self._strike("ListMerchantChanges", request)
        change = merchant_pb2.MerchantChange(
            number=7,
            actor="opr_1",
            act="merchant.updated",
            subject_id=MERCHANT_ID,
            fields={"name": "Cafe Luna"},
        )
        change.time.GetCurrentTime()
        return merchant_pb2.ListMerchantChangesResponse(changes=[change], next_page_token="more")

    async def AddPlace(self, request: Any, context: Any) -> Any:
        """The place."""
        await self._strike("AddPlace", request)
        return merchant_pb2.AddPlaceResponse(place=self._place(request.kind, name=request.name))

    async def ListPlaces(self, request: Any, context: Any) -> Any:
        """One place."""
        await self._strike("ListPlaces", request)
        return merchant_pb2.ListPlacesResponse(places=[self._place(request.kind)])

    async def RenamePlace(self, request: Any, context: Any) -> Any:
        """The place, if the version is right."""
        await self._strike("RenamePlace", request)
        self._check_version(request.version)
        place = self._place(_kind_of(request.place_id), name=request.name, version=4)
        return merchant_pb2.RenamePlaceResponse(place=place)

    async def ClosePlace(self, request: Any, context: Any) -> Any:
        """The place, closed."""
        await self._strike("ClosePlace", request)
        place = self._place(_kind_of(request.place_id), closed=True)
        return merchant_pb2.ClosePlaceResponse(place=place)

    async def UploadLogo(self, request: Any, context: Any) -> Any:
        """The merchant with a logo."""
        await self._strike("UploadLogo", request)
        merchant = merchant_pb2.Merchant()
        merchant.CopyFrom(self.merchant)
        merchant.logo_sha256 = LOGO_SHA256
        return merchant_pb2.UploadLogoResponse(merchant=merchant)

    async def RenderLogo(self, request: Any, context: Any) -> Any:
        """A picture whose content and tag say what was asked for."""
        await self._strike("RenderLogo", request)
        etag = f"{request.width}-{request.format}"
        known = etag in request.known_etags
        return merchant_pb2.RenderLogoResponse(
            content=b"" if known else f"picture {etag}".encode(),
            etag=etag,
            not_modified=known,
            logo_sha256=request.logo_sha256 or LOGO_SHA256,
            width=256,
        )

    async def _strike(self, rpc: str, request: Any) -> None:
        await self.faults.strike(rpc)
        self.requests.append(request)
        merchant_id = getattr(request, "merchant_id", "") or request.merchant.id
        if rpc != "RegisterMerchant" and merchant_id != MERCHANT_ID:
            raise refusal("MERCHANT_NOT_FOUND", grpc.StatusCode.NOT_FOUND)

    def _check_version(self, version: int) -> None:
        if version not in (0, self.merchant.version):
            raise refusal("VERSION_MISMATCH", grpc.StatusCode.ABORTED)

    def _place(self, kind: int, **fields: Any) -> merchant_pb2.Place:
        is_store = kind == merchant_pb2.PLACE_KIND_STORE
        return merchant_pb2.Place(
            **{
                "id": STORE_ID if is_store else TERMINAL_ID,
                "merchant_id": MERCHANT_ID,
                "store_id": "" if is_store else STORE_ID,
                "name": "Harbour",
                "version": 3,
                **fields,
            }
        )


def _kind_of(place_id: str) -> int:
    is_store = place_id.startswith("sto_")
    return merchant_pb2.PLACE_KIND_STORE if is_store else merchant_pb2.PLACE_KIND_TERMINAL
