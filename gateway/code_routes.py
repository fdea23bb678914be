"""The routes of merchants' QR codes."""

from __future__ import annotations

from collections.abc import Iterable

from gateway import answers, bodies, queries
from gateway.auth import ROLES, Role
from gateway.merchants_api import KEY_SET_TYPE, MerchantsApi
from gateway.operation import Operation, Success
from gateway.route_parts import json_answer, same_for

_REVOKERS: tuple[Role, ...] = ("merchant", "operator")


def code_operations(merchants: MerchantsApi) -> Iterable[Operation]:
    """Merchants' codes: looked up, drawn, read and revoked."""
    yield Operation(
        method="GET",
        path="/merchants/{merchant_id}",
        tag="Codes and merchants",
        summary="Read a merchant",
        description="The merchant itself and operators get a MerchantRecord, and its version as "
        "ETag.",
        handler=merchants.read,
        successes=(json_answer("The merchant.", answers.Merchant),),
        problems=("merchant-not-found",),
    )
    yield from _drawings(merchants)
    yield from _scanned_codes(merchants)


def _drawings(merchants: MerchantsApi) -> Iterable[Operation]:
    yield Operation(
        method="GET",
        path="/merchants/{merchant_id}/qr",
        tag="Codes and merchants",
        summary="A merchant's QR code",
        description="EMVCo merchant-presented: static without an amount, dynamic with one.",
        handler=merchants.qr,
        roles=None,
        query=queries.MerchantQrQuery,
        successes=(
            Success(
                status=200,
                description="The code.",
                media_types=("image/svg+xml", "image/png", "text/plain"),
                headers={"ETag": "Strong validator.", "Cache-Control": "Long for a static code."},
            ),
            Success(status=304, description="The code that you have is still the one."),
        ),
        problems=(
            *("merchant-not-found", "merchant-closed", "currency-mismatch"),
            *("amount-out-of-range", "temporarily-unavailable"),
        ),
        request_headers={"If-None-Match": "The ETag of the code that you have."},
    )
    yield Operation(
        method="GET",
        path="/merchants/{merchant_id}/poster",
        tag="Codes and merchants",
        summary="A poster with a merchant's QR code, to print and hang up",
        description="One page with the merchant's name and static code, drawn as shapes: sharp at "
        "every size.",
        handler=merchants.poster,
        roles=None,
        query=queries.PosterQuery,
        successes=(
            Success(
                status=200,
                description="The poster.",
                media_types=("application/pdf",),
                headers={"ETag": "Strong validator.", "Cache-Control": "Long."},
            ),
            Success(status=304, description="The poster that you have is still the one."),
        ),
        problems=("merchant-not-found", "merchant-closed", "temporarily-unavailable"),
        request_headers={"If-None-Match": "The ETag of the poster that you have."},
    )


def _scanned_codes(merchants: MerchantsApi) -> Iterable[Operation]:
    yield Operation(
        method="POST",
        path="/merchants/{merchant_id}/qr/revoke",
        tag="Codes and merchants",
        summary="End the codes that were printed",
        description="By the merchant itself, or an operator. From then on "
        "`GET /merchants/{merchant_id}/qr` answers a new code; fetch it past your caches.",
        handler=merchants.revoke,
        roles=_REVOKERS,
        bodies=same_for(_REVOKERS, bodies.RevokeQrBody),
        body_optional=True,
        successes=(json_answer("The issue that is valid now.", answers.PrintedQr),),
        problems=("forbidden", "merchant-not-found"),
    )
    yield Operation(
        method="POST",
        path="/qr/decode",
        tag="Codes and merchants",
        summary="What a scanned QR code says",
        description="Show this before the customer confirms. Name and city come from our records, "
        "not from the code.",
        handler=merchants.decode,
        bodies=same_for(ROLES, bodies.DecodeQrBody),
        successes=(json_answer("Whom it pays, and what it asks for.", answers.DecodedQr),),
        problems=(
            *("qr-invalid", "qr-not-ours", "qr-expired", "qr-revoked"),
            *("merchant-not-found", "merchant-closed"),
        ),
    )
    yield Operation(
        method="GET",
        path="/qr/keys",
        tag="Codes and merchants",
        summary="The keys that merchants' codes are signed with",
        description="A JSON Web Key Set: check codes with it when you are offline.",
        handler=merchants.keys,
        roles=None,
        successes=(
            Success(
                status=200,
                description="The keys.",
                shape=answers.QrKeys,
                media_types=(KEY_SET_TYPE,),
                headers={"Cache-Control": "How long they may be kept."},
            ),
        ),
        problems=("temporarily-unavailable",),
    )
