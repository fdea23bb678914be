"""Merchants' logos: taken from who owns them, shown to anybody."""

from __future__ import annotations

import re

from gateway.merchant_answers import logo_address, record_answer
from gateway.merchant_records_api import merchant_id_of, own_merchant_id
from gateway.negotiation import prefers_webp
from gateway.operation import Call, Headers, Reply
from gateway.preconditions import entity_tags, version_tag
from gateway.problems import Problem
from gateway.queries import LogoQuery
from gateway.replies import json_reply
from gateway.upstream import Upstream
from qrpay.barcode.v1 import merchant_pb2

CURRENT_SECONDS = 300
"""How long somebody may show a logo that has been changed meanwhile."""
ONE_SECONDS = 365 * 24 * 3600
"""How long one logo by its own address may be kept: it never changes. As good as for ever (RFC
8246)."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ETAGS_MAX = 16
_VARY = (b"vary", b"Accept")


class LogosApi:
    """Handlers of /merchants/{merchant_id}/logo."""

    def __init__(self, *, upstream: Upstream) -> None:
        self._upstream = upstream

    async def upload(self, call: Call) -> Reply:
        """PUT /merchants/{merchant_id}/logo."""
        response = await self._upstream.call(
            self._upstream.merchants.UploadLogo,
            merchant_pb2.UploadLogoRequest(
                merchant_id=own_merchant_id(call), content=call.body, actor=call.user.id
            ),
        )
        merchant = response.merchant
        return json_reply(
            record_answer(merchant),
            headers=[
                (b"etag", version_tag(merchant.version)),
                (b"content-location", f"/merchants/{merchant.id}".encode("ascii")),
            ],
        )

    async def current(self, call: Call) -> Reply:
        """GET /merchants/{merchant_id}/logo: whatever the logo is now."""
        return await self._picture(call, "", b"public, max-age=%d" % CURRENT_SECONDS)

    async def one(self, call: Call) -> Reply:
        """GET /merchants/{merchant_id}/logo/{sha256}: this one, for ever."""
        sha256 = call.path["sha256"]
        if not _SHA256.fullmatch(sha256):
            raise Problem("logo-not-found")
        return await self._picture(call, sha256, b"public, max-age=%d, immutable" % ONE_SECONDS)

    async def _picture(self, call: Call, sha256: str, cache: bytes) -> Reply:
        query: LogoQuery = call.query
        webp = prefers_webp(call.headers.get(b"accept"))
        tags = entity_tags(call.headers.get(b"if-none-match"))
        picture = await self._upstream.call(
            self._upstream.merchants.RenderLogo,
            merchant_pb2.RenderLogoRequest(
                merchant_id=merchant_id_of(call),
                logo_sha256=sha256,
                width=query.w,
                format=merchant_pb2.LOGO_FORMAT_WEBP if webp else merchant_pb2.LOGO_FORMAT_PNG,
                known_etags=[tag.decode("latin-1") for tag in tags[:_ETAGS_MAX]],
            ),
        )
        address = f"{logo_address(call.path['merchant_id'], picture.logo_sha256)}?w={picture.width}"
        headers: Headers = [
            (b"etag", b'"%s"' % picture.etag.encode("ascii")),
            (b"cache-control", cache),
            _VARY,
            (b"content-location", address.encode("ascii")),
        ]
        if picture.not_modified or tags == [b"*"]:
            return Reply(304, b"", headers)
        headers.append((b"content-type", b"image/webp" if webp else b"image/png"))
        headers.append((b"content-length", b"%d" % len(picture.content)))
        return Reply(200, picture.content, headers)
