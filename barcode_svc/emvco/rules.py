"""What the standard says about single objects: name, format, length, form.

Facts of "EMV QR Code Specification for Payment Systems: Merchant-Presented Mode", v1.1, tables of
chapters 3 and 4; one line per object.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PAYLOAD_LENGTH_MAX = 512
"""Characters of a payload (4.1)."""
GUID_LENGTH_MAX = 32
"""An application id, a UUID without hyphens, or a reverse domain name (4.8.1)."""
NAME_LENGTH_MAX = 25
CITY_LENGTH_MAX = 15
LABEL_LENGTH_MAX = 25
"""Each of 62-01 to 62-08."""
AMOUNT_LENGTH_MAX = 13

ANS = "printable ASCII"
"""Format ans: 0x20 to 0x7E, the Common Character Set (1.4.3)."""
S = "Unicode without control characters"
"""Format S."""
N = "digits"
_FORMATS = {
    ANS: re.compile(r"[ -~]*"),
    S: re.compile(r"[^\x00-\x1f\x7f-\x9f]*"),
    N: re.compile(r"[0-9]*"),
}


class Rule(NamedTuple):
    """What one object may be."""

    name: str
    format: str
    length_max: int
    length_min: int = 1
    form: re.Pattern[str] | None = None
    form_says: str = ""
    required: bool = False

    def in_format(self, value: str) -> bool:
        """Whether every character is one that the format has."""
        return _FORMATS[self.format].fullmatch(value) is not None


_AMOUNT = re.compile(r"[0-9]+(?:\.[0-9]*)?")
_AMOUNT_SAYS = "digits, and at most one point after the first of them"
_GUID = Rule("Globally unique identifier", ANS, GUID_LENGTH_MAX, required=True)
_ANY_S = Rule("Data of the payment system", S, 99)

PAYLOAD: dict[str, Rule] = {
    "00": Rule("Payload format indicator", N, 2, 2, re.compile("01"), "01", required=True),
    "01": Rule("Point of initiation method", N, 2, 2, re.compile("11|12"), "11 or 12"),
    **{f"{number:02}": Rule("Merchant account", ANS, 99) for number in range(2, 26)},
    **{f"{number}": Rule("Merchant account template", ANS, 99) for number in range(26, 52)},
    "52": Rule("Merchant category code", N, 4, 4, required=True),
    "53": Rule("Transaction currency", N, 3, 3, required=True),
    "54": Rule("Transaction amount", ANS, AMOUNT_LENGTH_MAX, 1, _AMOUNT, _AMOUNT_SAYS),
    "55": Rule("Tip or convenience fee", N, 2, 2, re.compile("01|02|03"), "01, 02 or 03"),
    "56": Rule("Convenience fee, fixed", ANS, AMOUNT_LENGTH_MAX, 1, _AMOUNT, _AMOUNT_SAYS),
    "57": Rule(
        "Convenience fee, percent",
        ANS,
        5,
        form=re.compile(r"[0-9]{1,2}(?:\.[0-9]{0,2})?"),
        form_says="00.01 to 99.99, without a percent sign",
    ),
    "58": Rule(
        *("Country code", ANS, 2, 2, re.compile(r"[A-Z]{2}"), "two capital letters"), required=True
    ),
    "59": Rule("Merchant name", ANS, NAME_LENGTH_MAX, required=True),
    "60": Rule("Merchant city", ANS, CITY_LENGTH_MAX, required=True),
    "61": Rule("Postal code", ANS, 10),
    "62": Rule("Additional data template", S, 99),
    "63": Rule("CRC", ANS, 4, 4, re.compile(r"[0-9A-F]{4}"), "capital hexadecimal digits"),
    "64": Rule("Language template", S, 99),
    **{f"{number}": Rule("Reserved by EMVCo", S, 99) for number in range(65, 80)},
    **{f"{number}": Rule("Unreserved template", S, 99) for number in range(80, 100)},
}
SYSTEM: dict[str, Rule] = {"00": _GUID, **{f"{number:02}": _ANY_S for number in range(1, 100)}}
"""Within 26-51, 80-99 and 62-50 to 62-99: whose it is, and what only that payment system knows."""
ADDITIONAL: dict[str, Rule] = {
    **{
        f"{number:02}": Rule(name, ANS, LABEL_LENGTH_MAX)
        for number, name in enumerate(
            (
                *("Bill number", "Mobile number", "Store label", "Loyalty number"),
                *("Reference label", "Customer label", "Terminal label"),
                "Purpose of transaction",
            ),
            1,
        )
    },
    "09": Rule(
        "Additional consumer data request",
        ANS,
        3,
        form=re.compile(r"(?!.*(.).*\1)[AME]*"),
        form_says="letters of A, M and E, each once",
    ),
    **{f"{number}": Rule("Payment system template", S, 99) for number in range(50, 100)},
}
LANGUAGE: dict[str, Rule] = {
    "00": Rule(
        *("Language preference", ANS, 2, 2, re.compile(r"[A-Za-z]{2}"), "two letters (ISO 639)"),
        required=True,
    ),
    "01": Rule("Merchant name, alternate language", S, NAME_LENGTH_MAX, required=True),
    "02": Rule("Merchant city, alternate language", S, CITY_LENGTH_MAX),
}


def rules_within(path: str) -> dict[str, Rule]:
    """The rules of the objects in a template; an empty path: those of the payload."""
    return {"": PAYLOAD, "62": ADDITIONAL, "64": LANGUAGE}.get(path, SYSTEM)


def name_of(path: str) -> str:
    """What people call the object at a path such as ``62.05``."""
    outer, _, id_ = path.rpartition(".")
    rule = rules_within(outer).get(id_)
    return rule.name if rule else "Reserved by EMVCo"


def is_ans(text: str) -> bool:
    """Whether every character is one of format ans."""
    return _FORMATS[ANS].fullmatch(text) is not None


def is_printable(text: str, length_max: int) -> bool:
    """Whether ``text`` is 1 to ``length_max`` characters of format ans."""
    return 1 <= len(text) <= length_max and is_ans(text)
