"""BarcodeService: checks the message, calls the use case, builds the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from google.protobuf import timestamp_pb2

from barcode_svc import model, operations
from barcode_svc.barcodes import (
    Barcodes,
    Issue,
    IssuedBarcode,
    RedeemedBarcode,
    Redemption,
)
from barcode_svc.drawing import Draughtsman, QrFormat
from barcode_svc.logos import Logos
from barcode_svc.merchants_rpc import merchant_message
from barcode_svc.model import PaymentRequest, Place, RequestedAmount
from barcode_svc.operations import WantedQr
from barcode_svc.poster_words import DEFAULT_LANGUAGE
from barcode_svc.posters import PosterSize
from barcode_svc.qr_signer import QrSigner
from barcode_svc.redemptions import Redemptions
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import FieldViolation, InvalidArgument, ServiceError, to_item_error
from chassis.settings import Secret
from qrpay.barcode.v1 import barcode_pb2, barcode_pb2_grpc
from qrpay.type.v1 import money_pb2

ITEMS_MAX = 256
"""Barcodes or QR texts in one request."""

ALLOWED_CALLERS: Mapping[str, frozenset[str]] = {
    "IssueBarcode": frozenset({"gateway"}),
    "IssueBarcodes": frozenset({"gateway"}),
    "RedeemBarcodes": frozenset({"payment"}),
    "RenderMerchantQr": frozenset({"gateway", "gateway-reader", "payment", "operator"}),
    "RenderPoster": frozenset({"gateway", "gateway-reader", "operator"}),
    "RevokeMerchantQr": frozenset({"gateway", "operator"}),
    "DecodeQrs": frozenset({"gateway", "payment"}),
    "ListQrKeys": frozenset({"gateway", "gateway-reader", "payment", "operator"}),
}

_FORMATS: Mapping[int, QrFormat] = {
    barcode_pb2.QR_FORMAT_TEXT: QrFormat.TEXT,
    barcode_pb2.QR_FORMAT_SVG: QrFormat.SVG,
    barcode_pb2.QR_FORMAT_PNG: QrFormat.PNG,
}
_POSTER_SIZES: Mapping[int, PosterSize] = {
    barcode_pb2.POSTER_SIZE_A4: PosterSize.A4,
    barcode_pb2.POSTER_SIZE_A6: PosterSize.A6,
}


class QrLifetimes(NamedTuple):
    """How long codes for one payment are taken."""

    seconds: int
    """If nobody says."""
    seconds_max: int


class BarcodeServicer(barcode_pb2_grpc.BarcodeServiceServicer):
    """The gRPC face of barcode_svc."""

    def __init__(
        self,
        *,
        barcodes: Barcodes,
        redemptions: Redemptions,
        database: Database,
        draughtsman: Draughtsman,
        signer: QrSigner,
        lifetimes: QrLifetimes,
        logos: Logos,
        clock: Clock,
    ) -> None:
        self._barcodes = barcodes
        self._redemptions = redemptions
        self._signer = signer
        self._lifetimes = lifetimes
        self._logos = logos
        self._clock = clock
        self._database = database
        self._draughtsman = draughtsman

    async def IssueBarcode(
        self, request: barcode_pb2.IssueBarcodeRequest, context: Any
    ) -> barcode_pb2.IssueBarcodeResponse:
        """A new one-time barcode: a batch of one."""
        item = barcode_pb2.BarcodeIssue(
            owner_id=request.owner_id, device=request.device, without_images=request.without_images
        )
        [outcome] = await self._issue([item])
        if isinstance(outcome, ServiceError):
            raise outcome
        return barcode_pb2.IssueBarcodeResponse(
            code=outcome.code,
            expire_time=outcome.expire_time,
            ttl_seconds=outcome.ttl_seconds,
            qr_svg=outcome.qr_svg,
            code128_svg=outcome.code128_svg,
        )

    async def IssueBarcodes(
        self, request: barcode_pb2.IssueBarcodesRequest, context: Any
    ) -> barcode_pb2.IssueBarcodesResponse:
        """New one-time barcodes, each answered for itself."""
        _check_count("items", request.items)
        outcomes = await self._issue(request.items)
        return barcode_pb2.IssueBarcodesResponse(
            results=[
                barcode_pb2.IssueBarcodeResult(error=to_item_error(outcome))
                if isinstance(outcome, ServiceError)
                else barcode_pb2.IssueBarcodeResult(barcode=outcome)
                for outcome in outcomes
            ]
        )

    async def _issue(
        self, items: Sequence[barcode_pb2.BarcodeIssue]
    ) -> list[barcode_pb2.IssuedBarcode | ServiceError]:
        checked = [_issue_of(item) for item in items]
        sound = [item for item in checked if isinstance(item, Issue)]
        issued = iter(await self._barcodes.issue(sound) if sound else [])
        outcomes = [item if isinstance(item, ServiceError) else next(issued) for item in checked]
        codes = [
            None if isinstance(outcome, ServiceError) or item.without_images else outcome.code
            for item, outcome in zip(items, outcomes, strict=True)
        ]
        drawings = await self._draughtsman.barcodes(codes)
        return [
            outcome if isinstance(outcome, ServiceError) else _issued_message(outcome, *drawing)
            for outcome, drawing in zip(outcomes, drawings, strict=True)
        ]

    async def RedeemBarcodes(
        self, request: barcode_pb2.RedeemBarcodesRequest, context: Any
    ) -> barcode_pb2.RedeemBarcodesResponse:
        """Use barcodes up, each answered for itself."""
        _check_count("items", request.items)
        checked = [_redemption(item) for item in request.items]
        sound = [item for item in checked if isinstance(item, Redemption)]
        outcomes = iter(await self._redemptions.redeem(sound) if sound else [])
        return barcode_pb2.RedeemBarcodesResponse(
            results=[
                _redeem_result(item if isinstance(item, ServiceError) else next(outcomes))
                for item in checked
            ]
        )

    async def RenderMerchantQr(
        self, request: barcode_pb2.RenderMerchantQrRequest, context: Any
    ) -> barcode_pb2.RenderMerchantQrResponse:
        """A merchant's QR code."""
        form = _FORMATS.get(request.format)
        if form is None:
            raise InvalidArgument([("format", "must be TEXT, SVG or PNG")])
        qr, drawing = await operations.render_merchant_qr(
            self._database,
            self._draughtsman,
            self._signer,
            wanted=WantedQr(
                merchant_id=request.merchant_id,
                store_id=request.store_id,
                terminal_id=request.terminal_id,
                requested=_requested_amount(request),
                reference=request.reference,
                lifetime_seconds=self._lifetime_seconds(request),
            ),
            form=form,
            now=self._clock.now(),
        )
        return barcode_pb2.RenderMerchantQrResponse(
            content=drawing.content,
            content_type=drawing.content_type,
            etag=drawing.etag,
            static=qr.static,
            serial=qr.serial,
            expire_time=_timestamp(qr.expire_time),
        )

    def _lifetime_seconds(self, request: barcode_pb2.RenderMerchantQrRequest) -> int:
        if not 0 <= request.lifetime_seconds <= self._lifetimes.seconds_max:
            rule = f"must be at most {self._lifetimes.seconds_max}"
            raise InvalidArgument([("lifetime_seconds", rule)])
        return request.lifetime_seconds or self._lifetimes.seconds

    async def RevokeMerchantQr(
        self, request: barcode_pb2.RevokeMerchantQrRequest, context: Any
    ) -> barcode_pb2.RevokeMerchantQrResponse:
        """End a shop's printed codes."""
        serial = await operations.revoke_merchant_qr(
            self._database,
            Place(request.merchant_id, request.store_id),
            revoked=request.serial,
            now=self._clock.now(),
        )
        return barcode_pb2.RevokeMerchantQrResponse(serial=serial)

    async def ListQrKeys(
        self, request: barcode_pb2.ListQrKeysRequest, context: Any
    ) -> barcode_pb2.ListQrKeysResponse:
        """The keys that vouch for codes."""
        return barcode_pb2.ListQrKeysResponse(
            keys=[
                barcode_pb2.QrKey(key_id=key.id, public_key=key.content)
                for key in self._signer.keys
            ]
        )

    async def RenderPoster(
        self, request: barcode_pb2.RenderPosterRequest, context: Any
    ) -> barcode_pb2.RenderPosterResponse:
        """A poster to print."""
        size = _POSTER_SIZES.get(request.size)
        if size is None:
            raise InvalidArgument([("size", "must be A4 or A6")])
        drawing = await operations.render_poster(
            self._database,
            self._draughtsman,
            self._signer,
            self._logos,
            merchant_id=request.merchant_id,
            size=size,
            language=request.language or DEFAULT_LANGUAGE,
        )
        return barcode_pb2.RenderPosterResponse(
            content=drawing.content, content_type=drawing.content_type, etag=drawing.etag
        )

    async def DecodeQrs(
        self, request: barcode_pb2.DecodeQrsRequest, context: Any
    ) -> barcode_pb2.DecodeQrsResponse:
        """Read QR codes, each answered for itself."""
        _check_count("texts", request.texts)
        outcomes = await operations.decode_qrs(
            self._database, self._signer, request.texts, now=self._clock.now()
        )
        return barcode_pb2.DecodeQrsResponse(results=[_decoded_qr(outcome) for outcome in outcomes])


def _check_count(field: str, items: Sequence[Any]) -> None:
    if not 1 <= len(items) <= ITEMS_MAX:
        raise InvalidArgument([(field, f"must be 1 to {ITEMS_MAX}")])


def _issue_of(item: barcode_pb2.BarcodeIssue) -> Issue | InvalidArgument:
    broken = []
    if not model.is_key_part(item.owner_id):
        broken.append(FieldViolation("owner_id", model.KEY_PART_RULE))
    if not model.is_device_label(item.device):
        broken.append(FieldViolation("device", "must be at most 64 visible ASCII characters"))
    return InvalidArgument(broken) if broken else Issue(owner_id=item.owner_id, device=item.device)


def _issued_message(
    issued: IssuedBarcode, qr_svg: str, code128_svg: str
) -> barcode_pb2.IssuedBarcode:
    message = barcode_pb2.IssuedBarcode(
        code=issued.code.reveal(),
        ttl_seconds=issued.ttl_seconds,
        qr_svg=qr_svg,
        code128_svg=code128_svg,
    )
    message.expire_time.FromDatetime(issued.expire_time)
    return message


def _redemption(item: barcode_pb2.BarcodeRedemption) -> Redemption | InvalidArgument:
    """The item, or what is wrong with it.

    Its code may be any text: what a till scanned, perhaps the wrong label, and then it is unknown.
    """
    broken = [
        FieldViolation(field, model.KEY_PART_RULE)
        for field in ("redemption_token", "merchant_id")
        if not model.is_key_part(getattr(item, field))
    ]
    if broken:
        return InvalidArgument(broken)
    return Redemption(
        code=Secret(item.code),
        token=item.redemption_token,
        merchant_id=item.merchant_id,
        amount_minor=max(item.money.amount_minor, 0),
        currency_code=item.money.currency_code,
    )


def _redeem_result(outcome: RedeemedBarcode | ServiceError) -> barcode_pb2.RedeemBarcodeResult:
    if isinstance(outcome, ServiceError):
        return barcode_pb2.RedeemBarcodeResult(error=to_item_error(outcome))
    return barcode_pb2.RedeemBarcodeResult(
        barcode=barcode_pb2.RedeemedBarcode(
            issuance_id=outcome.issuance_id, owner_id=outcome.owner_id
        )
    )


def _requested_amount(request: barcode_pb2.RenderMerchantQrRequest) -> RequestedAmount | None:
    if not request.HasField("money"):
        return None
    return RequestedAmount(
        currency_code=request.money.currency_code, amount_minor=request.money.amount_minor
    )


def _decoded_qr(outcome: PaymentRequest | ServiceError) -> barcode_pb2.DecodedQr:
    if isinstance(outcome, ServiceError):
        return barcode_pb2.DecodedQr(error=to_item_error(outcome))
    return barcode_pb2.DecodedQr(
        merchant=merchant_message(outcome.merchant),
        money=money_pb2.Money(
            currency_code=outcome.merchant.currency_code, amount_minor=outcome.amount_minor
        ),
        reference=outcome.reference,
        static=outcome.static,
        store_id=outcome.store_id,
        terminal_id=outcome.terminal_id,
        expire_time=_timestamp(outcome.expire_time),
    )


def _timestamp(seconds: int) -> timestamp_pb2.Timestamp | None:
    return timestamp_pb2.Timestamp(seconds=seconds) if seconds else None
