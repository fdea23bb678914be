"""The tables as SQLAlchemy sees them are the tables that the migrations make."""

from __future__ import annotations

from typing import Any

from ledger_svc.tables import metadata

NAMES = {
    "BIGINT": "bigint",
    "DATETIME": "timestamp with time zone",
    "BOOLEAN": "boolean",
    "SMALLINT": "smallint",
    "TEXT": "text",
    "BLOB": "bytea",
    "ARRAY": "ARRAY",
    "DATE": "date",
    "INTEGER": "integer",
    "JSONB": "jsonb",
}


async def test_tables_are_those_of_the_migrations(auditor: Any) -> None:
    """Same tables, same columns in the same order, same types."""
    there: dict[str, list[tuple[str, str, bool]]] = {}
    for table, column, type_name, is_null in await auditor.rows("""
        SELECT table_name, column_name, data_type, is_nullable = 'YES'
        FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name <> 'schema_migrations'
        ORDER BY table_name, ordinal_position
    """):
        there.setdefault(table, []).append((column, type_name, is_null))
    described = {
        table.name: [
            (column.name, NAMES[str(column.type).split()[0]], column.nullable)
            for column in table.columns
        ]
        for table in metadata.tables.values()
    }
    assert described == there
