"""Payloads are built valid or not at all, and the error names the field."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barcode_svc import emvco
from barcode_svc.emvco import (
    Account,
    AdditionalData,
    BuildError,
    Language,
    MerchantPresented,
    Template,
)
from tests.unit.barcode_svc.emvco_texts import MERCHANT


def test_a_payload_is_spelt_so() -> None:
    """Goal: one by hand, with every object there is; the same fields always give this text."""
    assert emvco.build(MERCHANT)[:-4] == (
        "00020101021202164000123456789012"
        "26250011com.example0106SHOP-7"
        "5204581453039785405"
        "12.505502025604"
        "0.505802PT5911Cafe Aurora6006Lisbon61081100-148"
        "62480103B-10503***0902ME50240011com.example0705loyal"
        "64310002pt0111Caf\u00e9 Aurora0206Lisboa"
        "80210011org.example0102\u6700\u4f73"
        "6304"
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"accounts": ()}, "payload"),
        ({"accounts": (Account(id="02", value=""),)}, "accounts[0].value"),
        ({"accounts": (Account(id="26", value="x"),)}, "accounts[0]"),
        ({"accounts": (Template(id="26", guid=""),)}, "accounts[0].guid"),
        ({"accounts": (Template(id="25", guid="x"),)}, "accounts[0]"),
        ({"accounts": (Template(id="26", guid="x" * 33),)}, "accounts[0].guid"),
        ({"accounts": (Template(id="26", guid="x", data=(("00", "y"),)),)}, "accounts[0].data[0]"),
        (
            {"accounts": (Template(id="26", guid="x", data=(("01", "y"), ("01", "z"))),)},
            "accounts[0].data[1]",
        ),
        (
            {"accounts": (Template(id="26", guid="x", data=(("01", "y" * 99),)),)},
            "accounts[0]",
        ),
        ({"accounts": (Account(id="02", value="x"), Account(id="02", value="y"))}, "accounts[1]"),
        ({"initiation": "13"}, "initiation"),
        ({"category_code": ""}, "category_code"),
        ({"category_code": "58145"}, "category_code"),
        ({"currency_number": "EUR"}, "currency_number"),
        ({"amount": "0"}, "amount"),
        ({"amount": "9" * 14}, "amount"),
        ({"tip_or_fee": "04"}, "tip_or_fee"),
        ({"fee_fixed": ""}, "fee_fixed"),
        ({"fee_percent": "5"}, "fee_percent"),
        ({"country_code": "pt"}, "country_code"),
        ({"name": ""}, "name"),
        ({"name": "x" * 200}, "name"),
        ({"name": "Cafe\u0301"}, "payload"),
        ({"city": "Lisbon\u00e9"}, "city"),
        ({"postal_code": "x" * 11}, "postal_code"),
        ({"additional": AdditionalData(purpose="x" * 26)}, "additional.purpose"),
        (
            {"additional": AdditionalData(bill_number="x" * 50, purpose="x" * 50)},
            "additional",
        ),
        (
            {"additional": AdditionalData(consumer_data_request="X")},
            "additional.consumer_data_request",
        ),
        (
            {"additional": AdditionalData(systems=(Template(id="50", guid=""),))},
            "additional.systems[0].guid",
        ),
        ({"language": Language(language="p", name="x")}, "language.language"),
        ({"language": Language(language="pt", name="")}, "language.name"),
        ({"language": Language(language="pt", name="x", city="y" * 16)}, "language.city"),
        ({"unreserved": (Template(id="79", guid="x"),)}, "unreserved[0]"),
        ({"unreserved": (Template(id="99", guid="\u00e9"),)}, "unreserved[0].guid"),
        (
            {
                "unreserved": tuple(
                    Template(id=f"{n}", guid="x", data=(("01", "y" * 80),)) for n in range(80, 86)
                )
            },
            "payload",
        ),
    ],
)
def test_what_cannot_be_said_names_its_field(changes: dict[str, Any], field: str) -> None:
    """Goal: whoever fills in a form is told which field to correct."""
    with pytest.raises(BuildError) as refusal:
        emvco.build(dataclasses.replace(MERCHANT, **changes))
    assert refusal.value.field.startswith(field)
    assert refusal.value.code


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(
    name=text, city=text, amount=text, purpose=text, guid=text, id_=text, language=st.none() | text
)
def test_whatever_is_built_is_valid(
    name: str, city: str, amount: str, purpose: str, guid: str, id_: str, language: str | None
) -> None:
    """Goal: for any fields: a payload without a violation, or the typed error."""
    merchant = MerchantPresented(
        accounts=(Template(id="26", guid=guid, data=((id_, name),)),),
        category_code="5814",
        currency_number="978",
        country_code="PT",
        name=name,
        city=city,
        amount=amount,
        additional=AdditionalData(purpose=purpose),
        language=None if language is None else Language(language=language, name=name),
    )
    try:
        built = emvco.build(merchant)
    except BuildError:
        return
    assert emvco.validate(built) == []
