"""A short turn in the yard, as part of every test run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.history import Outcome
from tests.chaos.yard import run_yard

_SEED = 475
_MINUTES = 0.75


@pytest.mark.timeout(300)
async def test_nothing_is_lost_while_everything_breaks(tmp_path: Path) -> None:
    """Goal: I1 to I9 hold, and every answer stays true, while everything breaks under load. What
    is drawn differs by seed; this one is always the same. Longer runs: `make chaos`."""
    verdict = await run_yard(_SEED, _MINUTES, tmp_path)

    assert [str(violation) for violation in verdict.violations] == []
    done = sum(verdict.faults.values()) - len(verdict.failed_faults)
    assert done >= 5, verdict.failed_faults
    assert sum(n for name, n in verdict.operations.items() if name.endswith(Outcome.OK)) > 100


@pytest.mark.timeout(300)
async def test_the_yard_notices_a_planted_bug(tmp_path: Path) -> None:
    """Goal: the yard can fail. Method: take the comparison of key and body out of the running
    system. All bugs there are: `python -m tests.chaos --planted all`."""
    verdict = await run_yard(_SEED, 0.2, tmp_path, bug="no_fingerprint")

    assert "one body per key" in {violation.check for violation in verdict.violations}
