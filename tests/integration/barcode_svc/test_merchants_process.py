"""Merchants, places and logos over mutual TLS, as the gateway and an operator see them."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import psutil
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from qrpay.barcode.v1 import barcode_pb2, merchant_pb2
from tests.integration.barcode_svc.mesh import Mesh, poster, refusal_of, register
from tests.unit.barcode_svc.files import encoded, opened, picture

MERCHANT_ID = "mer_01JD3Q9V7N8R4T2W6X0YZABC00"


@pytest.fixture
async def kiosk(mesh: Mesh) -> Any:
    """A merchant that is registered, for this file alone."""
    request = register(id=MERCHANT_ID, name="Kiosk")
    return (await mesh.call("gateway", "RegisterMerchant", request)).merchant


async def test_a_record_is_kept(mesh: Mesh, kiosk: Any) -> None:
    """Goal: an edit with its mask, its version and its local name; a repeat is told; pages."""
    local = merchant_pb2.LocalName(language_code="ja", name="売店", city="東京")
    request = merchant_pb2.UpdateMerchantRequest(
        merchant=merchant_pb2.Merchant(id=MERCHANT_ID, city="Porto", local=local),
        update_mask=FieldMask(paths=["city", "local"]),
        version=kiosk.version,
        actor="opr_1",
    )
    updated = (await mesh.call("gateway", "UpdateMerchant", request)).merchant
    assert (updated.city, updated.local, updated.name) == ("Porto", local, "Kiosk")
    assert updated.version == kiosk.version + 1
    error = await refusal_of(mesh.call("gateway", "UpdateMerchant", request))
    assert error.reason == "VERSION_MISMATCH"
    again = register(id=MERCHANT_ID, name="Kiosk")
    assert (await mesh.call("gateway", "RegisterMerchant", again)).replayed
    found: list[Any] = []
    page = merchant_pb2.ListMerchantChangesRequest(merchant_id=MERCHANT_ID, page_size=1)
    while True:
        answer = await mesh.call("operator", "ListMerchantChanges", page)
        found += answer.changes
        if not answer.next_page_token:
            break
        page.page_token = answer.next_page_token
    assert [change.number for change in found] == list(range(len(found), 0, -1))
    assert dict(found[0].fields) == {
        "city": "Porto",
        "local.language_code": "ja",
        "local.name": "売店",
        "local.city": "東京",
    }


async def test_a_pilot_is_an_operators_decision(mesh: Mesh, kiosk: Any) -> None:
    """Goal: an operator makes a merchant a pilot and ends that, which is in its history; gateways
    are told which are; a merchant's own edit, which comes through a gateway, cannot."""

    async def pilots() -> list[str]:
        answer = await mesh.call(
            "gateway", "ListPilotMerchants", merchant_pb2.ListPilotMerchantsRequest()
        )
        return list(answer.merchant_ids)

    request = merchant_pb2.SetMerchantPilotRequest(
        merchant_id=MERCHANT_ID, pilot=True, actor="opr_1"
    )
    error = await refusal_of(mesh.call("gateway", "SetMerchantPilot", request))
    assert error.reason == "PERMISSION_DENIED"
    edit = merchant_pb2.UpdateMerchantRequest(
        merchant=merchant_pb2.Merchant(id=MERCHANT_ID, pilot=True),
        update_mask=FieldMask(paths=["pilot"]),
        actor=MERCHANT_ID,
    )
    error = await refusal_of(mesh.call("gateway", "UpdateMerchant", edit))
    assert error.reason == "INVALID_ARGUMENT"
    assert await pilots() == []
    for _ in range(2):  # a repeat changes nothing
        changed = (await mesh.call("operator", "SetMerchantPilot", request)).merchant
        assert (changed.pilot, changed.name) == (True, kiosk.name)
    assert await pilots() == [MERCHANT_ID]
    renamed = merchant_pb2.UpdateMerchantRequest(
        merchant=merchant_pb2.Merchant(id=MERCHANT_ID, city="Faro"),
        update_mask=FieldMask(paths=["city"]),
        actor=MERCHANT_ID,
    )
    assert (await mesh.call("gateway", "UpdateMerchant", renamed)).merchant.pilot
    page = merchant_pb2.ListMerchantChangesRequest(merchant_id=MERCHANT_ID)
    changes = (await mesh.call("operator", "ListMerchantChanges", page)).changes
    assert [dict(change.fields) for change in changes[:2]] == [{"city": "Faro"}, {"pilot": "true"}]
    request.pilot = False
    assert not (await mesh.call("operator", "SetMerchantPilot", request)).merchant.pilot
    assert await pilots() == []


async def test_places_are_kept(mesh: Mesh, kiosk: Any) -> None:
    """Goal: add, rename, list in pages and close, by the contract's messages."""

    async def add(kind: Any, name: str, store_id: str = "") -> Any:
        request = merchant_pb2.AddPlaceRequest(
            merchant_id=MERCHANT_ID,
            kind=kind,
            store_id=store_id,
            name=name,
            request_id=name,
            actor="opr_1",
        )
        return (await mesh.call("gateway", "AddPlace", request)).place

    store = await add(merchant_pb2.PLACE_KIND_STORE, "Harbour")
    for number in range(3):
        await add(merchant_pb2.PLACE_KIND_TERMINAL, f"Till {number}", store.id)
    page = merchant_pb2.ListPlacesRequest(
        merchant_id=MERCHANT_ID, kind=merchant_pb2.PLACE_KIND_TERMINAL, page_size=2
    )
    first = await mesh.call("gateway", "ListPlaces", page)
    page.page_token = first.next_page_token
    second = await mesh.call("gateway", "ListPlaces", page)
    assert [len(first.places), len(second.places), second.next_page_token] == [2, 1, ""]
    rename = merchant_pb2.RenamePlaceRequest(
        merchant_id=MERCHANT_ID, place_id=store.id, name="Quay", version=1, actor="opr_1"
    )
    renamed = (await mesh.call("gateway", "RenamePlace", rename)).place
    assert (renamed.name, renamed.version, renamed.store_id) == ("Quay", 2, "")
    close = merchant_pb2.ClosePlaceRequest(
        merchant_id=MERCHANT_ID, place_id=store.id, actor="opr_1"
    )
    assert (await mesh.call("gateway", "ClosePlace", close)).place.closed


async def test_a_code_names_the_store(mesh: Mesh, kiosk: Any) -> None:
    """Goal: a store's id as it was given out fits into its code, and comes back from it."""
    request = merchant_pb2.AddPlaceRequest(
        merchant_id=MERCHANT_ID,
        kind=merchant_pb2.PLACE_KIND_STORE,
        name="Quay",
        request_id="quay",
        actor="opr_1",
    )
    store = (await mesh.call("gateway", "AddPlace", request)).place
    wish = barcode_pb2.RenderMerchantQrRequest(
        merchant_id=MERCHANT_ID, format=barcode_pb2.QR_FORMAT_TEXT, store_id=store.id
    )
    code = (await mesh.call("gateway", "RenderMerchantQr", wish)).content.decode()
    decode = barcode_pb2.DecodeQrsRequest(texts=[code])
    [read] = (await mesh.call("gateway", "DecodeQrs", decode)).results
    assert (read.merchant.id, read.store_id, read.static) == (MERCHANT_ID, store.id, True)


async def test_a_poster_shows_the_logo(mesh: Mesh, kiosk: Any) -> None:
    """Goal: with the logo the poster is another one, and it is still read."""
    wish = poster(merchant_id=MERCHANT_ID)
    bare = await mesh.call("gateway", "RenderPoster", wish)
    upload = merchant_pb2.UploadLogoRequest(
        merchant_id=MERCHANT_ID, content=encoded(picture()), actor="opr_1"
    )
    await mesh.call("gateway", "UploadLogo", upload)
    shown = await mesh.call("gateway", "RenderPoster", wish)
    assert b"/Subtype /Image" in shown.content
    assert b"/Subtype /Image" not in bare.content
    assert shown.etag != bare.etag


async def test_a_logo_goes_through_the_process(mesh: Mesh, kiosk: Any) -> None:
    """Goal: the largest file fits into a message, a picture comes back, a known one does not, and
    the process that drew it ends with its parent, even if that is killed."""
    request = merchant_pb2.UploadLogoRequest(
        merchant_id=MERCHANT_ID, content=b"\0" * (2 * 1024 * 1024), actor="opr_1"
    )
    assert (await refusal_of(mesh.call("gateway", "UploadLogo", request))).reason == "LOGO_INVALID"
    request.content = encoded(picture())
    uploaded = (await mesh.call("gateway", "UploadLogo", request)).merchant
    assert re.fullmatch("[0-9a-f]{64}", uploaded.logo_sha256)
    wish = merchant_pb2.RenderLogoRequest(
        merchant_id=MERCHANT_ID, width=100, format=merchant_pb2.LOGO_FORMAT_WEBP
    )
    drawn = await mesh.call("payment", "RenderLogo", wish)
    assert opened(drawn.content).size == (128, 85)
    assert (drawn.logo_sha256, drawn.width) == (uploaded.logo_sha256, 128)
    wish.known_etags.append(drawn.etag)
    known = await mesh.call("gateway", "RenderLogo", wish)
    assert (known.not_modified, known.content, known.etag) == (True, b"", drawn.etag)
    drawing = psutil.Process(mesh.process.pid).children()
    assert drawing
    await mesh.process.kill()
    try:
        async with asyncio.timeout(20):
            while any(child.is_running() for child in drawing):  # noqa: ASYNC110 - not ours
                await asyncio.sleep(0.05)
    finally:
        await mesh.start_again()
