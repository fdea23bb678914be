"""The strict check lists every broken rule of the standard, with its path."""

from __future__ import annotations

import pytest

from barcode_svc import emvco
from tests.unit.barcode_svc.emvco_texts import MERCHANT, sealed
from tests.unit.barcode_svc.payloads import tlv

SOUND = {
    "00": "01",
    "26": tlv("00", "com.example"),
    "52": "5814",
    "53": "978",
    "58": "PT",
    "59": "Cafe Aurora",
    "60": "Lisbon",
}


def found(text: str) -> list[tuple[str, str]]:
    """Paths and codes of the violations."""
    return [(item.path, item.code) for item in emvco.validate(text)]


def with_(**changes: str | None) -> str:
    """The sound payload with objects replaced, added or (None) left out: ``with_(o54="5.00")``."""
    objects = {**SOUND, **{id_[1:]: value for id_, value in changes.items()}}
    return sealed(*((id_, value) for id_, value in objects.items() if value is not None))


def test_what_is_by_the_book_has_no_violation() -> None:
    """Goal: no false alarm, neither for the least that a payload has nor for the most."""
    assert found(with_()) == []
    assert found(emvco.build(MERCHANT)) == []


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"o00": "02"}, "00", "value"),
        ({"o01": "13"}, "01", "value"),
        ({"o01": "1"}, "01", "length"),
        ({"o02": "\u00e9"}, "02", "format"),
        ({"o26": None}, "", "no-merchant-account"),
        ({"o26": "name@bank"}, "26", "not-a-template"),
        ({"o26": tlv("01", "x")}, "26.00", "missing"),
        ({"o26": tlv("00", "x" * 33)}, "26.00", "length"),
        ({"o52": None}, "52", "missing"),
        ({"o52": "1A2B"}, "52", "format"),
        ({"o52": "581"}, "52", "length"),
        ({"o53": None}, "53", "missing"),
        ({"o53": "MMK"}, "53", "format"),
        ({"o54": "0.00"}, "54", "zero"),
        ({"o54": "1,50"}, "54", "value"),
        ({"o54": "1e5"}, "54", "value"),
        ({"o54": ".50"}, "54", "value"),
        ({"o54": "1.2.3"}, "54", "value"),
        ({"o54": "12345678901.99"}, "54", "length"),
        ({"o54": "\u0661"}, "54", "format"),
        ({"o55": "04"}, "55", "value"),
        ({"o55": "02"}, "56", "missing"),
        ({"o55": "02", "o56": "0"}, "56", "zero"),
        ({"o55": "03"}, "57", "missing"),
        ({"o55": "03", "o57": "5%"}, "57", "value"),
        ({"o55": "03", "o57": "00.00"}, "57", "zero"),
        ({"o55": "03", "o57": "100"}, "57", "value"),
        ({"o55": "01", "o56": "1"}, "56", "not-allowed"),
        ({"o57": "5"}, "57", "not-allowed"),
        ({"o58": "pt"}, "58", "value"),
        ({"o58": None}, "58", "missing"),
        ({"o59": ""}, "59", "empty"),
        ({"o59": "x" * 26}, "59", "length"),
        ({"o59": "Caf\u00e9"}, "59", "format"),
        ({"o60": "x" * 16}, "60", "length"),
        ({"o61": "x" * 11}, "61", "length"),
        ({"o62": ""}, "62", "empty"),
        ({"o62": "free text"}, "62", "not-a-template"),
        ({"o62": tlv("01", "x" * 26)}, "62.01", "length"),
        ({"o62": tlv("05", "\u00e9")}, "62.05", "format"),
        ({"o62": tlv("09", "AMEA")}, "62.09", "length"),
        ({"o62": tlv("09", "AA")}, "62.09", "value"),
        ({"o62": tlv("09", "X")}, "62.09", "value"),
        ({"o62": tlv("10", "x")}, "62.10", "reserved"),
        ({"o62": tlv("00", "x")}, "62.00", "reserved"),
        ({"o62": tlv("50", tlv("01", "x"))}, "62.50.00", "missing"),
        ({"o62": tlv("99", "opaque")}, "62.99", "not-a-template"),
        ({"o64": tlv("00", "pt")}, "64.01", "missing"),
        ({"o64": tlv("01", "x")}, "64.00", "missing"),
        ({"o64": tlv("00", "p1") + tlv("01", "x")}, "64.00", "value"),
        ({"o64": tlv("00", "pt") + tlv("01", "x" * 26)}, "64.01", "length"),
        ({"o64": tlv("00", "pt") + tlv("01", "a\nb")}, "64.01", "format"),
        ({"o64": tlv("00", "pt") + tlv("01", "x") + tlv("03", "y")}, "64.03", "reserved"),
        ({"o65": "x"}, "65", "reserved"),
        ({"o80": tlv("01", "x")}, "80.00", "missing"),
        ({"o99": "opaque"}, "99", "not-a-template"),
    ],
)
def test_each_rule_is_checked(changes: dict[str, str | None], path: str, code: str) -> None:
    """Goal: one broken rule is one violation, with the path and the code of just that rule."""
    assert found(with_(**changes)) == [(path, code)]


def test_all_violations_are_told_at_once() -> None:
    """Goal: one run is enough to correct a generator; a wrong checksum hides nothing."""
    text = with_(o00="02", o52="1", o54="0", o55="02", o57="5", o60=None, o62=tlv("10", "x"))
    text = text[:-4] + "0000"
    assert set(found(text)) == {
        ("", "checksum-mismatch"),
        ("00", "value"),
        ("52", "length"),
        ("54", "zero"),
        ("60", "missing"),
        ("62.10", "reserved"),
        ("56", "missing"),
        ("57", "not-allowed"),
    }


def test_a_payload_that_breaks_off_is_not_called_incomplete() -> None:
    """Goal: what stands behind an unreadable place is unknown, not missing."""
    text = with_(o52="1A2B")[:-20] + "?"
    assert ("", "bad-length") in found(text) or ("", "bad-header") in found(text)
    assert ("52", "format") in found(text)
    assert not [path for path, code in found(text) if code == "missing"]


def test_form_of_the_whole() -> None:
    """Goal: what concerns no single object is told with an empty path."""
    many = {f"o{number}": tlv("00", "x" * 30) for number in range(27, 42)}
    assert found(with_(**many)) == [("", "payload-too-long")]
    texts = [with_(o59=f"Till {number}") for number in range(20)]
    lower = next(text for text in texts if text[-4:] != text[-4:].lower())
    assert found(lower[:-4] + lower[-4:].lower()) == [("63", "value")]


def test_messages_do_not_quote_the_text() -> None:
    """Goal: what was scanned may be somebody's card or name: it stays out of messages."""
    for text in ("SECRET", with_(o54="SECRET"), with_(o52="SECRET"), with_(o62="SECRET")):
        for item in emvco.validate(text):
            assert "SECRET" not in item.message
