"""What merchants and operators do with a merchant's record, its stores and its terminals."""

from __future__ import annotations

from msgspec import UNSET

from chassis.ids import is_id
from gateway.merchant_answers import (
    MerchantChange,
    MerchantChanges,
    Stores,
    Terminal,
    Terminals,
    place_answer,
    record_answer,
)
from gateway.merchant_bodies import (
    MerchantPatch,
    PlacePatch,
    RegisterMerchantBody,
    StoreBody,
    TerminalBody,
)
from gateway.operation import Call, Headers, Reply
from gateway.payment_view import time_of
from gateway.preconditions import version_tag
from gateway.problems import Problem, invalid_request
from gateway.queries import PageQuery, TerminalsQuery
from gateway.replies import json_reply
from gateway.upstream import Upstream
from qrpay.barcode.v1 import merchant_pb2

_STORE = merchant_pb2.PLACE_KIND_STORE
_TERMINAL = merchant_pb2.PLACE_KIND_TERMINAL


class MerchantRecordsApi:
    """Handlers of POST /merchants and of what is below /merchants/{merchant_id}."""

    def __init__(self, *, upstream: Upstream) -> None:
        self._upstream = upstream
        self._merchants = upstream.merchants

    async def register(self, call: Call) -> Reply:
        """POST /merchants."""
        body: RegisterMerchantBody = call.body
        merchant_id = body.id
        if call.user.role == "merchant":
            merchant_id = merchant_id or call.user.id
            if merchant_id != call.user.id:
                raise Problem("forbidden", detail="A merchant registers itself.")
        if merchant_id is None:
            raise invalid_request(("id", "is required from an operator"))
        merchant = merchant_pb2.Merchant(
            id=merchant_id,
            name=body.name,
            city=body.city,
            category_code=body.mcc,
            country_code=body.country,
            currency_code=body.currency,
        )
        if body.local is not None:
            merchant.local.language_code = body.local.language
            merchant.local.name = body.local.name
            merchant.local.city = body.local.city or ""
        response = await self._upstream.call(
            self._merchants.RegisterMerchant,
            merchant_pb2.RegisterMerchantRequest(
                merchant=merchant, request_id=call.idempotency_key, actor=call.user.id
            ),
        )
        headers: Headers = [(b"location", f"/merchants/{merchant_id}".encode("ascii"))]
        return _record(response.merchant, status=201, headers=headers + _replay(response.replayed))

    async def update(self, call: Call) -> Reply:
        """PATCH /merchants/{merchant_id}."""
        merchant_id = own_merchant_id(call)
        request = merchant_pb2.UpdateMerchantRequest(
            merchant=merchant_pb2.Merchant(id=merchant_id), version=call.version, actor=call.user.id
        )
        _write_patch(call.body, request)
        if not request.update_mask.paths:
            raise invalid_request(("", "must name a field to change"))
        response = await self._upstream.call(self._merchants.UpdateMerchant, request)
        return _record(response.merchant)

    async def close(self, call: Call) -> Reply:
        """POST /merchants/{merchant_id}/close."""
        response = await self._upstream.call(
            self._merchants.CloseMerchant,
            merchant_pb2.CloseMerchantRequest(
                merchant_id=own_merchant_id(call), actor=call.user.id
            ),
        )
        return _record(response.merchant)

    async def changes(self, call: Call) -> Reply:
        """GET /merchants/{merchant_id}/changes."""
        query: PageQuery = call.query
        page = await self._upstream.call(
            self._merchants.ListMerchantChanges,
            merchant_pb2.ListMerchantChangesRequest(
                merchant_id=own_merchant_id(call),
                page_size=query.limit,
                page_token=query.cursor or "",
            ),
        )
        return json_reply(
            MerchantChanges(
                items=[_change(it) for it in page.changes], next_cursor=page.next_page_token or None
            )
        )

    async def add_store(self, call: Call) -> Reply:
        """POST /merchants/{merchant_id}/stores."""
        body: StoreBody = call.body
        return await self._add(call, _STORE, name=body.name)

    async def add_terminal(self, call: Call) -> Reply:
        """POST /merchants/{merchant_id}/terminals."""
        body: TerminalBody = call.body
        return await self._add(call, _TERMINAL, name=body.name, store_id=body.store)

    async def list_stores(self, call: Call) -> Reply:
        """GET /merchants/{merchant_id}/stores."""
        query: PageQuery = call.query
        page = await self._list(call, _STORE, query)
        return json_reply(
            Stores(
                items=[place_answer(it) for it in page.places],
                next_cursor=page.next_page_token or None,
            )
        )

    async def list_terminals(self, call: Call) -> Reply:
        """GET /merchants/{merchant_id}/terminals."""
        query: TerminalsQuery = call.query
        page = await self._list(call, _TERMINAL, query, store_id=query.store or "")
        items = [place_answer(it) for it in page.places]
        return json_reply(
            Terminals(
                items=[it for it in items if isinstance(it, Terminal)],
                next_cursor=page.next_page_token or None,
            )
        )

    async def rename_place(self, call: Call) -> Reply:
        """PATCH of a store or a terminal."""
        body: PlacePatch = call.body
        response = await self._upstream.call(
            self._merchants.RenamePlace,
            merchant_pb2.RenamePlaceRequest(
                merchant_id=own_merchant_id(call),
                place_id=_place_id(call),
                name=body.name,
                version=call.version,
                actor=call.user.id,
            ),
        )
        return _place(response.place)

    async def close_place(self, call: Call) -> Reply:
        """POST .../close of a store or a terminal."""
        response = await self._upstream.call(
            self._merchants.ClosePlace,
            merchant_pb2.ClosePlaceRequest(
                merchant_id=own_merchant_id(call), place_id=_place_id(call), actor=call.user.id
            ),
        )
        return _place(response.place)

    async def _add(
        self, call: Call, kind: merchant_pb2.PlaceKind, *, name: str, store_id: str = ""
    ) -> Reply:
        response = await self._upstream.call(
            self._merchants.AddPlace,
            merchant_pb2.AddPlaceRequest(
                merchant_id=own_merchant_id(call),
                kind=kind,
                name=name,
                store_id=store_id,
                request_id=call.idempotency_key,
                actor=call.user.id,
            ),
        )
        return _place(response.place, status=201, headers=_replay(response.replayed))

    async def _list(
        self, call: Call, kind: merchant_pb2.PlaceKind, query: PageQuery, *, store_id: str = ""
    ) -> merchant_pb2.ListPlacesResponse:
        return await self._upstream.call(
            self._merchants.ListPlaces,
            merchant_pb2.ListPlacesRequest(
                merchant_id=own_merchant_id(call),
                kind=kind,
                store_id=store_id,
                page_size=query.limit,
                page_token=query.cursor or "",
            ),
        )


def merchant_id_of(call: Call) -> str:
    """The merchant of the path. Raises ``Problem`` merchant-not-found for what cannot be one."""
    merchant_id = call.path["merchant_id"]
    if not is_id(merchant_id, "mer"):
        raise Problem("merchant-not-found")
    return merchant_id


def sees_all(call: Call, merchant_id: str) -> bool:
    """Whether the caller is an operator or the merchant itself."""
    return call.user.role == "operator" or (
        call.user.role == "merchant" and call.user.id == merchant_id
    )


def own_merchant_id(call: Call) -> str:
    """The merchant of the path, if the caller may act for it. Raises ``Problem`` forbidden."""
    merchant_id = merchant_id_of(call)
    if not sees_all(call, merchant_id):
        raise Problem("forbidden", detail="Only the merchant itself and operators may do this.")
    return merchant_id


def _place_id(call: Call) -> str:
    for parameter, prefix, code in (
        ("store_id", "sto", "store-not-found"),
        ("terminal_id", "trm", "terminal-not-found"),
    ):
        if parameter in call.path:
            place_id = call.path[parameter]
            if not is_id(place_id, prefix):
                raise Problem(code)
            return place_id
    raise AssertionError("the path of a place names it")


def _write_patch(body: MerchantPatch, request: merchant_pb2.UpdateMerchantRequest) -> None:
    """A merge patch as fields and a mask."""
    merchant, paths = request.merchant, request.update_mask.paths
    for field, value in (
        ("name", body.name),
        ("city", body.city),
        ("category_code", body.mcc),
        ("country_code", body.country),
    ):
        if value is not UNSET:
            setattr(merchant, field, value)
            paths.append(field)
    if body.local is None:
        paths.append("local")
    elif body.local is not UNSET:
        for field, local_value in (
            ("language_code", body.local.language),
            ("name", body.local.name),
            ("city", body.local.city),
        ):
            if local_value is not UNSET:
                setattr(merchant.local, field, local_value or "")
                paths.append(f"local.{field}")


def _record(
    merchant: merchant_pb2.Merchant, *, status: int = 200, headers: Headers | None = None
) -> Reply:
    tag = (b"etag", version_tag(merchant.version))
    return json_reply(record_answer(merchant), status=status, headers=[tag, *(headers or ())])


def _place(
    place: merchant_pb2.Place, *, status: int = 200, headers: Headers | None = None
) -> Reply:
    tag = (b"etag", version_tag(place.version))
    return json_reply(place_answer(place), status=status, headers=[tag, *(headers or ())])


def _replay(replayed: bool) -> Headers:
    return [(b"idempotent-replayed", b"true")] if replayed else []


def _change(change: merchant_pb2.MerchantChange) -> MerchantChange:
    return MerchantChange(
        number=change.number,
        at=time_of(change.time),
        by=change.actor,
        act=change.act,
        subject=change.subject_id,
        fields=dict(change.fields),
    )
