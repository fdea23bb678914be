"""Merchants, their QR codes and posters, and what a scanned code says."""

from __future__ import annotations

import base64

import msgspec
from msgspec import UNSET

from chassis.errors import from_item_error
from gateway import answers
from gateway.bodies import AMOUNT_MAX, DecodeQrBody, RevokeQrBody
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

STATIC_QR_SECONDS = 24 * 3600
"""How long a merchant's static code may be kept without asking. What is printed lives for years,
but it can be revoked: a cache may hand out a dead code for a day at most. Who scans it is told so,
and nobody loses money; a page that has just revoked one fetches it anew (RFC 9111, 5.2.1.4)."""
STATIC_QR_STALE_SECONDS = 7 * 24 * 3600
"""How much longer it may be shown while we cannot be asked (RFC 5861, section 4): a poster that is
most likely right beats none."""
QR_KEYS_SECONDS = 300
"""How long keys may be kept without asking: this long before its first code a new key must be
known."""
_STATIC_CACHE = b"public, max-age=%d, stale-if-error=%d" % (
    STATIC_QR_SECONDS,
    STATIC_QR_STALE_SECONDS,
)

KEY_SET_TYPE = "application/jwk-set+json"
"""RFC 7517, section 8.5.1."""
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
        cache = _STATIC_CACHE if rendered.static else b"no-cache"
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
        return _drawing_reply(call, rendered, cache=_STATIC_CACHE, headers=shown)

    async def revoke(self, call: Call) -> Reply:
        """POST /merchants/{merchant_id}/qr/revoke: by the merchant itself, or an operator."""
        merchant_id = merchant_id_of(call)
        if call.user.role != "operator" and call.user.id != merchant_id:
            raise Problem("forbidden")
        body: RevokeQrBody = call.body
        response = await self._upstream.call(
            self._upstream.barcode.RevokeMerchantQr,
            barcode_pb2.RevokeMerchantQrRequest(
                merchant_id=merchant_id, store_id=body.store or "", serial=body.serial or 0
            ),
        )
        return json_reply(answers.PrintedQr(serial=response.serial))

    async def keys(self, call: Call) -> Reply:  # noqa: ARG002 - the same for everybody
        """GET /qr/keys: what apps check codes with when they are offline."""
        response = await self._upstream.call(
            self._upstream.barcode.ListQrKeys, barcode_pb2.ListQrKeysRequest()
        )
        keys = [
            answers.QrKey(
                kid=key.key_id,
                x=base64.urlsafe_b64encode(key.public_key).rstrip(b"=").decode("ascii"),
            )
            for key in response.keys
        ]
        content = msgspec.json.encode(answers.QrKeys(keys=keys))
        return Reply(
            200,
            content,
            [
                (b"content-type", KEY_SET_TYPE.encode()),
                (b"content-length", b"%d" % len(content)),
                (b"cache-control", b"public, max-age=%d" % QR_KEYS_SECONDS),
            ],
        )

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
