"""How a code is changed at random."""

from __future__ import annotations

import base64
from random import Random

from barcode_svc import emvco

_CHARACTERS = "0123456789ABCDEFabcdef+/=. *-,%\n\x00\u00e9\u0301\u6700\u0661\uff10\U0001f600\ud800"
_LENGTHS = ("00", "01", "04", "09", "10", "25", "26", "98", "99", " 1", "-1", "\u0661\u0661")
_IDS = ("00", "01", "02", "26", "51", "52", "54", "55", "59", "62", "63", "64", "65", "80", "99")
_BYTES = (b"\x61\x05", b"\x1f\xff\xff", b"\x82\x00\x10", b"\x80")
_LENGTH_MAX = 4200


def change(text: str, corpus: list[str], chance: Random) -> str:
    """One to six changes, and sometimes a right checksum afterwards."""
    if emvco.is_cpm(text) and chance.random() < 0.7:
        text = _changed_bytes(text, chance)
    else:
        for _ in range(chance.randint(1, 6)):
            text = _changed(text, corpus, chance)
    if chance.random() < 0.6:
        text = _resealed(text)
    return text[:_LENGTH_MAX]


def _changed(text: str, corpus: list[str], chance: Random) -> str:
    at = chance.randint(0, len(text))
    to = min(len(text), at + chance.randint(1, 12))
    match chance.randrange(9):
        case 0:
            return text[:at] + chance.choice(_CHARACTERS) + text[at + 1 :]
        case 1:
            return text[:at] + chance.choice(_CHARACTERS) + text[at:]
        case 2:
            return text[:at] + text[to:]
        case 3:
            return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]
        case 4:
            return text[:at] + text[at:to] * chance.randint(2, 40) + text[to:]
        case 5:
            return text[:at] + chance.choice(corpus)[chance.randint(0, 60) :]
        case 6:
            return text[:at] + chance.choice(_IDS) + chance.choice(_LENGTHS) + text[at:]
        case _:
            return _changed_object(text, chance)


def _changed_object(text: str, chance: Random) -> str:
    """Another value in one of the objects, its length corrected: the tree stays whole."""
    objects = [(item.id, item.value) for item in emvco.scan_text(text).objects]
    if not objects:
        return text
    at = chance.randrange(len(objects))
    id_, value = objects[at]
    match chance.randrange(5):
        case 0:
            id_ = chance.choice(_IDS)
        case 1:
            value = "".join(chance.choices(_CHARACTERS, k=chance.randint(0, 99)))
        case 2:
            value = (value * 3)[: chance.randint(0, 99)]
        case 3:
            objects.insert(chance.randint(0, len(objects)), chance.choice(objects))
        case _:
            value = f"{chance.choice(_IDS)}{min(len(value), 95):02}{value[:95]}"
    objects[at] = (id_, value)
    return "".join(f"{id_}{len(value):02}{value}" for id_, value in objects)


def _changed_bytes(text: str, chance: Random) -> str:
    """A consumer-presented code: its bytes are changed, and it stays base64."""
    try:
        content = bytearray(base64.b64decode(text))
    except ValueError:
        return text
    for _ in range(chance.randint(1, 5)):
        at = chance.randint(0, len(content))
        match chance.randrange(4):
            case 0:
                content[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                content[at:at] = chance.choice(
                    (b"\x61\x05", b"\x1f\xff\xff", b"\x82\x00\x10", b"\x80")
                )
            case 2:
                del content[at : at + chance.randint(1, 8)]
            case _:
                content[at:at] = content[at : at + 40]
    return base64.b64encode(bytes(content)).decode()


def _resealed(text: str) -> str:
    head = text[:-8] if text[-8:-4] == "6304" else text
    try:
        return head + "6304" + emvco.checksum(head + "6304")
    except UnicodeEncodeError:
        return text
