"""What is wrong with a text: the one error of this package, and the violations of a strict check.

Neither ever quotes the text: a payment code may hold somebody's name, phone or card.
"""

from __future__ import annotations

from dataclasses import dataclass

PARSE_ERRORS = {
    "too-long": "The text is longer than this reader takes.",
    "not-unicode": "The text has half of a surrogate pair, which no UTF-8 can carry.",
    "not-nfc": "The text is not in normalisation form C: it could be counted two ways.",
    "empty": "The text is empty.",
    "bad-header": "An object must begin with an id and a length of two ASCII digits each.",
    "bad-length": "An object is not as long as it says.",
    "duplicate-id": "An object occurs twice on its level: each reader would choose its own.",
    "format-indicator-not-first": "The first object must be 00, the payload format indicator.",
    "checksum-missing": "There is no checksum, object 63.",
    "checksum-not-last": "Something follows the checksum.",
    "checksum-malformed": "The checksum is not four hexadecimal digits.",
    "checksum-mismatch": "The checksum does not match: the code was misread or changed.",
    "not-base64": "The text is not base64 with its padding (RFC 4648, section 4).",
    "bad-tag": "A tag is malformed or longer than three bytes.",
    "indefinite-length": "A length is indefinite, or has more than two bytes.",
    "too-deep": "Templates are nested too deep.",
    "too-many-objects": "There are too many objects.",
    "not-cpv01": 'The first object must be tag 85 with the value "CPV01".',
    "no-application": "There is no application template, tag 61.",
}
"""Every code of ``EmvcoError``, and its sentence."""


class EmvcoError(Exception):
    """The text is not a payload.

    ``code`` is a key of ``PARSE_ERRORS``. ``offset`` is where the faulty object begins: in
    characters of the text, or in bytes of what the base64 says (consumer-presented).
    """

    def __init__(self, code: str, offset: int = 0) -> None:
        self.code = code
        self.offset = offset
        super().__init__(f"{PARSE_ERRORS[code]} (at {offset})")


class BuildError(ValueError):
    """A payload cannot say this. ``field`` names the broken one, as in ``additional.purpose``."""

    def __init__(self, field: str, code: str, sentence: str) -> None:
        self.field = field
        self.code = code
        super().__init__(f"{field}: {sentence}")


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """One broken rule of the standard."""

    path: str
    """The object's ids from the outside in, as in ``62.05``; empty: the payload as a whole."""
    code: str
    message: str
    """A sentence for people, which does not quote the object."""
