"""The planted bugs of the yard: each still finds the code that it breaks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SITE = Path(__file__).parents[2] / "chaos" / "site"
PLANT_ALL = """
from importlib import import_module
import yard_bugs

for name, patches in yard_bugs.BUGS.items():
    for module, patch in patches:
        try:
            patch(import_module(module))
        except Exception as error:
            print(name, repr(error))
"""


def test_every_bug_can_be_planted() -> None:
    """Goal: a bug whose code was renamed is noticed now, and not in the hour of the next long run.
    Method: plant them all over each other, in a process that is thrown away."""
    planting = subprocess.run(
        [sys.executable, "-c", PLANT_ALL],
        env={"PYTHONPATH": f"{SITE}:{Path.cwd()}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (planting.stdout, planting.stderr) == ("", "")
