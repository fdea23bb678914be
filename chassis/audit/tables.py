"""The table of audit records, the same in every service. Migrations make it; tests compare."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
)

_BYTES = "C"  # the collation that compares bytes


def add_audit_records(metadata: MetaData) -> Table:
    """Add the table to those of a service."""
    return Table(
        "audit_records",
        metadata,
        _code("id"),
        Column("begun_id", Text(collation=_BYTES), nullable=True),
        Column("record_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
        _code("caller"),
        _code("actor"),
        _code("peer"),
        _code("method"),
        Column("thing_kinds", ARRAY(Text(collation=_BYTES)), nullable=False),
        Column("thing_ids", ARRAY(Text(collation=_BYTES)), nullable=False),
        Column("item_count", Integer, nullable=False),
        Column("refused_count", Integer, nullable=False),
        _code("result"),
        _code("reason"),
        _code("trace_id"),
        Column("duration_ms", Integer, nullable=True),
        PrimaryKeyConstraint("id", name="pk_audit_records"),
        UniqueConstraint("begun_id", name="uq_audit_records_begun"),
        CheckConstraint(
            "(result = 'BEGUN') = (duration_ms IS NULL)", name="ck_audit_records_ended"
        ),
        CheckConstraint("result <> 'BEGUN' OR begun_id IS NULL", name="ck_audit_records_begun"),
        CheckConstraint(
            "cardinality(thing_kinds) = cardinality(thing_ids)", name="ck_audit_records_things"
        ),
        Index("ix_audit_records_time", "record_time", "id"),
        Index("ix_audit_records_actor", "actor", "record_time", "id"),
        Index("ix_audit_records_things", "thing_ids", postgresql_using="gin"),
    )


def _code(name: str) -> Column[str]:
    """A text that is compared by bytes."""
    return Column(name, Text(collation=_BYTES), nullable=False)
