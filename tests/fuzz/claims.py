"""What must be true of any text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from barcode_svc import emvco, merchant_qr
from barcode_svc.emvco import DataObject, EmvcoError
from barcode_svc.errors import QrInvalid, QrNotOurs

Read = TypeVar("Read")


def check(text: str) -> str:
    """Ask everything of a text; the answer is its outcome, in a few words."""
    violations = emvco.validate(text)
    outcome = _merchant_presented(text, violations)
    _ours(text, read=outcome.startswith("read"))
    return f"{outcome} | {_consumer_presented(text)}"


def _merchant_presented(text: str, violations: list[emvco.Violation]) -> str:
    payload = _answer(emvco.parse, text)
    if isinstance(payload, EmvcoError):
        assert violations, "what cannot be read is not valid"
        assert violations[0].code == payload.code
        assert 0 <= payload.offset <= len(text)
        return payload.code
    if not payload.byte_lengths:
        assert _joined(payload.objects) == text, "nothing is lost"
    assert text[-4:].upper() == emvco.checksum(text[:-4])
    codes = {item.code for item in violations}
    if not codes:
        assert len(text) <= 512
        assert payload.value("52") is not None
    return f"read, {'valid' if not codes else min(codes)}"


def _answer(read: Callable[[str], Read], text: str) -> Read | EmvcoError:
    try:
        return read(text)
    except EmvcoError as error:
        return error


def _joined(objects: tuple[DataObject, ...]) -> str:
    for item in objects:
        if item.objects is not None:
            assert _joined(item.objects) == item.value
    return "".join(f"{item.id}{len(item.value):02}{item.value}" for item in objects)


def _ours(text: str, *, read: bool) -> None:
    try:
        merchant_qr.read(text)
    except (QrInvalid, QrNotOurs):
        return
    assert read, "ours, though it cannot be read"


def _consumer_presented(text: str) -> str:
    violations = emvco.validate_cpm(text)
    parsed = _answer(emvco.parse_cpm, text)
    if isinstance(parsed, EmvcoError):
        assert [item.code for item in violations] == [parsed.code]
        return parsed.code
    assert emvco.is_cpm(text)
    return f"wallet with {len(parsed.applications)} applications"
