"""What happens to tests whose program is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installed import installed


def test_a_missing_program_skips_at_home_and_fails_in_ci(tmp_path: Path) -> None:
    """Goal: nobody takes a test that did not run for one that passed, where it counts."""
    nothing = {"PATH": str(tmp_path)}
    with pytest.raises(pytest.skip.Exception, match=r"NOT TESTED: promtool .* prometheus"):
        installed("promtool", environment=nothing)
    with pytest.raises(pytest.fail.Exception, match="NOT TESTED: promtool"):
        installed("promtool", environment={**nothing, "CI": "true"})
