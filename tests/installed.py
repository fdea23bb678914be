"""Programs that no package of ours brings and that some tests need."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

PROMETHEUS_PACKAGE = "prometheus"
"""Debian's: prometheus and promtool."""


def installed(
    program: str,
    *,
    package: str = PROMETHEUS_PACKAGE,
    environment: Mapping[str, str] = os.environ,
) -> Path:
    """Where a program is. Skips the test if it is missing, and fails it in CI (variable CI): what
    is tested nowhere is not tested."""
    found = shutil.which(program, path=environment.get("PATH"))
    if found is None:
        text = f"NOT TESTED: {program} is not installed (apt-get install {package})"
        if environment.get("CI"):
            pytest.fail(text)
        pytest.skip(text)
    return Path(found)
