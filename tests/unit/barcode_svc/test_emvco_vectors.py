"""Payloads that others published, judged by another parser: where we differ, it is explained.

The collection is not part of the repository (many payloads are live merchants'): it is looked for
in ``QRPAY_SHARED``, or in ``shared`` beside the repository. Payloads are data here: no test prints
or draws one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from barcode_svc import emvco
from barcode_svc.emvco import BerObject, DataObject, EmvcoError

SHARED = Path(os.environ.get("QRPAY_SHARED") or Path(__file__).parents[4] / "shared")
VECTORS = SHARED / "emv-vectors.json"

pytestmark = pytest.mark.skipif(
    not VECTORS.is_file(), reason="emv-vectors.json is not here: set QRPAY_SHARED to its folder"
)

EXPLAINED = {
    *((path, "reserved") for path in ("62.00", "62.10", "62.11", "64.03", "65")),
    *((path, "format") for path in ("08", "62.05", "62.08")),
}
"""Violations that the other parser does not look for: docs/barcodes.md, "Vectors"."""

FIELDS = {
    "payload_format_indicator": "00",
    "point_of_initiation": "01",
    "mcc": "52",
    "currency": "53",
    "amount": "54",
    "tip_indicator": "55",
    "fee_fixed": "56",
    "fee_percent": "57",
    "country": "58",
    "merchant_name": "59",
    "merchant_city": "60",
    "postal_code": "61",
    "crc": "63",
}
ADDITIONAL = {
    "bill_number": "01",
    "mobile_number": "02",
    "mobile": "02",
    "store_label": "03",
    "loyalty_number": "04",
    "loyalty": "04",
    "reference_label": "05",
    "customer_label": "06",
    "terminal_label": "07",
    "purpose": "08",
    "consumer_data_request": "09",
    "consumer_data": "09",
}


def vectors(*, mode: str, valid: bool) -> list[dict[str, Any]]:
    """A part of the collection."""
    everything = json.loads(VECTORS.read_text())
    found = [item for item in everything if item["mode"] == mode and item["valid"] is valid]
    assert found
    return found


def judged(item: dict[str, Any], verdict: object) -> tuple[str, str, object]:
    """What a failing test may show: where the vector is from and why it is there, not itself."""
    return (item["source"], item["why"], verdict)


def paths(strict_violations: list[str]) -> set[str]:
    """The paths that the other parser complains about, in our words."""
    ids = {
        "no-merchant-account": "",
        "crc-lowercase": "63",
        "62-empty": "62",
        "neither-57-nor-5A": "61.57",
        **{f"{id_}-{what}": id_ for id_ in ("56", "57") for what in ("presence",)},
        "01-bad-value": "01",
        "00-not-01": "00",
    }
    found = set()
    for violation in strict_violations:
        code, _, id_ = violation.partition(":")
        if code == "62-template-no-guid":
            id_ = f"62.{id_}"
        found.add(ids.get(code, id_))
    return found


def shape(objects: tuple[DataObject, ...] | None, value: str) -> object:
    """An object as the collection writes it."""
    return value if objects is None else {item.id: item.value for item in objects}


def test_valid_ones_are_read() -> None:
    """Goal: every payload that is sound is read, and each field is what the other parser found."""
    wrong = []
    for item in vectors(mode="MPM", valid=True):
        payload = emvco.parse(item["payload"])
        expect: dict[str, Any] = dict(item["expect"])
        for name, id_ in FIELDS.items():
            found = payload.value(id_)
            if (found if found is not None else expect.get(name)) != expect.get(name):
                wrong.append(judged(item, name))
        for id_, content in expect.get("merchant_accounts", {}).items():
            account = payload.find(id_)
            assert account is not None
            if isinstance(content, dict):
                for inner, value in content.items():
                    if isinstance(value, str) and payload.value(id_, inner) != value:
                        wrong.append(judged(item, f"{id_}.{inner}"))
            elif account.value != content:
                wrong.append(judged(item, id_))
        for name, value in expect.get("additional", {}).items():
            inner = ADDITIONAL.get(name, name)
            if isinstance(value, str) and payload.value("62", inner) != value:
                wrong.append(judged(item, f"62.{inner}"))
    assert wrong == []


def test_invalid_ones_are_refused() -> None:
    """Goal: wrong checksums, broken trees and what is no EMVCo code are refused; what is sound but
    breaks a rule has a violation."""
    wrong = []
    for item in vectors(mode="MPM", valid=False):
        assert emvco.validate(item["payload"]), judged(item, "valid")
        try:
            emvco.parse(item["payload"])
        except EmvcoError:
            continue
        if item["kind"] != "semantic":
            wrong.append(judged(item, "read"))
    assert wrong == []


@pytest.mark.parametrize("mode", ["MPM", "CPM"])
def test_the_strict_check_agrees(mode: str) -> None:
    """Goal: the same objects of the same payloads are found wanting, but for those explained."""
    check = emvco.validate if mode == "MPM" else emvco.validate_cpm
    wrong = []
    for item in vectors(mode=mode, valid=True):
        found = {(violation.path, violation.code) for violation in check(item["payload"])}
        # They name the template that lacks its identifier, we the identifier.
        ours = {path.removesuffix(".00") for path, code in found - EXPLAINED}
        theirs = paths(item["strict_violations"])
        if ours != theirs:
            wrong.append(judged(item, (ours, theirs)))
    assert wrong == []


def tree(objects: tuple[BerObject, ...]) -> list[object]:
    """Consumer-presented objects as the collection writes them."""
    return [
        [item.tag, tree(item.objects) if item.objects is not None else item.text]
        for item in objects
    ]


def test_wallets_are_recognised() -> None:
    """Goal: each published wallet's code is read to the last object, and it has an application."""
    for item in vectors(mode="CPM", valid=True):
        parsed = emvco.parse_cpm(item["payload"])
        assert tree(parsed.objects) == item["expect"]["tree"], judged(item, "tree")
        assert parsed.applications, judged(item, "application")
    for item in vectors(mode="CPM", valid=False):
        with pytest.raises(EmvcoError):
            emvco.parse_cpm(item["payload"])
