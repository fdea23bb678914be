"""What owners may be called, and when two requests are the same."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_svc.model.owners import (
    OwnerRequest,
    currencies_fault,
    currency_fault,
    handle_fault,
    kind_fault,
    name_fault,
    request_id_fault,
)
from wallet_svc.model.records import OwnerKind

REQUEST = OwnerRequest("key-1", OwnerKind.CUSTOMER, "alice", "Alice", ("EUR", "USD"))


@pytest.mark.parametrize("handle", ["bob", "a.b-c_1", "0" * 32, "banker", "user_1"])
def test_handles_that_are_fine(handle: str) -> None:
    """Goal: the rule refuses nothing that the contract allows."""
    assert handle_fault(handle) is None


@pytest.mark.parametrize(
    "handle",
    ["", "ab", "a" * 33, "Alice", "älice", "a b c", "abc\n", "abc\x00", "\uff41lice", "bank",
     "fees", "suspense", "usr_x", "mer_x", "opr_x", "sys_bank", "wal_x"],
)  # fmt: skip
def test_handles_that_are_not(handle: str) -> None:
    """Goal: length, alphabet, reserved names, and nothing that looks like an id."""
    assert handle_fault(handle) is not None


@pytest.mark.parametrize(
    "name",
    ["A", "x" * 80, "Zoë O'Hara-李", "نور", "\u200fنور", "\U0001f469\u200d\U0001f373 Café", "a  b"],
)
def test_names_that_are_fine(name: str) -> None:
    """Goal: names of people and shops anywhere, emoji joined from several characters included."""
    assert name_fault(name) is None


@pytest.mark.parametrize(
    "name",
    ["", "   ", "\u3000", "x" * 81, "a\x00b", "a\nb", "a\x7fb", "a\x85b", "a\u2028b", "a\u202eb",
     "\u2066a", "\ud800", "\u200b\u200d"],
)  # fmt: skip
def test_names_that_are_not(name: str) -> None:
    """Goal: no controls, no line breaks, no tricks with the writing direction, nothing unseen."""
    assert name_fault(name) is not None


@given(st.text(max_size=100))
def test_a_name_that_is_fine_can_be_stored_and_sent(name: str) -> None:
    """Goal: whatever passes is one line of UTF-8 without NUL: PostgreSQL and protobuf take it."""
    if name_fault(name) is None:
        assert b"\x00" not in name.encode("utf-8")
        assert len(name.splitlines()) == 1


def test_kinds_currencies_and_request_ids() -> None:
    """Goal: the remaining rules, each from both sides."""
    assert [kind_fault(kind) is None for kind in range(-1, 6)] == [
        False, False, True, True, True, False, False
    ]  # fmt: skip
    assert currency_fault("USD") is None
    assert all(map(currency_fault, ["", "usd", "XXX", "US", "USDX"]))
    assert currencies_fault(["USD"] * 16, OwnerKind.CUSTOMER) is None
    assert currencies_fault(["USD"] * 17, OwnerKind.CUSTOMER) is not None
    assert currencies_fault([], OwnerKind.OPERATOR) is None
    assert currencies_fault(["USD"], OwnerKind.OPERATOR) is not None
    assert request_id_fault("k" * 255) is None
    assert all(map(request_id_fault, ["", "k" * 256, "a\nb", "a\x00"]))


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": OwnerKind.MERCHANT},
        {"handle": "alicia"},
        {"name": "Alicia"},
        {"currency_codes": ("USD",)},
        {"handle": "alic", "name": "eAlice"},
    ],
)
def test_the_fingerprint_tells_requests_apart(changes: dict[str, object]) -> None:
    """Goal: other content, other fingerprint; another request id alone does not change it."""
    assert msgspec.structs.replace(REQUEST, **changes).fingerprint() != REQUEST.fingerprint()
    assert msgspec.structs.replace(REQUEST, request_id="x").fingerprint() == REQUEST.fingerprint()
    assert len(REQUEST.fingerprint()) == 32
