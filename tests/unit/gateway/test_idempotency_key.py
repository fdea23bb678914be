"""The Idempotency-Key header."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.idempotency import parse_idempotency_key
from gateway.problems import Problem

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


def quoted(key: str) -> bytes:
    """The key as a structured-field string."""
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.encode()


@given(key=st.text(PRINTABLE, min_size=1, max_size=255))
def test_a_quoted_key_is_the_key_between_the_quotes(key: str) -> None:
    """Every key of printable ASCII can be written as a quoted string and comes out unchanged."""
    assert parse_idempotency_key(quoted(key)) == key


@given(key=st.text(PRINTABLE, min_size=1, max_size=255))
def test_plain_and_quoted_mean_the_same_key(key: str) -> None:
    """A key that can be written plain is the same key as when it is quoted: a client that changes
    its style between two tries must not pay twice."""
    assume(key == key.strip(" ") and not key.startswith('"'))
    assert parse_idempotency_key(key.encode()) == key == parse_idempotency_key(quoted(key))


def test_spaces_around_a_key_do_not_count() -> None:
    """HTTP lets intermediaries add spaces and tabs around a value."""
    assert parse_idempotency_key(b" \tabc ") == "abc" == parse_idempotency_key(b'"abc"\t')


def test_no_header_is_a_missing_key() -> None:
    """Not sending the header is told apart from sending a bad one."""
    with pytest.raises(Problem) as caught:
        parse_idempotency_key(None)
    assert caught.value.code == "idempotency-key-missing"


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"   ",
        b'""',
        b'"',
        b'"abc',
        b'"abc"def"',
        b'"abc";x=1',
        b'"a\\bc"',
        b'"a\x00"',
        b"a\x00b",
        b"a\x7fb",
        b"a\tb",
        "schlüssel".encode(),
        b"\xff",
        b"a" * 256,
        b'"' + b"a" * 256 + b'"',
    ],
)
def test_bad_keys(header: bytes) -> None:
    """Empty, too long, badly quoted and unprintable keys are refused."""
    with pytest.raises(Problem) as caught:
        parse_idempotency_key(header)
    assert caught.value.code == "idempotency-key-invalid"


@given(header=st.binary(max_size=300))
def test_any_bytes_give_a_key_or_a_problem(header: bytes) -> None:
    """Whatever is sent, the outcome is a key of printable ASCII or a problem."""
    try:
        key = parse_idempotency_key(header)
    except Problem:
        return
    assert 1 <= len(key) <= 255
    assert set(key) <= set(PRINTABLE)
