"""What the process refuses, over mutual TLS: bad requests, and those who may not ask."""

from __future__ import annotations

from typing import Any

import pytest

from barcode_svc import devices_rpc
from barcode_svc.rpc import ALLOWED_CALLERS
from embedded.certificates import IDENTITIES
from qrpay.barcode.v1 import barcode_pb2, device_pb2
from qrpay.type.v1 import money_pb2
from tests.integration.barcode_svc.mesh import CAFE, Mesh, refusal_of, render


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
            barcode_pb2.RegisterMerchantRequest(
                merchant=barcode_pb2.Merchant(
                    id=CAFE.id,
                    name="",
                    city="Lisbon",
                    category_code="5814",
                    country_code="PT",
                    currency_code="EUR",
                )
            ),
            None,
            "merchant.name",
        ),
        (
            "operator",
            "RegisterMerchant",
            barcode_pb2.RegisterMerchantRequest(
                merchant=barcode_pb2.Merchant(
                    id=CAFE.id,
                    name="Other",
                    city="Lisbon",
                    category_code="5814",
                    country_code="PT",
                    currency_code="EUR",
                )
            ),
            "MERCHANT_EXISTS",
            None,
        ),
        (
            "gateway",
            "GetMerchant",
            barcode_pb2.GetMerchantRequest(merchant_id="mer_nobody"),
            "MERCHANT_NOT_FOUND",
            None,
        ),
        ("gateway", "EnrollDevice", device_pb2.EnrollDeviceRequest(name="x"), None, "owner_id"),
        ("gateway", "EnrollDevice", enroll(name=" x"), None, "name"),
        ("gateway", "ListDevices", device_pb2.ListDevicesRequest(), None, "owner_id"),
        ("gateway", "RenewDevice", renew(device_id=""), None, "device_id"),
        ("gateway", "RenewDevice", renew(device_id="dev_nobody"), "DEVICE_NOT_FOUND", None),
        ("gateway", "RenderMerchantQr", render(format=0), None, "format"),
        ("gateway", "RenderMerchantQr", render(format=77), None, "format"),
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


@pytest.mark.parametrize("method", sorted([*ALLOWED_CALLERS, *devices_rpc.ALLOWED_CALLERS]))
async def test_nobody_else_may_call(mesh: Mesh, method: str) -> None:
    """Goal: an identity that is not on a method's list is turned away before anything happens."""
    of_devices = method in devices_rpc.ALLOWED_CALLERS
    message = getattr(device_pb2 if of_devices else barcode_pb2, f"{method}Request")
    allowed = (devices_rpc.ALLOWED_CALLERS if of_devices else ALLOWED_CALLERS)[method]
    for identity in set(IDENTITIES) - allowed:
        error = await refusal_of(mesh.call(identity, method, message()))
        assert error.reason == "PERMISSION_DENIED"
