"""Which picture format a client gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.negotiation import prefers_webp

CHROME = b"image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
OLD_SAFARI = b"image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"


@pytest.mark.parametrize(
    ("accept", "webp"),
    [
        (None, False),
        (b"", False),
        (b"*/*", False),
        (b"image/*", False),
        (CHROME, True),
        (OLD_SAFARI, False),
        (b"image/webp", True),
        (b"IMAGE/WEBP", True),
        (b"image/webp;q=0", False),
        (b"image/webp;q=0.000, */*", False),
        (b"image/webp;q=0.5, image/png", False),
        (b"image/webp;q=0.5, image/png;q=0.5", True),
        (b"image/webp; q=0.9 , image/*;q=0.8", True),
        (b"image/png;q=0, image/webp;q=0.1, */*", True),
        (b"image/webp;q=2", False),
        (b"image/webp;q=abc", False),
        (b"image/jpeg", False),
        (b";;;,,,q=", False),
        (b"\xff\xfe", False),
    ],
)
def test_webp_is_for_those_who_name_it(accept: bytes | None, webp: bool) -> None:
    """Goal: q-values decide, an equal wish is WebP, and anything else is PNG."""
    assert prefers_webp(accept) is webp


@given(st.binary(max_size=200))
def test_nothing_in_the_header_breaks_it(accept: bytes) -> None:
    """Goal: any bytes are answered."""
    assert prefers_webp(accept) in (True, False)
