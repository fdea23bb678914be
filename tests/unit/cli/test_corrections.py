"""What the commands about corrections understand, without a system."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import main

PROPOSAL = ["--debit", "wal_a", "5", "EUR", "--credit", "wal_b", "5", "EUR", "--why", "counted"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["correct", *PROPOSAL],
        ["correct", *PROPOSAL, "--at", "2026-03-01T12:00:00+0200"],
        ["reverse", "txn_1", "--why", "twice", "--at", "2026-03-01"],
        ["approve", "cor_1"],
        ["reject", "cor_1", "--why", "not so"],
        ["corrections"],
        ["corrections", "cor_1"],
    ],
)
def test_without_a_system(arguments: list[str], tmp_path: Path) -> None:
    """Goal: when nothing runs, that is said in a sentence, and is no success."""
    result = CliRunner().invoke(main, ["ledger", *arguments, "--data", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert "nothing runs on" in result.output


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["correct", *PROPOSAL[:-2]], "--why"),
        (["correct", "--debit", "wal_a", "0", "EUR", "--why", "x"], "--debit"),
        (["correct", "--debit", "wal_a", "1.50", "EUR", "--why", "x"], "--debit"),
        (["correct", *PROPOSAL, "--at", "yesterday"], "--at"),
        (["reverse", "txn_1"], "--why"),
        (["reject", "cor_1"], "--why"),
        (["approve"], "CORRECTION_ID"),
    ],
)
def test_what_is_missing_is_named(arguments: list[str], named: str) -> None:
    """Goal: nothing is proposed or rejected without a reason, an amount is whole minor units."""
    result = CliRunner().invoke(main, ["ledger", *arguments])
    assert result.exit_code == 2
    assert named in result.output
