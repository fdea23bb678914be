"""The tables of the barcode database, as the migrations leave them.

The migrations make them, constraints and grants included; this is how the code names their columns.
A test compares the two.
"""

from __future__ import annotations

from sqlalchemy import Column, DateTime, MetaData, PrimaryKeyConstraint, Table, Text

METADATA = MetaData()


def _code(name: str) -> Column[str]:
    """An id or a code: text that is compared by bytes."""
    return Column(name, Text(collation="C"), nullable=False)


MERCHANTS = Table(
    "merchants",
    METADATA,
    _code("id"),
    Column("name", Text, nullable=False),
    Column("city", Text, nullable=False),
    _code("category_code"),
    _code("country_code"),
    _code("currency_code"),
    Column("create_time", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("id", name="pk_merchants"),
)
"""The shops that take QR payments."""
