"""Writing a history into the databases: emptied, without indexes while it is written, whole at the
end. Each database remembers how far it is, so that a run that was stopped goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import psycopg

from bench.history.rows import Table, copy_data
from bench.history.story import Story

GROUPS_PER_STEP = 200
"""Written by one transaction in each database: 20,000 payments."""

Connection = psycopg.Connection[Any]

_MAKE = """
    CREATE SCHEMA bench_history;
    CREATE TABLE bench_history.progress AS SELECT 0 AS groups;
    CREATE TABLE bench_history.indexes (position bigint, drop text, rebuild text);
"""
_REMEMBER_INDEXES = """
    INSERT INTO bench_history.indexes
    SELECT
        row_number() OVER (ORDER BY indrelid, indexrelid),
        CASE WHEN conname IS NULL THEN format('DROP INDEX %%s', indexrelid::regclass)
        ELSE format('ALTER TABLE %%s DROP CONSTRAINT %%I', indrelid::regclass, conname) END,
        CASE WHEN conname IS NULL THEN pg_get_indexdef(indexrelid)
        ELSE format(
            'ALTER TABLE %%s ADD CONSTRAINT %%I %%s',
            indrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid)
        ) END
    FROM pg_index
    LEFT JOIN pg_constraint ON conindid = indexrelid AND contype IN ('p', 'u')
    WHERE indrelid = ANY(CAST(%s::text[] AS regclass[]))
"""


class HistoryError(Exception):
    """It cannot be done; the text says why."""


class Book(NamedTuple):
    """What a history is in one database."""

    database: str
    tables: Sequence[Table]
    empty: Sequence[str]
    """Statements that make the books as if nothing had ever happened."""
    finish: Callable[[Connection, Story], None]
    """Writes what is kept beside the rows: totals and counters."""


Told = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and of how much."""


def is_begun(connection: Connection) -> bool:
    """Whether a database has a history that is not finished."""
    row = connection.execute("SELECT to_regclass('bench_history.progress')").fetchone()
    return row is not None and row[0] is not None


class Filling:
    """Fills the databases of some books."""

    def __init__(
        self,
        books: Sequence[Book],
        connections: Mapping[str, Connection],
        *,
        groups_per_step: int = GROUPS_PER_STEP,
    ) -> None:
        self._groups_per_step = groups_per_step
        self._books = books
        self._connections = connections

    def begin(self) -> None:
        """Empty what was not emptied yet; drop the indexes, and remember them."""
        for book in self._books:
            connection = self._connections[book.database]
            with connection.transaction():
                if is_begun(connection):
                    continue
                connection.execute(_MAKE)
                connection.execute(_REMEMBER_INDEXES, [[table.name for table in book.tables]])
                drops = connection.execute("SELECT drop FROM bench_history.indexes")
                for (drop,) in drops.fetchall():
                    connection.execute(drop)
                for statement in book.empty:
                    connection.execute(statement.encode())

    def write(self, story: Story, told: Told) -> None:
        """Write every group that is missing, all databases at the same time."""
        done = {book.database: self._groups_done(book) for book in self._books}
        groups = story.tell()
        writing: list[Future[None]] = []
        written = 0
        with ThreadPoolExecutor(len(self._books)) as pool:
            while step := list(islice(groups, self._groups_per_step)):
                writes = []
                for book in self._books:
                    missing = [group for group in step if group.number > done[book.database]]
                    if missing:
                        data = [(table, copy_data(table, missing)) for table in book.tables]
                        writes.append((book, data))
                # Told while the step before is written, and no further ahead than that.
                for future in writing:
                    future.result()
                writing = [
                    pool.submit(self._write, book, data, step[-1].number) for book, data in writes
                ]
                written += sum(len(group.lines) for group in step)
                told("payments", written, story.payments)
            for future in writing:
                future.result()

    def finish(self, story: Story, told: Told) -> None:
        """Make the indexes again, write totals and counters, and have statistics gathered."""
        for book in self._books:
            connection = self._connections[book.database]
            rebuilds = connection.execute(
                "SELECT position, rebuild FROM bench_history.indexes ORDER BY position"
            ).fetchall()
            for count, (position, statement) in enumerate(rebuilds):
                told(f"indexes of {book.database}", count, len(rebuilds))
                with connection.transaction():
                    connection.execute(statement)
                    connection.execute(
                        "DELETE FROM bench_history.indexes WHERE position = %s", [position]
                    )
            with connection.transaction():
                book.finish(connection, story)
            told(f"vacuum of {book.database}", 0, 1)
            connection.execute("VACUUM (ANALYZE)")
        for book in self._books:
            self._connections[book.database].execute("DROP SCHEMA bench_history CASCADE")

    def _groups_done(self, book: Book) -> int:
        row = self._connections[book.database].execute("SELECT groups FROM bench_history.progress")
        found = row.fetchone()
        assert found is not None
        return int(found[0])

    def _write(self, book: Book, data: Sequence[tuple[Table, bytes]], groups: int) -> None:
        connection = self._connections[book.database]
        with connection.transaction(), connection.cursor() as cursor:
            # No triggers: what they see to is written here as well, or checked by those who ask
            # whether a history is honest.
            cursor.execute("SET LOCAL session_replication_role = replica")
            for table, lines in data:
                # Names of tables and columns are ours.
                statement = f"COPY {table.name} ({table.columns}) FROM STDIN"
                with cursor.copy(statement.encode()) as copy:
                    copy.write(lines)
            cursor.execute("UPDATE bench_history.progress SET groups = %s", [groups])
