"""Merchants, their QR codes and posters, and what a scanned code says."""

from __future__ import annotations

from msgspec import UNSET

from chassis.errors import from_item_error
from gateway import answers
from gateway.bodies import AMOUNT_MAX, DecodeQrBody
from gateway.merchant_answers import record_answer
from gateway.merchant_records_api import merchant_id_of, sees_all
from gateway.operation import Call, Headers, Reply
from gateway.preconditions import entity_tags, version_tag
from gateway.problems import Problem, invalid_request
from gateway.queries import MerchantQrQuery, PosterQuery
from gateway.replies import json_reply
from gateway.upstream import Upstream
from qrpay.barcode.v1 import barcode_pb2, merchant_pb2
from qrpay.type.v1 import money_pb2

STATIC_QR_SECONDS = 7 * 24 * 3600
"""How long a merchant's static code may be kept without asking; what is printed lives for years."""

_KEPT_LONG = b"public, max-age=%d" % STATIC_QR_SECONDS

_FORMATS = {
    "text": barcode_pb2.QR_FORMAT_TEXT,
    "svg": barcode_pb2.QR_FORMAT_SVG,
    "png": barcode_pb2.QR_FORMAT_PNG,
}
_MEDIA_TYPES = {
    "text": b"text/plain; charset=utf-8",
    "svg": b"image/svg+xml",
    "png": b"image/png",
}
_POSTER_SIZES = {"a4": barcode_pb2.POSTER_SIZE_A4, "a6": barcode_pb2.POSTER_SIZE_A6}
# An image that is opened on its own must not be able to do anything.
_INERT = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; sandbox")


class MerchantsApi:
    """Handlers of /merchants and /qr."""

    def __init__(self, *, upstream: Upstream) -> None:
        self._upstream = upstream

    async def read(self, call: Call) -> Reply:
        """GET /merchants/{merchant_id}."""
        merchant_id = merchant_id_of(call)
        response = await self._upstream.call(
            self._upstream.merchants.GetMerchant,
            merchant_pb2.GetMerchantRequest(merchant_id=merchant_id),
        )
        if not sees_all(call, merchant_id):
            return json_reply(_merchant_answer(response.merchant))
        tag = version_tag(response.merchant.version)
        return json_reply(record_answer(response.merchant), headers=[(b"etag", tag)])

    async def qr(self, call: Call) -> Reply:
        """GET /merchants/{merchant_id}/qr."""
        query: MerchantQrQuery = call.query
        request = barcode_pb2.RenderMerchantQrRequest(
            merchant_id=merchant_id_of(call),
            format=_FORMATS[query.image_format],
            reference=query.ref or "",
        )
        if query.amount is not None:
            if query.amount > AMOUNT_MAX:
                raise Problem("amount-out-of-range")
            request.money.CopyFrom(
                money_pb2.Money(currency_code=query.currency or "", amount_minor=query.amount)
            )
        elif query.currency is not None:
            raise invalid_request(("amount", "is required: a currency alone asks for nothing"))
        rendered = await self._upstream.call(self._upstream.barcode.RenderMerchantQr, request)
        # An answer for somebody's own amount is asked for again each time: it costs one 304.
        cache = _KEPT_LONG if rendered.static else b"no-cache"
        shown = (b"content-type", _MEDIA_TYPES[query.image_format])
        return _drawing_reply(call, rendered, cache=cache, headers=[shown, _INERT])

    async def poster(self, call: Call) -> Reply:
        """GET /merchants/{merchant_id}/poster."""
        query: PosterQuery = call.query
        merchant_id = merchant_id_of(call)
        rendered = await self._upstream.call(
            self._upstream.barcode.RenderPoster,
            barcode_pb2.RenderPosterRequest(
                merchant_id=merchant_id, size=_POSTER_SIZES[query.size], language=query.lang
            ),
        )
        # Not the policy of the images: browsers do not show a PDF in a sandbox, and need none.
        name = f"{merchant_id}-{query.size}-{query.lang}.pdf".encode("ascii")
        shown = [
            (b"content-type", b"application/pdf"),
            (b"content-disposition", b'inline; filename="%s"' % name),
        ]
        return _drawing_reply(call, rendered, cache=_KEPT_LONG, headers=shown)

    async def decode(self, call: Call) -> Reply:
        """POST /qr/decode: what the app shows before the customer confirms."""
        body: DecodeQrBody = call.body
        response = await self._upstream.call(
            self._upstream.barcode.DecodeQrs, barcode_pb2.DecodeQrsRequest(texts=[body.qr])
        )
        (decoded,) = response.results
        if decoded.HasField("error"):
            raise from_item_error(decoded.error)
        asks = decoded.money.amount_minor > 0
        return json_reply(
            answers.DecodedQr(
                merchant=_merchant_answer(decoded.merchant),
                amount=decoded.money.amount_minor if asks else UNSET,
                currency=decoded.money.currency_code or UNSET,
                static=decoded.static,
            )
        )


def _merchant_answer(merchant: merchant_pb2.Merchant) -> answers.Merchant:
    return answers.Merchant(
        id=merchant.id,
        name=merchant.name,
        city=merchant.city,
        mcc=merchant.category_code,
        currency=merchant.currency_code,
    )


def _drawing_reply(
    call: Call,
    rendered: barcode_pb2.RenderMerchantQrResponse | barcode_pb2.RenderPosterResponse,
    *,
    cache: bytes,
    headers: Headers,
) -> Reply:
    """The drawing with ``headers`` of its own, or 304 if the client has it."""
    entity_tag = rendered.etag.encode("ascii")
    common: Headers = [(b"etag", b'"%s"' % entity_tag), (b"cache-control", cache)]
    known = entity_tags(call.headers.get(b"if-none-match"))
    if entity_tag in known or known == [b"*"]:
        return Reply(304, b"", common)
    content = rendered.content
    length = (b"content-length", b"%d" % len(content))
    return Reply(200, content, [*common, *headers, length])
