"""What the process refuses, over mutual TLS: bad requests, and those who may not ask."""

from __future__ import annotations

from typing import Any

import pytest

from barcode_svc import devices_rpc, merchants_rpc, rpc
from embedded.certificates import IDENTITIES
from qrpay.barcode.v1 import barcode_pb2, device_pb2, merchant_pb2
from qrpay.type.v1 import money_pb2
from tests.integration.barcode_svc.mesh import CAFE, Mesh, poster, refusal_of, register, render


def enroll(**fields: str) -> device_pb2.EnrollDeviceRequest:
    """A request of Alice's."""
    return device_pb2.EnrollDeviceRequest(owner_id="usr_alice", **fields)


def renew(**fields: str) -> device_pb2.RenewDeviceRequest:
    """A request of Alice's."""
    return device_pb2.RenewDeviceRequest(owner_id="usr_alice", **fields)


@pytest.mark.parametrize(
    ("identity", "method", "request_", "reason", "field"),
    [
        ("gateway", "IssueBarcode", barcode_pb2.IssueBarcodeRequest(), None, "owner_id"),
        ("payment", "RedeemBarcodes", barcode_pb2.RedeemBarcodesRequest(), None, "items"),
        (
            "payment",
            "RedeemBarcodes",
            barcode_pb2.RedeemBarcodesRequest(items=[barcode_pb2.BarcodeRedemption()] * 257),
            None,
            "items",
        ),
        ("payment", "DecodeQrs", barcode_pb2.DecodeQrsRequest(), None, "texts"),
        ("payment", "DecodeQrs", barcode_pb2.DecodeQrsRequest(texts=["x"] * 257), None, "texts"),
        (
            "operator",
            "RegisterMerchant",
            register(name=""),
            None,
            "merchant.name",
        ),
        (
            "operator",
            "RegisterMerchant",
            register(name="Other"),
            "MERCHANT_EXISTS",
            None,
        ),
        (
            "gateway",
            "GetMerchant",
            merchant_pb2.GetMerchantRequest(merchant_id="mer_nobody"),
            "MERCHANT_NOT_FOUND",
            None,
        ),
        (
            "gateway",
            "UpdateMerchant",
            merchant_pb2.UpdateMerchantRequest(merchant=CAFE, version=-1, actor="opr_1"),
            None,
            "version",
        ),
        (
            "gateway",
            "UpdateMerchant",
            merchant_pb2.UpdateMerchantRequest(merchant=CAFE, version=1, actor="opr_1"),
            None,
            "update_mask",
        ),
        (
            "gateway",
            "UpdateMerchant",
            merchant_pb2.UpdateMerchantRequest(merchant=CAFE, version=99, actor="opr_1"),
            "VERSION_MISMATCH",
            None,
        ),
        (
            "gateway",
            "CloseMerchant",
            merchant_pb2.CloseMerchantRequest(merchant_id=CAFE.id),
            None,
            "actor",
        ),
        (
            "gateway",
            "ListMerchantChanges",
            merchant_pb2.ListMerchantChangesRequest(merchant_id=CAFE.id, page_token="x"),
            None,
            "page_token",
        ),
        (
            "gateway",
            "AddPlace",
            merchant_pb2.AddPlaceRequest(
                merchant_id=CAFE.id, name="x", request_id="x", actor="opr_1"
            ),
            None,
            "kind",
        ),
        (
            "gateway",
            "ListPlaces",
            merchant_pb2.ListPlacesRequest(
                merchant_id=CAFE.id, kind=merchant_pb2.PLACE_KIND_STORE, page_size=-1
            ),
            None,
            "page_size",
        ),
        (
            "gateway",
            "RenamePlace",
            merchant_pb2.RenamePlaceRequest(
                merchant_id=CAFE.id, place_id="trm_" + "0" * 26, name="x", actor="opr_1"
            ),
            "TERMINAL_NOT_FOUND",
            None,
        ),
        (
            "gateway",
            "UploadLogo",
            merchant_pb2.UploadLogoRequest(merchant_id=CAFE.id, content=b"GIF89a", actor="opr_1"),
            "LOGO_INVALID",
            None,
        ),
        (
            "gateway",
            "RenderLogo",
            merchant_pb2.RenderLogoRequest(
                merchant_id="mer_nobody", width=64, format=merchant_pb2.LOGO_FORMAT_PNG
            ),
            "MERCHANT_NOT_FOUND",
            None,
        ),
        (
            "gateway",
            "RenderLogo",
            merchant_pb2.RenderLogoRequest(merchant_id=CAFE.id, width=64),
            None,
            "format",
        ),
        ("gateway", "EnrollDevice", device_pb2.EnrollDeviceRequest(name="x"), None, "owner_id"),
        ("gateway", "EnrollDevice", enroll(name=" x"), None, "name"),
        ("gateway", "ListDevices", device_pb2.ListDevicesRequest(), None, "owner_id"),
        ("gateway", "RenewDevice", renew(device_id=""), None, "device_id"),
        ("gateway", "RenewDevice", renew(device_id="dev_nobody"), "DEVICE_NOT_FOUND", None),
        ("gateway", "RenderMerchantQr", render(format=0), None, "format"),
        ("gateway", "RenderMerchantQr", render(format=77), None, "format"),
        ("gateway", "RenderPoster", poster(size=0), None, "size"),
        ("gateway", "RenderPoster", poster(size=77), None, "size"),
        ("gateway", "RenderPoster", poster(language="xx"), None, "language"),
        ("gateway", "RenderPoster", poster(merchant_id="mer_nobody"), "MERCHANT_NOT_FOUND", None),
        ("gateway", "RenderMerchantQr", render(reference="é"), None, "reference"),
        (
            "gateway",
            "RenderMerchantQr",
            render(merchant_id="mer_nobody"),
            "MERCHANT_NOT_FOUND",
            None,
        ),
        (
            "gateway",
            "RenderMerchantQr",
            render(money=money_pb2.Money(currency_code="USD", amount_minor=1)),
            "CURRENCY_MISMATCH",
            None,
        ),
        (
            "gateway",
            "RenderMerchantQr",
            render(money=money_pb2.Money(amount_minor=-1)),
            "AMOUNT_OUT_OF_RANGE",
            None,
        ),
    ],
)
async def test_bad_requests_name_the_rule(
    mesh: Mesh,
    cafe: Any,
    identity: str,
    method: str,
    request_: Any,
    reason: str | None,
    field: str | None,
) -> None:
    """Goal: each error of the contract arrives as itself, with the fields named."""
    error = await refusal_of(mesh.call(identity, method, request_))
    assert error.reason == (reason or "INVALID_ARGUMENT")
    assert [violation.field for violation in error.violations] == ([field] if field else [])


ALLOWED_CALLERS = {
    **rpc.ALLOWED_CALLERS,
    **merchants_rpc.ALLOWED_CALLERS,
    **devices_rpc.ALLOWED_CALLERS,
}


@pytest.mark.parametrize("method", sorted(ALLOWED_CALLERS))
async def test_nobody_else_may_call(mesh: Mesh, method: str) -> None:
    """Goal: an identity that is not on a method's list is turned away before anything happens."""
    modules: tuple[Any, ...] = (barcode_pb2, merchant_pb2, device_pb2)
    message: Any = next(
        getattr(module, name)
        for name in [f"{method}Request"]
        for module in modules
        if hasattr(module, name)
    )
    for identity in set(IDENTITIES) - ALLOWED_CALLERS[method]:
        error = await refusal_of(mesh.call(identity, method, message()))
        assert error.reason == "PERMISSION_DENIED"
