"""Request bodies: what passes, and that everything wrong is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bodies import (
    BankAccountBody,
    Body,
    BodyDecoder,
    DecodeQrBody,
    EmptyBody,
    PayBarcodeBody,
    PayQrBody,
    SendBody,
    WithdrawBody,
)
from gateway.problems import Problem

SEND = BodyDecoder(SendBody)
GOOD: dict[str, Any] = {"to": "bob", "amount": 1250, "currency": "USD"}
ALL: list[type[Body]] = [
    SendBody,
    PayQrBody,
    PayBarcodeBody,
    WithdrawBody,
    BankAccountBody,
    DecodeQrBody,
    EmptyBody,
]


def problem_of(raw: bytes, decoder: BodyDecoder[Any]) -> Problem | None:
    """The problem that a body is refused with, if it is. Any other exception fails the test."""
    try:
        decoder.decode(raw)
    except Problem as problem:
        return problem
    return None


def refused(raw: bytes, decoder: BodyDecoder[Any] = SEND) -> Problem:
    """The problem that a body is refused with."""
    problem = problem_of(raw, decoder)
    assert problem is not None
    return problem


def faulty_fields(changed: dict[str, Any]) -> list[str]:
    """The fields named for a send with these changes."""
    problem = refused(json.dumps({**GOOD, **changed}).encode())
    assert problem.code == "invalid-request"
    return [field for field, _ in problem.errors]


def test_a_good_body() -> None:
    """All fields of a sound body arrive as sent; what is optional may be null or absent."""
    assert SEND.decode(json.dumps(GOOD).encode()) == SendBody(to="bob", amount=1250, currency="USD")
    with_note = SEND.decode(json.dumps({**GOOD, "note": "ü ☕ 👩‍👧"}).encode())
    assert with_note.note == "ü ☕ 👩‍👧"
    assert SEND.decode(json.dumps({**GOOD, "note": None}).encode()).note is None


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("amount", [0, -1, 1.0, 1.5, 1e3, "1250", "", None, True, [], [1250], {}, {"value": 1}]),
        ("currency", ["usd", "US", "USDX", "XXX", "USD\n", "", 840, None, ["USD"], "U\u0000D"]),
        ("to", ["", "a" * 65, "bo\u0000b", "bob\n", "\u0085", 7, None, ["bob"], {"id": "bob"}]),
        ("note", ["a" * 141, "a\nb", "a\u0000", "tab\t", "\u009f", "\u007f", 5, False, []]),
    ],
)
def test_a_bad_value_is_named(field: str, values: list[Any]) -> None:
    """A wrong type, a number out of range, an unknown code, control characters: the field is named,
    and only that field."""
    for value in values:
        assert faulty_fields({field: value}) == [field], repr(value)


def test_everything_wrong_is_named_at_once() -> None:
    """Missing, unknown and bad fields all appear in one answer, each with a sentence."""
    problem = refused(b'{"amount":"x","currency":"usd","note":"\\u0000","Amount":1,"from":"eve"}')
    assert [field for field, _ in problem.errors] == [
        *("Amount", "from"),
        *("to", "amount", "currency", "note"),
    ]
    messages = dict(problem.errors)
    assert messages["from"] == "is not known here"
    assert messages["to"].startswith("is required")
    assert "whole number" in messages["amount"]


@pytest.mark.parametrize("body_type", ALL)
def test_every_field_has_a_rule_in_words(body_type: type[Body]) -> None:
    """No field falls back to saying nothing: wrong in every field, the answer states every rule."""
    fields = body_type.__struct_fields__
    raw = json.dumps({field: [1.5] for field in fields}).encode()
    if not fields:
        assert BodyDecoder(body_type).decode(raw) == body_type()
        return
    problem = refused(raw, BodyDecoder(body_type))
    assert [field for field, _ in problem.errors] == list(fields)
    assert all(message.startswith("must be") for _, message in problem.errors)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nonsense",
        b"{'to':'bob'}",
        b'{"to":"bob"} trailing',
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
        b'{"to":"\xff"}',
        b'{"to":"\xed\xa0\x80"}',
        b'{"to":"\\ud800","amount":1,"currency":"USD"}',
        b'{"to":"\\udc00\\ud800","amount":1,"currency":"USD"}',
        b'{"to":"a\tb","amount":1,"currency":"USD"}',
        b'{"amount":NaN}',
        b'{"amount":Infinity}',
        b'{"amount":01}',
        b'{"amount":0x10}',
        b"[" * 60_000,
        b'{"a":' * 10_000,
        json.dumps(GOOD).encode("utf-16"),
    ],
)
def test_what_is_not_json(raw: bytes) -> None:
    """Broken JSON, broken UTF-8, lone surrogates, too deep nesting: malformed-json."""
    assert refused(raw).code == "malformed-json"


@pytest.mark.parametrize("raw", [b"[]", b"null", b"1", b'"text"', b"true", b"[{}]"])
def test_json_that_is_no_object(raw: bytes) -> None:
    """Sound JSON of another shape breaks a rule of ours and not of JSON."""
    assert refused(raw).code == "invalid-request"


def test_huge_numbers() -> None:
    """2^63 and 2^70 are whole numbers: too large an amount is a matter of range, decided later.
    Numbers beyond every measure are refused, and not by crashing."""
    for amount in (2**63, 2**70, 10**100):
        assert SEND.decode(json.dumps({**GOOD, "amount": amount}).encode()).amount == amount
    digits = b'{"to":"bob","currency":"USD","amount":' + b"9" * 5000 + b"}"
    assert refused(digits).code == "invalid-request"
    assert refused(b'{"to":"bob","currency":"USD","amount":1e999}').code == "invalid-request"


def test_a_field_that_only_another_role_may_send() -> None:
    """It is forbidden, whatever else is wrong with the body; without it the faults are named."""
    decoder = BodyDecoder(PayQrBody, forbidden_fields={"barcode": "Not you."})
    problem = refused(b'{"barcode":"281004327719356024","amount":1}', decoder)
    assert (problem.code, problem.detail) == ("forbidden", "Not you.")
    assert refused(b'{"amount":1}', decoder).code == "invalid-request"


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_any_json_is_a_body_or_a_problem(value: Any) -> None:
    """Whatever JSON (and Python's near-JSON) is sent as a whole or as a field, the outcome is a
    body or a problem of status 400."""
    for raw in (json.dumps(value), json.dumps({**GOOD, "to": value, "note": value})):
        for body_type in ALL:
            problem = problem_of(raw.encode(), BodyDecoder(body_type))
            if problem is not None:
                assert problem.type.status == 400
                json.loads(problem.render()[0])


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_a_body_or_a_problem(raw: bytes) -> None:
    """The same for bytes."""
    problem = problem_of(raw, SEND)
    assert problem is None or problem.type.status == 400
