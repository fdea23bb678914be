"""Rules about what merchants and places may be called, and what an update makes of them."""

from __future__ import annotations

import dataclasses
import unicodedata
from typing import Any

import pytest

from barcode_svc import code_lists, merchant_model
from barcode_svc.errors import (
    MerchantClosed,
    StoreClosed,
    StoreNotFound,
    TerminalClosed,
    TerminalNotFound,
    VersionMismatch,
)
from barcode_svc.merchant_model import Place
from barcode_svc.model import LocalName, Merchant
from chassis.errors import InvalidArgument, ServiceError

LOCAL = LocalName(language_code="ja", name="月のカフェ", city="東京")
CAFE = Merchant(
    id="mer_01JD3Q9V7N8R4T2W6X0YZABCDE",
    name="Cafe Aurora",
    city="Lisbon",
    category_code="5814",
    country_code="PT",
    currency_code="EUR",
    local=LOCAL,
    version=3,
)
STORE = Place(id="sto_" + "0" * 26, merchant_id=CAFE.id, store_id="", name="Harbour")
TERMINAL = dataclasses.replace(STORE, id="trm_" + "0" * 26, store_id=STORE.id)


def violations(change: Any) -> list[str]:
    """The fields that a check names."""
    with pytest.raises(InvalidArgument) as refusal:
        change()
    return [violation.field for violation in refusal.value.violations]


def test_the_lists_are_the_standards() -> None:
    """Goal: codes that exist are known, codes that look right and do not exist are not."""
    assert {"5814", "5411", "7999", "3000"} <= code_lists.category_codes()
    assert not {"0000", "1234", "9998"} & code_lists.category_codes()
    assert {"PT", "JP", "US", "ZW"} <= code_lists.country_codes()
    assert not {"UK", "EU", "XX", "AA", "pt"} & code_lists.country_codes()
    assert {"ja", "pt", "th"} <= code_lists.language_codes()
    assert not {"jp", "xx", "JA"} & code_lists.language_codes()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("language_code", ""),
        ("language_code", "jp"),
        ("language_code", "JA"),
        ("name", ""),
        ("name", "x" * 26),
        ("name", " x"),
        ("name", "a\nb"),
        ("name", "a\u202eb"),
        ("name", "a\u2028b"),
        ("name", "a\ud800b"),
        ("name", "\u200dab"),
        ("name", "a\ufeffb"),
        ("city", "x" * 16),
        ("city", "x "),
        ("city", "\x00"),
    ],
)
def test_a_bad_local_name_is_refused(field: str, value: str) -> None:
    """Goal: nothing invisible, nothing that turns text around, nothing too long for object 64."""
    change: dict[str, Any] = {field: value}
    merchant = dataclasses.replace(CAFE, local=dataclasses.replace(LOCAL, **change))
    assert violations(lambda: merchant_model.check_merchant(merchant)) == [
        f"merchant.local.{field}"
    ]


@pytest.mark.parametrize("name", ["月のカフェ", "Café", "می‌خواهم", "ร้านกาแฟ", "x" * 25])
def test_names_of_the_world_are_taken(name: str) -> None:
    """Goal: scripts of all kinds, joiners within words included; counted when composed."""
    decomposed = unicodedata.normalize("NFD", name)
    merchant = dataclasses.replace(CAFE, local=dataclasses.replace(LOCAL, name=decomposed))
    composed = merchant_model.normalized(merchant)
    merchant_model.check_merchant(composed)
    assert composed.local is not None
    assert composed.local.name == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("fields", "wanted", "change"),
    [
        ({"name"}, {"name": "Luna", "city": "ignored"}, {"name": "Luna"}),
        ({"name"}, {"name": CAFE.name}, {}),
        ({"local"}, {"local": None}, {"local": None}),
        (
            {"local.city"},
            {"local": LocalName(language_code="", name="", city="")},
            {"local": dataclasses.replace(LOCAL, city="")},
        ),
        (
            {"local.name"},
            {"local": LocalName(language_code="xx", name="Luna", city="")},
            {"local": dataclasses.replace(LOCAL, name="Luna")},
        ),
        (
            {"category_code", "country_code"},
            {"category_code": "5411", "country_code": "ES"},
            {"category_code": "5411", "country_code": "ES"},
        ),
    ],
)
def test_an_update_changes_what_it_names(
    fields: set[str], wanted: dict[str, Any], change: dict[str, Any]
) -> None:
    """Goal: named fields are taken, the others stay as they are."""
    request = dataclasses.replace(CAFE, currency_code="USD", version=9, **wanted)
    after = merchant_model.updated(CAFE, request, fields=fields)
    assert after == dataclasses.replace(CAFE, **change)


@pytest.mark.parametrize(
    ("fields", "wanted", "named"),
    [
        (set(), {}, "update_mask"),
        ({"currency_code"}, {"currency_code": "USD"}, "update_mask"),
        ({"id"}, {}, "update_mask"),
        ({"version"}, {}, "update_mask"),
        ({"closed"}, {"closed": True}, "update_mask"),
        ({"logo_sha256"}, {}, "update_mask"),
        ({"local.other"}, {}, "update_mask"),
        ({"name"}, {"name": ""}, "merchant.name"),
        ({"country_code"}, {"country_code": "XX"}, "merchant.country_code"),
        ({"local.name"}, {"local": None}, "merchant.local.name"),
    ],
)
def test_what_cannot_be_changed_is_refused(
    fields: set[str], wanted: dict[str, Any], named: str
) -> None:
    """Goal: the currency that printed codes carry, and what only we write, stay."""
    request = dataclasses.replace(CAFE, **wanted)
    found = violations(lambda: merchant_model.updated(CAFE, request, fields=fields))
    assert found == [named]


def test_the_history_says_what_it_became() -> None:
    """Goal: each changed field is there with its new text, a removed one as empty."""
    after = dataclasses.replace(CAFE, name="Luna", local=None, version=4)
    assert merchant_model.changed_fields(CAFE, after) == {
        "name": "Luna",
        "local.language_code": "",
        "local.name": "",
        "local.city": "",
    }


@pytest.mark.parametrize(
    ("known", "version", "refusal"),
    [
        (CAFE, 2, VersionMismatch),
        (CAFE, 4, VersionMismatch),
        (dataclasses.replace(CAFE, closed=True), 3, MerchantClosed),
        (dataclasses.replace(STORE, closed=True), 0, StoreClosed),
        (dataclasses.replace(TERMINAL, closed=True), 0, TerminalClosed),
        (CAFE, 3, None),
        (CAFE, 0, None),
    ],
)
def test_an_edit_is_of_the_version_that_is_there(
    known: Merchant | Place, version: int, refusal: type[ServiceError] | None
) -> None:
    """Goal: an older version is refused, 0 is meant, and what is closed stays as it is."""
    if refusal is None:
        merchant_model.check_editable(known, version=version)
    else:
        with pytest.raises(refusal):
            merchant_model.check_editable(known, version=version)


def test_what_is_missing_has_its_name() -> None:
    """Goal: who asks for a terminal is told about a terminal."""
    assert isinstance(merchant_model.missing(TERMINAL.id), TerminalNotFound)
    assert isinstance(merchant_model.missing(STORE.id), StoreNotFound)


@pytest.mark.parametrize("actor", ["", "a b", "x" * 65, "é", "a\n"])
def test_somebody_does_it(actor: str) -> None:
    """Goal: no line of history without a person, and none with a text that hides something."""
    assert violations(lambda: merchant_model.check_person(actor)) == ["actor"]


@pytest.mark.parametrize("request_id", ["", "x" * 256, "a\x00b", "a\nb"])
def test_an_attempt_has_a_name(request_id: str) -> None:
    """Goal: request ids are bounded and printable."""
    assert violations(lambda: merchant_model.check_person("opr_1", request_id)) == ["request_id"]
