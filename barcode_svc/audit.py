"""What is recorded of the calls of the barcode process. No path leads to a code."""

from __future__ import annotations

from collections.abc import Mapping

from chassis.audit.acts import Act, change, read

BARCODE_ACTS: Mapping[str, Act] = {
    "IssueBarcode": change("owner_id"),
    "IssueBarcodes": change("items.owner_id", results="results"),
    "RedeemBarcodes": change(results="results"),
    "RenderMerchantQr": read("merchant_id", "store_id", "terminal_id"),
    "RenderPoster": read("merchant_id"),
    "RevokeMerchantQr": change("merchant_id", "store_id"),
    "DecodeQrs": read(),
    "ListQrKeys": read(),
}

DEVICE_ACTS: Mapping[str, Act] = {
    "EnrollDevice": change("owner_id", made=["device.id"]),
    "ListDevices": read("owner_id"),
    "RenewDevice": change("owner_id", "device_id"),
    "RevokeDevice": change("owner_id", "device_id"),
}

MERCHANT_ACTS: Mapping[str, Act] = {
    "RegisterMerchant": change("merchant.id"),
    "GetMerchant": read("merchant_id"),
    "UpdateMerchant": change("merchant.id"),
    "CloseMerchant": change("merchant_id"),
    "SetMerchantPilot": change("merchant_id"),
    "ListPilotMerchants": read(),
    "ListMerchantChanges": read("merchant_id"),
    "AddPlace": change("merchant_id", "store_id", made=["place.id"]),
    "ListPlaces": read("merchant_id", "store_id"),
    "RenamePlace": change("merchant_id", "place_id"),
    "ClosePlace": change("merchant_id", "place_id"),
    "UploadLogo": change("merchant_id"),
    "RenderLogo": read("merchant_id"),
}
