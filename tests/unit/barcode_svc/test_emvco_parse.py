"""The EMVCo codec reads any scheme's payload, and refuses what two readers could read two ways."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barcode_svc import emvco
from barcode_svc.emvco import DataObject, EmvcoError
from tests.unit.barcode_svc.emvco_texts import SAMPLE, built, merchants, sealed
from tests.unit.barcode_svc.payloads import tlv

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=4200)


def code_of(text: str) -> str:
    """The code with which a text is refused; empty: it is read."""
    try:
        emvco.parse(text)
    except EmvcoError as error:
        return error.code
    return ""


def joined(objects: tuple[DataObject, ...]) -> str:
    """Objects as text again."""
    return "".join(tlv(item.id, item.value) for item in objects)


def test_the_codec_stands_alone() -> None:
    """Goal: whoever wants it can take the folder: it imports itself and the standard library."""
    folder = Path(emvco.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [item.name for item in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                outside = not name.startswith("barcode_svc.emvco")
                assert not outside or name.split(".")[0] in sys.stdlib_module_names, (path, name)


def test_objects_are_kept_as_they_stand() -> None:
    """Goal: nothing is lost, unknown objects and their order included; templates are opened."""
    text = sealed(
        *[("00", "01"), ("85", "opaque"), ("62", tlv("07", "T1") + tlv("50", tlv("00", "a.b")))],
        *[("70", "later"), ("27", tlv("09", "x") + tlv("00", "c.d"))],
    )
    payload = emvco.parse(text)
    assert joined(payload.objects) == text
    assert [item.id for item in payload.objects] == ["00", "85", "62", "70", "27", "63"]
    assert payload.find("85") == DataObject("85", "opaque", None)
    assert payload.value("62", "50", "00") == "a.b"
    assert payload.value("27", "00") == "c.d"
    assert payload.value("62", "08") is None
    assert payload.value("99", "01") is None
    assert not payload.byte_lengths


@given(merchant=merchants())
@settings(max_examples=200)
def test_what_is_built_is_parsed(merchant: emvco.MerchantPresented) -> None:
    """Goal: for all that can be built: parsing gives it back, object by object, field by field."""
    text = emvco.build(merchant)
    assert len(text) <= 512
    assert emvco.validate(text) == []
    payload = emvco.parse(text)
    assert joined(payload.objects) == text
    assert built(payload) == merchant


@given(merchant=merchants(), data=st.data())
@settings(max_examples=400)
def test_one_changed_character_is_refused(
    merchant: emvco.MerchantPresented, data: st.DataObject
) -> None:
    """Goal: no substitution, insertion, deletion or swap makes another payment."""
    text = emvco.build(merchant)
    at = data.draw(st.integers(0, len(text) - 1))
    char = data.draw(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
    for changed in (
        text[:at] + char + text[at + 1 :],
        text[:at] + char + text[at:],
        text[:at] + text[at + 1 :],
        text[:at] + text[at + 1 : at + 2] + text[at] + text[at + 2 :],
    ):
        if changed[:-4] == text[:-4] and changed[-4:].upper() == text[-4:]:
            assert code_of(changed) == ""  # the same, the checksum in lower case
        else:
            assert code_of(changed) != ""


def test_every_one_character_change_of_one_payload_is_refused() -> None:
    """Goal: the same for every place and every character, without luck."""
    survivors = set()
    for at in range(len(SAMPLE) + 1):
        head, tail = SAMPLE[:at], SAMPLE[at:]
        for number in range(0x20, 0x7F):
            survivors |= {text for text in (head + chr(number) + tail,) if not code_of(text)}
            if tail:
                text = head + chr(number) + tail[1:]
                survivors |= {text} if not code_of(text) else set()
        if tail:
            survivors |= {text for text in (head + tail[1:],) if not code_of(text)}
            survivors |= {t for t in (head + tail[1:2] + tail[0] + tail[2:],) if not code_of(t)}
    assert {text.upper() for text in survivors} == {SAMPLE.upper()}
    assert {text[:-4] for text in survivors} == {SAMPLE[:-4]}


@given(text=ANY_TEXT)
@settings(max_examples=200)
def test_any_text_is_answered(text: str) -> None:
    """Goal: whatever is scanned or pasted: the typed error, or violations; nothing else."""
    assert code_of(text) in {"", *emvco.PARSE_ERRORS}
    assert all(item.message for item in emvco.validate(text))
    assert emvco.is_cpm(text) or code_of(text)


@given(
    objects=st.lists(
        st.tuples(
            st.from_regex(r"[0-9]{2}", fullmatch=True),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=99)
            | st.sampled_from(["01", "0000", tlv("00", "a.b"), tlv("05", "x") * 2, "0199"]),
        ),
        max_size=30,
    )
)
@settings(max_examples=300)
def test_any_objects_with_a_right_checksum_are_answered(objects: list[tuple[str, str]]) -> None:
    """Goal: what gets past the checksum is answered as well, and never read as something else."""
    text = sealed(("00", "01"), *objects)
    code = code_of(text)
    assert all(item.message for item in emvco.validate(text))
    if not code:
        assert joined(emvco.parse(text).objects) == text


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        ("", "empty", 0),
        ("0" * 4097, "too-long", 0),
        ("000201\ud800", "not-unicode", 0),
        (sealed(("00", "01"), ("59", "Cafe\u0301")), "not-nfc", 0),
        ("https://example.com", "bad-header", 0),
        ("000201\uff15\uff1901x", "bad-header", 6),
        ("00020159\u0661\u0661xxxxxxxxxxx", "bad-header", 6),
        ("00020159 1x", "bad-header", 6),
        ("0002015", "bad-header", 6),
        ("0002015905Cafe", "bad-length", 6),
        (sealed(("00", "01"), ("59", "a"), ("59", "b")), "duplicate-id", 11),
        (sealed(("00", "01"), ("62", tlv("05", "a") + tlv("05", "b"))), "duplicate-id", 15),
        (sealed(("00", "01"), ("27", tlv("00", "a") * 2)), "duplicate-id", 15),
        (
            sealed(("00", "01"), ("62", tlv("50", tlv("00", "a") + tlv("01", "b") * 2))),
            *("duplicate-id", 24),
        ),
        (sealed(("01", "11"), ("00", "01")), "format-indicator-not-first", 0),
        ("000201" + tlv("59", "Cafe"), "checksum-missing", 14),
        (SAMPLE + tlv("80", "x"), "checksum-not-last", len(SAMPLE) + 5),
        (SAMPLE[:-8] + "6303ABC", "checksum-malformed", len(SAMPLE) - 8),
        (SAMPLE[:-4] + "GHIJ", "checksum-malformed", len(SAMPLE) - 8),
        (SAMPLE[:-4] + "0000", "checksum-mismatch", len(SAMPLE) - 8),
        (SAMPLE + SAMPLE[-8:], "duplicate-id", len(SAMPLE)),
    ],
)
def test_each_fault_has_its_code_and_place(text: str, code: str, offset: int) -> None:
    """Goal: programs get a code, people the place; the text is never in the message."""
    with pytest.raises(EmvcoError) as refusal:
        emvco.parse(text)
    assert (refusal.value.code, refusal.value.offset) == (code, offset)
    assert str(refusal.value).startswith(emvco.PARSE_ERRORS[code])


@pytest.mark.parametrize(
    "objects",
    [
        [("00", "02"), ("53", "MMK"), ("54", "0"), ("59", "\u6700\u4f73")],
        [("00", "01"), ("59", ""), ("62", "")],
        [("00", "01"), ("26", "name@bank"), ("98", "0199"), ("62", "free text")],
        [("00", "01"), ("29", tlv("00", "A000000677010111") + tlv("01", "0066812345678"))],
    ],
)
def test_national_profiles_are_read(objects: list[tuple[str, str]]) -> None:
    """Goal: what others put into objects is theirs: missing, empty, or not the standard's form."""
    payload = emvco.parse(sealed(*objects))
    assert [(item.id, item.value) for item in payload.objects[:-1]] == objects


def test_the_checksum_is_found_by_walking() -> None:
    """Goal: "6304" in a value is a value; and lower case is read."""
    text = sealed(("00", "01"), ("59", "Shop 6304ABCD"), ("62", tlv("05", "6304FFFF")))
    assert emvco.parse(text).value("62", "05") == "6304FFFF"
    lower = next(
        text[:-4] + text[-4:].lower()
        for text in (sealed(("00", "01"), ("59", f"Till {n}")) for n in range(20))
        if text[-4:] != text[-4:].lower()
    )
    assert emvco.parse(lower).value("63") == lower[-4:]


def test_lengths_in_bytes_are_read_and_told() -> None:
    """Goal: generators that count UTF-8 bytes exist; their codes are read, and it is flagged."""
    head = "000201" + "5906Caf\u00e9!" + "6420" + tlv("00", "zh") + "0110" + "\u6700\u4f73!!!!"
    text = head + "6304" + emvco.checksum(head + "6304")
    payload = emvco.parse(text)
    assert payload.byte_lengths
    assert payload.value("59") == "Caf\u00e9!"
    assert payload.value("64", "01") == "\u6700\u4f73!!!!"
    assert "byte-lengths" in {item.code for item in emvco.validate(text)}
    # The place of a fault is still one in the text.
    twice = head + "5901x" + "6304"
    with pytest.raises(EmvcoError) as refusal:
        emvco.parse(twice + emvco.checksum(twice))
    assert (refusal.value.code, refusal.value.offset) == ("duplicate-id", len(head))
    # Where both ways work, characters are meant (4.4.1.1).
    both = sealed(("00", "01"), ("59", "Caf\u00e9"))
    assert not emvco.parse(both).byte_lengths


def test_the_work_is_bounded_by_the_length() -> None:
    """Goal: however a text is built, there are no more objects than its characters allow, on three
    levels at most; so reading it is linear."""

    def count(objects: tuple[DataObject, ...] | None, depth: int = 1) -> int:
        assert depth <= 3 or not objects
        return sum(1 + count(item.objects, depth + 1) for item in objects or ())

    deep = tlv("62", tlv("62", tlv("62", tlv("62", tlv("62", "x")))))
    empties = "".join(f"{number:02}00" for number in range(24))
    for inner in (deep, empties):
        text = sealed(*[("00", "01"), ("62", inner)], *[(f"{n}", inner) for n in range(80, 100)])
        assert count(emvco.parse(text).objects) <= len(text) / 4
