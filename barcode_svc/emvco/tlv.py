"""Merchant-presented payloads as trees of objects, for any scheme: written, walked, summed.

Rules are cited from "EMV QR Code Specification for Payment Systems: Merchant-Presented Mode", v1.1.
A payload is a sequence of objects: an id and a length of two digits each, then that many
*characters* (4.4.1.1). Some objects are templates, sequences of objects themselves.

What national profiles do beyond the standard is let through here and told by ``validate``. What
would let two readers see two payments is refused: a wrong checksum, an id twice on one level,
digits of other scripts, text that is not in normalisation form C, anything behind the checksum.

The work is linear: a character is looked at once per level, and there are three levels.
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from barcode_svc.emvco.errors import EmvcoError

READ_LENGTH_MAX = 4096
"""Characters that a reader looks at. The standard allows 512 (4.1); profiles exceed it."""
VALUE_LENGTH_MAX = 99
"""Characters of one object: its length has two digits."""

FORMAT_INDICATOR = "00"
CHECKSUM = "63"
ADDITIONAL_DATA = "62"
ACCOUNT_TEMPLATES = tuple(f"{number:02}" for number in range(26, 52))
SYSTEM_TEMPLATES = tuple(f"{number:02}" for number in range(50, 100))
"""Within object 62: payment system specific templates."""
UNRESERVED_TEMPLATES = tuple(f"{number:02}" for number in range(80, 100))
_TEMPLATES = {*ACCOUNT_TEMPLATES, ADDITIONAL_DATA, "64", *UNRESERVED_TEMPLATES}

# "[0-9]" and not "\d", isdigit or int() alone: those take the digits of every script.
_HEADER = re.compile(r"[0-9]{4}")
_CHECKSUM_FORM = re.compile(r"[0-9A-Fa-f]{4}")


@dataclass(frozen=True, slots=True)
class DataObject:
    """One object of a payload."""

    id: str
    """Two digits."""
    value: str
    """As it stands there, also of a template."""
    objects: tuple[DataObject, ...] | None = None
    """What a template holds, in order; None: not a template, or one that does not walk."""

    def find(self, id_: str) -> DataObject | None:
        """The object of this id within a template."""
        return _find(self.objects or (), id_)


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload with a right checksum, whoever made it."""

    objects: tuple[DataObject, ...]
    """All of them, in order, the checksum included."""
    byte_lengths: bool = False
    """Its lengths count bytes of UTF-8, against 4.4.1.1. Some generators do so."""

    def find(self, id_: str, *path: str) -> DataObject | None:
        """An object by its id, or the one within it: ``find("62", "05")``."""
        found = _find(self.objects, id_)
        for inner in path:
            found = found and found.find(inner)
        return found

    def value(self, id_: str, *path: str) -> str | None:
        """The same object's value."""
        found = self.find(id_, *path)
        return None if found is None else found.value


class Scan(NamedTuple):
    """All that could be read of a text, and all that is wrong with its form."""

    objects: tuple[DataObject, ...]
    faults: tuple[EmvcoError, ...]
    byte_lengths: bool


class _Span(NamedTuple):
    """An object where it stands."""

    id: str
    offset: int
    value: str


def template(*objects: tuple[str, str]) -> str:
    """The text of a template (or a payload's head) with these ids and values."""
    return "".join(write_object(id_, value) for id_, value in objects)


def write_object(id_: str, value: str) -> str:
    """One object. The caller has checked the value: 1 to 99 characters."""
    assert 1 <= len(value) <= VALUE_LENGTH_MAX, f"object {id_} has no room for this value"
    return f"{id_}{len(value):02}{value}"


def checksum(text: str) -> str:
    """Object 63's value for all before it, "6304" included: CRC-16, 0x1021, 0xFFFF (4.7.3)."""
    return f"{binascii.crc_hqx(text.encode(), 0xFFFF):04X}"


def seal(head: str) -> str:
    """The payload: all other objects, and the checksum behind them."""
    head += f"{CHECKSUM}04"
    return head + checksum(head)


def parse(text: str) -> Payload:
    """Take apart any scheme's payload.

    Raises ``EmvcoError`` and nothing else, for whatever text, with the first fault there is.
    """
    scan = scan_text(text)
    if scan.faults:
        raise scan.faults[0]
    return Payload(scan.objects, scan.byte_lengths)


def scan_text(text: str) -> Scan:
    """Read as much as can be read, and go on behind a fault where there is a way to."""
    if unreadable := _unreadable(text):
        return Scan((), (EmvcoError(unreadable),), byte_lengths=False)
    reader = _Reader(byte_lengths=False)
    objects = reader.payload(text)
    if reader.lost and not text.isascii():
        # Latin-1 has one character for each byte, so that the same walk counts bytes.
        content = text.encode()
        by_bytes = _Reader(byte_lengths=True)
        try:
            objects_by_bytes = by_bytes.payload(content.decode("latin-1"))
        except UnicodeDecodeError:  # an end within a character: bytes were not counted, either
            by_bytes.lost = True
        if not by_bytes.lost:
            reader, objects = by_bytes, objects_by_bytes
            reader.faults = [
                EmvcoError(fault.code, len(content[: fault.offset].decode(errors="ignore")))
                for fault in reader.faults
            ]
    faults = list(reader.faults)
    if objects and not reader.lost:
        faults += _checksum_faults(text, objects)
    return Scan(tuple(objects), tuple(faults), reader.byte_lengths)


class _Reader:
    """One walk through a text."""

    def __init__(self, *, byte_lengths: bool) -> None:
        self.byte_lengths = byte_lengths
        self.faults: list[EmvcoError] = []
        self.lost = False
        """The walk broke off: there is no telling where the next object begins."""

    def payload(self, text: str) -> list[DataObject]:
        spans, fault = _walk(text)
        if spans and spans[0].id != FORMAT_INDICATOR:
            self.faults.append(EmvcoError("format-indicator-not-first"))
        objects = self._objects(spans, outer="", start=0)
        if fault:
            self.lost = True
            self.faults.append(fault)
        return objects

    def _objects(self, spans: Iterable[_Span], *, outer: str, start: int) -> list[DataObject]:
        objects: list[DataObject] = []
        seen: Counter[str] = Counter()
        for id_, offset, value in spans:
            seen[id_] += 1
            if seen[id_] > 2:  # told already; so a level has 200 objects at most, and the work ends
                continue
            if seen[id_] == 2:  # 4.3.1.2
                self.faults.append(EmvcoError("duplicate-id", start + offset))
            within = None
            if is_template(id_, outer=outer):
                inner, fault = _walk(value)
                if inner and not fault:
                    within = tuple(
                        self._objects(inner, outer=outer + id_, start=start + offset + 4)
                    )
            objects.append(DataObject(id_, self._text(value), within))
        return objects

    def _text(self, value: str) -> str:
        return value.encode("latin-1").decode() if self.byte_lengths else value


def is_template(id_: str, *, outer: str) -> bool:
    """Whether the standard makes this object a template.

    ``outer``: the path of the one that it is in, empty for the payload.
    """
    if outer:
        return outer == ADDITIONAL_DATA and id_ in SYSTEM_TEMPLATES
    return id_ in _TEMPLATES


def _unreadable(text: str) -> str | None:
    if not text:
        return "empty"
    if len(text) > READ_LENGTH_MAX:
        return "too-long"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "not-unicode"
    return None if unicodedata.is_normalized("NFC", text) else "not-nfc"


def _walk(text: str) -> tuple[list[_Span], EmvcoError | None]:
    """The objects of one level up to the first that is broken, and what is wrong with that."""
    spans: list[_Span] = []
    position = 0
    while position < len(text):
        header = text[position : position + 4]
        if not _HEADER.fullmatch(header):
            return spans, EmvcoError("bad-header", position)
        end = position + 4 + int(header[2:])
        if end > len(text):
            return spans, EmvcoError("bad-length", position)
        spans.append(_Span(header[:2], position, text[position + 4 : end]))
        position = end
    return spans, None


def _checksum_faults(text: str, objects: list[DataObject]) -> Iterable[EmvcoError]:
    """The checksum is the object that the walk found last; "6304" may stand in any value."""
    last = objects[-1]
    if last.id != CHECKSUM:
        known = any(item.id == CHECKSUM for item in objects)
        yield EmvcoError("checksum-not-last" if known else "checksum-missing", len(text))
    elif not _CHECKSUM_FORM.fullmatch(last.value):
        yield EmvcoError("checksum-malformed", len(text) - len(last.value) - 4)
    elif last.value.upper() != checksum(text[:-4]):  # many generators write lower case
        yield EmvcoError("checksum-mismatch", len(text) - 8)


def _find(objects: Iterable[DataObject], id_: str) -> DataObject | None:
    return next((item for item in objects if item.id == id_), None)
