"""How a process begins and ends, as whoever starts it sees it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import NamedTuple

import chassis

REPOSITORY = Path(chassis.__file__).parents[1]
PROGRAM = """
from __future__ import annotations
import asyncio, sys
from pathlib import Path
import msgspec
from chassis.process import run
from chassis.settings import PositiveInt, Secret, load_settings

class Settings(msgspec.Struct, frozen=True, kw_only=True):
    size: PositiveInt
    key: Secret

async def main() -> None:
    load_settings(Settings)
    print(type(asyncio.get_running_loop()).__module__)

run(main, migrations=Path(sys.argv.pop(1)))
"""


class Ended(NamedTuple):
    """How a process ended."""

    status: int | None
    output: str
    errors: str


async def start(directory: Path, *arguments: str, **environment: str) -> Ended:
    """Run a small process to its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, str(directory), *arguments),
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return Ended(process.returncode, output.decode(), errors.decode())


async def test_it_runs_to_its_end(tmp_path: Path) -> None:
    """Status 0, on uvloop."""
    assert await start(tmp_path, SIZE="1", KEY="k") == Ended(0, "uvloop\n", "")


async def test_wrong_settings_are_told_plainly(tmp_path: Path) -> None:
    """Status 2 and a line per fault: no traceback, no secret."""
    ended = await start(tmp_path, SIZE="0", KEY="hunter2", KEY_FILE="/nothing")
    assert ended.status == 2
    lines = ended.errors.splitlines()
    assert [line.split(":")[:2] for line in lines] == [["setting", " SIZE"], ["setting", " KEY"]]
    assert "hunter2" not in ended.errors


async def test_a_failed_migration_is_told_plainly(tmp_path: Path) -> None:
    """Status 1 and a sentence: no traceback, no password."""
    url = "postgresql://nobody:hunter2@127.0.0.1:1/nothing"
    (tmp_path / "0001_pre_create.sql").write_text("SELECT 1")
    ended = await start(tmp_path, "migrate", MIGRATION_DATABASE_URL=url)
    assert ended.status == 1
    assert ended.errors.startswith("migration: ")
    assert "Traceback" not in ended.errors
    assert "hunter2" not in ended.errors


async def test_migrate_needs_its_url(tmp_path: Path) -> None:
    """It is a setting like others; those of the process itself are not asked for."""
    ended = await start(tmp_path, "migrate")
    assert ended.status == 2
    assert ended.errors.startswith("setting: MIGRATION_DATABASE_URL is not set")


async def test_an_unknown_argument_is_refused(tmp_path: Path) -> None:
    """A typing error must not start the process."""
    ended = await start(tmp_path, "migarte", SIZE="1", KEY="k")
    assert ended.status == 2
    assert "uvloop" not in ended.output


async def test_migrations_are_applied(tmp_path: Path, empty_database_url: str) -> None:
    """Each applied file is told; ``--phase`` chooses."""
    url = empty_database_url
    (tmp_path / "0001_pre_test.sql").write_text("SELECT 1")
    (tmp_path / "0002_post_test.sql").write_text("SELECT 1")
    for phase, told in (("pre", "0001_pre_test.sql"), ("all", "0002_post_test.sql")):
        ended = await start(tmp_path, "migrate", "--phase", phase, MIGRATION_DATABASE_URL=url)
        assert (ended.status, ended.output) == (0, f"applied {told}\n")


async def test_a_process_waits_for_its_tables(tmp_path: Path, empty_database_url: str) -> None:
    """``migrate --wait`` is told the service's URL and not the owner's; status 1 and a sentence
    when the time is over, 0 when all is there."""
    url = empty_database_url
    (tmp_path / "0001_pre_test.sql").write_text("SELECT 1")
    arguments = ("migrate", "--wait", "--wait-seconds", "0.2")
    ended = await start(tmp_path, *arguments, DATABASE_URL=url)
    assert (ended.status, ended.errors) == (
        1,
        "migration: not applied: 0001_pre_test.sql, after 0 s\n",
    )
    await start(tmp_path, "migrate", MIGRATION_DATABASE_URL=url)
    ended = await start(tmp_path, *arguments, DATABASE_URL=url)
    assert (ended.status, ended.output, ended.errors) == (0, "", "")
