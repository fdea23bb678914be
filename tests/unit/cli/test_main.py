"""The list of commands, and what they say when nothing runs."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.main import COMMANDS, main
from cli.token import Life


def test_help_imports_nothing_heavy() -> None:
    """Goal: `qrpay --help` answers at once, whatever the commands need."""
    source = (
        "import sys; from cli.main import main; main(['--help'], standalone_mode=False);"
        "heavy = {'grpc', 'rich', 'psycopg', 'cryptography'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_every_command_explains_itself() -> None:
    """Goal: each command that is listed can be imported and has a help text of its own."""
    context = click.Context(main)
    names = main.list_commands(context)
    assert set(names) <= set(COMMANDS)
    for name in names:
        result = CliRunner().invoke(main, [name, "--help"])
        assert result.exit_code == 0, result.output
        assert f"Usage: main {name}" in result.output
        command = main.get_command(context, name)
        assert command is not None
        assert command.help


def test_an_unknown_command_is_refused() -> None:
    """Goal: a typing error is no success."""
    result = CliRunner().invoke(main, ["upp"])
    assert result.exit_code == 2
    assert "No such command 'upp'" in result.output


def test_status_of_nothing(tmp_path: Path) -> None:
    """Goal: when nothing runs, that is said and is no success; programs still get their
    document."""
    data = str(tmp_path / "none")
    result = CliRunner().invoke(main, ["status", "--data", data])
    assert result.exit_code == 1
    assert "nothing runs on" in result.output
    result = CliRunner().invoke(main, ["status", "--data", data, "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"processes": [], "servers": [], "gateway": None}
    assert not (tmp_path / "none").exists()


def test_down_of_nothing(tmp_path: Path) -> None:
    """Goal: `down` means that nothing runs afterwards, which is true already."""
    result = CliRunner().invoke(main, ["down", "--data", str(tmp_path / "none")])
    assert result.exit_code == 0
    assert "Nothing runs" in result.output


def test_no_token_without_a_system(tmp_path: Path) -> None:
    """Goal: a token is for a user of a running system, and prints nothing otherwise."""
    result = CliRunner().invoke(main, ["token", "alice", "--data", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "nothing runs on" in result.stderr


def test_a_port_that_is_none_is_refused(tmp_path: Path) -> None:
    """Goal: bad input is refused before anything is made."""
    data = tmp_path / "none"
    result = CliRunner().invoke(main, ["up", "--data", str(data), "--http-port", "70000"])
    assert result.exit_code == 2
    assert not data.exists()


@pytest.mark.parametrize(
    ("text", "life"),
    [
        ("90", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("12h", timedelta(hours=12)),
        ("365d", timedelta(days=365)),
    ],
)
def test_lengths_of_time(text: str, life: timedelta) -> None:
    """Goal: the ways to write a length of time."""
    assert Life().convert(text, None, None) == life


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5h", "1w", "366d", "9999999999"])
def test_what_is_no_length_of_time(text: str) -> None:
    """Goal: a life of zero, of more than a year or of no meaning is refused."""
    with pytest.raises(click.BadParameter):
        Life().convert(text, None, None)
