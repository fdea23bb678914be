"""The Prefer header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.preferences import preferred_wait_seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        (b"", 0),
        (b"wait=10", 10),
        (b"Wait = 10", 10),
        (b'wait="10"', 10),
        (b"respond-async, wait=7", 7),
        (b"wait=7, respond-async", 7),
        (b"wait=7; foo=bar", 7),
        (b"wait=5, wait=9", 5),
        (b"wait=0", 0),
        (b"wait=30", 30),
        (b"wait=31", 30),
        (b"wait=999999999", 30),
        (b"wait=9999999999", 0),
        (b"wait=-1", 0),
        (b"wait=1.5", 0),
        (b"wait=", 0),
        (b"wait", 0),
        (b"await=5", 0),
        (b"wait=\xd9\xa3", 0),
    ],
)
def test_wait(header: bytes | None, seconds: int) -> None:
    """A wait is read as RFC 7240 writes it, shortened to what we offer, and otherwise ignored."""
    assert preferred_wait_seconds(header, seconds_max=30) == seconds


@given(header=st.binary(max_size=60))
def test_a_preference_is_never_an_error(header: bytes) -> None:
    """Whatever is sent, the outcome is a wait that we offer."""
    assert 0 <= preferred_wait_seconds(header, seconds_max=30) <= 30
