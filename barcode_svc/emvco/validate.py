"""The strict check of a merchant-presented payload: every rule that it breaks, not only the first.

Rules are those of "EMV QR Code Specification for Payment Systems: Merchant-Presented Mode", v1.1.
What the standard says "should" be so (as many decimals as the currency has) is not checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from barcode_svc.emvco import rules
from barcode_svc.emvco.errors import PARSE_ERRORS, Violation
from barcode_svc.emvco.tlv import (
    ACCOUNT_TEMPLATES,
    CHECKSUM,
    DataObject,
    Scan,
    is_template,
    scan_text,
)

_ACCOUNTS = {*(f"{number:02}" for number in range(2, 26)), *ACCOUNT_TEMPLATES}
_RESERVED = {f"{number}" for number in range(65, 80)}
_FEE_OF_INDICATOR = {"02": "56", "03": "57"}


def validate(text: str) -> list[Violation]:
    """All violations, in the order of the objects; empty: the payload is by the book.

    Raises nothing, whatever the text.
    """
    return validate_scan(text, scan_text(text))


def validate_scan(text: str, scan: Scan) -> list[Violation]:
    """The same for a text that was scanned already."""
    return list(_violations(text, scan))


def _violations(text: str, scan: Scan) -> Iterator[Violation]:
    for fault in scan.faults:
        yield Violation("", fault.code, f"{PARSE_ERRORS[fault.code]} (At {fault.offset}.)")
    if not scan.objects:
        return
    if len(text) > rules.PAYLOAD_LENGTH_MAX:
        yield Violation(
            "", "payload-too-long", f"It has more than {rules.PAYLOAD_LENGTH_MAX} characters."
        )
    if scan.byte_lengths:
        yield Violation("", "byte-lengths", "Its lengths count bytes instead of characters.")
    broken_off = any(fault.code in ("bad-header", "bad-length") for fault in scan.faults)
    yield from _level(scan.objects, outer="", whole=not broken_off)
    if not broken_off and not any(item.id in _ACCOUNTS for item in scan.objects):
        yield Violation("", "no-merchant-account", "It has none of the objects 02 to 51.")
    yield from _fees({item.id: item.value for item in scan.objects})


def _level(objects: Iterable[DataObject], *, outer: str, whole: bool) -> Iterator[Violation]:
    """One level and what is in it. ``whole``: all of its objects could be read."""
    known = rules.rules_within(outer)
    present = set()
    for item in objects:
        present.add(item.id)
        path = f"{outer}.{item.id}" if outer else item.id
        rule = known.get(item.id)
        if rule is None or (not outer and item.id in _RESERVED):
            yield Violation(path, "reserved", "The id is reserved for future use.")
        if rule is None:
            continue
        yield from _value(path, item, rule)
        if item.value and is_template(item.id, outer=outer):
            if item.objects is None:
                yield Violation(path, "not-a-template", "It does not consist of objects.")
            else:
                yield from _level(item.objects, outer=path, whole=True)
    for id_, rule in known.items():
        # Without its checksum a payload has been found faulty already.
        if whole and rule.required and id_ not in present and id_ != CHECKSUM:
            path = f"{outer}.{id_}" if outer else id_
            yield Violation(path, "missing", f"{rule.name} is missing.")


def _value(path: str, item: DataObject, rule: rules.Rule) -> Iterator[Violation]:
    value = item.value
    if not value:
        yield Violation(path, "empty", "An object has at least one character.")
        return
    fits = rule.length_min <= len(value) <= rule.length_max
    if not fits:
        several = f"{rule.length_min} to {rule.length_max}"
        wanted = str(rule.length_max) if rule.length_min == rule.length_max else several
        yield Violation(path, "length", f"It must have {wanted} characters.")
    if not rule.in_format(value):
        if item.objects is None or rule.format == rules.ANS:  # else it is told where it stands
            yield Violation(path, "format", f"It must be {rule.format}.")
    elif fits and rule.form is not None and not rule.form.fullmatch(value):
        yield Violation(path, "value", f"It must be {rule.form_says}.")
    elif path in ("54", "56", "57") and not value.strip("0."):
        yield Violation(path, "zero", "It must not be zero.")


def _fees(values: dict[str, str]) -> Iterator[Violation]:
    """56 stands exactly beside 55 = 02, and 57 exactly beside 55 = 03 (4.7.8 to 4.7.10)."""
    wanted = _FEE_OF_INDICATOR.get(values.get("55", ""))
    for id_ in _FEE_OF_INDICATOR.values():
        if id_ == wanted and id_ not in values:
            yield Violation(id_, "missing", "Object 55 says that there is one.")
        elif id_ != wanted and id_ in values:
            yield Violation(id_, "not-allowed", "Object 55 does not say that there is one.")
