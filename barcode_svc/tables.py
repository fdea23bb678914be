"""The tables of the barcode database, as the migrations leave them.

The migrations make them, constraints and grants included; this is how the code names their columns.
A test compares the two.
"""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Integer, MetaData, PrimaryKeyConstraint, Table, Text

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

QR_SERIALS = Table(
    "qr_serials",
    METADATA,
    _code("merchant_id"),
    _code("store_id"),
    Column("serial", Integer, nullable=False),
    Column("update_time", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("merchant_id", "store_id", name="pk_qr_serials"),
)
"""Which issue of a shop's static code is the current one; lower ones are revoked."""
