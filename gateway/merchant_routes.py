"""The part of the route table that merchants and operators use to keep merchants' records."""

from __future__ import annotations

from collections.abc import Iterable

from gateway import merchant_answers as answers
from gateway import merchant_bodies as bodies
from gateway import queries
from gateway.auth import Role
from gateway.bodies import Body
from gateway.logos_api import LogosApi
from gateway.merchant_records_api import MerchantRecordsApi
from gateway.operation import Handler, Operation, Success, Upload
from gateway.route_parts import json_answer, same_for

LOGO_BYTES_MAX = 2 * 1024 * 1024
"""The largest logo that is taken; more than any other body, and for this route alone."""
LOGO_SECONDS_MAX = 30.0
"""How long a client may take to send it: 2 MiB in that time is a slow telephone."""

_KEEPERS: tuple[Role, ...] = ("merchant", "operator")
_TAG = "Merchants"
_ETAG = {"ETag": "The version, for If-Match."}
_CREATED = {
    **_ETAG,
    "Idempotent-Replayed": "`true` if it was there before this request.",
}
_RECORD = json_answer("The merchant.", answers.MerchantRecord, headers=_ETAG)
_OWN = ("forbidden", "merchant-not-found")
_LOGO_DESCRIPTION = """\
Drawn anew from the pixels, upright, in sRGB, without any metadata. One whole, still picture of at
most 2 MiB, 8192 pixels a side and 16 megapixels in all. `logo` in the answer is its address."""
_PICTURE_DESCRIPTION = """\
WebP for clients that name `image/webp` in Accept, PNG for all others. The width is taken as the
next of 64, 96, 128, 192, 256, 384, 512, 768 and 1024, and never more than the logo has.
Content-Location is the address of exactly this picture, which may be kept for ever."""


def merchant_operations(records: MerchantRecordsApi, logos: LogosApi) -> Iterable[Operation]:
    """The operations, in the order of the documentation."""
    yield from _records(records)
    yield from _places(
        records, "store", body=bodies.StoreBody, shape=answers.Store, page=answers.Stores
    )
    yield from _places(
        records,
        "terminal",
        body=bodies.TerminalBody,
        shape=answers.Terminal,
        page=answers.Terminals,
    )
    yield from _logos(logos)


def _records(records: MerchantRecordsApi) -> Iterable[Operation]:
    yield Operation(
        method="POST",
        path="/merchants",
        tag=_TAG,
        summary="Register a merchant",
        description="A merchant registers itself, an operator anybody. Its wallet is not opened.",
        handler=records.register,
        roles=_KEEPERS,
        bodies=same_for(_KEEPERS, bodies.RegisterMerchantBody),
        creates=True,
        successes=(
            json_answer(
                "The merchant.",
                answers.MerchantRecord,
                status=201,
                headers={**_CREATED, "Location": "`/merchants/{id}`."},
            ),
        ),
        problems=("merchant-exists",),
    )
    yield Operation(
        method="PATCH",
        path="/merchants/{merchant_id}",
        tag=_TAG,
        summary="Change a merchant",
        description="For the merchant itself and operators. Codes printed before stay payable; new "
        "ones show the new name.",
        handler=records.update,
        roles=_KEEPERS,
        bodies=same_for(_KEEPERS, bodies.MerchantPatch),
        edits=True,
        successes=(_RECORD,),
        problems=(*_OWN, "merchant-closed"),
    )
    yield Operation(
        method="POST",
        path="/merchants/{merchant_id}/close",
        tag=_TAG,
        summary="Close a merchant for good",
        description="Its QR codes can no longer be paid. What was paid stays as it is.",
        handler=records.close,
        roles=_KEEPERS,
        successes=(_RECORD,),
        problems=_OWN,
    )
    yield Operation(
        method="GET",
        path="/merchants/{merchant_id}/changes",
        tag=_TAG,
        summary="Who changed what, newest first",
        handler=records.changes,
        roles=_KEEPERS,
        query=queries.PageQuery,
        successes=(json_answer("A page.", answers.MerchantChanges),),
        problems=_OWN,
    )


def _places(
    records: MerchantRecordsApi,
    noun: str,
    *,
    body: type[Body],
    shape: type[answers.Store],
    page: type[answers.Stores] | type[answers.Terminals],
) -> Iterable[Operation]:
    is_store = noun == "store"
    path = f"/merchants/{{merchant_id}}/{noun}s"
    add: Handler = records.add_store if is_store else records.add_terminal
    yield Operation(
        method="POST",
        path=path,
        tag=_TAG,
        summary=f"Add a {noun}",
        handler=add,
        roles=_KEEPERS,
        bodies=same_for(_KEEPERS, body),
        creates=True,
        successes=(json_answer(f"The {noun}.", shape, status=201, headers=_CREATED),),
        problems=(
            *_OWN,
            *("merchant-closed", "place-limit-reached"),
            *(() if is_store else ("store-not-found", "store-closed")),
        ),
    )
    yield Operation(
        method="GET",
        path=path,
        tag=_TAG,
        summary=f"List a merchant's {noun}s, oldest first",
        description="Closed ones, too.",
        handler=records.list_stores if is_store else records.list_terminals,
        roles=_KEEPERS,
        query=queries.PageQuery if is_store else queries.TerminalsQuery,
        successes=(json_answer("A page.", page),),
        problems=_OWN,
    )
    yield from _one_place(records, noun, path=path, shape=shape)


def _one_place(
    records: MerchantRecordsApi, noun: str, *, path: str, shape: type[answers.Store]
) -> Iterable[Operation]:
    one = json_answer(f"The {noun}.", shape, headers=_ETAG)
    missing = f"{noun}-not-found"
    yield Operation(
        method="PATCH",
        path=f"{path}/{{{noun}_id}}",
        tag=_TAG,
        summary=f"Rename a {noun}",
        handler=records.rename_place,
        roles=_KEEPERS,
        bodies=same_for(_KEEPERS, bodies.PlacePatch),
        edits=True,
        successes=(one,),
        problems=(*_OWN, missing, f"{noun}-closed"),
    )
    yield Operation(
        method="POST",
        path=f"{path}/{{{noun}_id}}/close",
        tag=_TAG,
        summary=f"Close a {noun} for good",
        description="With all its terminals." if noun == "store" else "",
        handler=records.close_place,
        roles=_KEEPERS,
        successes=(one,),
        problems=(*_OWN, missing),
    )


def _logos(logos: LogosApi) -> Iterable[Operation]:
    yield Operation(
        method="PUT",
        path="/merchants/{merchant_id}/logo",
        tag=_TAG,
        summary="Give a merchant a logo",
        description=_LOGO_DESCRIPTION,
        handler=logos.upload,
        roles=_KEEPERS,
        upload=Upload(
            media_types=("image/png", "image/jpeg", "image/webp"),
            bytes_max=LOGO_BYTES_MAX,
            seconds=LOGO_SECONDS_MAX,
        ),
        successes=(
            json_answer(
                "The merchant.",
                answers.MerchantRecord,
                headers={**_ETAG, "Content-Location": "`/merchants/{id}`."},
            ),
        ),
        problems=(*_OWN, "merchant-closed", "logo-invalid"),
    )
    for path, handler, summary, kept in (
        ("logo", logos.current, "A merchant's logo", "Five minutes."),
        ("logo/{sha256}", logos.one, "One logo, for ever", "A year, immutable."),
    ):
        yield Operation(
            method="GET",
            path=f"/merchants/{{merchant_id}}/{path}",
            tag=_TAG,
            summary=summary,
            description=_PICTURE_DESCRIPTION,
            handler=handler,
            roles=None,
            query=queries.LogoQuery,
            successes=_pictures(kept),
            problems=("merchant-not-found", "logo-not-found", "temporarily-unavailable"),
            request_headers={
                "Accept": "Name `image/webp` to get it.",
                "If-None-Match": "The ETag of the picture that you have.",
            },
        )


def _pictures(kept: str) -> tuple[Success, ...]:
    headers = {
        "ETag": "Strong validator.",
        "Cache-Control": kept,
        "Vary": "`Accept`.",
        "Content-Location": "The address of exactly this picture.",
    }
    return (
        Success(
            status=200,
            description="The picture.",
            media_types=("image/webp", "image/png"),
            headers=headers,
        ),
        Success(status=304, description="The picture that you have is still the one."),
    )
