"""Consumer-presented codes: a terminal can say whose wallet was shown."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barcode_svc import emvco
from barcode_svc.emvco import Application, EmvcoError
from barcode_svc.emvco.cpm import DEPTH_MAX


def ber(tag: str, value: bytes) -> bytes:
    """One object with a definite length."""
    if len(value) < 0x80:
        return bytes.fromhex(tag) + bytes([len(value)]) + value
    return bytes.fromhex(tag) + b"\x82" + len(value).to_bytes(2, "big") + value


def shown(*objects: bytes) -> str:
    """The text of these objects behind the format indicator."""
    return base64.b64encode(ber("85", b"CPV01") + b"".join(objects)).decode()


CODES = {*emvco.PARSE_ERRORS, "too-many", "not-allowed", "length", "missing"}
AID = bytes.fromhex("A0000000555555")
PAN = ber("5A", bytes.fromhex("9999999999999999"))
APPLICATION = ber("61", ber("4F", AID) + ber("50", b"Example Pay") + PAN)


def test_whose_wallet_it_is() -> None:
    """Goal: application ids and labels, in the wallet's order, for a sentence at the till."""
    second = ber("61", ber("4F", AID + b"\x01") + ber("57", b"\x99" * 8))
    text = shown(APPLICATION, second, ber("62", ber("5F2D", b"en")))
    assert emvco.is_cpm(text)
    assert not emvco.is_cpm("000201")
    assert emvco.validate_cpm(text) == []
    assert emvco.parse_cpm(text).applications == (
        Application(application_id="A0000000555555", label="Example Pay"),
        Application(application_id="A000000055555501", label=""),
    )


def test_an_application_without_a_usable_id_is_passed_over() -> None:
    """Goal: the other one can still be named (5.1.1)."""
    for broken in (ber("61", PAN), ber("61", ber("4F", b"1234") + PAN)):
        parsed = emvco.parse_cpm(shown(broken, APPLICATION))
        assert [item.label for item in parsed.applications] == ["Example Pay"]
        assert len(parsed.objects) == 3


def test_transparent_data_may_be_anything() -> None:
    """Goal: 63 and 64 are the issuer's: opened if they can be, kept if not."""
    inner = ber("9F26", b"\x01" * 8)
    for blob, opened in ((inner, 1), (b"\x9f\x26\xff", None)):
        application = ber("61", ber("4F", AID) + PAN + ber("63", blob))
        transparent = emvco.parse_cpm(shown(application)).objects[1].objects[-1]  # type: ignore[index]
        assert transparent.value == blob
        assert (transparent.objects and len(transparent.objects)) == opened


def nested(depth: int) -> bytes:
    """Private templates within each other."""
    content = ber("C1", b"x")
    for _ in range(depth):
        content = ber("E1", content)
    return content


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("A" * 4097, "too-long"),
        ("hQVDUFYwMQ", "not-base64"),
        ("hQVDUFYw MQ==", "not-base64"),
        ("hQVDUFYwMQ==\n", "not-base64"),
        ("hQVDUFYw\uff2d\uff31==", "not-base64"),
        ("AAAA", "bad-tag"),
        (base64.b64encode(b"\x9f\xff\xff\xff\x01\x00").decode(), "bad-tag"),
        (base64.b64encode(b"\x9f").decode(), "bad-tag"),
        (base64.b64encode(b"\x85").decode(), "bad-length"),
        (base64.b64encode(b"\x85\x05CPV0").decode(), "bad-length"),
        (base64.b64encode(b"\x85\x80CPV01").decode(), "indefinite-length"),
        (base64.b64encode(b"\x85\x84\xff\xff\xff\xffC").decode(), "indefinite-length"),
        (base64.b64encode(b"\x85\x82\x01").decode(), "bad-length"),
        (base64.b64encode(ber("85", b"CPV02") + APPLICATION).decode(), "not-cpv01"),
        (base64.b64encode(APPLICATION).decode(), "not-cpv01"),
        ("hQVDUFYwMQ==", "no-application"),
        (shown(ber("61", PAN + PAN)), "duplicate-id"),
        (shown(APPLICATION, ber("C1", b"x"), ber("C1", b"x")), "duplicate-id"),
        (shown(APPLICATION, nested(DEPTH_MAX)), "too-deep"),
        (
            shown(
                APPLICATION,
                ber("E1", b"".join(ber(f"DF{n:02X}", b"") for n in range(0x20, 0x7F))),
                ber("E2", b"".join(ber(f"DF{n:02X}", b"") for n in range(0x20, 0x7F))),
                ber("E3", b"".join(ber(f"DF{n:02X}", b"") for n in range(0x20, 0x7F))),
            ),
            "too-many-objects",
        ),
    ],
)
def test_each_fault_has_its_code(text: str, code: str) -> None:
    """Goal: the typed error for all that is not one, with bounds on depth, number and size."""
    with pytest.raises(EmvcoError) as refusal:
        emvco.parse_cpm(text)
    assert refusal.value.code == code
    assert [item.code for item in emvco.validate_cpm(text)] == [code]


def test_the_depth_that_is_allowed() -> None:
    """Goal: the bound is where it is said to be."""
    emvco.parse_cpm(shown(APPLICATION, nested(DEPTH_MAX - 1)))


@pytest.mark.parametrize(
    ("objects", "path", "code"),
    [
        ([APPLICATION] * 3, "61", "too-many"),
        ([APPLICATION, ber("62", ber("5F2D", b"en"))], "62", "not-allowed"),
        ([APPLICATION] * 2 + [ber("62", ber("5F2D", b"e"))], "62.5F2D", "length"),
        ([APPLICATION] * 2 + [ber("62", ber("50", b"x"))], "62.50", "duplicate-id"),
        ([ber("61", PAN)], "61.4F", "missing"),
        ([ber("61", ber("4F", b"1234") + PAN)], "61.4F", "length"),
        ([ber("61", ber("4F", AID) + ber("50", b"x" * 17) + PAN)], "61.50", "length"),
        ([ber("61", ber("4F", AID))], "61.57", "missing"),
    ],
)
def test_each_rule_is_checked(objects: list[bytes], path: str, code: str) -> None:
    """Goal: what can be read, but is not by the book, is told with its path."""
    found = {(item.path, item.code) for item in emvco.validate_cpm(shown(*objects))}
    assert found == {(path, code)}


@given(content=st.binary(max_size=600), text=st.text(max_size=200), raw=st.booleans())
@settings(max_examples=400)
def test_any_text_is_answered(content: bytes, text: str, raw: bool) -> None:
    """Goal: whatever a scanner hands over: the typed error, or a wallet."""
    candidates = [text, base64.b64encode(content).decode(), shown(ber("61", content))]
    for candidate in candidates:
        with suppress(EmvcoError):
            emvco.parse_cpm(candidate)
        assert {item.code for item in emvco.validate_cpm(candidate)} <= CODES
