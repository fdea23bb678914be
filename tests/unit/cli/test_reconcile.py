"""What `qrpay reconcile` understands, without a system."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.main import main
from cli.options import Moment


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("7d", timedelta(days=7)),
    ],
)
def test_since_may_be_a_duration(text: str, ago: timedelta) -> None:
    """Goal: a number and a unit mean how long ago it was."""
    before = datetime.now(UTC)
    assert before - ago <= Moment().convert(text, None, None) <= datetime.now(UTC) - ago


def test_since_may_be_a_time() -> None:
    """Goal: a time with a zone means itself; without, it is the user's own."""
    assert Moment().convert("2026-03-01T12:00:00+02:00", None, None) == datetime(
        2026, 3, 1, 10, tzinfo=UTC
    )
    local = datetime(2026, 3, 1, 12).astimezone()
    assert Moment().convert("2026-03-01T12:00:00", None, None) == local


@pytest.mark.parametrize("text", ["yesterday", "1y", "-1h", "", "9999999999d"])
def test_anything_else_is_refused(text: str) -> None:
    """Goal: what cannot be a moment is told, and nothing is compared."""
    with pytest.raises(click.BadParameter, match="neither a time"):
        Moment().convert(text, None, None)


@pytest.mark.parametrize(
    "arguments", [[], ["list"], ["show", "cas_1"], ["resolve", "cas_1", "--why", "seen"]]
)
def test_without_a_system(arguments: list[str], tmp_path: Path) -> None:
    """Goal: when nothing runs, that is said in a sentence, and is no success."""
    result = CliRunner().invoke(main, ["reconcile", *arguments, "--data", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert "nothing runs on" in result.output


def test_a_reason_is_required() -> None:
    """Goal: nobody closes a case without saying why."""
    result = CliRunner().invoke(main, ["reconcile", "resolve", "cas_1"])
    assert result.exit_code == 2
    assert "--why" in result.output
