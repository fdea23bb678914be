"""The merchant-presented codec: what is not ours, or not sound, is refused and told apart."""

from __future__ import annotations

import pytest

from barcode_svc import emvco
from barcode_svc.errors import QrInvalid, QrNotOurs
from tests.unit.barcode_svc.payloads import (
    ACCOUNT,
    MERCHANT_ID,
    OURS,
    SIGNER,
    SOUND,
    payload,
    tlv,
    with_,
)


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
        SIGNER.read(payload(objects))


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
    assert SIGNER.read(payload(objects)).merchant_id == MERCHANT_ID


def test_our_template_may_stand_at_any_place() -> None:
    """Goal: a printer who puts us behind another scheme (27 to 51) has done nothing wrong."""
    for id_ in ("27", "40", "51"):
        objects = {key: value for key, value in OURS.items() if key != "26"} | {id_: ACCOUNT}
        assert SIGNER.read(payload(objects)).merchant_id == MERCHANT_ID


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
        SIGNER.read(text)


def test_a_repeated_object_is_refused() -> None:
    """Goal: an app and a server must not be able to read two amounts out of one code."""
    text = SOUND[:-8] + tlv("54", "1.00") + tlv("54", "9.00") + "6304"
    with pytest.raises(QrInvalid, match="twice"):
        SIGNER.read(text + emvco.checksum(text))


def test_the_checksum_is_found_by_walking() -> None:
    """Goal: a "6304" inside a value is not taken for the checksum."""
    objects = with_(o59="Shop 6304ABCD", o62=tlv("05", "6304FFFF"))
    assert SIGNER.read(payload(objects)).reference == "6304FFFF"


def test_the_checksum_must_come_last() -> None:
    """Goal: nothing may stand behind it, though the sum of all that were what it says."""
    head, tail = SOUND[:-4], tlv("80", "abcd")
    found = next(
        text
        for number in range(65536)
        if emvco.checksum((text := f"{head}{number:04X}{tail}")[:-4]) == f"{number:04X}"
    )
    with pytest.raises(QrInvalid):
        SIGNER.read(found)


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
        SIGNER.read(text)


def test_the_checksum_may_be_lower_case() -> None:
    """Goal: printers that write "ab1c" are read, too."""
    texts = [payload(with_(o59=f"Till {number}")) for number in range(20)]
    changed = [text for text in texts if text[-4:] != text[-4:].lower()]
    assert changed
    for text in changed:
        assert SIGNER.read(text[:-4] + text[-4:].lower()) == SIGNER.read(text)


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
        SIGNER.read(payload(objects))


def test_lengths_count_characters() -> None:
    """Goal: by 4.4.1.1 four Chinese characters are 4 long, not 12; the checksum is over bytes."""
    text = "000201" + "6404最佳运输" + "6304"
    with pytest.raises(QrNotOurs):
        SIGNER.read(text + emvco.checksum(text))
    text = "000201" + "6412最佳运输" + "6304"
    with pytest.raises(QrInvalid):
        SIGNER.read(text + emvco.checksum(text))


def test_messages_do_not_quote_the_text() -> None:
    """Goal: what was scanned may be somebody's card or name: it stays out of messages."""
    for text in ("SECRET-TEXT", payload(with_(o54="SECRET")), payload(with_(o53="SEC"))):
        with pytest.raises(QrInvalid) as refusal:
            SIGNER.read(text)
        assert "SEC" not in str(refusal.value)
        assert not refusal.value.metadata
