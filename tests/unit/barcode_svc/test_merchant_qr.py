"""The merchant-presented codec: what we print is read back, exactly, and misreading is noticed."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barcode_svc import emvco, merchant_qr
from barcode_svc.errors import QrInvalid, QrNotOurs
from barcode_svc.merchant_qr import MerchantQr
from tests.unit.barcode_svc.payloads import (
    ACCOUNT,
    CAFE,
    MERCHANT_ID,
    OURS,
    PRINTABLE,
    SIGNER,
    labels,
    merchant_qrs,
    payload,
    tlv,
    with_,
)


def test_the_checksum_is_the_standards() -> None:
    """Goal: the right one of the many CRC-16s: the check value of CRC-16/CCITT-FALSE is 29B1."""
    assert emvco.checksum("123456789") == "29B1"
    assert len(emvco.checksum("\x00")) == 4


def test_a_static_code_is_spelt_so() -> None:
    """Goal: printed codes never change: this is one, worked out by hand."""
    assert SIGNER.write(CAFE) == (
        "000201"
        "010211"
        "26520009dev.qrpay0130mer_01JD3Q9V7N8R4T2W6X0YZABCDE04011"
        "52045814"
        "5303978"
        "5802PT"
        "5911Cafe Aurora"
        "6006Lisbon"
        "80720009dev.qrpay0108kPrK_qmx"
        "0343rGQp8C-T5CN7WEzHoqqrksNCN3TQxnArm_MeWdAhpxT"
        "81600009dev.qrpay0143N7Aj3QClk8Ugaf8zNZzWodRhV8Q4ym-R9Tr4WUTmyBw"
        "63040CF1"
    )


def test_a_dynamic_code_has_amount_and_reference() -> None:
    """Goal: objects 54 and 62-05 are where a till's code has them, and 01 says so."""
    qr = dataclasses.replace(
        CAFE,
        amount_minor=1250,
        reference="Table 7",
        static=False,
        store_id="baixa",
        terminal_id="till-3",
        serial=0,
        expire_time=1795694400,
    )
    assert SIGNER.write(qr)[:-119] == (
        "00020101021226660009dev.qrpay0130mer_01JD3Q9V7N8R4T2W6X0YZABCDE0205baixa0306till-3"
        "520458145303978540512.505802PT5911Cafe Aurora6006Lisbon62210507Table 70706till-3"
        "80860009dev.qrpay0108kPrK_qmx02101795694400"
    )
    assert SIGNER.read(SIGNER.write(qr)) == qr


@given(qr=merchant_qrs())
def test_what_is_written_is_read(qr: MerchantQr) -> None:
    """Goal: for all codes that we may print: reading gives back every field."""
    text = SIGNER.write(qr)
    assert SIGNER.read(text) == qr
    assert len(text) <= 512
    assert text.isascii()


@given(qr=merchant_qrs(), data=st.data())
@settings(max_examples=300)
def test_one_misread_character_is_noticed(qr: MerchantQr, data: st.DataObject) -> None:
    """Goal: no single wrong character makes another payment: CRC-16 finds any burst of 16 bits."""
    text = SIGNER.write(qr)
    position = data.draw(st.integers(0, len(text) - 1))
    wrong = data.draw(PRINTABLE)
    misread = text[:position] + wrong + text[position + 1 :]
    if misread.upper()[-4:] == text[-4:] and misread[:-4] == text[:-4]:
        assert SIGNER.read(misread) == qr  # the same checksum in lower case
        return
    with pytest.raises((QrInvalid, QrNotOurs)):
        SIGNER.read(misread)


@given(qr=merchant_qrs(), data=st.data())
def test_a_cut_or_lengthened_code_is_refused(qr: MerchantQr, data: st.DataObject) -> None:
    """Goal: nothing may be missing at the end, and nothing may follow it."""
    text = SIGNER.write(qr)
    cut = data.draw(st.integers(0, len(text) - 1))
    for wrong in (text[:cut], text + data.draw(labels(20))):
        with pytest.raises(QrInvalid):
            SIGNER.read(wrong)


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=4096)


@given(text=ANY_TEXT)
def test_any_text_is_answered(text: str) -> None:
    """Goal: whatever is scanned or pasted, up to 4 KB and half a surrogate pair included."""
    with pytest.raises((QrInvalid, QrNotOurs)):
        SIGNER.read(text)


@given(
    objects=st.dictionaries(
        st.from_regex(r"[0-9]{2}", fullmatch=True).filter(lambda id_: id_ not in ("00", "63")),
        st.text(st.characters(exclude_categories=()), min_size=1, max_size=99)
        | st.sampled_from([*OURS.values(), "54", "0.00", "1e5", tlv("05", "x"), tlv("00", "y")]),
        max_size=12,
    ),
    ours=st.booleans(),
)
@settings(max_examples=400)
def test_any_objects_with_a_right_checksum_are_answered(
    objects: dict[str, str], ours: bool
) -> None:
    """Goal: what gets past the checksum, by accident or by intent, is answered as well."""
    text = "000201" + "".join(tlv(id_, value) for id_, value in objects.items())
    if ours:
        text += tlv("26", ACCOUNT) if "26" not in objects else ""
    text = text.encode("utf-8", "replace").decode() + "6304"
    text += emvco.checksum(text)
    try:
        qr = SIGNER.read(text)
    except (QrInvalid, QrNotOurs):
        return
    assert qr.merchant_id == MERCHANT_ID


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.50", "840", 1250),
        ("12.5", "840", 1250),
        ("12.", "840", 1200),
        ("12", "840", 1200),
        ("0012.50", "840", 1250),
        ("0.01", "840", 1),
        ("1250", "392", 1250),
        ("1250.", "392", 1250),
        ("1.250", "414", 1250),
        ("9999999999.99", "840", 999999999999),
        ("0.29", "840", 29),
        ("4503599627.37", "978", 450359962737),
    ],
)
def test_amounts_are_exact(amount: str, currency: str, minor: int) -> None:
    """Goal: amounts become minor units without a float in between."""
    assert SIGNER.read(payload(with_(o54=amount, o53=currency))).amount_minor == minor


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("0", "840"),
        ("0.00", "840"),
        (".", "840"),
        (".50", "840"),
        ("1,50", "840"),
        ("1 50", "840"),
        ("1.2.3", "840"),
        ("-1.00", "840"),
        ("+1.00", "840"),
        ("1e3", "840"),
        ("0x10", "840"),
        ("1_000", "840"),
        ("NaN", "840"),
        ("1.234", "840"),
        ("1.000", "840"),
        ("1.0", "392"),
        ("1.2345", "414"),
        ("99999999999.99", "840"),
        ("9999999999999", "414"),
    ],
)
def test_other_amounts_are_refused(amount: str, currency: str) -> None:
    """Goal: nothing is rounded, guessed or read as zero; too many decimals are an error."""
    with pytest.raises(QrInvalid):
        SIGNER.read(payload(with_(o54=amount, o53=currency)))


@pytest.mark.parametrize("amount", ["\u0661\u0662", "\uff11\uff12", "1\u0968"])
def test_digits_are_ascii_digits(amount: str) -> None:
    """Goal: other scripts' digits, which int() takes, are none: in amounts and in lengths."""
    with pytest.raises(QrInvalid):
        SIGNER.read(payload(with_(o54=amount)))
    assert amount.isdigit()
    text = f"00020160{amount[:2].ljust(2, '1')}" + "x" * 40
    with pytest.raises(QrInvalid):
        SIGNER.read(text)


@pytest.mark.parametrize(
    ("currency_code", "largest"),
    [("USD", 999_999_999_999), ("JPY", 9_999_999_999_999), ("KWD", 999_999_999_999)],
)
def test_the_largest_amount_fills_the_object(currency_code: str, largest: int) -> None:
    """Goal: what is promised as the largest amount has room in 13 characters, and no more has."""
    assert merchant_qr.amount_minor_max(currency_code) == largest
    qr = dataclasses.replace(CAFE, currency_code=currency_code, amount_minor=largest)
    text = SIGNER.write(qr)
    assert f"{'54'}13" in text
    assert SIGNER.read(text) == qr
