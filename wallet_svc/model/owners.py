"""What an owner may be called, and when two requests for an owner are the same request.

A rule is a function that returns its complaint, or None: the caller collects the complaints of all
fields and tells them at once.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

import msgspec

from chassis.money import CURRENCIES
from wallet_svc.model.records import OWNER_ID_PREFIXES, OwnerKind

REQUEST_ID_LENGTH_MAX = 255
NAME_LENGTH_MAX = 80
CURRENCIES_PER_OWNER_MAX = 16
RESERVED_HANDLES = frozenset({"bank", "fees", "suspense"})

_HANDLE_PATTERN = re.compile(r"[a-z0-9_.-]{3,32}")
_ID_PREFIXES = ("usr_", "mer_", "opr_", "sys_", "wal_")
_ID_PATTERN = re.compile(r"[!-~]{1,64}")
# Cc: control characters; Cs: halves of characters; Zl, Zp: line breaks in disguise.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Spaces, marks and format characters (joiners of emoji, for example) show nothing by themselves.
_INVISIBLE_CATEGORIES = frozenset({"Zs", "Cf", "Mn", "Me"})
# These turn the direction of the text around them, so that a name can look like another one
# (Unicode Technical Report 36, section 2.5).
_DIRECTION_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class OwnerRequest(msgspec.Struct, frozen=True):
    """An owner to be made. ``currency_codes`` is sorted and names each currency once."""

    request_id: str
    kind: OwnerKind
    handle: str
    name: str
    currency_codes: tuple[str, ...]

    def fingerprint(self) -> bytes:
        """32 bytes that are equal for requests with equal content (``request_id`` aside)."""
        content = msgspec.json.encode(
            [int(self.kind), self.handle, self.name, list(self.currency_codes)]
        )
        return hashlib.sha256(content).digest()


def is_handle(text: str) -> bool:
    """Whether the text has the form of a handle."""
    return _HANDLE_PATTERN.fullmatch(text) is not None


def is_plausible_id(text: str) -> bool:
    """Whether the text can be an id at all: 1 to 64 visible ASCII characters.

    Wider than the ids we make, so that an id of another maker is merely not found.
    """
    return _ID_PATTERN.fullmatch(text) is not None


def request_id_fault(request_id: str) -> str | None:
    """What is wrong with a request id, or None."""
    if not 1 <= len(request_id) <= REQUEST_ID_LENGTH_MAX or not request_id.isprintable():
        return f"must be 1 to {REQUEST_ID_LENGTH_MAX} printable characters"
    return None


def kind_fault(kind: int) -> str | None:
    """What is wrong with the kind of an owner to be made, or None."""
    if kind == OwnerKind.SYSTEM:
        return "must not be the system: its owners are there already"
    if kind not in OWNER_ID_PREFIXES:
        return "must be a customer, a merchant or an operator"
    return None


def handle_fault(handle: str) -> str | None:
    """What is wrong with the handle of an owner to be made, or None."""
    if not is_handle(handle):
        return "must be 3 to 32 of a-z, 0-9, underscore, dot and hyphen"
    if handle in RESERVED_HANDLES:
        return "is reserved"
    # Handles, owner ids and wallet ids share one field where money is sent to somebody.
    if handle.startswith(_ID_PREFIXES):
        return "must not look like an id"
    return None


def name_fault(name: str) -> str | None:
    """What is wrong with the name of an owner to be made, or None."""
    categories = {unicodedata.category(character) for character in name}
    if not 1 <= len(name) <= NAME_LENGTH_MAX or categories <= _INVISIBLE_CATEGORIES:
        return f"must be 1 to {NAME_LENGTH_MAX} characters that can be seen"
    if categories & _REFUSED_CATEGORIES or not _DIRECTION_CONTROLS.isdisjoint(name):
        return "must not contain control characters"
    return None


def currency_fault(currency_code: str) -> str | None:
    """What is wrong with a currency code, or None."""
    if currency_code not in CURRENCIES:
        return "must be an ISO 4217 code of a currency in circulation, for example USD"
    return None


def currencies_fault(currency_codes: Sequence[str], kind: int) -> str | None:
    """What is wrong with the currencies an owner is to have wallets in, as a whole, or None."""
    if len(currency_codes) > CURRENCIES_PER_OWNER_MAX:
        return f"must name at most {CURRENCIES_PER_OWNER_MAX} currencies"
    if currency_codes and kind == OwnerKind.OPERATOR:
        return "must be empty: an operator has no wallets"
    return None
