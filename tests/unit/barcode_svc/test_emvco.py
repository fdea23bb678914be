"""The merchant-presented codec: what we print is read back, and nothing else passes for ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barcode_svc import emvco
from barcode_svc.emvco import MerchantQr
from barcode_svc.errors import QrInvalid, QrNotOurs
from chassis.money import CURRENCIES

MERCHANT_ID = "mer_01JD3Q9V7N8R4T2W6X0YZABCDE"
CAFE = MerchantQr(
    merchant_id=MERCHANT_ID,
    name="Cafe Aurora",
    city="Lisbon",
    category_code="5814",
    country_code="PT",
    currency_code="EUR",
    static=True,
)
PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


def labels(length_max: int) -> st.SearchStrategy[str]:
    """Printable texts up to a length."""
    return st.text(PRINTABLE, min_size=1, max_size=length_max)


@st.composite
def merchant_qrs(draw: st.DrawFn) -> MerchantQr:
    """Everything that we may print, in every currency and up to the largest amount."""
    currency_code = draw(st.sampled_from(sorted(CURRENCIES)))
    amounts = st.integers(0, emvco.amount_minor_max(currency_code))
    return MerchantQr(
        merchant_id=draw(labels(64)),
        name=draw(labels(25)),
        city=draw(labels(15)),
        category_code=draw(st.from_regex(r"[0-9]{4}", fullmatch=True)),
        country_code=draw(st.from_regex(r"[A-Z]{2}", fullmatch=True)),
        currency_code=currency_code,
        amount_minor=draw(amounts),
        reference=draw(st.just("") | labels(25)),
        static=draw(st.booleans()),
    )


def tlv(id_: str, value: str) -> str:
    """One object."""
    return f"{id_}{len(value):02}{value}"


def payload(objects: Mapping[str, str], *, last: str = "") -> str:
    """A payload of these objects with a right checksum; ``last`` is put behind it."""
    text = "".join(tlv(id_, value) for id_, value in objects.items()) + "6304"
    return text + emvco.checksum(text) + last


ACCOUNT = tlv("00", "dev.qrpay") + tlv("01", MERCHANT_ID)
OURS = {
    "00": "01",
    "01": "11",
    "26": ACCOUNT,
    "52": "5814",
    "53": "978",
    "58": "PT",
    "59": "Cafe Aurora",
    "60": "Lisbon",
}


def with_(**changes: str | None) -> dict[str, str]:
    """OURS with objects replaced, added or (None) left out: ``with_(o54="5.00")``."""
    objects = {**OURS, **{id_[1:]: value for id_, value in changes.items()}}
    return {id_: value for id_, value in objects.items() if value}


def test_the_checksum_is_the_standards() -> None:
    """Goal: the right one of the many CRC-16s: the check value of CRC-16/CCITT-FALSE is 29B1."""
    assert emvco.checksum("123456789") == "29B1"
    assert len(emvco.checksum("\x00")) == 4


def test_a_static_code_is_spelt_so() -> None:
    """Goal: printed codes never change: this is one, worked out by hand."""
    assert emvco.write(CAFE) == (
        "000201"
        "010211"
        "26470009dev.qrpay0130mer_01JD3Q9V7N8R4T2W6X0YZABCDE"
        "52045814"
        "5303978"
        "5802PT"
        "5911Cafe Aurora"
        "6006Lisbon"
        "6304BCA6"
    )


def test_a_dynamic_code_has_amount_and_reference() -> None:
    """Goal: objects 54 and 62-05 are where a till's code has them, and 01 says so."""
    qr = dataclasses.replace(CAFE, amount_minor=1250, reference="Table 7", static=False)
    assert emvco.write(qr)[:-8] == (
        "00020101021226470009dev.qrpay0130mer_01JD3Q9V7N8R4T2W6X0YZABCDE"
        "520458145303978540512.505802PT5911Cafe Aurora6006Lisbon62110507Table 7"
    )
    assert emvco.read(emvco.write(qr)) == qr


@given(qr=merchant_qrs())
def test_what_is_written_is_read(qr: MerchantQr) -> None:
    """Goal: for all codes that we may print: reading gives back every field."""
    text = emvco.write(qr)
    assert emvco.read(text) == qr
    assert len(text) <= 512
    assert text.isascii()


@given(qr=merchant_qrs(), data=st.data())
@settings(max_examples=300)
def test_one_misread_character_is_noticed(qr: MerchantQr, data: st.DataObject) -> None:
    """Goal: no single wrong character makes another payment: CRC-16 finds any burst of 16 bits."""
    text = emvco.write(qr)
    position = data.draw(st.integers(0, len(text) - 1))
    wrong = data.draw(PRINTABLE)
    misread = text[:position] + wrong + text[position + 1 :]
    if misread.upper()[-4:] == text[-4:] and misread[:-4] == text[:-4]:
        assert emvco.read(misread) == qr  # the same checksum in lower case
        return
    with pytest.raises((QrInvalid, QrNotOurs)):
        emvco.read(misread)


@given(qr=merchant_qrs(), data=st.data())
def test_a_cut_or_lengthened_code_is_refused(qr: MerchantQr, data: st.DataObject) -> None:
    """Goal: nothing may be missing at the end, and nothing may follow it."""
    text = emvco.write(qr)
    cut = data.draw(st.integers(0, len(text) - 1))
    for wrong in (text[:cut], text + data.draw(labels(20))):
        with pytest.raises(QrInvalid):
            emvco.read(wrong)


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=4096)


@given(text=ANY_TEXT)
def test_any_text_is_answered(text: str) -> None:
    """Goal: whatever is scanned or pasted, up to 4 KB and half a surrogate pair included."""
    with pytest.raises((QrInvalid, QrNotOurs)):
        emvco.read(text)


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
        qr = emvco.read(text)
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
    assert emvco.read(payload(with_(o54=amount, o53=currency))).amount_minor == minor


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
        emvco.read(payload(with_(o54=amount, o53=currency)))


@pytest.mark.parametrize("amount", ["\u0661\u0662", "\uff11\uff12", "1\u0968"])
def test_digits_are_ascii_digits(amount: str) -> None:
    """Goal: other scripts' digits, which int() takes, are none: in amounts and in lengths."""
    with pytest.raises(QrInvalid):
        emvco.read(payload(with_(o54=amount)))
    assert amount.isdigit()
    text = f"00020160{amount[:2].ljust(2, '1')}" + "x" * 40
    with pytest.raises(QrInvalid):
        emvco.read(text)


@pytest.mark.parametrize(
    "objects",
    [
        with_(o00="02"),
        with_(o01=None),
        with_(o01="13"),
        with_(o52=None),
        with_(o52="1A2B"),
        with_(o52="581"),
        with_(o53=None),
        with_(o53="EUR"),
        with_(o53="999"),
        with_(o55="01"),
        with_(o55="02", o56="1.00"),
        with_(o57="5"),
        with_(o58=None),
        with_(o58="pt"),
        with_(o58="PRT"),
        with_(o59=None),
        with_(o59="x" * 26),
        with_(o60=None),
        with_(o60="x" * 16),
        with_(o59="Café"),
        with_(o61="x" * 11),
        with_(o62="0"),
        with_(o62=tlv("05", "x" * 26)),
        with_(o62=tlv("05", "a") + tlv("05", "b")),
        with_(o62="0500"),
        with_(o62="0510abc"),
        with_(o26=ACCOUNT + "x"),
        with_(o26=ACCOUNT.replace("0130", "0131")),
        with_(o62=tlv("05", "é")),
        with_(o26=tlv("00", "dev.qrpay")),
        with_(o26=tlv("01", MERCHANT_ID) + tlv("00", "dev.qrpay")),
        with_(o26=tlv("00", "dev.qrpay") + tlv("01", "x" * 65)),
        with_(o26=ACCOUNT, o27=ACCOUNT),
    ],
)
def test_our_own_codes_keep_every_rule(objects: dict[str, str]) -> None:
    """Goal: a code with our GUID and a right checksum is refused for any other broken rule."""
    with pytest.raises(QrInvalid):
        emvco.read(payload(objects))


@pytest.mark.parametrize(
    "objects",
    [
        with_(),
        with_(o01="12"),
        with_(o61="1100-148"),
        with_(o62=tlv("07", "Till 3")),
        with_(o64=tlv("00", "pt") + tlv("01", "Café Aurora")),
        with_(o80=tlv("00", "com.example") + tlv("01", "x")),
        with_(o02="4000123456789012"),
        with_(o27=tlv("00", "com.example") + tlv("01", "x")),
        with_(o27="not a template"),
    ],
)
def test_what_others_may_add_is_passed_over(objects: dict[str, str]) -> None:
    """Goal: several schemes share a sticker; what we do not use does not keep us from reading."""
    assert emvco.read(payload(objects)).merchant_id == MERCHANT_ID


def test_our_template_may_stand_at_any_place() -> None:
    """Goal: a printer who puts us behind another scheme (27 to 51) has done nothing wrong."""
    for id_ in ("27", "40", "51"):
        objects = {key: value for key, value in OURS.items() if key != "26"} | {id_: ACCOUNT}
        assert emvco.read(payload(objects)).merchant_id == MERCHANT_ID


SOUND = payload(OURS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0002016304",
        "https://example.com/pay/1",
        "hQVDUFYwMWETTwegAAAAVVVVUAhQcm9kdWN0MQ==",
        SOUND[6:],
        SOUND[:-4] + "0000",
        SOUND[:-8],
        SOUND + tlv("80", "x"),
        SOUND + "\n",
        " " + SOUND,
        SOUND.replace("5911Cafe", "5912Cafe"),
        payload(OURS | {"64": "x" * 99, "65": "y" * 99, "66": "z" * 99, "67": "z" * 99}),
        payload({"01": "11", "00": "01", **OURS}),
        "00020163041D0F5204",
    ],
)
def test_unsound_texts_are_invalid(text: str) -> None:
    """Goal: no start, no end, wrong lengths, wrong checksum, too long: invalid, not "not ours"."""
    with pytest.raises(QrInvalid):
        emvco.read(text)


def test_a_repeated_object_is_refused() -> None:
    """Goal: an app and a server must not be able to read two amounts out of one code."""
    text = SOUND[:-8] + tlv("54", "1.00") + tlv("54", "9.00") + "6304"
    with pytest.raises(QrInvalid, match="twice"):
        emvco.read(text + emvco.checksum(text))


def test_the_checksum_is_found_by_walking() -> None:
    """Goal: a "6304" inside a value is not taken for the checksum."""
    objects = with_(o59="Shop 6304ABCD", o62=tlv("05", "6304FFFF"))
    assert emvco.read(payload(objects)).reference == "6304FFFF"


def test_the_checksum_must_come_last() -> None:
    """Goal: nothing may stand behind it, though the sum of all that were what it says."""
    head, tail = SOUND[:-4], tlv("80", "abcd")
    found = next(
        text
        for number in range(65536)
        if emvco.checksum((text := f"{head}{number:04X}{tail}")[:-4]) == f"{number:04X}"
    )
    with pytest.raises(QrInvalid):
        emvco.read(found)


@pytest.mark.parametrize(
    "objects",
    [
        "6200",
        "59\uff10\uff11x",
        "\uff15\uff1901x",
        "5901\u00e9",
        "5901\n",
        "6401\ud800",
    ],
)
def test_any_schemes_objects_must_be_sound(objects: str) -> None:
    """Goal: empty values, foreign digits, characters that an object may not have and half of a
    surrogate pair are found behind a right checksum, whoever's code it is."""
    text = f"000201{objects}6304"
    text += emvco.checksum(text.encode("utf-8", "replace").decode())
    with pytest.raises(QrInvalid):
        emvco.read(text)


def test_the_checksum_may_be_lower_case() -> None:
    """Goal: printers that write "ab1c" are read, too."""
    texts = [payload(with_(o59=f"Till {number}")) for number in range(20)]
    changed = [text for text in texts if text[-4:] != text[-4:].lower()]
    assert changed
    for text in changed:
        assert emvco.read(text[:-4] + text[-4:].lower()) == emvco.read(text)


@pytest.mark.parametrize(
    "objects",
    [
        {"00": "01", "26": tlv("00", "com.example.pay") + tlv("01", "x"), "53": "764"},
        {"00": "01", "01": "11", "29": tlv("00", "DEV.QRPAY") + tlv("01", MERCHANT_ID)},
        {"00": "01", "02": "4000123456789012"},
        {"00": "01", "26": "not a template", "54": "-1"},
        {"00": "01", "62": "最佳运输", "65": "é"},
        {"00": "01", "62": tlv("05", "dev.qrpay"), "80": ACCOUNT},
    ],
)
def test_sound_codes_of_others_are_told_apart(objects: dict[str, str]) -> None:
    """Goal: "of another scheme" is said of a sound code, whatever that scheme does with its fields;
    the name of ours counts in a merchant account template only, letter by letter."""
    with pytest.raises(QrNotOurs):
        emvco.read(payload(objects))


def test_lengths_count_characters() -> None:
    """Goal: by 4.4.1.1 four Chinese characters are 4 long, not 12; the checksum is over bytes."""
    text = "000201" + "6404最佳运输" + "6304"
    with pytest.raises(QrNotOurs):
        emvco.read(text + emvco.checksum(text))
    text = "000201" + "6412最佳运输" + "6304"
    with pytest.raises(QrInvalid):
        emvco.read(text + emvco.checksum(text))


@pytest.mark.parametrize(
    ("currency_code", "largest"),
    [("USD", 999_999_999_999), ("JPY", 9_999_999_999_999), ("KWD", 999_999_999_999)],
)
def test_the_largest_amount_fills_the_object(currency_code: str, largest: int) -> None:
    """Goal: what is promised as the largest amount has room in 13 characters, and no more has."""
    assert emvco.amount_minor_max(currency_code) == largest
    qr = dataclasses.replace(CAFE, currency_code=currency_code, amount_minor=largest)
    text = emvco.write(qr)
    assert f"{'54'}13" in text
    assert emvco.read(text) == qr


def test_messages_do_not_quote_the_text() -> None:
    """Goal: what was scanned may be somebody's card or name: it stays out of messages."""
    for text in ("SECRET-TEXT", payload(with_(o54="SECRET")), payload(with_(o53="SEC"))):
        with pytest.raises(QrInvalid) as refusal:
            emvco.read(text)
        assert "SEC" not in str(refusal.value)
        assert not refusal.value.metadata
