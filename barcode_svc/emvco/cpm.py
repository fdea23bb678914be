"""Consumer-presented payloads: whose wallet a customer's phone shows.

Rules are cited from "EMV QR Code Specification for Payment Systems: Consumer-Presented Mode", v1.1.
The text is base64; what it says is BER-TLV, as on a chip card: tag, length, value. We do not take
such payments. A terminal that can read them says "a wallet of another scheme" and its name, where
it would otherwise say "unreadable".

The depth, the number of objects, and the lengths of text and tags have bounds; the work is linear.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from barcode_svc.emvco.errors import PARSE_ERRORS, EmvcoError, Violation
from barcode_svc.emvco.tlv import READ_LENGTH_MAX

PREFIX = "hQVDUFY"
"""How every text begins: the base64 of tag 85, length 5, "CPV"."""
DEPTH_MAX = 4
OBJECTS_MAX = 256
_TAG_BYTES_MAX = 3
_LENGTH_BYTES_MAX = 2

_FORMAT_INDICATOR = "85"
_APPLICATION = "61"
_COMMON = "62"
_TRANSPARENT = ("63", "64")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")

NAMES = {
    "85": "Payload format indicator",
    "61": "Application template",
    "62": "Common data template",
    "63": "Application specific transparent template",
    "64": "Common data transparent template",
    "4F": "Application id",
    "50": "Application label",
    "57": "Track 2 equivalent data",
    "5A": "Application PAN",
    "5F20": "Cardholder name",
    "5F2D": "Language preference",
    "5F34": "PAN sequence number",
    "5F50": "Issuer URL",
    "82": "Application interchange profile",
    "9F08": "Application version number",
    "9F10": "Issuer application data",
    "9F19": "Token requestor id",
    "9F24": "Payment account reference",
    "9F25": "Last four digits of PAN",
    "9F26": "Application cryptogram",
    "9F27": "Cryptogram information data",
    "9F36": "Application transaction counter",
    "9F37": "Unpredictable number",
}
_TEXTS = {"85", "50", "5F20", "5F2D", "5F50", "9F24"}
"""Tags whose value is text; all others are bytes."""


@dataclass(frozen=True, slots=True)
class BerObject:
    """One object."""

    tag: str
    """Capital hexadecimal digits, as in ``9F26``."""
    value: bytes
    objects: tuple[BerObject, ...] | None = None
    """What a template holds; None: not a template, or an opaque one (63, 64)."""

    @property
    def name(self) -> str:
        """What people call it."""
        return name_of_tag(self.tag)

    @property
    def text(self) -> str:
        """The value as text if it is one, else as capital hexadecimal digits."""
        if self.tag in _TEXTS and all(0x20 <= byte <= 0x7E for byte in self.value):
            return self.value.decode("ascii")
        return self.value.hex().upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application that the wallet offers to pay with."""

    application_id: str
    """Application id, or the name of the ADF that begins with it: capital hexadecimal digits."""
    label: str
    """What the wallet calls it; may be empty."""


@dataclass(frozen=True, slots=True)
class ConsumerPresented:
    """What a customer's phone shows."""

    objects: tuple[BerObject, ...]
    """All of them, in order."""

    @property
    def applications(self) -> tuple[Application, ...]:
        """Those that can be chosen: a template 61 without a usable id is passed over (5.1.1)."""
        found = []
        for item in self.objects:
            values = {inner.tag: inner for inner in item.objects or ()}
            if item.tag == _APPLICATION and 5 <= len(_value(values, "4F")) <= 16:
                label = values["50"].text if "50" in values else ""
                found.append(Application(application_id=values["4F"].text, label=label))
        return tuple(found)


def name_of_tag(path: str) -> str:
    """What people call the object at a path such as ``61.4F``."""
    return NAMES.get(path.rpartition(".")[2], "Private data")


def is_cpm(text: str) -> bool:
    """Whether the text claims to be consumer-presented."""
    return text.startswith(PREFIX)


def parse_cpm(text: str) -> ConsumerPresented:
    """Take it apart. Raises ``EmvcoError`` and nothing else, for whatever text."""
    if not text:
        raise EmvcoError("empty")
    if len(text) > READ_LENGTH_MAX:
        raise EmvcoError("too-long")
    if not _BASE64.fullmatch(text):
        raise EmvcoError("not-base64")
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise EmvcoError("not-base64") from error
    objects = _Reader().objects(content, outer="", start=0, depth=1)
    if not objects or (objects[0].tag, objects[0].value) != (_FORMAT_INDICATOR, b"CPV01"):
        raise EmvcoError("not-cpv01")
    if not any(item.tag == _APPLICATION for item in objects):
        raise EmvcoError("no-application")  # 5.1.1.3
    return ConsumerPresented(tuple(objects))


def validate_cpm(text: str) -> list[Violation]:
    """Every rule that it breaks. Raises nothing, whatever the text."""
    try:
        parsed = parse_cpm(text)
    except EmvcoError as error:
        return [Violation("", error.code, f"{PARSE_ERRORS[error.code]} (At {error.offset}.)")]
    return list(_violations(parsed.objects))


class _Reader:
    """One walk. It counts all objects, on whatever level."""

    def __init__(self) -> None:
        self._count = 0

    def objects(self, content: bytes, *, outer: str, start: int, depth: int) -> list[BerObject]:
        if depth > DEPTH_MAX:
            raise EmvcoError("too-deep", start)
        objects: list[BerObject] = []
        seen: set[str] = set()
        position = 0
        while position < len(content):
            offset = start + position
            self._count += 1
            if self._count > OBJECTS_MAX:
                raise EmvcoError("too-many-objects", offset)
            tag_end = _tag_end(content, position, offset)
            tag = content[position:tag_end].hex().upper()
            begin, end = _value_bounds(content, tag_end, offset)
            # Two application templates are two ways to pay; of all else there is one.
            if tag in seen and not (tag == _APPLICATION and not outer):
                raise EmvcoError("duplicate-id", offset)
            seen.add(tag)
            value = content[begin:end]
            within = self._within(tag, value, start=start + begin, depth=depth)
            objects.append(BerObject(tag, value, within))
            position = end
        return objects

    def _within(
        self, tag: str, value: bytes, *, start: int, depth: int
    ) -> tuple[BerObject, ...] | None:
        if not int(tag[:2], 16) & 0x20:  # primitive
            return None
        try:
            return tuple(self.objects(value, outer=tag, start=start, depth=depth + 1))
        except EmvcoError:
            if tag in _TRANSPARENT:  # for the issuer, not for us: any bytes at all
                return None
            raise


def _tag_end(content: bytes, position: int, offset: int) -> int:
    end = position + 1
    if content[position] & 0x1F == 0x1F:  # more bytes follow while the high bit is set
        while end < len(content) and content[end] & 0x80:
            end += 1
            if end - position >= _TAG_BYTES_MAX:
                raise EmvcoError("bad-tag", offset)
        end += 1
    if end > len(content) or content[position] in (0x00, 0xFF):
        raise EmvcoError("bad-tag", offset)
    return end


def _value_bounds(content: bytes, position: int, offset: int) -> tuple[int, int]:
    """Where the value begins and ends, of an object whose length stands at ``position``."""
    if position >= len(content):
        raise EmvcoError("bad-length", offset)
    length, begin = content[position], position + 1
    if length >= 0x80:
        count = length & 0x7F
        if not 1 <= count <= _LENGTH_BYTES_MAX:
            raise EmvcoError("indefinite-length", offset)
        begin += count
        length = int.from_bytes(content[position + 1 : begin], "big")
    if begin + length > len(content):
        raise EmvcoError("bad-length", offset)
    return begin, begin + length


def _value(values: dict[str, BerObject], tag: str) -> bytes:
    return values[tag].value if tag in values else b""


_LENGTHS = {
    "50": (1, 16),
    "57": (1, 19),
    "5A": (1, 10),
    "5F20": (2, 26),
    "5F2D": (2, 8),
    "9F08": (2, 2),
    "9F25": (2, 2),
}
"""Bytes that a value may have, where it is there."""


def _violations(objects: Iterable[BerObject]) -> Iterator[Violation]:
    applications = [item for item in objects if item.tag == _APPLICATION]
    common = [item for item in objects if item.tag == _COMMON]
    if len(applications) > 2:
        yield Violation("61", "too-many", "There may be two application templates.")
    if common and len(applications) != 2:
        yield Violation("62", "not-allowed", "It stands beside two application templates only.")
    shared = {inner.tag for item in common for inner in item.objects or ()}
    for item in [*applications, *common]:
        for inner in item.objects or ():
            shortest, longest = _LENGTHS.get(inner.tag, (0, len(inner.value)))
            if not shortest <= len(inner.value) <= longest:
                path = f"{item.tag}.{inner.tag}"
                yield Violation(path, "length", f"It must have {shortest} to {longest} bytes.")
    for item in applications:
        values = {inner.tag: inner for inner in item.objects or ()}
        if "4F" not in values:
            yield Violation("61.4F", "missing", "Application id is missing.")
        elif not 5 <= len(values["4F"].value) <= 16:
            yield Violation("61.4F", "length", "It must have 5 to 16 bytes.")
        if not {"57", "5A"} & (set(values) | shared):
            yield Violation("61.57", "missing", "It has neither track 2 data nor a PAN.")
        for tag in sorted(shared & set(values) - set(_TRANSPARENT)):
            yield Violation(f"62.{tag}", "duplicate-id", "An application template has it, too.")
