"""Page tokens and page sizes: what goes out comes back, and nothing else gets in."""

from __future__ import annotations

import base64
import hashlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import InvalidArgument
from chassis.pagination import decode_page_token, encode_page_token, page_size_of

KIND = "test.things"
STORABLE_TEXT = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60
)
CHARACTERS = string.ascii_letters + string.digits + "-_=+/ \n\0é"
INT64 = st.integers(-(2**63), 2**63 - 1)


def token_with_payload(payload: bytes) -> str:
    """A token as somebody would forge it who has read the source."""
    checksum = hashlib.sha256(KIND.encode() + b"\0" + payload).digest()[:6]
    return base64.urlsafe_b64encode(checksum + payload).rstrip(b"=").decode()


@given(text=STORABLE_TEXT, number=INT64)
def test_what_was_encoded_comes_back(text: str, number: int) -> None:
    """Every position survives the round trip, in a spelling that needs no quoting in a URL."""
    token = encode_page_token(KIND, [text, number])
    assert decode_page_token(KIND, token, tuple[str, int]) == (text, number)
    assert all(
        character.isascii() and (character.isalnum() or character in "-_") for character in token
    )


@given(
    place=st.integers(0, 200), dropped=st.integers(0, 1), inserted=st.text(CHARACTERS, max_size=2)
)
def test_a_changed_token_is_refused(place: int, dropped: int, inserted: str) -> None:
    """No character of a token can be replaced, added or dropped."""
    token = encode_page_token(KIND, ["wal_01JD3Q9V7N8R4T2W6X0YZABCDE", 7])
    changed = token[:place] + inserted + token[place + dropped :]
    if changed == token:
        return
    with pytest.raises(InvalidArgument) as caught:
        decode_page_token(KIND, changed, tuple[str, int])
    assert caught.value.violations[0].field == "page_token"


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_token_has_one_spelling(length: int) -> None:
    """Spare bits of the last character, padding and skipped characters make no second token."""
    token = encode_page_token(KIND, ["a" * length])
    others = [token[:-1] + last for last in CHARACTERS if last != token[-1]]
    for other in [*others, token + "=", token + "==", token + "\n", " " + token]:
        with pytest.raises(InvalidArgument):
            decode_page_token(KIND, other, tuple[str])


@given(text=st.text())
def test_arbitrary_text_is_refused(text: str) -> None:
    """Whatever a client sends instead of a token is its mistake, never a crash."""
    with pytest.raises(InvalidArgument):
        decode_page_token(KIND, text, tuple[str])


def test_a_token_of_another_list_is_refused() -> None:
    """A position in one list means nothing in another, even if it has the same shape."""
    with pytest.raises(InvalidArgument):
        decode_page_token(KIND, encode_page_token("test.others", ["a"]), tuple[str])


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'["a","b"]',
        b"[1]",
        b"[[]]",
        b'["a',
        b'["\\u0000"]',
        b'["\\ud800"]',
        b'["\xff"]',
        b"[" * 5000,
    ],
)
def test_a_forged_token_is_refused(payload: bytes) -> None:
    """A right checksum over a wrong position gets nobody past the shape, nor NUL into a query."""
    with pytest.raises(InvalidArgument):
        decode_page_token(KIND, token_with_payload(payload), tuple[str])


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**40])
def test_a_number_beyond_64_bits_is_refused(number: int) -> None:
    """A forged number cannot overflow a bigint in a query."""
    with pytest.raises(InvalidArgument):
        decode_page_token(KIND, token_with_payload(b"[%d]" % number), tuple[int])


def test_a_forged_token_that_fits_is_taken() -> None:
    """The forging above fails for the payload's sake, not because the forgery is badly made."""
    assert decode_page_token(KIND, token_with_payload(b'["a"]'), tuple[str]) == ("a",)


@pytest.mark.parametrize(
    ("requested", "size"), [(0, 50), (1, 1), (500, 500), (501, 500), (2**31 - 1, 500)]
)
def test_page_sizes(requested: int, size: int) -> None:
    """AIP-158: nothing asked means the default, too much means the maximum."""
    assert page_size_of(requested, default=50, maximum=500) == size


def test_a_negative_page_size_is_refused() -> None:
    """AIP-158: a negative size is the caller's mistake."""
    with pytest.raises(InvalidArgument) as caught:
        page_size_of(-1)
    assert caught.value.violations[0].field == "page_size"
