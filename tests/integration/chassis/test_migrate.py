"""Migrations on a real PostgreSQL: in order, once, whole or not at all."""

from __future__ import annotations

import asyncio
from importlib import resources
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import TupleRow

from chassis.migrate import MigrationError, migrate, wait_until_migrated
from chassis.settings import Secret
from tests.conftest import DatabaseFor


async def rows(url: str, statement: bytes) -> list[TupleRow]:
    """The rows of a statement."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return await (await connection.execute(statement)).fetchall()


def write(directory: Path, **files: str) -> Path:
    """Migrations: name without ending -> SQL."""
    for name, sql in files.items():
        (directory / f"{name.lstrip('_')}.sql").write_text(sql)
    return directory


async def test_files_are_applied_once_and_in_order(empty_database_url: str, tmp_path: Path) -> None:
    """The later ones need the earlier ones; what is applied is told, and a second time is nothing;
    a new file is applied alone."""
    write(
        tmp_path,
        _0002_post_fill="INSERT INTO things VALUES (1), (2)",
        _0001_pre_create="CREATE TABLE things (id int); CREATE INDEX ix_things ON things (id)",
    )
    assert await migrate(Secret(empty_database_url), tmp_path) == [
        "0001_pre_create.sql",
        "0002_post_fill.sql",
    ]
    assert await migrate(empty_database_url, tmp_path) == []
    write(tmp_path, _0003_pre_more="INSERT INTO things VALUES (3)")
    assert await migrate(empty_database_url, tmp_path) == ["0003_pre_more.sql"]
    assert await rows(empty_database_url, b"SELECT id FROM things ORDER BY id") == [
        (1,),
        (2,),
        (3,),
    ]


async def test_the_phases_are_separate(empty_database_url: str, tmp_path: Path) -> None:
    """Before the new code only ``pre``, after the old one is gone ``post``."""
    write(
        tmp_path,
        _0001_pre_create="CREATE TABLE things (id int)",
        _0002_post_fill="INSERT INTO things VALUES (1)",
        _0003_pre_more="INSERT INTO things VALUES (3)",
    )
    assert await migrate(empty_database_url, tmp_path, phase="pre") == [
        "0001_pre_create.sql",
        "0003_pre_more.sql",
    ]
    assert await rows(empty_database_url, b"SELECT id FROM things") == [(3,)]
    assert await migrate(empty_database_url, tmp_path, phase="post") == ["0002_post_fill.sql"]
    assert await migrate(empty_database_url, tmp_path) == []


async def test_a_failing_file_leaves_nothing_behind(
    empty_database_url: str, tmp_path: Path
) -> None:
    """What came before it stays, of itself nothing does, and the error names it. Repaired, it is
    applied."""
    write(
        tmp_path,
        _0001_pre_create="CREATE TABLE things (id int)",
        _0002_pre_broken="INSERT INTO things VALUES (1); SELECT nothing_like_this()",
        _0003_pre_later="INSERT INTO things VALUES (3)",
    )
    with pytest.raises(MigrationError, match=r"0002_pre_broken.sql: .*nothing_like_this"):
        await migrate(empty_database_url, tmp_path)
    assert await rows(empty_database_url, b"SELECT count(*) FROM things") == [(0,)]
    write(tmp_path, _0002_pre_broken="INSERT INTO things VALUES (2)")
    assert await migrate(empty_database_url, tmp_path) == [
        "0002_pre_broken.sql",
        "0003_pre_later.sql",
    ]


async def test_an_applied_file_never_changes(empty_database_url: str, tmp_path: Path) -> None:
    """Two databases with the same file names must be alike; nothing new is applied either."""
    write(tmp_path, _0001_pre_create="CREATE TABLE things (id int)")
    await migrate(empty_database_url, tmp_path)
    write(
        tmp_path,
        _0001_pre_create="CREATE TABLE things (id bigint)",
        _0002_pre_fill="INSERT INTO things VALUES (1)",
    )
    with pytest.raises(MigrationError, match=r"0001_pre_create.sql was applied before"):
        await migrate(empty_database_url, tmp_path)
    assert await rows(empty_database_url, b"SELECT count(*) FROM things") == [(0,)]


async def test_several_at_once_apply_once(empty_database_url: str, tmp_path: Path) -> None:
    """Replicas that start together: one applies, the others wait and find nothing to do."""
    write(
        tmp_path,
        _0001_pre_create="CREATE TABLE things (id int); SELECT pg_sleep(0.2)",
        _0002_pre_fill="INSERT INTO things VALUES (1)",
    )
    applied = await asyncio.gather(*(migrate(empty_database_url, tmp_path) for _ in range(4)))
    assert sorted(map(len, applied)) == [0, 0, 0, 2]
    assert await rows(empty_database_url, b"SELECT id FROM things") == [(1,)]


async def test_a_lock_that_is_not_had_is_an_error(empty_database_url: str, tmp_path: Path) -> None:
    """Old code still runs: waiting for its lock would make everybody queue behind the migration."""
    write(tmp_path, _0001_pre_create="CREATE TABLE things (id int)")
    await migrate(empty_database_url, tmp_path)
    write(tmp_path, _0002_pre_change="ALTER TABLE things ADD COLUMN name text")
    async with await psycopg.AsyncConnection.connect(empty_database_url) as holder:
        await holder.execute(b"SELECT * FROM things")
        with pytest.raises(MigrationError, match=r"0002_pre_change.sql: .*lock timeout"):
            await migrate(empty_database_url, tmp_path)
    assert await migrate(empty_database_url, tmp_path) == ["0002_pre_change.sql"]


@pytest.mark.parametrize(
    "names",
    [
        ["1_pre_short.sql"],
        ["0001_create.sql"],
        ["0001_pre_Create.sql"],
        ["0001_pre_.sql"],
        ["0001_pre_one.sql", "0001_post_other.sql"],
    ],
)
async def test_misnamed_files_are_refused(tmp_path: Path, names: list[str]) -> None:
    """Before anything is applied, or even connected to."""
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationError):
        await migrate("postgresql://nobody@127.0.0.1:1/nothing", tmp_path)


async def test_no_database_is_an_error_without_a_password(tmp_path: Path) -> None:
    """The text is printed: it says what is wrong and shows no URL."""
    write(tmp_path, _0001_pre_create="SELECT 1")
    with pytest.raises(MigrationError) as caught:
        await migrate("postgresql://nobody:hunter2@127.0.0.1:1/nothing", tmp_path)
    assert "hunter2" not in str(caught.value)


async def test_waiting_ends_with_the_last_file_that_new_code_needs(
    empty_database_url: str, tmp_path: Path
) -> None:
    """``migrate --wait``: as long as one of phase ``pre`` is missing it waits, also before there is
    anything at all; what comes after the old code is gone is nobody's condition."""
    write(tmp_path, _0001_pre_create="CREATE TABLE things (id int)")
    waiting = asyncio.create_task(
        wait_until_migrated(empty_database_url, tmp_path, seconds=30, look_seconds=0.01)
    )
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await migrate(empty_database_url, tmp_path)
    await waiting
    write(tmp_path, _0002_post_fill="INSERT INTO things VALUES (1)")
    await wait_until_migrated(empty_database_url, tmp_path, seconds=30, look_seconds=0.01)


async def test_waiting_in_vain_says_for_what(empty_database_url: str, tmp_path: Path) -> None:
    """The files that are missing; or that there is no database, without its password."""
    write(tmp_path, _0001_pre_one="SELECT 1", _0002_pre_two="SELECT 1")
    await migrate(empty_database_url, tmp_path)
    write(tmp_path, _0003_pre_three="SELECT 1", _0004_post_four="SELECT 1")
    with pytest.raises(MigrationError, match=r"^not applied: 0003_pre_three.sql, after 0 s$"):
        await wait_until_migrated(empty_database_url, tmp_path, seconds=0.3, look_seconds=0.01)
    nowhere = "postgresql://nobody:hunter2@127.0.0.1:1/nothing"
    with pytest.raises(MigrationError, match="cannot be reached") as refused:
        await wait_until_migrated(nowhere, tmp_path, seconds=0.3, look_seconds=0.01)
    assert "hunter2" not in str(refused.value)


async def test_a_service_may_look(database_for: DatabaseFor) -> None:
    """As its own role, which can read what was applied and change nothing of it."""
    database = await database_for("wallet")
    migrations = Path(str(resources.files("wallet_svc"))) / "migrations"
    await wait_until_migrated(database.url, migrations, seconds=30)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await rows(database.url, b"DELETE FROM schema_migrations RETURNING name")
