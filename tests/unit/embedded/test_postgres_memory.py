"""How much memory an embedded PostgreSQL may take."""

from __future__ import annotations

import pytest

from embedded.postgres import shared_buffers_megabytes


@pytest.mark.parametrize(
    ("gigabytes", "megabytes"), [(0.5, 96), (2, 256), (4, 512), (8, 1024), (24, 3072), (256, 4096)]
)
def test_an_eighth_of_the_memory(gigabytes: float, megabytes: int) -> None:
    """Goal: an eighth, but enough to work with and no more than a busy system has a use for."""
    assert shared_buffers_megabytes(int(gigabytes * 2**30)) == megabytes
