"""Rules about merchants and what their codes ask for."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barcode_svc import merchant_model, model
from barcode_svc.errors import (
    AmountOutOfRange,
    CurrencyMismatch,
    MerchantNotFound,
    QrExpired,
    QrInvalid,
    QrRevoked,
)
from barcode_svc.model import Merchant, QrTerms, RequestedAmount
from chassis.errors import InvalidArgument
from tests.unit.barcode_svc.payloads import SIGNER

NOW = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)
CURRENT: dict[str, Any] = {"serial": 1, "now": NOW}
CAFE = Merchant(
    id="mer_01JD3Q9V7N8R4T2W6X0YZABCDE",
    name="Cafe Aurora",
    city="Lisbon",
    category_code="5814",
    country_code="PT",
    currency_code="EUR",
)


REQUIRED = ("id", "name", "city", "category_code", "country_code", "currency_code")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", "usr_01JD3Q9V7N8R4T2W6X0YZABCDE"),
        ("id", "mer_"),
        ("id", "mer_a b"),
        ("id", "mer_" + "x" * 61),
        ("id", "mer_a\n"),
        ("name", ""),
        ("name", " "),
        ("name", " Cafe"),
        ("name", "x" * 26),
        ("name", "Café"),
        ("name", "a\x00b"),
        ("city", ""),
        ("city", "x" * 16),
        ("city", "Porto "),
        ("category_code", "0000"),
        ("category_code", "1234"),
        ("country_code", "XX"),
        ("country_code", "UK"),
        ("category_code", "581"),
        ("category_code", "58144"),
        ("category_code", "581\uff14"),
        ("country_code", "pt"),
        ("country_code", "PRT"),
        ("country_code", ""),
        ("currency_code", "EURO"),
        ("currency_code", "eur"),
        ("currency_code", "XXX"),
        ("currency_code", ""),
    ],
)
def test_a_broken_rule_names_its_field(field: str, value: str) -> None:
    """Goal: every field of a merchant is checked, and the caller is told which one was wrong."""
    broken: dict[str, Any] = {field: value}
    with pytest.raises(InvalidArgument) as refusal:
        merchant_model.check_merchant(dataclasses.replace(CAFE, **broken))
    assert [violation.field for violation in refusal.value.violations] == [f"merchant.{field}"]


def test_all_broken_rules_are_told_at_once() -> None:
    """Goal: one answer is enough to correct the request."""
    empty: dict[str, Any] = dict.fromkeys(REQUIRED, "")
    with pytest.raises(InvalidArgument) as refusal:
        merchant_model.check_merchant(Merchant(**empty))
    assert len(refusal.value.violations) == 6


@pytest.mark.parametrize(
    "merchant_id", ["mer_cafe", "mer_01JD3Q9V7N8R4T2W6X0YZABCDE", "mer_" + "x" * 60]
)
def test_the_bounds_are_inclusive(merchant_id: str) -> None:
    """Goal: the longest texts that the contract promises are taken."""
    merchant_model.check_merchant(
        dataclasses.replace(CAFE, id=merchant_id, name="x" * 25, city="y" * 15)
    )


label = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)


@given(name=label, city=label, reference=label, amount_minor=st.integers(1, 10**12 - 1))
def test_what_is_accepted_can_be_printed_and_read(
    name: str, city: str, reference: str, amount_minor: int
) -> None:
    """Goal: no merchant can be registered, and no reference accepted, that a code cannot carry."""
    merchant = dataclasses.replace(CAFE, id="mer_" + "x" * 60, name=name[:25], city=city[:15])
    try:
        merchant_model.check_merchant(merchant)
        model.check_reference(reference[:25])
    except InvalidArgument:
        assert any(text != text.strip() for text in (name[:25], city[:15], reference[:25]))
        return
    qr = model.qr_of(
        merchant,
        requested=RequestedAmount(currency_code="", amount_minor=amount_minor),
        reference=reference[:25],
    )
    request = model.payment_request(SIGNER.read(SIGNER.write(qr)), merchant, **CURRENT)
    assert request.merchant == merchant
    assert (request.amount_minor, request.reference) == (amount_minor, reference[:25])


def test_a_code_without_amount_is_static() -> None:
    """Goal: a sticker says so, also with a reference; a till's code says that it is not one."""
    assert model.qr_of(CAFE, requested=None, reference="").static
    assert model.qr_of(CAFE, requested=None, reference="Table 7").static
    requested = RequestedAmount(currency_code="EUR", amount_minor=1)
    assert not model.qr_of(CAFE, requested=requested, reference="").static


@pytest.mark.parametrize("amount_minor", [-1, 0, 10**12, 2**63 - 1, -(2**63)])
def test_an_amount_that_no_code_can_carry_is_refused(amount_minor: int) -> None:
    """Goal: the bounds are kept and told, whatever an int64 can hold."""
    with pytest.raises(AmountOutOfRange) as refusal:
        model.qr_of(
            CAFE,
            requested=RequestedAmount(currency_code="EUR", amount_minor=amount_minor),
            reference="",
        )
    assert refusal.value.metadata == {
        "amount_minor_min": "1",
        "amount_minor_max": "999999999999",
    }


def test_the_currency_is_the_merchants() -> None:
    """Goal: an empty currency means the merchant's, and no other is printed."""
    empty = RequestedAmount(currency_code="", amount_minor=5)
    assert model.qr_of(CAFE, requested=empty, reference="").currency_code == "EUR"
    with pytest.raises(CurrencyMismatch) as refusal:
        model.qr_of(
            CAFE, requested=RequestedAmount(currency_code="USD", amount_minor=5), reference=""
        )
    assert refusal.value.metadata == {"currency_code": "EUR"}


@pytest.mark.parametrize("reference", ["x" * 26, " x", "x ", "é", "a\nb"])
def test_a_reference_that_no_code_can_carry_is_refused(reference: str) -> None:
    """Goal: references are checked like names."""
    with pytest.raises(InvalidArgument) as refusal:
        model.check_reference(reference)
    assert [violation.field for violation in refusal.value.violations] == ["reference"]


def test_what_the_customer_sees_is_the_record() -> None:
    """Goal: a sticker with our merchant's id and another shop's name shows our merchant's name."""
    forged = dataclasses.replace(
        model.qr_of(CAFE, requested=None, reference=""),
        name="Other Shop",
        city="Elsewhere",
        category_code="0000",
        country_code="XX",
    )
    assert model.payment_request(forged, CAFE, **CURRENT).merchant == CAFE


def test_a_code_in_another_currency_than_its_merchant_is_not_sound() -> None:
    """Goal: a forged currency cannot make 100 yen out of 100 dinar."""
    qr = dataclasses.replace(
        model.qr_of(CAFE, requested=None, reference=""), currency_code="KWD", amount_minor=100
    )
    with pytest.raises(QrInvalid):
        model.payment_request(qr, CAFE, **CURRENT)
    with pytest.raises(MerchantNotFound):
        model.payment_request(qr, None, **CURRENT)


@pytest.mark.parametrize("text", ["", "a b", "x" * 201, "é", "a\n", "\x7f"])
def test_keys_are_made_of_visible_characters(text: str) -> None:
    """Goal: ids and tokens become keys in Valkey: bounded, and nothing invisible in them."""
    assert not model.is_key_part(text)
    assert model.is_key_part("usr_01JD3Q9V7N8R4T2W6X0YZABCDE:key-1")


def test_a_dynamic_code_ends_at_its_time() -> None:
    """Goal: one microsecond before, it is taken; at the time that is printed in it, no more."""
    end = int(NOW.timestamp()) + 60
    qr = model.qr_of(
        CAFE,
        requested=RequestedAmount(currency_code="EUR", amount_minor=5),
        reference="",
        terms=QrTerms(serial=1, expire_time=end),
    )
    assert (qr.expire_time, qr.serial) == (end, 0)
    at = datetime.fromtimestamp(end, UTC)
    model.payment_request(qr, CAFE, serial=9, now=at - timedelta(microseconds=1))
    for now in (at, at + timedelta(days=400)):
        with pytest.raises(QrExpired):
            model.payment_request(qr, CAFE, serial=1, now=now)


def test_a_static_code_ends_when_it_is_revoked() -> None:
    """Goal: an issue below the current one is refused, one of before serials counts as the first;
    it never expires by itself."""
    terms = QrTerms(serial=2, expire_time=1)
    qr = model.qr_of(CAFE, requested=None, reference="", terms=terms)
    assert (qr.serial, qr.expire_time) == (2, 0)
    assert model.payment_request(qr, CAFE, serial=2, now=NOW).merchant == CAFE
    with pytest.raises(QrRevoked):
        model.payment_request(qr, CAFE, serial=3, now=NOW)
    old = dataclasses.replace(qr, serial=0)
    assert model.payment_request(old, CAFE, serial=1, now=NOW).static
    with pytest.raises(QrRevoked):
        model.payment_request(old, CAFE, serial=2, now=NOW)


@pytest.mark.parametrize(
    ("lifetime_seconds", "seconds"), [(1, 60), (59, 60), (60, 120), (900, 960), (86_400, 86_460)]
)
def test_expiry_is_a_full_minute(lifetime_seconds: int, seconds: int) -> None:
    """Goal: never earlier than was asked for, and the same for all who ask within the minute."""
    expiry = model.expiry(NOW, lifetime_seconds=lifetime_seconds)
    assert expiry == int(NOW.timestamp()) + seconds
    later = NOW + timedelta(seconds=30)
    assert model.expiry(later, lifetime_seconds=60) == model.expiry(NOW, lifetime_seconds=60)


@pytest.mark.parametrize(
    ("current", "revoked", "after"), [(1, 0, 2), (1, 1, 2), (7, 0, 8), (7, 7, 8), (7, 3, 7)]
)
def test_revoking_moves_the_serial_on(current: int, revoked: int, after: int) -> None:
    """Goal: what was named is over; to name it again changes nothing."""
    assert model.serial_after(current, revoked=revoked) == after
    if revoked:
        assert model.serial_after(after, revoked=revoked) == after


@pytest.mark.parametrize(("current", "revoked"), [(1, 2), (1, -1), (99_999_999, 0)])
def test_what_was_never_printed_is_not_revoked(current: int, revoked: int) -> None:
    """Goal: a wrong number cannot use the serials up."""
    with pytest.raises(InvalidArgument) as refusal:
        model.serial_after(current, revoked=revoked)
    assert [item.field for item in refusal.value.violations] == ["serial"]


@pytest.mark.parametrize(
    ("merchant_id", "store_id", "terminal_id", "field"),
    [
        (CAFE.id, "a b", "", "store_id"),
        (CAFE.id, "x" * 31, "", "store_id"),
        (CAFE.id, "", "\u00e9", "terminal_id"),
        ("mer_" + "x" * 60, "baixa", "", "store_id"),
        ("mer_" + "x" * 60, "", "till3", "terminal_id"),
    ],
)
def test_places_that_no_code_can_carry_are_refused(
    merchant_id: str, store_id: str, terminal_id: str, field: str
) -> None:
    """Goal: the field that must change is named, before a code is made."""
    with pytest.raises(InvalidArgument) as refusal:
        model.check_place(merchant_id, store_id=store_id, terminal_id=terminal_id)
    assert [item.field for item in refusal.value.violations] == [field]
    model.check_place(CAFE.id, store_id="x" * 16, terminal_id="y" * 16)
    model.check_place("mer_" + "x" * 60, store_id="", terminal_id="")
